/** Single-shot detectors with anchors, decoded as MediaPipe's TensorsToDetectionsCalculator does with anchors of unit size. */
import type { AnchorDecoder, AnchorFeatureMap, ImagePreprocessing } from '../../artifact/task.js';
import { numberAt, outputOf } from '../model-output.js';
import type { TensorOutputs } from '../tensors.js';
import { bestClass, type Candidate, centredCandidate, sigmoid } from './candidate.js';

export function decodeAnchors(
  { featureMaps, keypoints = 0 }: AnchorDecoder,
  image: Pick<ImagePreprocessing, 'width' | 'height'>,
  outputs: TensorOutputs,
  { classes, scoreThreshold }: { readonly classes: number; readonly scoreThreshold: number },
): readonly Candidate[] {
  return featureMaps.flatMap((map) => decodeFeatureMap(map, keypoints, image, outputs, classes, scoreThreshold));
}

function decodeFeatureMap(
  map: AnchorFeatureMap,
  keypoints: number,
  { width, height }: Pick<ImagePreprocessing, 'width' | 'height'>,
  outputs: TensorOutputs,
  classes: number,
  scoreThreshold: number,
): readonly Candidate[] {
  const anchors = map.rows * map.columns * map.anchorsPerCell;
  const numbersPerBox = 4 + keypoints * 2;
  const boxes = outputOf(outputs, map.boxes, [anchors, numbersPerBox]);
  const scores = outputOf(outputs, map.scores, [anchors, classes]);
  const candidates: Candidate[] = [];
  for (let anchor = 0; anchor < anchors; anchor++) {
    const { label, score: logit } = bestClass((index) => numberAt(scores, index), anchor * classes, 1, classes);
    const score = sigmoid(logit);
    if (!(score >= scoreThreshold)) continue;
    const cell = Math.floor(anchor / map.anchorsPerCell);
    const anchorX = (((cell % map.columns) + 0.5) / map.columns) * width;
    const anchorY = ((Math.floor(cell / map.columns) + 0.5) / map.rows) * height;
    const at = (index: number) => numberAt(boxes, anchor * numbersPerBox + index);
    const points = Array.from({ length: keypoints }, (_, index) => ({
      x: anchorX + at(4 + index * 2),
      y: anchorY + at(5 + index * 2),
    }));
    candidates.push(centredCandidate([anchorX + at(0), anchorY + at(1), at(2), at(3)], score, label, points));
  }
  return candidates;
}
