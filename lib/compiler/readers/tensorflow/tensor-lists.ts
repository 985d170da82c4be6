/**
 * TensorLists, which TensorArray, tf.scan and tf.map_fn are made of, as tensors with the elements along the first dimension. A list that is
 * reserved has no shape before something is written to it; until then it is a value that stands in no graph, and only what is known here.
 */
import type { ElementType } from '../../ir/element-type.js';
import { type Dimension, Value } from '../../ir/value.js';
import { fill, sizeVector } from '../../lowering/computed-shape.js';
import { cast } from '../../lowering/elementwise.js';
import { elementTypeOf, type GraphBuilder } from '../../lowering/graph-builder.js';
import { dimensionOf, type KnownElement, knownElements, knownNumbers } from '../../lowering/known-elements.js';
import { concat, reshape, shapeVector, slice, unsqueeze } from '../../lowering/rearrange.js';
import { scatterNd } from '../../lowering/scatter.js';
import { rankOf, shapeOf } from '../../lowering/shape.js';
import { ReaderError } from '../reader-error.js';

export interface ListWrite {
  /** A scalar. */
  readonly index: Value;
  readonly element: Value;
}

export interface ReservedList {
  readonly elementType: ElementType;
  /** A scalar: the number of elements. */
  readonly count: Value;
  /** Sizes of an element, where they are all known. */
  readonly sizes: readonly number[] | undefined;
  readonly writes: readonly ListWrite[];
}

/** A list without a shape that the body of a loop writes one element to at each step. */
export interface WrittenList {
  /** Its number among the loop's values. */
  readonly at: number;
  readonly list: ReservedList;
  readonly element: Value;
  /** Where the element goes; undefined: after those of the steps before, to the last one. */
  readonly index: Value | undefined;
}

const reserved = new WeakMap<Value, ReservedList>();

/** What is known of a value that stands for a list without a shape; undefined for any other value. */
export function reservedList(value: Value): ReservedList | undefined {
  return reserved.get(value);
}

export function reserveList(list: ReservedList): Value {
  const value = new Value('list', { kind: 'tensor', elementType: list.elementType, shape: undefined });
  reserved.set(value, list);
  return value;
}

/** @param list reserved or not. The element of `list` at `index` becomes `element`. */
export function writeElement(builder: GraphBuilder, list: Value, { index, element }: ListWrite): Value {
  const known = reserved.get(list);
  if (known !== undefined) return reserveList({ ...known, writes: [...known.writes, { index, element }] });
  const position = reshape(builder, cast(builder, index, 'int64'), [1, 1]);
  return scatterNd(builder, list, position, unsqueeze(builder, element, [0]));
}

/**
 * A list as a tensor: what was written stacked where it is all there in order, else put into zeros.
 * @throws ReaderError LIST_SHAPE where nothing was written and elements have no fixed sizes
 */
export function listTensor(builder: GraphBuilder, list: Value, place: string): Value {
  const known = reserved.get(list);
  if (known === undefined) return list;
  const { writes, count, elementType, sizes } = known;
  const [first] = writes;
  if (first === undefined) {
    if (sizes === undefined) throw shapeless(place);
    const all = concat(builder, [countVector(builder, count), builder.int64(sizes)], 0);
    return fill(builder, all, builder.scalar(0, elementType));
  }
  const places = writes.map(({ index }) => knownNumbers(index)?.[0]);
  const isWhole = knownNumbers(count)?.[0] === writes.length && places.every((at, index) => at === index);
  const rows = concat(
    builder,
    writes.map(({ element }) => unsqueeze(builder, element, [0])),
    0,
  );
  if (isWhole) return rows;
  const indices = concat(
    builder,
    writes.map(({ index }) => reshape(builder, cast(builder, index, 'int64'), [1])),
    0,
  );
  return putRows(builder, rows, indices, known);
}

/** A list of which a loop wrote an element at each step. @param indices int64 [steps]; rows [steps, …element] */
export function putRows(builder: GraphBuilder, rows: Value, indices: Value, list: ReservedList): Value {
  const rest = rankOf(rows) - 1;
  const vector =
    rest === 0
      ? countVector(builder, list.count)
      : concat(
          builder,
          [countVector(builder, list.count), slice(builder, shapeVector(builder, rows), [{ axis: 0, start: 1 }])],
          0,
        );
  const zeros = fill(builder, vector, builder.scalar(0, elementTypeOf(rows)));
  // What the vector does not tell: sizes of an element have names.
  withFirstSize(zeros, shapeOf(rows), countOf(list));
  return scatterNd(builder, zeros, unsqueeze(builder, indices, [1]), rows);
}

/** Types a value as the rows of a list. */
export function withFirstSize(value: Value, shape: readonly Dimension[], count: KnownElement): Value {
  if (value.type?.kind === 'tensor' && value.initializer === undefined) {
    value.type = { ...value.type, shape: [dimensionOf(count), ...shape.slice(1)] };
  }
  return value;
}

export function countOf({ count }: ReservedList): KnownElement {
  return knownElements(count)?.[0];
}

function countVector(builder: GraphBuilder, count: Value): Value {
  return sizeVector(builder, [knownNumbers(count)?.[0] ?? count]);
}

function shapeless(place: string): ReaderError {
  return new ReaderError({
    code: 'LIST_SHAPE',
    message: `${place} reads a list of tensors to which nothing was written, and which has no shape.`,
    advice: 'Give the TensorArray an element_shape, and export the model again.',
  });
}
