/** From one score per class to the labels that fit best. */
import type { ImageClassificationTask } from '../artifact/task.js';
import { sigmoid } from './detection/candidate.js';
import { numberAt, outputOf } from './model-output.js';
import type { ClassPrediction } from './prediction.js';
import type { TensorOutputs } from './tensors.js';

/** What tasks that classify have in common. */
export type ClassScores = Pick<ImageClassificationTask, 'labels' | 'output' | 'activation' | 'top'>;

/** Classes whose score is no number are left out. */
export function classPredictions(task: ClassScores, outputs: TensorOutputs): readonly ClassPrediction[] {
  const { labels, activation = 'none', top = 5 } = task;
  const output = outputOf(outputs, task.output, [labels.length]);
  const raw = labels.map((_, index) => numberAt(output, index));
  return activate(raw, activation)
    .map((score, index) => ({ label: labels[index] as string, score }))
    .filter(({ score }) => Number.isFinite(score))
    .sort((one, other) => other.score - one.score)
    .slice(0, top);
}

function activate(raw: readonly number[], activation: 'none' | 'softmax' | 'sigmoid'): readonly number[] {
  switch (activation) {
    case 'none':
      return raw;
    case 'sigmoid':
      return raw.map(sigmoid);
    case 'softmax': {
      const largest = raw.reduce((one, other) => Math.max(one, other), Number.NEGATIVE_INFINITY);
      const powers = raw.map((value) => Math.exp(value - largest));
      const sum = powers.reduce((one, other) => one + other, 0);
      return powers.map((power) => power / sum);
    }
  }
}
