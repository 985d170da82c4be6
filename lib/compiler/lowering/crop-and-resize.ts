/** Regions of pictures, brought to one size. */
import type { Value } from '../ir/value.js';
import { binary, cast, clip, compare, unary, where } from './elementwise.js';
import { gatherNd } from './gather.js';
import { type GraphBuilder, typeOf } from './graph-builder.js';
import { concat, gather, shapeVector, slice, unsqueeze } from './rearrange.js';
import { shapeOf } from './shape.js';

export interface CropAndResizeOptions {
  /** [height, width] of the result. */
  readonly size: readonly [number, number];
  readonly interpolation: 'bilinear' | 'nearest';
  /** What lies outside of the picture. */
  readonly outside: number;
}

/**
 * TensorFlow's CropAndResize. Along each axis, sample i of a region lies at start · (size - 1) + i · (end - start) · (size - 1) / (result - 1),
 * and in the middle where there is but one. Bilinear mixes the four pixels around it; nearest rounds half away from zero.
 * @param pictures float32 [N, H, W, C]
 * @param boxes float32 [boxes, 4]: y1, x1, y2, x2, of which 0 and 1 are the first and the last pixels' centers
 * @param indices int32 [boxes], the picture of each
 * @returns [boxes, height, width, C]
 */
export function cropAndResize(
  builder: GraphBuilder,
  pictures: Value,
  boxes: Value,
  indices: Value,
  options: CropAndResizeOptions,
): Value {
  const [height, width] = options.size;
  const rows = sampleAxis(builder, pictures, boxes, 0, height);
  const columns = sampleAxis(builder, pictures, boxes, 1, width);
  const count = shapeOf(boxes)[0];
  const at = (row: Value, column: Value) => {
    // [boxes, height, width, 3]: picture, row, column.
    const shape = concat(
      builder,
      [slice(builder, shapeVector(builder, boxes), [{ axis: 0, start: 0, end: 1 }]), builder.int64([height, width])],
      0,
    );
    const grid = [
      unsqueeze(builder, cast(builder, indices, 'int64'), [1, 2]),
      unsqueeze(builder, row, [2]),
      unsqueeze(builder, column, [1]),
    ].map((part) => {
      const type = { elementType: 'int64', shape: [count, height, width] } as const;
      return unsqueeze(builder, builder.node('Expand', [part, shape], type), [-1]);
    });
    return gatherNd(builder, pictures, concat(builder, grid, -1));
  };
  const sampled =
    options.interpolation === 'nearest' ? at(rows.nearest, columns.nearest) : mixed(builder, rows, columns, at);
  const inside = builder.node(
    'And',
    [unsqueeze(builder, rows.isInside, [2]), unsqueeze(builder, columns.isInside, [1])],
    {
      elementType: 'bool',
      shape: [count, height, width],
    },
  );
  return where(builder, unsqueeze(builder, inside, [-1]), sampled, builder.scalar(options.outside));
}

/** Samples of each box along an axis: [boxes, result] each. */
interface SampledAxis {
  readonly before: Value;
  readonly after: Value;
  readonly nearest: Value;
  /** How much of `after`. */
  readonly weight: Value;
  readonly isInside: Value;
}

function sampleAxis(builder: GraphBuilder, pictures: Value, boxes: Value, axis: 0 | 1, count: number): SampledAxis {
  const size = slice(builder, shapeVector(builder, pictures), [{ axis: 0, start: axis + 1, end: axis + 2 }]);
  const last = binary(builder, 'Sub', cast(builder, size, 'float32'), builder.scalar(1));
  const [start, end] = [axis, axis + 2].map((column) => gather(builder, boxes, builder.int64([column]), 1)) as [
    Value,
    Value,
  ];
  const steps = builder.floats(
    Float32Array.from({ length: count }, (_, index) => index),
    [1, count],
  );
  const positions =
    count > 1
      ? binary(
          builder,
          'Add',
          binary(builder, 'Mul', start, last),
          binary(
            builder,
            'Mul',
            steps,
            binary(
              builder,
              'Div',
              binary(builder, 'Mul', binary(builder, 'Sub', end, start), last),
              builder.scalar(count - 1),
            ),
          ),
        )
      : binary(builder, 'Mul', binary(builder, 'Mul', builder.scalar(0.5), binary(builder, 'Add', start, end)), last);
  const zero = builder.scalar(0);
  const isInside = builder.node(
    'And',
    [compare(builder, 'GreaterOrEqual', positions, zero), compare(builder, 'LessOrEqual', positions, last)],
    { elementType: 'bool', shape: shapeOf(positions) },
  );
  const floor = unary(builder, 'Floor', positions);
  const whole = (value: Value) => {
    const bounded = builder.node('Min', [clip(builder, value, 0, undefined), last], typeOf(value));
    return cast(builder, bounded, 'int64');
  };
  return {
    before: whole(floor),
    after: whole(unary(builder, 'Ceil', positions)),
    nearest: whole(unary(builder, 'Floor', binary(builder, 'Add', positions, builder.scalar(0.5)))),
    weight: binary(builder, 'Sub', positions, floor),
    isInside,
  };
}

function mixed(
  builder: GraphBuilder,
  rows: SampledAxis,
  columns: SampledAxis,
  at: (row: Value, column: Value) => Value,
): Value {
  const mix = (a: Value, b: Value, weight: Value) =>
    binary(builder, 'Add', a, binary(builder, 'Mul', binary(builder, 'Sub', b, a), weight));
  const [across, down] = [unsqueeze(builder, columns.weight, [1, 3]), unsqueeze(builder, rows.weight, [2, 3])];
  const top = mix(at(rows.before, columns.before), at(rows.before, columns.after), across);
  const bottom = mix(at(rows.after, columns.before), at(rows.after, columns.after), across);
  return mix(top, bottom, down);
}
