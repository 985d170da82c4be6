/** Sizes of dimensions, as far as they are known before a model runs. */
import type { Dimension, Value } from '../ir/value.js';
import { LoweringError } from './lowering-error.js';

export type Shape = readonly Dimension[];

/** A value's dimensions. @throws LoweringError RANK_UNKNOWN where not even their number is known */
export function shapeOf(value: Value): Shape {
  const shape = value.initializer?.dims ?? (value.type?.kind === 'tensor' ? value.type.shape : undefined);
  if (shape === undefined) {
    throw new LoweringError({
      code: 'RANK_UNKNOWN',
      message: `The number of dimensions of '${value.name}' is not known, and what reads it depends on it.`,
      advice: 'Export the model with a shape for each input; sizes may stay open (None).',
    });
  }
  return shape;
}

/** @throws LoweringError RANK_UNKNOWN */
export function rankOf(value: Value): number {
  return shapeOf(value).length;
}

/** The size of one dimension, where it is a number. Axes count from the end where they are negative. */
export function staticSize(value: Value, axis: number): number | undefined {
  const shape = shapeOf(value);
  const size = shape[axis < 0 ? axis + shape.length : axis];
  return typeof size === 'number' ? size : undefined;
}

/** The size of one dimension. @throws LoweringError SIZE_UNKNOWN, which says what wants it */
export function requiredSize(value: Value, axis: number, what: string): number {
  const size = staticSize(value, axis);
  if (size !== undefined) return size;
  throw new LoweringError({
    code: 'SIZE_UNKNOWN',
    message: `${what} needs the size of dimension ${axis} of '${value.name}', which is [${shapeText(shapeOf(value))}].`,
    advice: 'Export the model with a fixed size there.',
  });
}

/** Axis from 0. @throws LoweringError AXIS_RANGE */
export function normalizedAxis(axis: number, rank: number): number {
  const result = axis < 0 ? axis + rank : axis;
  if (Number.isInteger(axis) && result >= 0 && result < rank) return result;
  throw new LoweringError({
    code: 'AXIS_RANGE',
    message: `Axis ${axis} is outside of a tensor with ${rank} dimensions.`,
    advice: 'The model is damaged or was written by a faulty exporter; export it again.',
  });
}

/** Product of sizes that are all known, else undefined. */
export function staticCount(shape: Shape): number | undefined {
  let count = 1;
  for (const size of shape) {
    if (typeof size !== 'number') return undefined;
    count *= size;
  }
  return count;
}

/**
 * NumPy's broadcasting. An open size against 1 stays open, against another number it is taken to be that number.
 * @throws LoweringError SHAPE_MISMATCH
 */
export function broadcastShapes(...shapes: readonly Shape[]): Dimension[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let result: Dimension = 1;
    for (const shape of shapes) {
      const size = shape[axis - rank + shape.length];
      if (axis - rank + shape.length < 0 || size === 1 || size === result) continue;
      if (result === 1) result = size;
      else if (typeof size === 'number') {
        if (typeof result === 'number') {
          throw new LoweringError({
            code: 'SHAPE_MISMATCH',
            message: `Shapes ${shapes.map((each) => `[${shapeText(each)}]`).join(' and ')} do not broadcast.`,
            advice: 'The model is damaged or was written by a faulty exporter; export it again.',
          });
        }
        result = size;
      } else if (typeof result !== 'number') result = undefined;
    }
    return result;
  });
}

/** `N, 28, 28, ?` */
export function shapeText(shape: Shape): string {
  return shape.map((size) => size ?? '?').join(', ');
}
