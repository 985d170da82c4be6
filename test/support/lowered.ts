/** Runs what a lowering writes, node by node. */
import type { Tensor as OrtTensor } from 'onnxruntime-node';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import type { Tensor } from '../../lib/compiler/ir/tensor.js';
import type { Dimension, Value } from '../../lib/compiler/ir/value.js';
import { GraphBuilder } from '../../lib/compiler/lowering/graph-builder.js';
import { shapeOf } from '../../lib/compiler/lowering/shape.js';
import { toOrtFeeds } from './compare-outputs.js';
import { runModel } from './run-model.js';

export interface LoweredRun {
  readonly outputs: Readonly<Record<string, OrtTensor>>;
  /** As the builder had them, before anything ran. */
  readonly shapes: Readonly<Record<string, readonly Dimension[]>>;
  readonly operators: readonly string[];
}

export type LoweredValues = Readonly<Record<string, Value>>;

/**
 * @param open input dimensions that the graph does not know, by input: `{ x: [0] }`
 * @throws Error where a shape that the builder knows is not that of the result
 */
export async function runLowered(
  inputs: Readonly<Record<string, Tensor>>,
  write: (builder: GraphBuilder, values: LoweredValues) => LoweredValues,
  open: Readonly<Record<string, readonly number[]>> = {},
): Promise<LoweredRun> {
  const builder = new GraphBuilder();
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, { elementType, dims }]) => {
      const shape = dims.map((size, axis): Dimension => (open[name]?.includes(axis) ? undefined : size));
      return [name, builder.input(name, { elementType, shape })];
    }),
  );
  const results = write(builder, values);
  const shapes = Object.fromEntries(Object.entries(results).map(([name, value]) => [name, shapeOf(value)]));
  const operators = builder.graph.nodes.map(({ opType }) => opType);
  const model = builder.finish(Object.entries(results).map(([name, value]) => ({ name, value })));
  const outputs = (await runModel(modelToBytes(model), toOrtFeeds(inputs))) as Record<string, OrtTensor>;
  for (const [name, shape] of Object.entries(shapes)) {
    const dims = outputs[name]?.dims ?? [];
    const agrees =
      shape.length === dims.length && shape.every((size, axis) => typeof size !== 'number' || size === dims[axis]);
    if (!agrees) throw new Error(`${name} has the shape [${dims}], where [${shape}] was known`);
  }
  return { outputs, shapes, operators };
}

export function numbersOf(tensor: OrtTensor | undefined): number[] {
  return Array.from(tensor?.data as Float32Array, Number);
}
