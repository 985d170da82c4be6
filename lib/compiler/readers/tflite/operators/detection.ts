/**
 * TFLite_Detection_PostProcess: what the TensorFlow object detection API puts behind its detectors. Boxes come as offsets from anchors, in
 * centers and sizes; of those that overlap the best stays.
 * https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/kernels/detection_postprocess.cc
 */
import { decodeNumberMap } from '../../../formats/flatbuffers/flexbuffer.js';
import { attribute } from '../../../ir/attribute.js';
import type { Value } from '../../../ir/value.js';
import { binary, cast, unary } from '../../../lowering/elementwise.js';
import type { GraphBuilder } from '../../../lowering/graph-builder.js';
import {
  concat,
  expand,
  gather,
  reshape,
  shapeVector,
  slice,
  split,
  squeeze,
  unsqueeze,
} from '../../../lowering/rearrange.js';
import { reduce } from '../../../lowering/reduce.js';
import { topK } from '../../../lowering/select.js';
import { requiredSize, staticSize } from '../../../lowering/shape.js';
import type { OperatorCall } from '../operator-call.js';
import { computing, type OperatorEntry } from '../operator-table.js';

export const detection: Readonly<Record<string, OperatorEntry>> = {
  TFLite_Detection_PostProcess: computing(postProcessed),
};

interface DetectionOptions {
  readonly maximumDetections: number;
  readonly classesPerDetection: number;
  readonly detectionsPerClass: number;
  readonly isRegular: boolean;
  readonly scoreThreshold: number;
  readonly overlapThreshold: number;
  readonly classCount: number;
  /** y, x, h, w. */
  readonly scales: readonly number[];
}

const MOST_DETECTIONS = 100_000;

function optionsOf(call: OperatorCall): DetectionOptions {
  const numbers = decodeNumberMap(call.operator.customOptions ?? new Uint8Array(), call.place);
  const number = (name: string, fallback?: number): number => {
    const found = numbers.get(name) ?? fallback;
    if (found !== undefined && Number.isFinite(found)) return found;
    throw call.error('OPTIONS_INVALID', `has no option ${name}`);
  };
  const count = (name: string, fallback?: number): number => {
    const found = number(name, fallback);
    if (Number.isInteger(found) && found >= 1 && found <= MOST_DETECTIONS) return found;
    throw call.error('OPTIONS_INVALID', `has the option ${name} = ${found}`);
  };
  return {
    maximumDetections: count('max_detections'),
    classesPerDetection: count('max_classes_per_detection'),
    detectionsPerClass: count('detections_per_class', 100),
    isRegular: number('use_regular_nms', 0) !== 0,
    scoreThreshold: number('nms_score_threshold'),
    overlapThreshold: number('nms_iou_threshold'),
    classCount: count('num_classes'),
    scales: ['y_scale', 'x_scale', 'h_scale', 'w_scale'].map((name) => number(name)),
  };
}

/**
 * @returns boxes [1, slots, 4] (y1, x1, y2, x2), classes [1, slots], scores [1, slots], the number of detections [1]; slots that nothing
 * was found for are zero
 */
function postProcessed(call: OperatorCall): readonly Value[] {
  const { builder } = call;
  const options = optionsOf(call);
  if (staticSize(call.input(0), 0) !== 1) {
    throw call.error(
      'SHAPE_MISMATCH',
      'takes one picture at a time, and its batch is another',
      'Export it with a batch of 1.',
    );
  }
  const boxes = decodeBoxes(call, options.scales);
  const scores = classScores(call, options.classCount);
  const found = options.isRegular ? regular(builder, boxes, scores, options) : fast(builder, boxes, scores, options);
  const slots = options.maximumDetections * (options.isRegular ? 1 : found.perBox);
  const rows = (value: Value, width: readonly number[]) =>
    unsqueeze(builder, paddedTo(builder, value, slots, width), [0]);
  const count = cast(builder, found.count, 'float32');
  return [rows(found.boxes, [4]), rows(cast(builder, found.classes, 'float32'), []), rows(found.scores, []), count];
}

interface Detections {
  /** [found, 4], [found], [found], [1]. */
  readonly boxes: Value;
  readonly classes: Value;
  readonly scores: Value;
  readonly count: Value;
  readonly perBox: number;
}

/** center = offset / scale · size of the anchor + its center; size = exp(offset / scale) · size of the anchor. [anchors, 4], corners. */
function decodeBoxes(call: OperatorCall, scales: readonly number[]): Value {
  const { builder } = call;
  const offsets = squeeze(builder, slice(builder, call.input(0), [{ axis: 2, start: 0, end: 4 }]), [0]);
  const scaled = binary(builder, 'Div', offsets, builder.floats(scales));
  const [shift, size] = split(builder, scaled, 1, [2, 2]) as [Value, Value];
  const [anchorCenter, anchorSize] = split(builder, call.input(2), 1, [2, 2]) as [Value, Value];
  const center = binary(builder, 'Add', binary(builder, 'Mul', shift, anchorSize), anchorCenter);
  const extent = binary(builder, 'Mul', unary(builder, 'Exp', size), anchorSize);
  const half = binary(builder, 'Mul', extent, builder.scalar(0.5));
  return concat(builder, [binary(builder, 'Sub', center, half), binary(builder, 'Add', center, half)], 1);
}

