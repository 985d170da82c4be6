/**
 * How inputs are distributed: what the samples of a build looked like, and how to tell that requests no longer do. The same code records the
 * profile and watches requests, so that the two differ by their data alone.
 */
import type { Dimension } from './manifest.js';

/** Lies beside the manifest where model.json has a `drift` section. */
export const INPUT_PROFILE_FILE = 'input-profile.json';
export const INPUT_PROFILE_VERSION = 1;
/** Which share of requests a function looks at: above 0 and up to 1, or 0 for none. */
export const DRIFT_SHARE_VARIABLE = 'CDK_ONNX_DRIFT_SHARE';
export const DEFAULT_DRIFT_SHARE = 0.1;

/**
 * `value`: every element. `mean` and `deviation`: of all elements of an item, for tensors whose single elements say nothing: a pixel of a
 * picture has any value, its brightness and contrast tell another camera, a missing normalization, a black frame.
 */
export type InputStatistic = 'value' | 'mean' | 'deviation';

/** How one statistic of one input was distributed. */
export interface ProfiledStatistic {
  /** The name of the model's input. */
  readonly input: string;
  /** What of it is watched. */
  readonly statistic: InputStatistic;
  /** Where bins meet, ascending; a bin holds its lower edge, the first and the last are open. */
  readonly edges: readonly number[];
  /** Of the build's samples, in each bin: one more than edges. */
  readonly counts: readonly number[];
}

/** `input-profile.json`. */
export interface InputProfile {
  /** Of the file. */
  readonly schemaVersion: typeof INPUT_PROFILE_VERSION;
  /** One or more of each input that is watched. */
  readonly statistics: readonly ProfiledStatistic[];
}

/** The metric that counts a bin. */
export function inputBinName(bin: number): string {
  return `InputBin${bin}`;
}

/** In the dimension of that metric: CloudWatch takes ASCII. */
export function statisticName({ statistic, input }: Pick<ProfiledStatistic, 'input' | 'statistic'>): string {
  return `${statistic} of ${input}`.replaceAll(/[^ -~]/g, '?').slice(0, 250);
}

/** An alarm of CloudWatch refers to ten metrics at most, and each bin is one. */
export const MAX_BINS = 10;

/** Tensors with fewer elements an item are watched element by element. */
const MAX_VALUES = 64;

/** What is watched of an input where model.json does not say. */
export function defaultStatistics(shape: readonly Dimension[] | null): readonly InputStatistic[] {
  const rest = shape === null ? [null] : shape.slice(isBatched(shape) ? 1 : 0);
  const elements = rest.reduce<number>(
    (product, size) => product * (typeof size === 'number' ? size : Number.POSITIVE_INFINITY),
    1,
  );
  return elements <= MAX_VALUES ? ['value'] : ['mean', 'deviation'];
}

/** Whether the first axis counts items: an open dimension in front of others. */
function isBatched(shape: readonly Dimension[]): boolean {
  return shape.length >= 2 && typeof shape[0] !== 'number';
}

/** Of one item; a picture of 128 × 128 has 49,152 elements, and 4,096 of them give its mean to a percent of its deviation or two. */
const MAX_ELEMENTS = 4096;
/** Of one request. */
const MAX_ITEMS = 32;
/** No stride is a multiple of one: it would see one channel, or one column, only. */
const PERIODS = [2, 3, 5, 7];

/** A tensor's elements as numbers. */
export interface NumericTensor {
  readonly length: number;
  /** By its index in row-major order. */
  at(index: number): number;
  readonly shape: readonly number[];
}

/** The statistics of a tensor, one value for each element or item that is looked at. */
export function statisticsOf(
  tensor: NumericTensor,
  shape: readonly Dimension[] | null,
  statistics: readonly InputStatistic[],
): Readonly<Partial<Record<InputStatistic, readonly number[]>>> {
  const items = shape !== null && isBatched(shape) ? Math.max(1, tensor.shape[0] ?? 1) : 1;
  const size = Math.floor(tensor.length / items);
  const stride = strideOf(size);
  const found: Partial<Record<InputStatistic, number[]>> = {};
  for (const statistic of statistics) found[statistic] = [];
  for (let item = 0; item < Math.min(items, MAX_ITEMS); item += 1) {
    let [count, sum, squares] = [0, 0, 0];
    // Around the first element, so that a large mean does not swallow a small deviation.
    const origin = size > 0 ? tensor.at(item * size) : 0;
    for (let index = item * size; index < (item + 1) * size; index += stride) {
      const value = tensor.at(index);
      found.value?.push(value);
      count += 1;
      sum += value - origin;
      squares += (value - origin) ** 2;
    }
    if (count === 0) continue;
    found.mean?.push(origin + sum / count);
    found.deviation?.push(Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2)));
  }
  return found;
}

function strideOf(size: number): number {
  let stride = Math.ceil(size / MAX_ELEMENTS);
  while (stride > 1 && PERIODS.some((period) => stride % period === 0)) stride += 1;
  return Math.max(1, stride);
}

/** The bin of a value; what is no number is in the first. */
export function binOf(edges: readonly number[], value: number): number {
  let bin = 0;
  while (bin < edges.length && value >= (edges[bin] as number)) bin += 1;
  return bin;
}

/**
 * Half a request in each bin, so that an empty one does not make the index infinite: the posterior mean under Jeffreys' prior.
 */
export const SMOOTHING = 0.5;

/** The share of each bin, smoothed. */
export function sharesOf(counts: readonly number[]): readonly number[] {
  const total = counts.reduce((sum, count) => sum + count, 0) + SMOOTHING * counts.length;
  return counts.map((count) => (count + SMOOTHING) / total);
}

/**
 * Population stability index: Σ (a − e) · ln(a / e) over the bins, with a the shares now and e those expected. By custom below 0.1 nothing has
 * changed, above 0.25 much has (N. Siddiqi, Credit Risk Scorecards, Wiley 2006, ch. 10). It is the symmetric Kullback-Leibler divergence (Jeffreys').
 * Where nothing has changed it is still (1/m + 1/n) · χ² of bins − 1 degrees of freedom for m and n counts (B. Yurdakul and J. Naranjo, Statistical
 * properties of the population stability index, Journal of Risk Model Validation 14 (4), 2020): few counts look like drift.
 */
export function populationStabilityIndex(expected: readonly number[], actual: readonly number[]): number {
  const [e, a] = [sharesOf(expected), sharesOf(actual)];
  return e.reduce((sum, share, bin) => {
    const now = a[bin] as number;
    return sum + (now - share) * Math.log(now / share);
  }, 0);
}
