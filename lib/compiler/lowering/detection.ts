/** Boxes that overlap, thinned out. */
import { Tensor } from '../ir/tensor.js';
import type { Dimension, Value } from '../ir/value.js';
import { sizeVector } from './computed-shape.js';
import { binary, cast } from './elementwise.js';
import type { GraphBuilder } from './graph-builder.js';
import { dimensionOf, knownElements } from './known-elements.js';
import { concat, gather, reshape, shapeVector, squeeze, unsqueeze } from './rearrange.js';

export interface NonMaxSuppressionOptions {
  /** A scalar of an integer type. */
  readonly maximum: Value;
  /** Scalars, float32. */
  readonly overlap: Value;
  /** Boxes must score more than this; undefined: all may stay. */
  readonly score?: Value;
}

/**
 * TensorFlow's NonMaxSuppression: of boxes that overlap by more than `overlap` (intersection over union) the best one stays, best first.
 * Two corners of a box, in either order: [y1, x1, y2, x2].
 * @param boxes float32 [boxes, 4]
 * @param scores float32 [boxes]
 * @returns int64 [selected], positions of the boxes that stay
 */
export function nonMaxSuppression(
  builder: GraphBuilder,
  boxes: Value,
  scores: Value,
  options: NonMaxSuppressionOptions,
): Value {
  const asFloat = (scalar: Value) => reshape(builder, cast(builder, scalar, 'float32'), [1]);
  const inputs = [
    unsqueeze(builder, cast(builder, boxes, 'float32'), [0]),
    unsqueeze(builder, cast(builder, scores, 'float32'), [0, 1]),
    reshape(builder, cast(builder, options.maximum, 'int64'), [1]),
    asFloat(options.overlap),
    ...(options.score === undefined ? [] : [asFloat(options.score)]),
  ];
  const selected = builder.node('NonMaxSuppression', inputs, { elementType: 'int64', shape: [undefined, 3] });
  // Rows are [batch, class, box].
  return squeeze(builder, gather(builder, selected, builder.int64([2]), 1), [1]);
}

/** `x`, a vector, with zeros behind it up to a length; and how many elements it had, as a scalar. */
export function padToLength(
  builder: GraphBuilder,
  x: Value,
  length: Value,
): { readonly padded: Value; readonly count: Value } {
  const size: Dimension = dimensionOf(knownElements(length)?.[0]);
  const count = shapeVector(builder, x);
  const total = reshape(builder, cast(builder, length, 'int64'), [1]);
  const missing = binary(builder, 'Sub', total, count);
  const pads = concat(builder, [builder.int64([0]), sizeVector(builder, [missing])], 0);
  const zero = builder.constant(Tensor.scalar(x.elementType ?? 'float32', 0));
  const padded = builder.node('Pad', [x, pads, zero], { elementType: x.elementType ?? 'float32', shape: [size] });
  return { padded, count: reshape(builder, count, []) };
}
