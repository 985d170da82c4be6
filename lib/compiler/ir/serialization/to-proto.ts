/** Model to ModelProto. */
import { create } from '@bufbuild/protobuf';
import {
  type FunctionProto,
  FunctionProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type OperatorSetIdProto,
  OperatorSetIdProtoSchema,
} from 'onnx-buf';
import type { Model, ModelFunction } from '../model.js';
import { attributeToProto } from './attribute-proto.js';
import { normalizedDomain } from './graph-from-proto.js';
import {
  attributeWriter,
  changedLists,
  graphToProto,
  nodeToProto,
  type TensorWriter,
  valueInfos,
} from './graph-to-proto.js';
import { withFields } from './message.js';
import { tensorToProto } from './tensor-proto.js';

export interface ToProtoOptions {
  /** Default: as they were read where that still holds (external data too), new ones with raw_data. */
  readonly writeTensor?: TensorWriter;
}

/**
 * The message of a model: for an untouched model the one it was read from; else copies of what changed, sharing the rest.
 * A file older than IR version 4 becomes one of version 4 if an initializer of it is no input any more.
 * @throws GraphError INITIALIZER_WITHOUT_TENSOR
 */
export function modelToProto(model: Model, options: ToProtoOptions = {}): ModelProto {
  const writeTensor = options.writeTensor ?? tensorToProto;
  const origin = model.origin ?? create(ModelProtoSchema, { producerName: 'cdk-onnx' });
  const graph = graphToProto(model.graph, writeTensor);
  const irVersion = BigInt(irVersionOf(model, graph === origin.graph));
  const changes = {
    ...changedLists(origin, {
      opsetImport: opsetImportsToProto(model.opsetImports, origin.opsetImport),
      functions: model.functions.map((fn) => functionToProto(fn, writeTensor)),
    }),
    ...(graph === origin.graph ? {} : { graph }),
    ...(irVersion === origin.irVersion ? {} : { irVersion }),
  };
  return Object.keys(changes).length === 0 ? origin : withFields(origin, changes);
}

function irVersionOf(model: Model, untouched: boolean): number {
  const constants = [...model.graph.initializers].some((value) => !model.graph.hasInput(value));
  return model.irVersion < 4 && constants && !untouched ? 4 : model.irVersion;
}

function opsetImportsToProto(
  imports: ReadonlyMap<string, number>,
  origins: readonly OperatorSetIdProto[],
): OperatorSetIdProto[] {
  const protos: OperatorSetIdProto[] = [];
  const written = new Set<string>();
  for (const origin of origins) {
    const domain = normalizedDomain(origin.domain);
    const version = imports.get(domain);
    if (version === undefined) continue;
    written.add(domain);
    protos.push(BigInt(version) === origin.version ? origin : withFields(origin, { version: BigInt(version) }));
  }
  for (const [domain, version] of imports) {
    if (!written.has(domain)) protos.push(create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }));
  }
  return protos;
}

function functionToProto(fn: ModelFunction, writeTensor: TensorWriter): FunctionProto {
  const origin = fn.origin ?? create(FunctionProtoSchema, { name: fn.name, domain: fn.domain });
  const { body } = fn;
  const writer = attributeWriter(writeTensor);
  const changes = {
    ...changedLists(origin, {
      input: body.inputs.map((value) => value.name),
      output: body.outputs.map((value) => value.name),
      node: body.nodes.map((node) => nodeToProto(node, writeTensor)),
      opsetImport: opsetImportsToProto(fn.opsetImports, origin.opsetImport),
      valueInfo: valueInfos(body, origin.valueInfo, definedIn(origin)),
      attributeProto: [...(fn.attributeDefaults ?? [])].map(([name, value]) => attributeToProto(name, value, writer)),
    }),
    ...(fn.name === origin.name ? {} : { name: fn.name }),
    ...(fn.domain === normalizedDomain(origin.domain) ? {} : { domain: fn.domain }),
    ...(fn.overload === origin.overload ? {} : { overload: fn.overload }),
  };
  return Object.keys(changes).length === 0 ? origin : withFields(origin, changes);
}

function definedIn(proto: FunctionProto): Set<string> {
  const names = new Set(proto.input);
  for (const node of proto.node) for (const name of node.output) names.add(name);
  return names;
}
