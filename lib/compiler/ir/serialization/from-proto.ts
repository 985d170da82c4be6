/** ModelProto to Model. Every part keeps the message it came from, so that what nobody touches is written back to the byte. */
import type { FunctionProto, ModelProto, OperatorSetIdProto } from 'onnx-buf';
import { ModelFormatError } from '../../../errors.js';
import { Graph } from '../graph.js';
import { Model, type ModelFunction } from '../model.js';
import { Value } from '../value.js';
import {
  appendNodes,
  attributesFromProto,
  defineOutputs,
  describeValue,
  graphFromProto,
  normalizedDomain,
  Scope,
} from './graph-from-proto.js';
import type { ExternalDataSource } from './tensor-proto.js';

export interface FromProtoOptions {
  /** Finds tensors that are stored outside the message. Without it they are refused. */
  readonly external?: ExternalDataSource;
}

/**
 * The IR of a model. Structure (unique names, order, cycles) is not judged here: see `validate`.
 * The message belongs to the model from then on and must not be changed.
 * @throws ModelFormatError for what cannot be represented: MODEL_WITHOUT_GRAPH, MODEL_IR_VERSION, OPSET_IMPORT, UNKNOWN_ELEMENT_TYPE,
 * UNKNOWN_ATTRIBUTE_TYPE, ATTRIBUTE_VALUE, DUPLICATE_ATTRIBUTE, TENSOR_…, EXTERNAL_DATA_…
 */
export function modelFromProto(proto: ModelProto, options: FromProtoOptions = {}): Model {
  if (proto.graph === undefined) {
    throw new ModelFormatError({
      code: 'MODEL_WITHOUT_GRAPH',
      message: 'The file is an ONNX model without a graph.',
      advice: 'Check that it is the model and not a tensor or another protobuf file; export it again.',
    });
  }
  const irVersion = Number(proto.irVersion);
  if (!Number.isSafeInteger(irVersion) || irVersion < 0) {
    throw new ModelFormatError({
      code: 'MODEL_IR_VERSION',
      message: `The model has the IR version ${proto.irVersion}.`,
      advice: 'The file is damaged. Export the model again.',
    });
  }
  return new Model(graphFromProto(proto.graph, options.external), opsetImports(proto.opsetImport, 'the model'), {
    irVersion,
    functions: proto.functions.map((fn) => functionFromProto(fn, options.external)),
    origin: proto,
  });
}

function opsetImports(protos: readonly OperatorSetIdProto[], owner: string): Map<string, number> {
  const imports = new Map<string, number>();
  for (const { domain: spelled, version } of protos) {
    const domain = normalizedDomain(spelled);
    const number = Number(version);
    const before = imports.get(domain);
    if (!Number.isSafeInteger(number) || (before !== undefined && before !== number)) {
      throw new ModelFormatError({
        code: 'OPSET_IMPORT',
        message: `The opset imports of ${owner} name version ${version} for domain '${domain || 'ai.onnx'}'${before === undefined ? '' : ` and version ${before} too`}.`,
        advice: 'The file is damaged or was written by a faulty exporter. Export the model again.',
      });
    }
    imports.set(domain, number);
  }
  return imports;
}

function functionFromProto(proto: FunctionProto, external: ExternalDataSource | undefined): ModelFunction {
  const body = new Graph(proto.name);
  const scope = new Scope();
  body.setInputs(
    proto.input.map((name) => {
      const value = new Value(name);
      scope.define(value);
      return value;
    }),
  );
  const outputs = defineOutputs(proto.node, scope);
  for (const info of proto.valueInfo) describeValue(info, scope);
  appendNodes(body, proto.node, outputs, scope, external);
  body.setOutputs(proto.output.map((name) => scope.resolve(name)));
  const { domain, name, overload } = proto;
  return {
    domain: normalizedDomain(domain),
    name,
    overload,
    body,
    opsetImports: opsetImports(proto.opsetImport, `function '${name}'`),
    attributeDefaults: attributesFromProto(proto.attributeProto, `function '${name}'`, new Scope(), external),
    origin: proto,
  };
}
