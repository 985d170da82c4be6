/** Operators whose sizes are values of the graph: plain ones where the values are known, else what ONNX computes at run time. */
import { attribute } from '../ir/attribute.js';
import type { Dimension, Value } from '../ir/value.js';
import { cast } from './elementwise.js';
import { elementTypeOf, type GraphBuilder, typeOf } from './graph-builder.js';
import { dimensionOf, isSameSize, type KnownElement, knownElements, knownNumbers, sizesOf } from './known-elements.js';
import { LoweringError } from './lowering-error.js';
import { concat, expand, reshape, slice, tile } from './rearrange.js';
import { broadcastShapes, shapeOf, staticCount } from './shape.js';

/** The elements of a vector of sizes, each as far as it is known. @throws LoweringError RANK_UNKNOWN where their number is not */
export function sizeElements(sizes: Value): readonly KnownElement[] {
  const elements = knownElements(sizes);
  if (elements !== undefined) return elements;
  throw new LoweringError({
    code: 'RANK_UNKNOWN',
    message: `The number of dimensions that '${sizes.name}' describes is not known before the model runs.`,
    advice: 'Export the model with a shape for each input; sizes may stay open (None).',
  });
}

/**
 * `x` with the sizes that `sizes` (int32 or int64 [rank]) holds, of which one may be -1. A size that `x` has at the same place is copied,
 * one other that is open becomes -1, so that most shapes which a graph computes need no computing.
 */
export function reshapeBy(builder: GraphBuilder, x: Value, sizes: Value): Value {
  const elements = sizeElements(sizes);
  const before = x.producer?.is('Reshape') === true ? x.producer.input(0) : undefined;
  if (before !== undefined && hasSizes(before, elements)) return before;
  const known = elements.map((element) => (element === -1 ? undefined : dimensionOf(element)));
  const open = elements.filter((element) => typeof element !== 'number' || element === -1);
  const target = (element: KnownElement) => (typeof element === 'number' ? element : -1);
  if (open.length <= 1) return reshape(builder, x, elements.map(target), known);
  const own = sizesOf(x);
  const copied = elements.map((element, axis) => typeof element === 'object' && isSameSize(element, own[axis]));
  const rest = elements.filter(
    (element, axis) => copied[axis] === false && (typeof element !== 'number' || element === -1),
  );
  const shape = openShape(x, known, elements);
  const type = { elementType: elementTypeOf(x), shape };
  if (rest.length <= 1 && !elements.includes(0)) {
    const plain = elements.map((element, axis) => (copied[axis] === true ? 0 : target(element)));
    if (hasSizes(x, elements)) return x;
    return builder.node('Reshape', [x, builder.int64(plain)], type);
  }
  const attributes = elements.includes(0) ? { allowzero: attribute.int(1) } : {};
  return builder.node('Reshape', [x, cast(builder, sizes, 'int64')], type, { attributes });
}

function hasSizes(x: Value, elements: readonly KnownElement[]): boolean {
  const sizes = sizesOf(x);
  return sizes.length === elements.length && sizes.every((size, axis) => isSameSize(size, elements[axis]));
}

/** Where one size is left to be computed and everything else is known in numbers, it is known too. */
function openShape(x: Value, known: readonly Dimension[], elements: readonly KnownElement[]): Dimension[] {
  const count = staticCount(shapeOf(x));
  const at = elements.indexOf(-1);
  const rest = staticCount(known.filter((_, axis) => axis !== at));
  if (at < 0 || count === undefined || rest === undefined || rest === 0) return [...known];
  return known.map((size, axis) => (axis === at ? count / rest : size));
}

/** `x` broadcast to the sizes that `sizes` (int32 or int64 [rank]) holds. */
export function expandBy(builder: GraphBuilder, x: Value, sizes: Value): Value {
  const numbers = knownNumbers(sizes);
  const before = shapeOf(x);
  if (numbers !== undefined) {
    const isSame = numbers.length === before.length && numbers.every((size, axis) => size === before[axis]);
    return isSame ? x : expand(builder, x, numbers);
  }
  const shape = broadcastShapes(before, sizeElements(sizes).map(dimensionOf));
  return builder.node('Expand', [x, cast(builder, sizes, 'int64')], { elementType: elementTypeOf(x), shape });
}

/** `x` repeated along each dimension as often as `repeats` (int32 or int64 [rank]) says. */
export function tileBy(builder: GraphBuilder, x: Value, repeats: Value): Value {
  const numbers = knownNumbers(repeats);
  if (numbers !== undefined) return tile(builder, x, numbers);
  const elements = sizeElements(repeats);
  const { elementType, shape: before } = typeOf(x);
  const shape = before.map((size, axis): Dimension => {
    const count = elements[axis];
    if (size === 1) return dimensionOf(count);
    return typeof count === 'number' && typeof size === 'number' ? size * count : count === 1 ? size : undefined;
  });
  return builder.node('Tile', [x, cast(builder, repeats, 'int64')], { elementType, shape });
}

/** A tensor of the sizes that `sizes` holds, all elements `value` (a scalar). */
export function fill(builder: GraphBuilder, sizes: Value, value: Value): Value {
  const elements = sizeElements(sizes);
  const shape = elements.map(dimensionOf);
  const elementType = elementTypeOf(value);
  const to = cast(builder, sizes, 'int64');
  const constant = value.initializer;
  if (constant !== undefined && constant.count === 1 && constant.elementType !== 'string') {
    const [element] = constant.dims.length === 1 ? [constant] : [withOneDimension(builder, value)];
    if (element !== undefined) {
      const attributes = { value: attribute.tensor(element) };
      return builder.node('ConstantOfShape', [to], { elementType, shape }, { attributes });
    }
  }
  return builder.node('Expand', [value, to], { elementType, shape });
}

function withOneDimension(builder: GraphBuilder, scalar: Value) {
  return reshape(builder, scalar, [1]).initializer;
}

/** An int64 vector of sizes: numbers as constants, open ones taken from the values that have them. */
export function sizeVector(builder: GraphBuilder, elements: readonly (number | Value)[]): Value {
  const parts: Value[] = [];
  let numbers: number[] = [];
  const flush = () => {
    if (numbers.length > 0) parts.push(builder.int64(numbers));
    numbers = [];
  };
  for (const element of elements) {
    if (typeof element === 'number') numbers.push(element);
    else {
      flush();
      parts.push(cast(builder, shapeOf(element).length === 1 ? element : reshape(builder, element, [1]), 'int64'));
    }
  }
  flush();
  return parts.length === 0 ? builder.int64([]) : concat(builder, parts, 0);
}

/** Element `index` of a vector, as a vector of one int64: a constant where it is known. */
export function elementOf(builder: GraphBuilder, vector: Value, index: number): number | Value {
  const element = knownElements(vector)?.[index];
  if (typeof element === 'number') return element;
  return cast(builder, slice(builder, vector, [{ axis: 0, start: index, end: index + 1 }]), 'int64');
}
