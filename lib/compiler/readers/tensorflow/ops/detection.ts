/** Non-maximum suppression, in its five versions. */
import type { Value } from '../../../ir/value.js';
import { cropAndResize } from '../../../lowering/crop-and-resize.js';
import { combinedNonMaxSuppression, nonMaxSuppression, padToLength } from '../../../lowering/detection.js';
import { cast, clip } from '../../../lowering/elementwise.js';
import { gather, squeeze } from '../../../lowering/rearrange.js';
import { requiredSize, staticSize } from '../../../lowering/shape.js';
import type { OpCall, OpTable } from '../op-call.js';

export const DETECTION_OPS: OpTable = {
  CombinedNonMaxSuppression: (call) => combined(call),
  CropAndResize: (call) => {
    const [height = 0, width = 0] = call.numbers(3, 'size');
    return cropAndResize(call.builder, cast(call.builder, call.input(0), 'float32'), call.input(1), call.input(2), {
      size: [height, width],
      interpolation: call.attributes.string('method', 'bilinear') === 'nearest' ? 'nearest' : 'bilinear',
      outside: call.attributes.float('extrapolation_value', 0),
    });
  },
  NonMaxSuppression: (call) => {
    const overlap = call.builder.scalar(call.attributes.float('iou_threshold', 0.5));
    return positions(
      call,
      nonMaxSuppression(call.builder, call.input(0), call.input(1), { maximum: call.input(2), overlap }),
    );
  },
  NonMaxSuppressionV2: (call) => positions(call, selected(call)),
  NonMaxSuppressionV3: (call) => positions(call, selected(call, call.input(4))),
  /** Also how many there are, and with `pad_to_max_output_size` zeros behind them. */
  NonMaxSuppressionV4: (call) => {
    const { padded, count } = filled(call, positions(call, selected(call, call.input(4))));
    return [padded, count];
  },
  /** Also their scores. */
  NonMaxSuppressionV5: (call) => {
    if (call.number(5, 'soft_nms_sigma') !== 0) {
      throw call.refuse(
        'OP_SOFT_NMS',
        'lowers scores of boxes that overlap (soft NMS), which ONNX cannot',
        'Export the model with soft_nms_sigma = 0.',
      );
    }
    const chosen = selected(call, call.input(4));
    const scores = gather(call.builder, call.input(1), chosen, 0);
    const { padded, count } = filled(call, positions(call, chosen));
    return [padded, filled(call, scores).padded, count];
  },
};

/** Boxes [N, boxes, 1 or classes, 4]; of those that are each class's own, ONNX has no suppression. */
function combined(call: OpCall): readonly Value[] {
  const { builder, attributes } = call;
  const [boxes, scores] = [call.input(0), call.input(1)];
  if (staticSize(boxes, 2) !== 1) {
    throw call.refuse(
      'OP_BOXES',
      'has boxes for each class of their own, which is not supported',
      'Share the boxes among the classes.',
    );
  }
  const most = call.number(3, 'max_total_size');
  const classes = requiredSize(scores, 2, call.describe());
  const padded = attributes.bool('pad_per_class', false)
    ? Math.min(most, call.number(2, 'max_output_size_per_class') * classes)
    : most;
  const options = { maximum: call.input(2), overlap: call.input(4), score: call.input(5), total: padded };
  const found = combinedNonMaxSuppression(builder, squeeze(builder, boxes, [2]), scores, options);
  const clipped = attributes.bool('clip_boxes', true) ? clip(builder, found.boxes, 0, 1) : found.boxes;
  return [clipped, found.scores, found.classes, found.counts];
}

function selected(call: OpCall, score?: Value): Value {
  const options = { maximum: call.input(2), overlap: call.input(3), ...(score === undefined ? {} : { score }) };
  return nonMaxSuppression(call.builder, call.input(0), call.input(1), options);
}

function positions(call: OpCall, chosen: Value): Value {
  return cast(call.builder, chosen, 'int32');
}

function filled(call: OpCall, x: Value): { readonly padded: Value; readonly count: Value } {
  const { padded, count } = padToLength(call.builder, x, call.input(2));
  const isPadded = call.attributes.bool('pad_to_max_output_size', false);
  return { padded: isPadded ? padded : x, count: cast(call.builder, count, 'int32') };
}
