/** Boxes around what a model knows, in pixels of the posted photo. */
import type { Signature } from '../artifact/manifest.js';
import type { ImagePreprocessing, ObjectDetectionTask } from '../artifact/task.js';
import { decodeAnchors } from './detection/anchors.js';
import type { Candidate } from './detection/candidate.js';
import { decodeBoxes } from './detection/decoded-boxes.js';
import { resolveOverlaps } from './detection/overlap.js';
import { decodeYolo } from './detection/yolo.js';
import { createImagePipeline, PICTURE_MEDIA_TYPES } from './image/image-pipeline.js';
import type { PictureLimits } from './image/picture.js';
import { type Placement, toPhoto } from './image/placement.js';
import { checkOutputs, checkOutputTypes } from './model-output.js';
import type { DetectedObject } from './prediction.js';
import type { TaskPipeline } from './task-pipeline.js';
import type { TensorOutputs } from './tensors.js';

/** @throws ConfigurationError when the task does not fit the model's signature */
export function createObjectDetection(
  task: ObjectDetectionTask,
  signature: Signature,
  limits?: PictureLimits,
): TaskPipeline {
  const pipeline = createImagePipeline(task.image, signature, limits);
  const outputNames = outputsOf(task.decoder);
  checkOutputs(outputNames, signature);
  checkOutputTypes(outputNames, signature);
  return {
    accepts: PICTURE_MEDIA_TYPES,
    warm: pipeline.warm,
    async prepare(body) {
      const { feeds, placement } = pipeline.prepare(body);
      return { feeds, conclude: (outputs) => detectedObjects(task, outputs, placement) };
    },
  };
}

function outputsOf(decoder: ObjectDetectionTask['decoder']): readonly string[] {
  switch (decoder.type) {
    case 'anchors':
      return decoder.featureMaps.flatMap(({ boxes, scores }) => [boxes, scores]);
    case 'yolo':
      return [decoder.output];
    case 'boxes':
      return [decoder.boxes, decoder.scores, ...(decoder.labels === undefined ? [] : [decoder.labels])];
  }
}

/** Best first. */
export function detectedObjects(
  task: ObjectDetectionTask,
  outputs: TensorOutputs,
  placement: Placement,
): readonly DetectedObject[] {
  const { scoreThreshold = 0.5, iouThreshold = 0.3, overlap = 'suppress', maxDetections = 100, labels } = task;
  const candidates = decode(task.decoder, task.image, outputs, { classes: labels.length, scoreThreshold });
  const finite = candidates.filter(isFiniteCandidate);
  return resolveOverlaps(finite, { iouThreshold, overlap, maxDetections }).flatMap((candidate) => {
    const box = boxInPhoto(candidate, placement);
    if (box === undefined) return [];
    const keypoints = candidate.keypoints.map(({ x, y }) => {
      const point = toPhoto(placement, x, y);
      return { x: hundredths(point.x), y: hundredths(point.y) };
    });
    const label = labels[candidate.label] ?? String(candidate.label);
    return [{ label, score: candidate.score, box, ...(keypoints.length === 0 ? {} : { keypoints }) }];
  });
}

function decode(
  decoder: ObjectDetectionTask['decoder'],
  image: ImagePreprocessing,
  outputs: TensorOutputs,
  settings: { readonly classes: number; readonly scoreThreshold: number },
): readonly Candidate[] {
  switch (decoder.type) {
    case 'anchors':
      return decodeAnchors(decoder, image, outputs, settings);
    case 'yolo':
      return decodeYolo(decoder, outputs, settings);
    case 'boxes':
      return decodeBoxes(decoder, image, outputs, settings);
  }
}

const isFiniteCandidate = ({ xmin, ymin, xmax, ymax, score, keypoints }: Candidate) =>
  [xmin, ymin, xmax, ymax, score, ...keypoints.flatMap(({ x, y }) => [x, y])].every(Number.isFinite);

/** Clipped to the photo; undefined where nothing of it lies inside. */
function boxInPhoto(candidate: Candidate, placement: Placement): DetectedObject['box'] | undefined {
  const { photoWidth, photoHeight } = placement;
  const clip = (value: number, limit: number) => hundredths(Math.min(Math.max(value, 0), limit));
  const topLeft = toPhoto(placement, candidate.xmin, candidate.ymin);
  const bottomRight = toPhoto(placement, candidate.xmax, candidate.ymax);
  const box = {
    xmin: clip(topLeft.x, photoWidth),
    ymin: clip(topLeft.y, photoHeight),
    xmax: clip(bottomRight.x, photoWidth),
    ymax: clip(bottomRight.y, photoHeight),
  };
  return box.xmax > box.xmin && box.ymax > box.ymin ? box : undefined;
}

/** More digits say nothing about a picture. */
const hundredths = (value: number) => Math.round(value * 100) / 100;
