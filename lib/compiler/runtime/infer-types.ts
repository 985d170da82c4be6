/**
 * Element types and shapes of a graph's values, asked of onnxruntime instead of inferred by rules of our own: every value becomes an
 * output of a throw-away copy, and its session's metadata says what it is.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { type TensorProto, ValueInfoProtoSchema } from 'onnx-buf';
import type { TensorSignature } from '../../artifact/manifest.js';
import { RuntimeError } from '../../errors.js';
import { encodeModel } from '../formats/onnx/decode.js';
import { isFloatingPoint } from '../ir/element-type.js';
import type { Model } from '../ir/model.js';
import { withFields } from '../ir/serialization/message.js';
import { inlineTensor } from '../ir/serialization/tensor-proto.js';
import { modelToProto } from '../ir/serialization/to-proto.js';
import { typeToProto } from '../ir/serialization/type-proto.js';
import { writeModel } from '../ir/serialization/write.js';
import type { Value } from '../ir/value.js';
import { sampleInputs } from './sample-inputs.js';
import { openSession, type RuntimeTensor, type SessionValue } from './session.js';

export interface InferTypesOptions {
  readonly signal?: AbortSignal;
}

/** Float weights larger than this are of no use to shape inference: the copy has typed inputs in their place. */
const SMALL_WEIGHT_BYTES = 1024;

/** Operators whose output sizes depend on the data: one run says nothing about the next. */
const DATA_DEPENDENT = new Set([
  'NonZero',
  'Compress',
  'Unique',
  'NonMaxSuppression',
  'TopK',
  'Range',
  'Loop',
  'Scan',
  'If',
]);

/**
 * Sets the type of every value of the main graph that onnxruntime can tell. Its metadata says `[]` both for a scalar and for an
 * unknown rank; one run on made-up inputs settles those. Values inside subgraphs keep what they have: inline them first.
 * @returns whether any type was learnt
 * @throws RuntimeError RUNTIME_OPEN if onnxruntime refuses the model
 */
export async function inferTypes(model: Model, options: InferTypesOptions = {}): Promise<boolean> {
  const session = await openSession(probeBytes(model), {
    settings: { graphOptimizationLevel: 'disabled' },
    ...options,
  });
  const told = session.outputs;
  await session.close();

  const values = mainValues(model);
  const unsettled: string[] = [];
  let modified = false;
  for (const { name, dataType, shape } of told) {
    const value = values.get(name);
    if (value === undefined || dataType === null) continue;
    const known = value.type?.kind === 'tensor' ? value.type.shape : undefined;
    if (shape?.length === 0 && known === undefined) unsettled.push(name);
    const learnt = shape === null || shape.length === 0 ? known : shape.map((dim) => dim ?? undefined);
    modified ||= value.type === undefined || known !== learnt;
    value.type = { kind: 'tensor', elementType: dataType, shape: learnt };
  }
  if (unsettled.length > 0) await settleByRunning(model, values, unsettled, options);
  return modified;
}

/** Values that nodes of the main graph compute, by name. */
function mainValues(model: Model): Map<string, Value> {
  const values = new Map<string, Value>();
  for (const node of model.graph.nodes) {
    for (const value of node.outputs) if (value !== undefined) values.set(value.name, value);
  }
  return values;
}

function probeBytes(model: Model): Uint8Array {
  const proto = modelToProto(model);
  const { graph } = proto;
  if (graph === undefined) throw new TypeError('a model always has a graph');
  const input = [...graph.input];
  const initializer: TensorProto[] = [];
  for (const value of model.graph.initializers) {
    const tensor = value.initializer;
    if (tensor === undefined) continue;
    if (isFloatingPoint(tensor.elementType) && tensor.byteLength > SMALL_WEIGHT_BYTES && !value.isGraphOutput) {
      const type = typeToProto({ kind: 'tensor', elementType: tensor.elementType, shape: tensor.dims });
      if (!model.graph.hasInput(value)) input.push(create(ValueInfoProtoSchema, { name: value.name, type }));
    } else initializer.push(inlineTensor(tensor, value.name));
  }
  const known = new Set(graph.output.map(({ name }) => name));
  const added = [...mainValues(model).keys()].filter((name) => !known.has(name));
  const output = [...graph.output, ...added.map((name) => create(ValueInfoProtoSchema, { name }))];
  return encodeModel(withFields(proto, { graph: withFields(graph, { input, initializer, output }) }));
}

/** One real run for the values whose rank the metadata leaves open; a model that refuses made-up inputs leaves them unknown. */
async function settleByRunning(
  model: Model,
  values: ReadonlyMap<string, Value>,
  names: readonly string[],
  options: InferTypesOptions,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'cdk-onnx-types-'));
  try {
    const path = join(folder, 'model.onnx');
    await writeWithOutputs(
      model,
      names.flatMap((name) => values.get(name) ?? []),
      path,
    );
    await using session = await openSession(path, { settings: { graphOptimizationLevel: 'disabled' }, ...options });
    const inputs = session.inputs.filter(isTensor);
    const { outputs } = await session.run(sampleInputs(inputs), names);
    const fixed =
      inputs.every(({ shape }) => shape?.every((dim) => typeof dim === 'number')) &&
      !model.graph.nodes.some((node) => DATA_DEPENDENT.has(node.opType) || node.domain !== '');
    for (const [name, tensor] of Object.entries<RuntimeTensor>(outputs)) {
      const type = values.get(name)?.type;
      const value = values.get(name);
      if (value === undefined || type?.kind !== 'tensor') continue;
      value.type = { ...type, shape: tensor.dims.map((dim) => (fixed ? dim : undefined)) };
    }
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeWithOutputs(model: Model, added: readonly Value[], path: string): Promise<void> {
  const outputs = [...model.graph.outputs];
  model.graph.setOutputs([...outputs, ...added.filter((value) => !value.isGraphOutput)]);
  try {
    await writeModel(model, path, { externalData: { file: 'model.onnx.data', minimumBytes: SMALL_WEIGHT_BYTES } });
  } finally {
    model.graph.setOutputs(outputs);
  }
}

function isTensor(value: SessionValue): value is TensorSignature {
  return value.dataType !== null;
}
