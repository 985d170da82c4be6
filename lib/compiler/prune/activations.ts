/** How strong activations are, channel by channel: sums of squares over calibration data, taken inside the graph so that only they leave it. */
import type { DataSet, Feeds } from '../data/data-set.js';
import { attribute } from '../ir/attribute.js';
import type { Model } from '../ir/model.js';
import { Node } from '../ir/node.js';
import { Tensor } from '../ir/tensor.js';
import { Value } from '../ir/value.js';
import { openProbe, type ProbeOptions, runsOf } from './probe.js';

/** An axis of a value to be measured. */
export interface MeasuredAxis {
  readonly value: string;
  readonly axis: number;
  readonly rank: number;
}

export interface Strength {
  /** Mean of the squares at each index of the axis. */
  readonly meanSquares: Float64Array;
  /** Elements at one index, in one run, on average. */
  readonly positions: number;
}

export interface MeasureOptions extends ProbeOptions {
  /** Runs at most. Default 64. */
  readonly runs?: number;
  readonly onRun?: (run: number) => void;
}

/** By the value's name. */
export async function measureStrengths(
  model: Model,
  axes: readonly MeasuredAxis[],
  data: DataSet,
  options: MeasureOptions = {},
): Promise<Map<string, Strength>> {
  const names = new Map<string, readonly [MeasuredAxis, 'squares' | 'size']>();
  const extend = (copy: Model, values: ReadonlyMap<string, Value>) =>
    axes.flatMap((measured, index) => {
      const value = values.get(measured.value);
      if (value === undefined) return [];
      const others = Array.from({ length: measured.rank }, (_, axis) => axis).filter((axis) => axis !== measured.axis);
      const squares = new Value(copy.freshName(`squares_${index}`));
      const size = new Value(copy.freshName(`size_${index}`));
      // A product and a mean: unlike ReduceSumSquare they are the same in all versions since 13 but for where the axes stand.
      const square = new Value(copy.freshName(`square_${index}`));
      const reduction = reduceMean(copy, square, others, squares);
      copy.graph.append(new Node('Mul', [value, value], [square]), reduction, new Node('Size', [value], [size]));
      names.set(squares.name, [measured, 'squares']);
      names.set(size.name, [measured, 'size']);
      return [squares, size];
    });
  await using probe = await openProbe(model, [], options, { extend });
  const sums = new Map<string, Sums>();
  let run = 0;
  for await (const feeds of runsOf(model, data, options.runs ?? 64, options)) {
    addRun(sums, await probe.run(feeds), names);
    options.onRun?.(++run);
  }
  return new Map([...sums].map(([name, sum]) => [name, strengthOf(sum)]));
}

interface Sums {
  readonly squares: Float64Array;
  elements: number;
  runs: number;
}

function addRun(
  sums: Map<string, Sums>,
  outputs: Feeds,
  names: ReadonlyMap<string, readonly [MeasuredAxis, 'squares' | 'size']>,
): void {
  const sizes = new Map<string, number>();
  for (const [name, tensor] of Object.entries(outputs)) {
    const [measured, kind] = names.get(name) ?? [];
    if (measured !== undefined && kind === 'size') sizes.set(measured.value, Number(tensor.data[0]));
  }
  for (const [name, tensor] of Object.entries(outputs)) {
    const [measured, kind] = names.get(name) ?? [];
    if (measured === undefined || kind !== 'squares') continue;
    const { length } = tensor.data;
    const elements = (sizes.get(measured.value) ?? 0) / Math.max(1, length);
    const empty = { squares: new Float64Array(length), elements: 0, runs: 0 };
    const sum = sums.get(measured.value) ?? empty;
    sums.set(measured.value, sum);
    for (let index = 0; index < length; index++) {
      sum.squares[index] = (sum.squares[index] ?? 0) + Number(tensor.data[index]) * elements;
    }
    sum.elements += elements;
    sum.runs++;
  }
}

function strengthOf({ squares, elements, runs }: Sums): Strength {
  return {
    meanSquares: squares.map((sum) => sum / Math.max(1, elements)),
    positions: elements / Math.max(1, runs),
  };
}

function reduceMean(copy: Model, from: Value, axes: readonly number[], to: Value): Node {
  const keepdims = attribute.int(0);
  if (axes.length === 0) return new Node('Identity', [from], [to]);
  if (copy.opset < 18) {
    return new Node('ReduceMean', [from], [to], { attributes: { axes: attribute.ints(axes), keepdims } });
  }
  const constant = copy.graph.addInitializer(copy.freshName('axes'), Tensor.int64(axes));
  return new Node('ReduceMean', [from, constant], [to], { attributes: { keepdims } });
}
