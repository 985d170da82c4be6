/** Operators that move elements, in Keras's and in TensorFlow's argument order. */
import type { Value } from '../../../ir/value.js';
import { cast } from '../../../lowering/elementwise.js';
import { elementTypeOf } from '../../../lowering/graph-builder.js';
import { reshapeTo } from '../../../lowering/open-reshape.js';
import { split, squeeze, unsqueeze } from '../../../lowering/rearrange.js';
import { normalizedAxis, rankOf, requiredSize, shapeOf } from '../../../lowering/shape.js';
import { isLayerTensor } from '../layer.js';
import type { Operation } from './operation.js';

/** Sizes of which one may be -1, and which may be tensors where they come from a shape. */
export function reshaped(operation: Operation, x: Value, position: number, name: string): Value {
  const { builder } = operation;
  const raw = operation.raw(position, name);
  if (isLayerTensor(raw)) {
    const [count] = shapeOf(raw.value);
    if (typeof count !== 'number')
      throw operation.refuse('the number of its dimensions is known only when the model runs');
    const shape = Array.from({ length: count }, () => undefined);
    return builder.node('Reshape', [x, cast(builder, raw.value, 'int64')], { elementType: elementTypeOf(x), shape });
  }
  const list = Array.isArray(raw) ? (raw as unknown[]) : [raw];
  const sizes = list.map((size) => size ?? -1);
  const isShape = sizes.every((size) => Number.isSafeInteger(size) && Number(size) >= -1);
  if (!isShape) throw operation.refuse('its shape is made of sizes that are known only when the model runs');
  const open = sizes.filter((size) => size === -1).length;
  if (open <= 1) return reshapeTo(builder, x, sizes as number[]);
  // Keras writes the batch as None beside a -1.
  const first = sizes.indexOf(-1);
  if (open > 2 || first !== 0) throw operation.refuse('more than one size of its shape is open');
  return reshapeTo(
    builder,
    x,
    sizes.map((size, axis) => (axis === first ? { of: x, axis: 0 } : Number(size))),
  );
}

/** Equal parts (a number), or those between the positions of a list. */
export function splitAlong(
  operation: Operation,
  x: Value,
  sections: number | readonly number[],
  axis: number,
): Value[] {
  const size = requiredSize(x, normalizedAxis(axis, rankOf(x)), operation.describes);
  const bounds = typeof sections === 'number' ? equalBounds(operation, size, sections) : [0, ...sections, size];
  const sizes = bounds.slice(1).map((bound, index) => bound - (bounds[index] ?? 0));
  if (sizes.some((each) => each < 0)) throw operation.refuse(`its parts [${sections}] do not make ${size}`);
  return split(operation.builder, x, axis, sizes);
}

function equalBounds(operation: Operation, size: number, count: number): number[] {
  if (!Number.isSafeInteger(count) || count < 1 || size % count !== 0) {
    throw operation.refuse(`${size} elements do not make ${count} equal parts`);
  }
  return Array.from({ length: count + 1 }, (_, index) => (index * size) / count);
}

/** The tensors of a list on a new axis. */
export function stacked(operation: Operation, values: readonly Value[], axis: number): readonly Value[] {
  const [first] = values;
  if (first === undefined) throw operation.refuse('it stacks nothing');
  const at = normalizedAxis(axis, rankOf(first) + 1);
  return values.map((value) => unsqueeze(operation.builder, value, [at]));
}

/** Without the dimensions of size 1 at `axes`; all that are known to be 1 where there are none. */
export function squeezed(operation: Operation, x: Value, axes: readonly number[] | undefined): Value {
  const ones = shapeOf(x).flatMap((size, axis) => (size === 1 ? [axis] : []));
  return squeeze(operation.builder, x, axes ?? ones);
}
