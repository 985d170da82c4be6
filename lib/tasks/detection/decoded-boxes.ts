/** Models that decode inside: a box, a score and perhaps a class per row. */
import type { DecodedBoxes, ImagePreprocessing } from '../../artifact/task.js';
import { numberAt, outputOf } from '../model-output.js';
import type { TensorOutputs } from '../tensors.js';
import { bestClass, type Candidate } from './candidate.js';

/** With `labels`, scores are [.., N]; without, [.., N, classes], or [.., N] where there is one class. */
export function decodeBoxes(
  decoder: DecodedBoxes,
  image: Pick<ImagePreprocessing, 'width' | 'height'>,
  outputs: TensorOutputs,
  { classes, scoreThreshold }: { readonly classes: number; readonly scoreThreshold: number },
): readonly Candidate[] {
  const boxes = outputOf(outputs, decoder.boxes, [null, 4]);
  const count = boxes.shape.at(-2) ?? 0;
  const scoresPerBox = decoder.labels === undefined ? classes : 1;
  const scoreRank = scoresPerBox === 1 && outputs[decoder.scores]?.shape.at(-1) === count ? 1 : 2;
  const scores = outputOf(outputs, decoder.scores, scoreRank === 1 ? [count] : [count, scoresPerBox]);
  const labels = decoder.labels === undefined ? undefined : outputOf(outputs, decoder.labels, [count]);
  const [unitX, unitY] = decoder.units === 'normalized' ? [image.width, image.height] : [1, 1];
  const candidates: Candidate[] = [];
  for (let box = 0; box < count; box++) {
    const best = bestClass((index) => numberAt(scores, index), box * scoresPerBox, 1, scoresPerBox);
    if (!(best.score >= scoreThreshold)) continue;
    const at = (index: number) => numberAt(boxes, box * 4 + index);
    const label = labels === undefined ? best.label : numberAt(labels, box);
    candidates.push(candidateFrom(decoder.order, [at(0), at(1), at(2), at(3)], unitX, unitY, best.score, label));
  }
  return candidates;
}

function candidateFrom(
  order: DecodedBoxes['order'],
  [a, b, c, d]: readonly [number, number, number, number],
  unitX: number,
  unitY: number,
  score: number,
  label: number,
): Candidate {
  const keypoints: Candidate['keypoints'] = [];
  switch (order) {
    case 'xyxy':
      return { xmin: a * unitX, ymin: b * unitY, xmax: c * unitX, ymax: d * unitY, score, label, keypoints };
    case 'yxyx':
      return { xmin: b * unitX, ymin: a * unitY, xmax: d * unitX, ymax: c * unitY, score, label, keypoints };
    case 'xywh':
      return {
        xmin: a * unitX,
        ymin: b * unitY,
        xmax: (a + c) * unitX,
        ymax: (b + d) * unitY,
        score,
        label,
        keypoints,
      };
  }
}
