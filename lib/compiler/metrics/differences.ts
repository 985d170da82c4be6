/** How far outputs are from those of the original model, as numbers: no labels and no task needed. */
import type { RuntimeTensor } from '../runtime/session.js';
import { scoreRows } from './class-scores.js';
import { meanOf } from './means.js';
import type { Metric, Outputs } from './metric.js';
import { numbersOf, sameShape } from './tensor-numbers.js';

/** What a ratio of energies is given as where there is no noise, or nothing but noise: float32 itself carries about 150 dB. */
export const SNR_LIMIT = 150;

/** The smallest probability that a divergence is taken of: a model that rules out what happens is wrong by ln(1e12) = 27.6 nats. */
const SMALLEST_PROBABILITY = 1e-12;

/** 10·log10(Σ y² / Σ (x - y)²) over all samples, of the worst output. An observation lists (Σ y², Σ (x - y)²) per output. */
export function snr(): Metric {
  return {
    name: 'snr',
    unit: 'dB',
    better: 'higher',
    needsLabels: false,
    form: { kind: 'unbounded' },
    observe(_, outputs, reference) {
      const energies = new Map<string, [number, number]>();
      forEachOutput(reference, outputs, (name, expected, actual) => {
        const [signal, noise] = energiesOf(expected, actual);
        const [signalBefore, noiseBefore] = energies.get(name) ?? [0, 0];
        energies.set(name, [signalBefore + signal, noiseBefore + noise]);
      });
      return Float64Array.from([...energies.values()].flat());
    },
    aggregate(observations) {
      const sums = new Float64Array(Math.max(0, ...observations.map(({ length }) => length)));
      for (const energies of observations) {
        for (let index = 0; index < energies.length; index++) sums[index] = (sums[index] ?? 0) + (energies[index] ?? 0);
      }
      let worst = SNR_LIMIT;
      for (let index = 0; index < sums.length; index += 2)
        worst = Math.min(worst, decibels(sums[index] ?? 0, sums[index + 1] ?? 0));
      return worst;
    },
  };
}

/** 10·log10(signal / noise), within ±150; all noise where either is no number. */
export function decibels(signal: number, noise: number): number {
  if (noise === 0) return SNR_LIMIT;
  const ratio = 10 * Math.log10(signal / noise);
  return Number.isNaN(ratio) ? -SNR_LIMIT : Math.min(SNR_LIMIT, Math.max(-SNR_LIMIT, ratio));
}

/** [Σ y², Σ (x - y)²]; what is missing or of another shape is infinite noise. */
export function energiesOf(expected: RuntimeTensor, actual: RuntimeTensor | undefined): readonly [number, number] {
  const wanted = numbersOf(expected);
  const got = sameShape(expected, actual) ? numbersOf(actual) : undefined;
  let [signal, noise] = [0, 0];
  for (let index = 0; index < wanted.length; index++) {
    const y = wanted[index] ?? 0;
    const delta = (got?.[index] ?? Number.NaN) - y;
    if (Number.isFinite(y)) signal += y * y;
    // Infinities that agree differ by NaN.
    if (got?.[index] === y || (Number.isNaN(y) && Number.isNaN(got?.[index]))) continue;
    noise += Number.isNaN(delta) ? Number.POSITIVE_INFINITY : delta * delta;
  }
  return [signal, noise];
}

/** Cosine of the angle between outputs as vectors, of the worst output of a sample; the mean over samples. */
export function cosine(): Metric {
  return {
    name: 'cosine',
    unit: 'cosine',
    better: 'higher',
    needsLabels: false,
    form: { kind: 'bounded-mean', worst: -1, best: 1 },
    observe(_, outputs, reference) {
      let worst = 1;
      forEachOutput(reference, outputs, (_name, expected, actual) => {
        worst = Math.min(worst, cosineOf(expected, actual));
      });
      return Float64Array.of(worst);
    },
    aggregate: (observations) => meanOf(observations, 1),
  };
}

function cosineOf(expected: RuntimeTensor, actual: RuntimeTensor | undefined): number {
  if (!sameShape(expected, actual)) return -1;
  const [y, x] = [numbersOf(expected), numbersOf(actual)];
  let [dot, yy, xx] = [0, 0, 0];
  for (let index = 0; index < y.length; index++) {
    const [a, b] = [y[index] ?? 0, x[index] ?? 0];
    dot += a * b;
    yy += a * a;
    xx += b * b;
  }
  if (yy === 0 && xx === 0) return 1;
  const found = yy === 0 || xx === 0 ? 0 : dot / Math.sqrt(yy * xx);
  return Number.isNaN(found) ? -1 : Math.min(1, Math.max(-1, found));
}

