/** Parts of tensors as TensorFlow cuts them: StridedSlice with its masks, and Slice. */
import type { Dimension, Value } from '../ir/value.js';
import { elementOf, sizeVector } from './computed-shape.js';
import { cast } from './elementwise.js';
import { type GraphBuilder, typeOf } from './graph-builder.js';
import { dimensionOf, isSameSize, type KnownElement, knownElements, knownNumbers, sizesOf } from './known-elements.js';
import { LoweringError } from './lowering-error.js';
import { gather, reshape, type SliceRange, slice, squeeze, unsqueeze } from './rearrange.js';
import { rankOf, shapeOf, shapeText } from './shape.js';

/** Bit `i` is about entry `i` of begin, end and strides. */
export interface StridedSliceMasks {
  /** From the first element (with a negative stride, the last). */
  readonly begin: number;
  /** To the end. */
  readonly end: number;
  /** The entry stands for as many whole dimensions as are left. */
  readonly ellipsis: number;
  /** A dimension of size 1 is added. */
  readonly newAxis: number;
  /** One element is taken, and its dimension goes away. */
  readonly shrinkAxis: number;
}

export const NO_MASKS: StridedSliceMasks = { begin: 0, end: 0, ellipsis: 0, newAxis: 0, shrinkAxis: 0 };

/** What happens to the dimensions of the source, in order, and where dimensions are added. */
type Step =
  | { readonly kind: 'new' }
  | { readonly kind: 'whole'; readonly axis: number }
  | { readonly kind: 'range' | 'one'; readonly axis: number; readonly entry: number };

/**
 * TensorFlow's StridedSlice, NumPy's `x[begin:end:stride, …, newaxis, index]`. Begins and ends count from the end where they are negative
 * and are cut at the ends, as ONNX's are; a taken index is not.
 * @param begin int32 or int64 [n], and so `end` and `strides`; entries of `begin` and `end` may be computed, `strides` are constants
 * @throws LoweringError SLICE_ENTRIES, SLICE_STRIDES
 */
export function stridedSlice(
  builder: GraphBuilder,
  x: Value,
  begin: Value,
  end: Value,
  strides: Value | undefined,
  masks: StridedSliceMasks = NO_MASKS,
): Value {
  const entries = knownElements(begin)?.length;
  const steps = strides === undefined ? new Array<number>(entries ?? 0).fill(1) : knownNumbers(strides);
  if (entries === undefined || steps === undefined || steps.length !== entries || steps.includes(0)) {
    throw new LoweringError({
      code: 'SLICE_STRIDES',
      message: 'The strides of a slice are not constants, or not as many as its begins, or 0.',
      advice: 'Write the slice with constant strides, and export the model again.',
    });
  }
  const plan = planSteps(entries, rankOf(x), masks);
  const ends = { begin, end, strides: steps, masks };
  const sliced = cutRanges(builder, x, plan, ends);
  const taken = takeOnes(builder, sliced, plan, begin);
  const added = plan.filter(({ kind }) => kind !== 'one').flatMap(({ kind }, axis) => (kind === 'new' ? [axis] : []));
  return unsqueeze(builder, taken, added);
}

function planSteps(entries: number, rank: number, masks: StridedSliceMasks): Step[] {
  const has = (mask: number, entry: number) => ((mask >>> entry) & 1) === 1;
  const all = Array.from({ length: entries }, (_, entry) => entry);
  const ellipsisAt = all.find((entry) => has(masks.ellipsis, entry));
  const consuming = all.filter((entry) => entry !== ellipsisAt && !has(masks.newAxis, entry)).length;
  const filled = rank - consuming;
  if (filled < 0 || entries > 32) {
    throw new LoweringError({
      code: 'SLICE_ENTRIES',
      message: `A slice of ${consuming} dimensions is taken of a tensor with ${rank}.`,
      advice: 'The model is damaged or was written by a faulty exporter; export it again.',
    });
  }
  const steps: Step[] = [];
  let axis = 0;
  const fill = () => {
    for (let count = 0; count < filled; count++) steps.push({ kind: 'whole', axis: axis++ });
  };
  for (const entry of all) {
    if (entry === ellipsisAt) fill();
    else if (has(masks.newAxis, entry)) steps.push({ kind: 'new' });
    else steps.push({ kind: has(masks.shrinkAxis, entry) ? 'one' : 'range', axis: axis++, entry });
  }
  if (ellipsisAt === undefined) fill();
  return steps;
}

interface Ends {
  readonly begin: Value;
  readonly end: Value;
  readonly strides: readonly number[];
  readonly masks: StridedSliceMasks;
}

function cutRanges(builder: GraphBuilder, x: Value, plan: readonly Step[], ends: Ends): Value {
  const [begins, lasts] = [knownElements(ends.begin), knownElements(ends.end)];
  const ranges: SliceRange[] = [];
  const open: { axis: number; start: Bound; end: Bound; step: number }[] = [];
  for (const step of plan) {
    if (step.kind === 'new' || step.kind === 'whole') continue;
    const { axis, entry } = step;
    const begin = begins?.[entry];
    if (step.kind === 'one') {
      // One that the graph computes is gathered in `takeOnes`.
      if (typeof begin !== 'number') continue;
      requireIndex(begin, x, axis);
      ranges.push({ axis, start: begin, ...(begin === -1 ? {} : { end: begin + 1 }) });
      continue;
    }
    const stride = ends.strides[entry] ?? 1;
    const start = isSet(ends.masks.begin, entry) ? undefined : { element: begin, vector: ends.begin, entry };
    const reachesEnd = isSet(ends.masks.end, entry) || (stride > 0 && isEnd(lasts?.[entry], x, axis));
    const end = reachesEnd ? undefined : { element: lasts?.[entry], vector: ends.end, entry };
    const isPlain = [start, end].every((bound) => bound === undefined || typeof bound.element === 'number');
    if (isPlain) {
      const from = typeof start?.element === 'number' ? start.element : stride > 0 ? 0 : -1;
      if (from === 0 && end === undefined && stride === 1) continue;
      ranges.push({
        axis,
        start: from,
        step: stride,
        ...(typeof end?.element === 'number' ? { end: end.element } : {}),
      });
    } else open.push({ axis, start, end, step: stride });
  }
  const cut = ranges.length === 0 ? x : slice(builder, x, ranges);
  return open.length === 0 ? cut : cutOpen(builder, cut, open);
}

