/** Attention: scores of queries against keys, a softmax that leaves out what is masked, and the values weighted by it. */
import { Tensor } from '../ir/tensor.js';
import type { Value } from '../ir/value.js';
import { softmax } from './activation.js';
import { einsum } from './einsum.js';
import { binary, compare, unary, where } from './elementwise.js';
import { elementTypeOf, type GraphBuilder, typeOf } from './graph-builder.js';
import { unsqueeze } from './rearrange.js';
import { causalMask, positions } from './reduce.js';
import { rankOf, requiredSize, shapeOf } from './shape.js';

/**
 * How masked scores lose their weight. They differ where everything is masked.
 * - `added`: -1e9 is added, so that their order stays as far as float32 resolves it (Keras 2)
 * - `set`: they become -1e9, all equal (Keras 2's robust masking)
 * - `zeroed`: likewise, and then their weights 0 (Keras 3's Softmax)
 * - `lowest`: they become the lowest number but a third (Keras 3's `dot_product_attention`)
 */
export type Masking = 'added' | 'set' | 'zeroed' | 'lowest';

/** For float32, in which Keras's layers are lowered. */
const MASKED: Readonly<Record<Masking, number>> = { added: -1e9, set: -1e9, zeroed: -1e9, lowest: -0.7 * 3.38953e38 };

/** softmax over `axes` of what is not masked. @param mask bool, broadcasts to the scores; false leaves out */
export function maskedSoftmax(
  builder: GraphBuilder,
  scores: Value,
  mask: Value,
  axes: readonly number[],
  masking: Masking,
): Value {
  const elementType = elementTypeOf(scores);
  const lowest = builder.scalar(MASKED[masking], elementType);
  const zero = builder.scalar(0, elementType);
  const lowered =
    masking === 'added'
      ? binary(builder, 'Add', scores, where(builder, mask, zero, lowest))
      : where(builder, mask, scores, lowest);
  const weights = softmax(builder, lowered, axes);
  return masking === 'zeroed' ? where(builder, mask, weights, zero) : weights;
}

export interface AttentionOptions {
  /** The dimensions of query, key and value that positions lie along. */
  readonly axes: readonly number[];
  /** Of the scores, before the softmax. */
  readonly scale: number;
  /** bool [batch, …, positions of queries, positions of keys]: false leaves a key out. Dimensions for heads are added where it has none. */
  readonly mask?: Value;
  readonly masking: Masking;
}

/**
 * softmax(scale · query · keyᵀ) · value, for every head.
 * @param query [batch, …, heads, size], with positions along `axes`
 * @param key likewise, with other positions
 * @param value likewise, with those of the keys
 * @returns output like the query; scores [batch, …, heads, positions of queries, positions of keys], after the softmax
 */
export function multiHeadAttention(
  builder: GraphBuilder,
  query: Value,
  key: Value,
  value: Value,
  { axes, scale, mask, masking }: AttentionOptions,
): { readonly output: Value; readonly scores: Value } {
  const rank = rankOf(query);
  const target = Array.from({ length: rank }, (_, axis) => letter(axis));
  const source = target.map((own, axis) => (axes.includes(axis) ? letter(rank + axes.indexOf(axis)) : own));
  const batch = target.filter((_, axis) => !axes.includes(axis) && axis !== rank - 1);
  const product = [...batch, ...axes.map((axis) => target[axis]), ...axes.map((axis) => source[axis])].join('');
  const scaled = binary(builder, 'Mul', query, builder.scalar(scale, elementTypeOf(query)));
  const logits = einsum(builder, `${target.join('')},${source.join('')}->${product}`, [scaled, key]);
  const softmaxAxes = axes.map((_, index) => product.length - axes.length + index);
  const scores =
    mask === undefined
      ? softmax(builder, logits, softmaxAxes)
      : maskedSoftmax(builder, logits, withHeads(builder, mask, product.length, axes.length), softmaxAxes, masking);
  const output = einsum(builder, `${product},${source.join('')}->${target.join('')}`, [scores, value]);
  return { output, scores };
}

