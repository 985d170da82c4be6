/** mAP of a detector, through the task's own pipeline: what the endpoint answers is what is judged. */
import type { ObjectDetectionTask } from '../../../artifact/task.js';
import { meanOf } from '../means.js';
import type { Metric } from '../metric.js';
import { averagePrecision } from './average-precision.js';
import { boxesExpected, boxesFound } from './boxes.js';
import { byScore, matchBoxes } from './matching.js';

/** 0.5, 0.55, … 0.95. */
const COCO_THRESHOLDS = Array.from({ length: 10 }, (_, index) => (50 + 5 * index) / 100);

/** Numbers of a found box in an observation: class, score, a bit per threshold at which it has a match. */
const NUMBERS_PER_BOX = 3;

/**
 * The mean over classes and over IoU thresholds (0.5 to 0.95 for `map`, 0.5 alone for `map50`) of COCO's average precision. Classes without
 * a true box count not. Without labels the original's boxes stand for the truth.
 * An observation lists the number of true boxes of each class, then each found box.
 */
export function meanAveragePrecision(task: ObjectDetectionTask, thresholds: 'coco' | 'half' = 'coco'): Metric {
  const overlaps = thresholds === 'coco' ? COCO_THRESHOLDS : [0.5];
  const classes = task.labels.length;
  return {
    name: thresholds === 'coco' ? 'map' : 'map50',
    unit: 'share',
    better: 'higher',
    needsLabels: false,
    form: { kind: 'bounded-set', span: 1 },
    observe(sample, outputs, reference) {
      const found = byScore(boxesFound(task, sample, outputs.at(-1)));
      const expected = boxesExpected(task, sample, reference.at(-1));
      const observation = new Float64Array(classes + found.length * NUMBERS_PER_BOX);
      for (const { label } of expected) observation[label] = (observation[label] ?? 0) + 1;
      const matches = overlaps.map((threshold) => matchBoxes(found, expected, threshold));
      for (const [index, { label, score }] of found.entries()) {
        const bits = matches.reduce((sum, match, bit) => sum + (match[index] === true ? 2 ** bit : 0), 0);
        observation.set([label, score, bits], classes + index * NUMBERS_PER_BOX);
      }
      return observation;
    },
    aggregate(observations) {
      let [sum, count] = [0, 0];
      for (let label = 0; label < classes; label++) {
        const { scores, bits, expected } = findingsOf(observations, label, classes);
        if (expected === 0) continue;
        const order = [...scores.keys()].sort((one, other) => (scores[other] ?? 0) - (scores[one] ?? 0));
        for (const bit of overlaps.keys()) {
          const mask = 1 << bit;
          sum += averagePrecision({ expected, isMatch: (index) => ((bits[index] ?? 0) & mask) !== 0 }, order);
          count++;
        }
      }
      return count === 0 ? 1 : sum / count;
    },
  };
}

function findingsOf(observations: readonly Float64Array[], label: number, classes: number) {
  const scores: number[] = [];
  const bits: number[] = [];
  let expected = 0;
  for (const observation of observations) {
    expected += observation[label] ?? 0;
    for (let at = classes; at < observation.length; at += NUMBERS_PER_BOX) {
      if (observation[at] !== label) continue;
      scores.push(observation[at + 1] ?? 0);
      bits.push(observation[at + 2] ?? 0);
    }
  }
  return { scores, bits, expected };
}

/**
 * How far a detector finds what the original finds: per sample 2·TP / (found + found by the original) at IoU 0.5, 1 where neither finds
 * anything; the mean over samples.
 */
export function detectionAgreement(task: ObjectDetectionTask): Metric {
  return {
    name: 'agreement',
    unit: 'share',
    better: 'higher',
    needsLabels: false,
    form: { kind: 'bounded-mean', worst: 0, best: 1 },
    observe(sample, outputs, reference) {
      const found = byScore(boxesFound(task, sample, outputs.at(-1)));
      const expected = boxesFound(task, sample, reference.at(-1));
      const matched = matchBoxes(found, expected, 0.5).filter(Boolean).length;
      const all = found.length + expected.length;
      return Float64Array.of(all === 0 ? 1 : (2 * matched) / all);
    },
    aggregate: (observations) => meanOf(observations, 1),
  };
}
