/** The same elements in another order or shape. */
import { attribute } from '../ir/attribute.js';
import { Tensor } from '../ir/tensor.js';
import type { Dimension, Value } from '../ir/value.js';
import { elementTypeOf, type GraphBuilder, typeOf } from './graph-builder.js';
import { firstOf, LoweringError } from './lowering-error.js';
import { broadcastShapes, normalizedAxis, rankOf, type Shape, shapeOf, shapeText, staticCount } from './shape.js';

/** Dimension `i` of the result is dimension `permutation[i]` of `x`. Nothing is written where nothing moves. */
export function transpose(builder: GraphBuilder, x: Value, permutation: readonly number[]): Value {
  if (permutation.every((axis, index) => axis === index)) return x;
  const { elementType, shape } = typeOf(x);
  const attributes = { perm: attribute.ints(permutation) };
  return builder.node('Transpose', [x], { elementType, shape: permutation.map((axis) => shape[axis]) }, { attributes });
}

/** [N, …, C] → [N, C, …], as ONNX's convolutions and pools want it. */
export function toChannelsFirst(builder: GraphBuilder, x: Value): Value {
  const rank = rankOf(x);
  return transpose(builder, x, [0, rank - 1, ...range(1, rank - 1)]);
}

/** [N, C, …] → [N, …, C]. */
export function toChannelsLast(builder: GraphBuilder, x: Value): Value {
  const rank = rankOf(x);
  return transpose(builder, x, [0, ...range(2, rank), 1]);
}

function range(start: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - start) }, (_, index) => start + index);
}

/**
 * To sizes of which at most one is -1, which is computed from the rest. Sizes of 0 are zero.
 * @param known what the result's open sizes are called, where that is known: the same length as `sizes`
 * @throws LoweringError SHAPE_MISMATCH where the numbers of elements are known and differ
 */
export function reshape(builder: GraphBuilder, x: Value, sizes: readonly number[], known?: Shape): Value {
  const { elementType, shape: before } = typeOf(x);
  const shape = resolved(before, sizes, known);
  const same =
    before.length === shape.length && before.every((size, axis) => size !== undefined && size === shape[axis]);
  if (same) return x;
  const attributes = sizes.includes(0) ? { allowzero: attribute.int(1) } : {};
  return builder.node('Reshape', [x, builder.int64(sizes)], { elementType, shape }, { attributes });
}

function resolved(before: Shape, sizes: readonly number[], known: Shape | undefined): Dimension[] {
  const count = staticCount(before);
  const rest = sizes.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const shape: Dimension[] = sizes.map((size, axis) => {
    if (size !== -1) return size;
    if (count !== undefined && rest > 0 && count % rest === 0) return count / rest;
    return known?.[axis] ?? openSize(before, rest);
  });
  const after = staticCount(shape);
  if (count !== undefined && after !== undefined && count !== after) {
    throw new LoweringError({
      code: 'SHAPE_MISMATCH',
      message: `[${shapeText(before)}] cannot take the shape [${sizes.join(', ')}].`,
      advice: 'The model is damaged or was written by a faulty exporter; export it again.',
    });
  }
  return shape;
}

/** The open size of `before` where everything else multiplies to `rest`: the -1 is that dimension then. */
function openSize(before: Shape, rest: number): Dimension {
  const open = before.filter((size) => typeof size !== 'number');
  const [size] = open;
  return open.length === 1 && staticCount(before.filter((each) => typeof each === 'number')) === rest
    ? size
    : undefined;
}

/** To the shape of `like`, whatever that will be. */
export function reshapeAs(builder: GraphBuilder, x: Value, like: Value): Value {
  const shape = shapeOf(like);
  const open = shape.filter((size) => typeof size !== 'number').length;
  const sizes = shape.map((size) => (typeof size === 'number' ? size : -1));
  if (open <= 1 && !sizes.includes(0)) return reshape(builder, x, sizes, shape);
  return builder.node('Reshape', [x, shapeVector(builder, like)], { elementType: elementTypeOf(x), shape });
}

/** Keeps the first dimension, and makes one of the others. */
export function flattenFromSecond(builder: GraphBuilder, x: Value): Value {
  const shape = shapeOf(x);
  if (shape.length === 2) return x;
  const [batch, ...rest] = shape;
  const type = { elementType: elementTypeOf(x), shape: [batch, staticCount(rest)] };
  return builder.node('Flatten', [x], type, { attributes: { axis: attribute.int(1) } });
}

/** New dimensions of size 1 at `axes` of the result. */
export function unsqueeze(builder: GraphBuilder, x: Value, axes: readonly number[]): Value {
  if (axes.length === 0) return x;
  const { elementType, shape: before } = typeOf(x);
  const rank = before.length + axes.length;
  const added = new Set(axes.map((axis) => normalizedAxis(axis, rank)));
  const rest = [...before];
  const shape = range(0, rank).map((axis) => (added.has(axis) ? 1 : rest.shift()));
  return builder.node('Unsqueeze', [x, builder.int64([...added].sort((a, b) => a - b))], { elementType, shape });
}

