/** F1: of the positive class where there are two, else the mean over classes. */
import type { Sample } from '../data/data-set.js';
import { classesOf, outputNamed } from './class-scores.js';
import { labelOf } from './labels.js';
import type { Metric, Outputs } from './metric.js';

export interface F1Options {
  readonly output: string;
  /** `binary`: of class 1. `macro`: the mean over classes. Default: binary where the labels name two classes at most. */
  readonly average?: 'binary' | 'macro';
}

/**
 * F1 = 2·TP / (2·TP + FP + FN) over all rows of all samples. An observation lists pairs of (expected, found) class with their counts.
 * Labels are of kind `class`, or of kind `outputs` with the expected scores (one class a row, for sequences and maps). A class that is
 * neither expected nor found counts in no mean.
 */
export function f1({ output, average }: F1Options): Metric {
  return {
    name: average === undefined ? 'f1' : `f1-${average}`,
    unit: 'share',
    better: 'higher',
    needsLabels: true,
    form: { kind: 'bounded-set', span: 1 },
    observe: (sample, outputs) => pairsOf(sample, outputs, output),
    aggregate(observations) {
      const counts = countByClass(observations);
      const indices = [...counts.keys()].sort((a, b) => a - b);
      const binary = average === 'binary' || (average === undefined && indices.every((index) => index <= 1));
      const scores = (binary ? [1] : indices.filter((index) => index >= 0)).map((index) => score(counts.get(index)));
      return scores.length === 0 ? 1 : scores.reduce((sum, value) => sum + value, 0) / scores.length;
    },
  };
}

interface Counts {
  truePositives: number;
  falsePositives: number;
  falseNegatives: number;
}

function score(counts: Counts | undefined): number {
  if (counts === undefined) return 1;
  const { truePositives, falsePositives, falseNegatives } = counts;
  return (2 * truePositives) / (2 * truePositives + falsePositives + falseNegatives);
}

function countByClass(observations: readonly Float64Array[]): Map<number, Counts> {
  const counts = new Map<number, Counts>();
  const of = (index: number) => {
    const known = counts.get(index) ?? { truePositives: 0, falsePositives: 0, falseNegatives: 0 };
    counts.set(index, known);
    return known;
  };
  for (const pairs of observations) {
    for (let at = 0; at < pairs.length; at += 3) {
      const [expected = 0, found = 0, count = 0] = pairs.subarray(at, at + 3);
      if (expected === found) of(expected).truePositives += count;
      else {
        of(expected).falseNegatives += count;
        of(found).falsePositives += count;
      }
    }
  }
  return counts;
}

function pairsOf(sample: Sample, outputs: Outputs, output: string): Float64Array {
  const counts = new Map<string, [number, number, number]>();
  const add = (expected: number, found: number) => {
    const key = `${expected} ${found}`;
    const pair = counts.get(key);
    if (pair === undefined) counts.set(key, [expected, found, 1]);
    else pair[2]++;
  };
  if (sample.label?.kind === 'outputs') {
    const found = outputs.flatMap((step) => [...classesOf(outputNamed(step, output))]);
    const expected = classesOf(outputNamed(labelOf(sample, 'outputs', 'f1').outputs, output));
    for (const [row, index] of expected.entries()) add(index, found[row] ?? -1);
  } else {
    const { index } = labelOf(sample, 'class', 'f1');
    for (const found of classesOf(outputNamed(outputs.at(-1), output))) add(index, found);
  }
  return Float64Array.from([...counts.values()].flat());
}
