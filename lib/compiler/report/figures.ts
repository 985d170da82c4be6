/** Numbers of a report as people read them. */
import { formatLatency } from '../../artifact/units.js';
import type { Budget } from '../metrics/budget.js';

/** Four significant digits, trailing zeros kept off: `0.9812`, `42.31`, `1.2e-7`; `∞` and `–` for what is no number. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace('-', '−').replace('e+', 'e');
  return Number(value.toPrecision(4)).toString().replace('-', '−');
}

/** Of numbers that say by themselves what they are. */
const PLAIN_UNITS = new Set(['', '1', 'share', 'cosine']);

/** The unit behind a name on an axis; nothing for plain numbers. */
export function unitSuffix(unit: string): string {
  return PLAIN_UNITS.has(unit) ? '' : `, ${unit}`;
}

/** `0.9812`, `42.31 dB`. */
export function formatMetric(value: number | null | undefined, unit: string): string {
  const number = formatNumber(value);
  return PLAIN_UNITS.has(unit) || number === '–' ? number : `${number} ${unit}`;
}

/** `0.27 ×`: after in terms of before. */
export function formatRatio(after: number, before: number): string {
  return before > 0 ? `${(after / before).toFixed(2)} ×` : '–';
}

/** `–73 %`, `+4 %`. */
export function formatChange(after: number, before: number): string {
  if (!(before > 0)) return '–';
  const percent = Math.round((after / before - 1) * 100);
  return percent === 0 ? '±0 %' : `${percent > 0 ? '+' : '−'}${Math.abs(percent)} %`;
}

export function formatMilliseconds(value: number | undefined): string {
  return value === undefined ? '–' : formatLatency(value);
}

/** `accuracy at least 0.97`, `wer at most 0.01 worse than in fp32`. */
export function budgetText({ metric, min, max, maxLoss }: Budget): string {
  if (min !== undefined) return `${metric} at least ${formatNumber(min)}`;
  if (max !== undefined) return `${metric} at most ${formatNumber(max)}`;
  return `${metric} at most ${formatNumber(maxLoss)} worse than in fp32`;
}

const LOWER_IS_BETTER = new Set(['wer', 'cer', 'kl', 'max-abs']);

export function isLowerBetter(metric: string): boolean {
  return LOWER_IS_BETTER.has(metric);
}

/** The value of the metric at which the budget ends; undefined where it has no finite one. */
export function limitOf({ metric, min, max, maxLoss }: Budget, original: number): number | undefined {
  const limit = min ?? max ?? (isLowerBetter(metric) ? original + (maxLoss ?? 0) : original - (maxLoss ?? 0));
  return Number.isFinite(limit) ? limit : undefined;
}

/** Round numbers from 0 or `least` to `greatest`, about `wanted` of them. */
export function ticks(least: number, greatest: number, wanted: number): number[] {
  const span = greatest - least;
  if (!(span > 0) || !Number.isFinite(span)) return [];
  const raw = span / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw) ?? raw;
  const first = Math.ceil(least / step);
  const last = Math.floor(greatest / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => {
    return Number(((first + index) * step).toPrecision(12));
  });
}