type Bound = { readonly element: KnownElement; readonly vector: Value; readonly entry: number } | undefined;

/** Beyond every size; ONNX cuts it. */
const MOST = 2 ** 31 - 1;

/** Ranges whose ends are computed. */
function cutOpen(
  builder: GraphBuilder,
  x: Value,
  ranges: readonly { readonly axis: number; readonly start: Bound; readonly end: Bound; readonly step: number }[],
): Value {
  const { elementType, shape: before } = typeOf(x);
  const shape = [...before];
  for (const { axis, start, end, step } of ranges) {
    // x[:size] of a longer dimension; what is sliced is trusted to have as many.
    shape[axis] = start === undefined && step === 1 ? dimensionOf(end?.element) : undefined;
  }
  const bound = (of: Bound, otherwise: number) =>
    of === undefined ? otherwise : elementOf(builder, of.vector, of.entry);
  const inputs = [
    x,
    sizeVector(
      builder,
      ranges.map(({ start, step }) => bound(start, step > 0 ? 0 : MOST)),
    ),
    sizeVector(
      builder,
      ranges.map(({ end, step }) => bound(end, step > 0 ? MOST : -MOST)),
    ),
    builder.int64(ranges.map(({ axis }) => axis)),
    builder.int64(ranges.map(({ step }) => step)),
  ];
  return builder.node('Slice', inputs, { elementType, shape });
}

function isEnd(element: KnownElement, x: Value, axis: number): boolean {
  const size = sizesOf(x)[axis];
  if (typeof element === 'number') return typeof size === 'number' && element >= size;
  return isSameSize(element, size);
}

function isSet(mask: number, entry: number): boolean {
  return ((mask >>> entry) & 1) === 1;
}

function requireIndex(index: number, x: Value, axis: number): void {
  const size = shapeOf(x)[axis];
  if (typeof size !== 'number' || (index < size && index >= -size)) return;
  throw new LoweringError({
    code: 'SLICE_INDEX',
    message: `Element ${index} of dimension ${axis} is taken of [${shapeText(shapeOf(x))}].`,
    advice: 'The model is damaged or was written by a faulty exporter; export it again.',
  });
}

/** Dimensions of which one element was cut go away; where its index is computed, it is gathered. */
function takeOnes(builder: GraphBuilder, x: Value, plan: readonly Step[], begin: Value): Value {
  const begins = knownElements(begin);
  let result = x;
  const squeezed: number[] = [];
  for (const step of [...plan].reverse()) {
    if (step.kind !== 'one') continue;
    if (typeof begins?.[step.entry] === 'number') squeezed.push(step.axis);
    else {
      const index = elementOf(builder, begin, step.entry);
      const vector = typeof index === 'number' ? builder.int64([index]) : index;
      // A list of one keeps the dimension for `squeeze`, so that axes stay what they are.
      result = gather(builder, result, vector, step.axis);
      squeezed.push(step.axis);
    }
  }
  return squeeze(builder, result, squeezed);
}

/**
 * TensorFlow's Slice: `size` elements from `begin`, along each dimension; a size of -1 is all that are left.
 * @param begin int32 or int64 [rank], and so `size`; both may be computed
 */
export function sliceSizes(builder: GraphBuilder, x: Value, begin: Value, size: Value): Value {
  const [begins, sizes] = [knownElements(begin), knownElements(size)];
  const { elementType, shape: before } = typeOf(x);
  const isKnown = before.every((_, axis) => typeof begins?.[axis] === 'number' && typeof sizes?.[axis] === 'number');
  if (isKnown) {
    const ranges = before.flatMap((_, axis): SliceRange[] => {
      const [from, count] = [Number(begins?.[axis]), Number(sizes?.[axis])];
      if (count < 0) return from === 0 ? [] : [{ axis, start: from }];
      return before[axis] === count && from === 0 ? [] : [{ axis, start: from, end: from + count }];
    });
    return ranges.length === 0 ? x : slice(builder, x, ranges);
  }
  const starts = before.map((_, axis) => elementOf(builder, begin, axis));
  const counts = before.map((_, axis) => elementOf(builder, size, axis));
  const shape = before.map((_, axis): Dimension => {
    const count = sizes?.[axis];
    return count === -1 ? undefined : dimensionOf(count);
  });
  const startVector = sizeVector(builder, starts);
  const ends = counts.map((count, axis) => {
    const start = starts[axis];
    if (typeof count === 'number' && count < 0) return MOST;
    if (typeof count === 'number' && typeof start === 'number') return start + count;
    const vectors = [start ?? 0, count].map((each) => (typeof each === 'number' ? builder.int64([each]) : each));
    return builder.node('Add', vectors, { elementType: 'int64', shape: [1] });
  });
  const axes = builder.int64(before.map((_, axis) => axis));
  return builder.node('Slice', [x, startVector, sizeVector(builder, ends), axes], { elementType, shape });
}

/** A scalar integer as an int64 vector of one. */
export function asVector(builder: GraphBuilder, scalar: Value): Value {
  return cast(builder, reshape(builder, scalar, [1]), 'int64');
}