/** Without the dimensions at `axes`, each of size 1. */
export function squeeze(builder: GraphBuilder, x: Value, axes: readonly number[]): Value {
  if (axes.length === 0) return x;
  const { elementType, shape: before } = typeOf(x);
  const removed = new Set(axes.map((axis) => normalizedAxis(axis, before.length)));
  const shape = before.filter((_, axis) => !removed.has(axis));
  return builder.node('Squeeze', [x, builder.int64([...removed].sort((a, b) => a - b))], { elementType, shape });
}

export function concat(builder: GraphBuilder, values: readonly Value[], axis: number): Value {
  const first = firstOf(values, 'Concat');
  if (values.length === 1) return first;
  const at = normalizedAxis(axis, rankOf(first));
  const shapes = values.map(shapeOf);
  const shape = shapeOf(first).map((size, index): Dimension => {
    const sizes = shapes.map((each) => each[index]);
    if (index === at)
      return staticCount(sizes) === undefined ? undefined : sizes.reduce<number>((sum, each) => sum + Number(each), 0);
    return sizes.find((each) => typeof each === 'number') ?? (sizes.every((each) => each === size) ? size : undefined);
  });
  const attributes = { axis: attribute.int(at) };
  return builder.node('Concat', values, { elementType: elementTypeOf(first), shape }, { attributes });
}

/** Parts of the given sizes along an axis. */
export function split(builder: GraphBuilder, x: Value, axis: number, sizes: readonly number[]): Value[] {
  if (sizes.length === 1) return [x];
  const { elementType, shape } = typeOf(x);
  const at = normalizedAxis(axis, shape.length);
  const types = sizes.map((size) => ({ elementType, shape: shape.map((each, index) => (index === at ? size : each)) }));
  const attributes = { axis: attribute.int(at) };
  return builder.nodes('Split', [x, builder.int64(sizes)], types, { attributes }) as Value[];
}

export interface SliceRange {
  readonly axis: number;
  readonly start: number;
  /** Exclusive; undefined: to the end (to the beginning, where `step` is negative). */
  readonly end?: number;
  /** Default 1. */
  readonly step?: number;
}

/** Starts and ends count from the end where they are negative, and are cut at the dimension's ends. */
export function slice(builder: GraphBuilder, x: Value, ranges: readonly SliceRange[]): Value {
  const { elementType, shape: before } = typeOf(x);
  const shape = [...before];
  const rows = ranges.map(({ axis, start, end, step = 1 }) => {
    const at = normalizedAxis(axis, before.length);
    const size = before[at];
    // All of it, from either end, has the same size whatever that is.
    const isAll = end === undefined && start === (step === 1 ? 0 : step === -1 ? -1 : undefined);
    shape[at] = typeof size === 'number' ? slicedSize(size, start, end, step) : isAll ? size : undefined;
    return { at, start, end: end ?? (step > 0 ? MOST : -MOST), step };
  });
  const whole = rows.every(({ start, end, step }) => start === 0 && end === MOST && step === 1);
  if (whole) return x;
  const column = (pick: (row: (typeof rows)[number]) => number) => builder.int64(rows.map(pick));
  const inputs = [x, column((row) => row.start), column((row) => row.end), column((row) => row.at)];
  if (rows.some(({ step }) => step !== 1)) inputs.push(column((row) => row.step));
  return builder.node('Slice', inputs, { elementType, shape });
}

/** Beyond every size; ONNX cuts it. */
const MOST = 2 ** 31 - 1;

function slicedSize(size: number, start: number, end: number | undefined, step: number): number {
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const cut = (position: number) => Math.min(high, Math.max(low, position < 0 ? position + size : position));
  const from = cut(start);
  const to = end === undefined ? (step > 0 ? size : -1) : cut(end);
  return Math.max(0, Math.ceil((to - from) / step));
}

/** `x` broadcast to `sizes`, of which those missing in front and those of 1 leave it as it is. */
export function expand(builder: GraphBuilder, x: Value, sizes: readonly number[]): Value {
  const { elementType, shape } = typeOf(x);
  const type = { elementType, shape: broadcastShapes(shape, sizes) };
  return builder.node('Expand', [x, builder.int64(sizes)], type);
}

/** `x`, its dimensions repeated so many times each. */
export function tile(builder: GraphBuilder, x: Value, repeats: readonly number[]): Value {
  if (repeats.every((count) => count === 1)) return x;
  const { elementType, shape: before } = typeOf(x);
  const shape = before.map((size, axis) => {
    const count = repeats[axis] ?? 1;
    return typeof size === 'number' ? size * count : count === 1 ? size : undefined;
  });
  return builder.node('Tile', [x, builder.int64(repeats)], { elementType, shape });
}

/** Elements `indices` (int32 or int64) along an axis; negative ones count from the end. */
export function gather(builder: GraphBuilder, x: Value, indices: Value, axis: number): Value {
  const { elementType, shape } = typeOf(x);
  const at = normalizedAxis(axis, shape.length);
  const type = { elementType, shape: [...shape.slice(0, at), ...shapeOf(indices), ...shape.slice(at + 1)] };
  return builder.node('Gather', [x, indices], type, { attributes: { axis: attribute.int(at) } });
}

/** The sizes of `x` as an int64 vector: a constant where all are known. */
export function shapeVector(builder: GraphBuilder, x: Value): Value {
  const shape = shapeOf(x);
  if (staticCount(shape) !== undefined) return builder.constant(Tensor.int64(shape as readonly number[]));
  return builder.node('Shape', [x], { elementType: 'int64', shape: [shape.length] });
}
