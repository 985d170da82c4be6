/** A decoded TensorFlow Lite model to the IR: its main graph, with the names that its signature gives to inputs and outputs. */
import type { TfliteModel, TfliteSignature, TfliteSubgraph } from '../../formats/tflite/model.js';
import type { Model } from '../../ir/model.js';
import type { Dimension, Value } from '../../ir/value.js';
import { GraphBuilder } from '../../lowering/graph-builder.js';
import { removeDeadNodes } from '../../passes/remove-dead-nodes.js';
import { elementTypeOf } from './constants.js';
import { checkOperators, lowerSubgraph } from './lower-subgraph.js';
import { TensorScope } from './tensor-scope.js';

/**
 * @throws ReaderError OPERATOR_UNSUPPORTED with each kind, TENSOR_TYPE_UNSUPPORTED, TENSOR_UNDEFINED, CONSTANT_NEEDED, INPUT_MISSING,
 * OPTIONS_INVALID, QUANTIZATION_INVALID and the codes of lowering; GraphError TENSOR_SIZE for a constant of another size than its shape's
 */
export function modelFromTflite(tflite: TfliteModel): Model {
  const signature = mainSignature(tflite);
  const main = signature?.subgraph ?? 0;
  const subgraph = tflite.subgraphs[main] as TfliteSubgraph;
  checkOperators(tflite, main);
  const builder = new GraphBuilder();
  const scope = new TensorScope(builder, subgraph, { subgraphs: tflite.subgraphs, lowerOperators: lowerSubgraph });
  addInputs(scope, namesOf(subgraph, subgraph.inputs, signature?.inputs));
  lowerSubgraph(scope);
  const names = namesOf(subgraph, subgraph.outputs, signature?.outputs);
  const outputs = subgraph.outputs.map((index, position) => {
    return { name: names[position] ?? '', value: scope.stored(scope.tensor(index)) };
  });
  const model = builder.finish(outputs);
  // Shapes that are computed for others, where the file already says what comes out.
  removeDeadNodes().run(model);
  return model;
}

/** What servers look for first; other signatures are other models in the same file. */
const SERVING_SIGNATURE = 'serving_default';

function mainSignature({ signatures }: TfliteModel): TfliteSignature | undefined {
  return signatures.find(({ key }) => key === SERVING_SIGNATURE) ?? signatures[0];
}

/** The signature's names, else those of the tensors; each once. */
function namesOf(
  subgraph: TfliteSubgraph,
  indices: readonly number[],
  names: ReadonlyMap<string, number> | undefined,
): readonly string[] {
  const left = new Map([...(names ?? [])].filter(([name]) => name !== ''));
  const taken = new Set<string>();
  return indices.map((index, position) => {
    const given = [...left].find(([, tensor]) => tensor === index)?.[0];
    if (given !== undefined) left.delete(given);
    const base = given ?? (subgraph.tensors[index]?.name || `tensor_${position}`);
    let name = base;
    for (let suffix = 1; taken.has(name); suffix++) name = `${base}_${suffix}`;
    taken.add(name);
    return name;
  });
}

function addInputs(scope: TensorScope, names: readonly string[]): void {
  const tensors = scope.subgraph.inputs.map((index) => scope.tensor(index));
  const isBatch = tensors.every(({ shapeSignature }) => shapeSignature?.[0] === -1);
  for (const [position, tensor] of tensors.entries()) {
    const name = names[position] ?? '';
    const shape = tensor.shape.map((size, axis): Dimension => {
      if (tensor.shapeSignature?.[axis] !== -1) return size;
      return axis === 0 && isBatch ? 'N' : `${name}_dim${axis}`;
    });
    const value: Value = scope.builder.input(name, { elementType: elementTypeOf(tensor), shape });
    scope.define(tensor.index, value);
  }
}
