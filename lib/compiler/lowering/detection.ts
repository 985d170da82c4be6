/** Boxes that overlap, thinned out. */

import { attribute } from '../ir/attribute.js';
import { Tensor } from '../ir/tensor.js';
import type { Dimension, Value } from '../ir/value.js';
import { sizeVector } from './computed-shape.js';
import { binary, cast, compare, where } from './elementwise.js';
import { batchedGather, gatherNd } from './gather.js';
import { type GraphBuilder, typeOf } from './graph-builder.js';
import { dimensionOf, knownElements } from './known-elements.js';
import { concat, gather, reshape, shapeVector, squeeze, transpose, unsqueeze } from './rearrange.js';
import { scatterNd } from './scatter.js';
import { topK } from './select.js';
import { requiredSize, shapeOf } from './shape.js';

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

export interface CombinedSuppressionOptions extends NonMaxSuppressionOptions {
  /** Boxes of a picture that stay at most, over all classes. */
  readonly total: number;
  readonly score: Value;
}

export interface CombinedDetections {
  /** float32 [N, total, 4], zeros behind what was found, as in the rest. */
  readonly boxes: Value;
  /** float32 [N, total], largest first. */
  readonly scores: Value;
  /** float32 [N, total]. */
  readonly classes: Value;
  /** int32 [N] */
  readonly counts: Value;
}

/**
 * TensorFlow's CombinedNonMaxSuppression for boxes that all classes share: suppression in each class, then the best of all classes.
 * @param boxes float32 [N, boxes, 4]
 * @param scores float32 [N, boxes, classes]
 */
export function combinedNonMaxSuppression(
  builder: GraphBuilder,
  boxes: Value,
  scores: Value,
  options: CombinedSuppressionOptions,
): CombinedDetections {
  const { total } = options;
  const [batch] = shapeOf(boxes);
  const count = requiredSize(boxes, 1, 'CombinedNonMaxSuppression');
  const classes = requiredSize(scores, 2, 'CombinedNonMaxSuppression');
  const byClass = transpose(builder, scores, [0, 2, 1]);
  const scalar = (value: Value, type: 'int64' | 'float32') => reshape(builder, cast(builder, value, type), [1]);
  const selected = builder.node(
    'NonMaxSuppression',
    [
      boxes,
      byClass,
      scalar(options.maximum, 'int64'),
      scalar(options.overlap, 'float32'),
      scalar(options.score, 'float32'),
    ],
    { elementType: 'int64', shape: [undefined, 3] },
  );
  // A table of all candidates in which only those that stay have a score, so that one TopK finds the best of a picture.
  const nothing = builder.scalar(NO_SCORE);
  const empty = builder.node('Expand', [nothing, shapeVector(builder, byClass)], typeOf(byClass));
  const kept = scatterNd(builder, empty, selected, gatherNd(builder, byClass, selected));
  const candidates = reshape(builder, kept, [-1, classes * count], [batch, classes * count]);
  const taken = Math.min(total, classes * count);
  const best = topK(builder, candidates, builder.int64([taken]), 'int64');
  const isFound = compare(builder, 'Greater', best.values, nothing);
  const position = binary(builder, 'Mod', best.indices, builder.scalar(count, 'int64'));
  const label = cast(builder, binary(builder, 'Div', best.indices, builder.scalar(count, 'int64')), 'float32');
  const zero = builder.scalar(0);
  const behind = (x: Value, axes: number) => {
    const missing = total - taken;
    if (missing === 0) return x;
    const pads = [...new Array<number>(axes).fill(0), 0, missing, ...new Array<number>(axes - 2).fill(0)];
    const shape = shapeOf(x).map((size, axis) => (axis === 1 ? total : size));
    return builder.node('Pad', [x, builder.int64(pads), zero], { elementType: 'float32', shape });
  };
  const found = cast(builder, isFound, 'int32');
  const rows = batchedGather(builder, boxes, position, 1, 1);
  return {
    boxes: behind(where(builder, unsqueeze(builder, isFound, [2]), rows, zero), 3),
    scores: behind(where(builder, isFound, best.values, zero), 2),
    classes: behind(where(builder, isFound, label, zero), 2),
    counts: builder.node(
      'ReduceSum',
      [found, builder.int64([1])],
      { elementType: 'int32', shape: [batch] },
      {
        attributes: { keepdims: attribute.int(0) },
      },
    ),
  };
}

/** Below all scores. */
const NO_SCORE = -3.4028234663852886e38;