/**
 * Kullback-Leibler divergence Σ p·ln(p / q) of the original's classes p from the candidate's q, nats: the mean over rows, then over samples.
 * Rows that are no probabilities go through softmax; a single score through the logistic function.
 */
export function kl(output: string): Metric {
  return {
    name: 'kl',
    unit: 'nats',
    better: 'lower',
    needsLabels: false,
    form: { kind: 'bounded-mean', worst: -Math.log(SMALLEST_PROBABILITY), best: 0 },
    observe(_, outputs, reference) {
      let [sum, rows] = [0, 0];
      for (const [step, expected] of reference.entries()) {
        const wanted = expected[output];
        if (wanted === undefined) continue;
        const divergences = divergencesOf(wanted, outputs[step]?.[output]);
        rows += divergences.length;
        sum += divergences.reduce((total, value) => total + value, 0);
      }
      return Float64Array.of(rows === 0 ? 0 : sum / rows);
    },
    aggregate: (observations) => meanOf(observations, 0),
  };
}

function divergencesOf(expected: RuntimeTensor, actual: RuntimeTensor | undefined): number[] {
  const p = scoreRows(expected);
  const worst = -Math.log(SMALLEST_PROBABILITY);
  if (!sameShape(expected, actual)) return new Array<number>(p.rows).fill(worst);
  const q = scoreRows(actual);
  // One way of reading for both: that of the original.
  const isProbability = Array.from({ length: p.rows }, (_, row) => row).every((row) => sumsToOne(p, row));
  return Array.from({ length: p.rows }, (_, row) => {
    const [one, other] = [distribution(p, row, isProbability), distribution(q, row, isProbability)];
    const divergence = one.reduce(
      (sum, value, index) =>
        value <= 0 ? sum : sum + value * Math.log(value / Math.max(SMALLEST_PROBABILITY, other[index] ?? 0)),
      0,
    );
    return Number.isNaN(divergence) ? worst : Math.min(worst, Math.max(0, divergence));
  });
}

function sumsToOne({ classes, at }: ReturnType<typeof scoreRows>, row: number): boolean {
  let sum = 0;
  for (let index = 0; index < classes; index++) {
    const value = at(row, index);
    if (!(value >= 0 && value <= 1)) return false;
    sum += value;
  }
  return classes === 1 || Math.abs(sum - 1) < 1e-2;
}

function distribution({ classes, at }: ReturnType<typeof scoreRows>, row: number, isProbability: boolean): number[] {
  const scores = Array.from({ length: classes }, (_, index) => at(row, index));
  const [only = 0] = scores;
  if (classes === 1) {
    const yes = isProbability ? only : 1 / (1 + Math.exp(-only));
    return [yes, 1 - yes];
  }
  if (isProbability) return scores;
  const largest = scores.reduce((one, other) => Math.max(one, other), Number.NEGATIVE_INFINITY);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((one, other) => one + other, 0);
  return powers.map((power) => power / sum);
}

/** The largest |x - y| of any output, over all samples. */
export function maxAbs(): Metric {
  return {
    name: 'max-abs',
    unit: '1',
    better: 'lower',
    needsLabels: false,
    form: { kind: 'extreme' },
    observe(_, outputs, reference) {
      let largest = 0;
      forEachOutput(reference, outputs, (_name, expected, actual) => {
        const wanted = numbersOf(expected);
        const got = sameShape(expected, actual) ? numbersOf(actual) : undefined;
        for (let index = 0; index < wanted.length; index++) {
          const [y, x] = [wanted[index], got?.[index]];
          if (Object.is(x, y) || x === y) continue;
          const delta = Math.abs((x ?? Number.NaN) - (y ?? Number.NaN));
          largest = Math.max(largest, Number.isNaN(delta) ? Number.POSITIVE_INFINITY : delta);
        }
      });
      return Float64Array.of(largest);
    },
    aggregate: (observations) => observations.reduce((largest, [value = 0]) => Math.max(largest, value), 0),
  };
}

/** Outputs with numbers, step by step, in the original's order. */
function forEachOutput(
  reference: Outputs,
  outputs: Outputs,
  visit: (name: string, expected: RuntimeTensor, actual: RuntimeTensor | undefined) => void,
): void {
  for (const [step, expected] of reference.entries()) {
    for (const [name, tensor] of Object.entries(expected)) {
      if (tensor.dataType !== 'string') visit(name, tensor, outputs[step]?.[name]);
    }
  }
}
