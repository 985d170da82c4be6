/** Shares of right answers: against labels, or against the original model. */
import type { Feeds } from '../data/data-set.js';
import { classesOf, outputNamed } from './class-scores.js';
import { labelOf } from './labels.js';
import { meanOf } from './means.js';
import type { Metric, MetricForm, Outputs } from './metric.js';

const SHARE: MetricForm = { kind: 'bounded-mean', worst: 0, best: 1 };

/** Top-1 against labels of kind `class`: 1 or 0 per sample. The last step of a sequence is its answer. */
export function accuracy(output: string): Metric {
  return {
    name: 'accuracy',
    unit: 'share',
    better: 'higher',
    needsLabels: true,
    form: SHARE,
    observe(sample, outputs) {
      const { index } = labelOf(sample, 'class', 'accuracy');
      const classes = classesOf(outputNamed(outputs.at(-1), output));
      return Float64Array.of(classes.length > 0 && classes.every((found) => found === index) ? 1 : 0);
    },
    aggregate: (observations) => meanOf(observations, 1),
  };
}

/** Top-1 against the original model: the share of rows (samples of a batch, steps, pixels) with the same class. */
export function agreement(output: string): Metric {
  return {
    name: 'agreement',
    unit: 'share',
    better: 'higher',
    needsLabels: false,
    form: SHARE,
    observe: (_, outputs, reference) => Float64Array.of(sharedClasses(output, outputs, reference)),
    aggregate: (observations) => meanOf(observations, 1),
  };
}

function sharedClasses(output: string, outputs: Outputs, reference: readonly Feeds[]): number {
  let [same, all] = [0, 0];
  for (const [step, expected] of reference.entries()) {
    const wanted = classesOf(outputNamed(expected, output));
    const got = classesOf(outputNamed(outputs[step], output));
    all += wanted.length;
    for (const [row, index] of wanted.entries()) if (got[row] === index && got.length === wanted.length) same++;
  }
  return all === 0 ? 1 : same / all;
}