/** [anchors, classes], without the background that models may have in front. */
function classScores(call: OperatorCall, classCount: number): Value {
  const { builder } = call;
  const all = call.input(1);
  const width = requiredSize(all, 2, call.place);
  if (width < classCount) throw call.error('SHAPE_MISMATCH', `has scores of ${width} classes, not ${classCount}`);
  return squeeze(builder, slice(builder, all, [{ axis: 2, start: width - classCount }]), [0]);
}

/** The best class of each anchor decides which boxes stay; each of these then has its best classes. */
function fast(builder: GraphBuilder, boxes: Value, scores: Value, options: DetectionOptions): Detections {
  const perBox = Math.min(options.classesPerDetection, options.classCount);
  const best = reduce(builder, 'ReduceMax', scores, [1], false);
  const kept = squeeze(
    builder,
    slice(builder, selected(builder, boxes, unsqueeze(builder, best, [0, 1]), options.maximumDetections, options), [
      { axis: 1, start: 2 },
    ]),
    [1],
  );
  const top = topK(builder, gather(builder, scores, kept, 0), builder.int64([perBox]), 'int64');
  const flat = (value: Value) => reshape(builder, value, [-1]);
  const repeated = expand(builder, unsqueeze(builder, gather(builder, boxes, kept, 0), [1]), [1, perBox, 1]);
  return {
    boxes: reshape(builder, repeated, [-1, 4]),
    classes: flat(top.indices),
    scores: flat(top.values),
    count: shapeVector(builder, kept),
    perBox,
  };
}

/** Each class by itself, then the best of all. */
function regular(builder: GraphBuilder, boxes: Value, scores: Value, options: DetectionOptions): Detections {
  const byClass = builder.node('Transpose', [scores], {
    elementType: 'float32',
    shape: [options.classCount, staticSize(scores, 0)],
  });
  const rows = selected(builder, boxes, unsqueeze(builder, byClass, [0]), options.detectionsPerClass, options);
  const found = { elementType: 'int64', shape: [undefined] } as const;
  const pairs = slice(builder, rows, [{ axis: 1, start: 1 }]);
  const ofPairs = builder.node('GatherND', [byClass, pairs], { elementType: 'float32', shape: [undefined] });
  const count = builder.node('Min', [shapeVector(builder, ofPairs), builder.int64([options.maximumDetections])], {
    elementType: 'int64',
    shape: [1],
  });
  const [values, order] = builder.nodes('TopK', [ofPairs, count], [{ ...found, elementType: 'float32' }, found], {
    attributes: { axis: attribute.int(0) },
  }) as [Value, Value];
  const [classes, indices] = split(builder, gather(builder, pairs, order, 0), 1, [1, 1]).map((column) =>
    squeeze(builder, column, [1]),
  ) as [Value, Value];
  return { boxes: gather(builder, boxes, indices, 0), classes, scores: values, count, perBox: 1 };
}

/** [selected, 3]: batch, class, box. @param scores [1, classes, anchors] */
function selected(
  builder: GraphBuilder,
  boxes: Value,
  scores: Value,
  maximum: number,
  { overlapThreshold, scoreThreshold }: DetectionOptions,
): Value {
  const inputs = [
    unsqueeze(builder, boxes, [0]),
    scores,
    builder.int64([maximum]),
    builder.floats([overlapThreshold]),
    builder.floats([below(scoreThreshold)]),
  ];
  return builder.node('NonMaxSuppression', inputs, { elementType: 'int64', shape: [undefined, 3] });
}

/** The next smaller float32: a score equal to the threshold stays, and ONNX keeps what is greater. */
function below(threshold: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, threshold);
  const bits = view.getInt32(0);
  if (threshold === 0) return -(2 ** -149);
  view.setInt32(0, threshold > 0 ? bits - 1 : bits + 1);
  return view.getFloat32(0);
}

/** Zeros behind the rows of `value`. */
function paddedTo(builder: GraphBuilder, value: Value, slots: number, width: readonly number[]): Value {
  const zeros = width.map(() => 0);
  const [rows] = [slice(builder, shapeVector(builder, value), [{ axis: 0, start: 0, end: 1 }])];
  const missing = binary(builder, 'Sub', builder.int64([slots]), rows);
  const before = builder.int64([0, ...zeros]);
  const pads = concat(builder, [before, missing, ...(width.length === 0 ? [] : [builder.int64(zeros)])], 0);
  return builder.node('Pad', [value, pads], { elementType: 'float32', shape: [slots, ...width] });
}
