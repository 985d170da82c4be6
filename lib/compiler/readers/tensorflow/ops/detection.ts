/** Non-maximum suppression, in its five versions. */
import type { Value } from '../../../ir/value.js';
import { nonMaxSuppression, padToLength } from '../../../lowering/detection.js';
import { cast } from '../../../lowering/elementwise.js';
import { gather } from '../../../lowering/rearrange.js';
import type { OpCall, OpTable } from '../op-call.js';

export const DETECTION_OPS: OpTable = {
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
