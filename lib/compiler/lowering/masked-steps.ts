/**
 * Sequences with masked steps, for operators that know only sequences of several lengths. A masked step leaves the state as it was, so a
 * run over a sequence with holes is the run over its unmasked steps alone: these are moved to the front, and outputs back.
 */
import { attribute } from '../ir/attribute.js';
import type { Graph } from '../ir/graph.js';
import type { Value } from '../ir/value.js';
import { binary, cast, compare, where } from './elementwise.js';
import { elementTypeOf, type GraphBuilder, typeOf } from './graph-builder.js';
import { gather, slice, unsqueeze } from './rearrange.js';
import { cumulativeSum, positions, reduce } from './reduce.js';
import { shapeOf } from './shape.js';

export interface MaskedSteps {
  /** bool [N, T]. */
  readonly mask: Value;
  /** How many steps of each sequence are not masked: int64 [N]. */
  readonly lengths: Value;
  /** bool [N]. */
  readonly isAny: Value;
  /** The unmasked steps in the order of time, and after them the others: int64 [N, T]. */
  readonly order: Value;
  /** How many steps up to each, itself included, are not masked: int64 [N, T]. */
  readonly counts: Value;
}

/** Layers in a row share their mask: what is made of it is written once in each graph. */
const written = new WeakMap<Graph, WeakMap<Value, MaskedSteps>>();

/** @param mask bool [N, T], with holes or without */
export function maskedSteps(builder: GraphBuilder, mask: Value): MaskedSteps {
  const ofGraph = written.get(builder.graph) ?? new WeakMap<Value, MaskedSteps>();
  written.set(builder.graph, ofGraph);
  const steps = ofGraph.get(mask) ?? writeSteps(builder, mask);
  ofGraph.set(mask, steps);
  return steps;
}

function writeSteps(builder: GraphBuilder, mask: Value): MaskedSteps {
  const [batch, time] = shapeOf(mask);
  const numbers = cast(builder, mask, 'int64');
  const lengths = reduce(builder, 'ReduceSum', numbers, [1], false);
  // Unmasked steps get T - t, masked ones -t: all different, and in the order that is wanted from the largest on.
  const count = sizeAlong(builder, mask, 1);
  const keys = binary(builder, 'Sub', binary(builder, 'Mul', numbers, count), positions(builder, mask, 1));
  const type = { elementType: 'int64', shape: [batch, time] } as const;
  const [, order] = builder.nodes('TopK', [keys, count], [type, type], { attributes: { axis: attribute.int(1) } });
  return {
    mask,
    lengths,
    isAny: compare(builder, 'Greater', lengths, builder.scalar(0, 'int64')),
    order: order as Value,
    counts: cumulativeSum(builder, numbers, 1),
  };
}

/** The size of a dimension as an int64 vector of one. */
export function sizeAlong(builder: GraphBuilder, x: Value, axis: number): Value {
  const shape = shapeOf(x);
  const size = shape[axis];
  if (typeof size === 'number') return builder.int64([size]);
  const sizes = builder.node('Shape', [x], { elementType: 'int64', shape: [shape.length] });
  return gather(builder, sizes, builder.int64([axis]), 0);
}

/** Steps of [N, T, …] by their positions, int64 [N, T]. */
export function gatherSteps(builder: GraphBuilder, x: Value, steps: Value): Value {
  const attributes = { batch_dims: attribute.int(1) };
  return builder.node('GatherND', [x, unsqueeze(builder, steps, [-1])], typeOf(x), { attributes });
}

/**
 * Outputs of the unmasked steps, [N, T, units], back at their time. A masked step has the output of the step that ran before it, 0 where
 * none did; or 0 in any case.
 */
export function scatterSteps(
  builder: GraphBuilder,
  outputs: Value,
  { mask, lengths, counts }: MaskedSteps,
  options: { readonly reverse: boolean; readonly zeroOutputForMask: boolean },
): Value {
  const zero = builder.scalar(0, 'int64');
  const one = builder.scalar(1, 'int64');
  // Backwards, what ran before a masked step is the next unmasked one: as many lie in front of both.
  const before = binary(builder, 'Sub', counts, options.reverse ? cast(builder, mask, 'int64') : one);
  const ran = options.reverse
    ? compare(builder, 'Less', before, unsqueeze(builder, lengths, [1]))
    : compare(builder, 'GreaterOrEqual', before, zero);
  const steps = where(builder, ran, before, zero);
  const valid = options.zeroOutputForMask ? mask : ran;
  return zeroUnless(builder, valid, gatherSteps(builder, outputs, steps));
}

/** `x` where `condition`, whose dimensions are the first ones of `x`, holds; else 0. */
export function zeroUnless(builder: GraphBuilder, condition: Value, x: Value): Value {
  return whereFirst(builder, condition, x, builder.scalar(0, elementTypeOf(x)));
}

/** `a` where `condition`, whose dimensions are the first ones of `a`, holds; else `b`. */
export function whereFirst(builder: GraphBuilder, condition: Value, a: Value, b: Value): Value {
  const rank = shapeOf(condition).length;
  const added = shapeOf(a)
    .slice(rank)
    .map((_, index) => rank + index);
  return where(builder, unsqueeze(builder, condition, added), a, b);
}

/** bool [N]: whether the step that a run ends with is unmasked. */
export function lastStepRuns(builder: GraphBuilder, mask: Value, reverse: boolean): Value {
  const step = slice(builder, mask, [reverse ? { axis: 1, start: 0, end: 1 } : { axis: 1, start: -1 }]);
  return builder.node('Squeeze', [step, builder.int64([1])], { elementType: 'bool', shape: [shapeOf(mask)[0]] });
}
