/** Intersection over union of segmentation masks, or of a map of one score per pixel that is made binary. */
import type { Feeds } from '../data/data-set.js';
import { classesOf, outputNamed } from './class-scores.js';
import type { Metric } from './metric.js';
import { numbersOf } from './tensor-numbers.js';

export interface IouOptions {
  readonly output: string;
  /** Above it a pixel of a map with one channel belongs to the mask. Default 0.5. */
  readonly threshold?: number;
}

/**
 * Mean over classes of Σ intersection / Σ union, sums over all samples; of the mask alone where the output has one channel. Labels are of
 * kind `outputs`; without them the original's masks stand for labels. An observation lists (class, intersection, union).
 */
export function iou({ output, threshold = 0.5 }: IouOptions): Metric {
  const masksOf = (step: Feeds | undefined) => {
    const tensor = outputNamed(step, output);
    const isBinary = tensor.dims.length === 4 ? tensor.dims[1] === 1 : tensor.dims.at(-1) === 1;
    if (!isBinary) return { classes: classesOf(tensor), background: -1 };
    return { classes: Int32Array.from(numbersOf(tensor), (score) => Number(score > threshold)), background: 0 };
  };
  return {
    name: 'iou',
    unit: 'share',
    better: 'higher',
    needsLabels: false,
    form: { kind: 'bounded-set', span: 1 },
    observe(sample, outputs, reference) {
      const counts = new Map<number, [number, number, number]>();
      const steps = sample.label?.kind === 'outputs' ? [sample.label.outputs] : reference;
      for (const [step, truth] of steps.entries()) {
        const { classes: expected, background } = masksOf(truth);
        const { classes: found } = masksOf(outputs[step]);
        for (const [pixel, index] of expected.entries()) count(counts, index, found[pixel] ?? -1, background);
      }
      return Float64Array.from([...counts.values()].flat());
    },
    aggregate(observations) {
      const sums = new Map<number, [number, number]>();
      for (const counts of observations) {
        for (let at = 0; at < counts.length; at += 3) {
          const [index = 0, shared = 0, union = 0] = counts.subarray(at, at + 3);
          const [before, unionBefore] = sums.get(index) ?? [0, 0];
          sums.set(index, [before + shared, unionBefore + union]);
        }
      }
      const shares = [...sums.values()].map(([shared, union]) => (union === 0 ? 1 : shared / union));
      return shares.length === 0 ? 1 : shares.reduce((sum, share) => sum + share, 0) / shares.length;
    },
  };
}

function count(
  counts: Map<number, [number, number, number]>,
  expected: number,
  found: number,
  background: number,
): void {
  for (const index of expected === found ? [expected] : [expected, found]) {
    if (index === background) continue;
    const entry = counts.get(index) ?? [index, 0, 0];
    if (expected === found) entry[1]++;
    entry[2]++;
    counts.set(index, entry);
  }
}