function letter(index: number): string {
  return String.fromCharCode('a'.charCodeAt(0) + index);
}

/** Dimensions of 1 in front of those of the positions, up to `rank`. */
function withHeads(builder: GraphBuilder, mask: Value, rank: number, positionAxes: number): Value {
  const before = rankOf(mask);
  const added = Math.max(0, rank - before);
  const at = before - 2 * positionAxes;
  return unsqueeze(
    builder,
    mask,
    Array.from({ length: added }, (_, index) => Math.max(0, at) + index),
  );
}

/**
 * The last `bound` dimensions of `x` times the first of `kernel`, plus a bias of the dimensions that this leaves of the kernel.
 * @param kernel [… as the last of x, … of the result]
 */
export function projection(
  builder: GraphBuilder,
  x: Value,
  { kernel, bias, bound }: { readonly kernel: Value; readonly bias: Value | undefined; readonly bound: number },
): Value {
  const free = rankOf(x) - bound;
  const letters = (start: number, count: number) =>
    Array.from({ length: count }, (_, index) => letter(start + index)).join('');
  const contracted = letters(free, bound);
  const added = letters(free + bound, rankOf(kernel) - bound);
  const product = einsum(
    builder,
    `${letters(0, free)}${contracted},${contracted}${added}->${letters(0, free)}${added}`,
    [x, kernel],
  );
  return bias === undefined ? product : binary(builder, 'Add', product, bias);
}

/** bool [T, S]: true where a key's position is that of the query or before it. */
export function causal(
  builder: GraphBuilder,
  query: Value,
  key: Value,
  axes: readonly [number, number] = [1, 1],
): Value {
  return causalMask(builder, positions(builder, query, axes[0]), positions(builder, key, axes[1]));
}

/** bool [T, S]: true where positions are less than `window` apart. */
export function slidingWindow(builder: GraphBuilder, query: Value, key: Value, window: number): Value {
  const rows = unsqueeze(builder, positions(builder, query, 1), [1]);
  const distance = unary(builder, 'Abs', binary(builder, 'Sub', rows, positions(builder, key, 1)));
  return compare(builder, 'Less', distance, builder.scalar(window, 'int64'));
}

/** Each head of [N, T, heads, size] `times` in a row. */
export function repeatHeads(builder: GraphBuilder, x: Value, times: number): Value {
  if (times === 1) return x;
  const { elementType, shape } = typeOf(x);
  const heads = requiredSize(x, 2, 'GroupedQueryAttention');
  const size = requiredSize(x, 3, 'GroupedQueryAttention');
  const ones = builder.constant(Tensor.int64([1, 1, 1, times, 1]));
  const grouped = unsqueeze(builder, x, [3]);
  const repeated = builder.node('Expand', [grouped, ones], {
    elementType,
    shape: [shape[0], shape[1], heads, times, size],
  });
  const sizes = builder.int64([0, 0, heads * times, size]);
  return builder.node('Reshape', [repeated, sizes], { elementType, shape: [shape[0], shape[1], heads * times, size] });
}

/** softmax(scores) · value, where `scores` is [N, …, T, S] and the mask [N, …, T or 1, S]. */
export function weighted(
  builder: GraphBuilder,
  scores: Value,
  value: Value,
  mask: Value | undefined,
): { readonly output: Value; readonly weights: Value } {
  const shifted =
    mask === undefined
      ? scores
      : binary(builder, 'Sub', scores, where(builder, mask, number(builder, 0, scores), number(builder, 1e9, scores)));
  const weights = softmax(builder, shifted, [-1]);
  const shape = [...shapeOf(scores).slice(0, -1), shapeOf(value).at(-1)];
  const output = builder.node('MatMul', [weights, value], { elementType: elementTypeOf(value), shape });
  return { output, weights };
}

function number(builder: GraphBuilder, value: number, like: Value): Value {
  return builder.scalar(value, elementTypeOf(like));
}
