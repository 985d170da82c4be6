/** Which elements a resized axis reads, and with what weights: TensorFlow's formulas, in its float32 arithmetic where a rounding decides. */
import { LoweringError } from './lowering-error.js';

export interface SamplingOptions {
  /** First and last elements lie on each other: a result's element x is at x · (size - 1) / (result - 1). */
  readonly alignCorners?: boolean;
  /** Elements are squares whose centers count: at (x + ½) · size / result - ½. Default, without either: at x · size / result. */
  readonly halfPixelCenters?: boolean;
}

/** Elements between neighbours of the result. */
function step(from: number, to: number, { alignCorners = false }: SamplingOptions): number {
  return alignCorners && to > 1 ? Math.fround((from - 1) / (to - 1)) : Math.fround(from / to);
}

/** The element that each of the result's is a copy of: TensorFlow's and TFLite's ResizeNearestNeighbor. */
export function nearestIndices(from: number, to: number, options: SamplingOptions): number[] {
  const distance = step(from, to, options);
  return Array.from({ length: to }, (_, index) => {
    const position = Math.fround((options.halfPixelCenters ? index + 0.5 : index) * distance);
    const rounded = options.alignCorners ? Math.floor(position + 0.5) : Math.floor(position);
    return Math.max(0, Math.min(from - 1, rounded));
  });
}

/** [to, from], row by row: the weight of each element in each of the result's. */
export interface WeightMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly weights: Float32Array;
}

/** A matrix of this many weights has 64 MiB. */
const MOST_WEIGHTS = 2 ** 24;

function weightMatrix(
  from: number,
  to: number,
  fill: (add: (source: number, weight: number) => void, row: number) => void,
) {
  if (from * to > MOST_WEIGHTS) {
    throw new LoweringError({
      code: 'RESIZE_SIZE',
      message: `Resizing ${from} elements to ${to} with this interpolation takes a table of more than ${MOST_WEIGHTS} weights.`,
      advice: 'Use bilinear or nearest interpolation, or smaller pictures.',
    });
  }
  const weights = new Float32Array(from * to);
  for (let row = 0; row < to; row++) {
    fill((source, weight) => {
      weights[row * from + source] = (weights[row * from + source] ?? 0) + weight;
    }, row);
  }
  return { rows: to, columns: from, weights };
}

/** Its ResizeBicubic looks weights up by distances of 1/1024. */
const CUBIC_STEPS = 1024;

/** The weight of an element this far away; `a` is -½ in Keys's paper, and -¾ in TensorFlow's older formula. */
function cubic(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/**
 * TensorFlow's ResizeBicubic. With half-pixel centers a is -½, and elements beyond the border have no weight, the others a sum of 1;
 * otherwise a is -¾ and the border's elements stand for those beyond.
 */
export function bicubicWeights(from: number, to: number, options: SamplingOptions): WeightMatrix {
  const { halfPixelCenters = false } = options;
  const distance = step(from, to, options);
  return weightMatrix(from, to, (add, row) => {
    const position = halfPixelCenters
      ? Math.fround(Math.fround((row + 0.5) * distance) - 0.5)
      : Math.fround(row * distance);
    const first = Math.floor(position);
    const offset = roundHalfToEven(Math.fround(Math.fround(position - first) * CUBIC_STEPS)) / CUBIC_STEPS;
    const taps = [-1, 0, 1, 2].map((tap) => ({
      source: first + tap,
      weight: cubic(offset - tap, halfPixelCenters ? -0.5 : -0.75),
    }));
    if (!halfPixelCenters) {
      for (const { source, weight } of taps) add(Math.max(0, Math.min(from - 1, source)), weight);
      return;
    }
    const inside = taps.filter(({ source }) => source >= 0 && source < from);
    const sum = inside.reduce((total, { weight }) => total + weight, 0);
    for (const { source, weight } of inside) add(source, weight / sum);
  });
}

function roundHalfToEven(number: number): number {
  const floor = Math.floor(number);
  const rest = number - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** Whether TensorFlow's table of cubic weights has the very distances that occur: then its weights are those of the formula. */
export function isExactlyBicubic(from: number, to: number): boolean {
  const factor = to / from;
  return Number.isInteger(Math.log2(factor)) && factor <= CUBIC_STEPS / 2 && factor >= 1;
}

interface Kernel {
  readonly radius: number;
  readonly weight: (distance: number) => number;
}

export type KernelName = 'bilinear' | 'bicubic' | 'lanczos3' | 'lanczos5' | 'gaussian' | 'mitchellcubic';

const KERNELS: Readonly<Record<KernelName, Kernel>> = {
  bilinear: { radius: 1, weight: (distance) => Math.max(0, 1 - Math.abs(distance)) },
  bicubic: { radius: 2, weight: (distance) => cubic(distance, -0.5) },
  lanczos3: lanczos(3),
  lanczos5: lanczos(5),
  gaussian: { radius: 1.5, weight: (distance) => (Math.abs(distance) < 1.5 ? Math.exp(-2 * distance * distance) : 0) },
  mitchellcubic: { radius: 2, weight: mitchell },
};

function mitchell(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((7 / 6) * x - 2) * x * x + 8 / 9;
  return x < 2 ? (((-7 / 18) * x + 2) * x - 10 / 3) * x + 16 / 9 : 0;
}

function lanczos(radius: number): Kernel {
  return {
    radius,
    weight: (distance) => {
      const x = Math.abs(distance);
      if (x > radius) return 0;
      // Near zero sin(x)² / x² loses its digits.
      if (x <= 1e-3) return 1;
      return (radius * Math.sin(Math.PI * x) * Math.sin((Math.PI * x) / radius)) / (Math.PI * Math.PI * x * x);
    },
  };
}

/**
 * TensorFlow's ScaleAndTranslate without translation, which tf.image.resize uses for Lanczos kernels and for `antialias`: weights of a
 * kernel around (x + ½) · size / result, widened by size / result where antialiasing and making smaller; their sum is 1.
 */
export function kernelWeights(name: KernelName, from: number, to: number, antialias: boolean): WeightMatrix {
  const { radius, weight } = KERNELS[name];
  const distance = Math.fround(1 / Math.fround(to / from));
  const width = antialias ? Math.max(distance, 1) : 1;
  return weightMatrix(from, to, (add, row) => {
    const center = Math.fround((row + 0.5) * distance);
    const clamped = (position: number) => Math.max(0, Math.min(from - 1, position));
    const start = clamped(Math.ceil(Math.fround(Math.fround(center - radius * width) - 0.5)));
    const end = clamped(Math.floor(Math.fround(Math.fround(center + radius * width) - 0.5)));
    const taps = Array.from({ length: end - start + 1 }, (_, index) => ({
      source: start + index,
      weight: weight((start + index + 0.5 - center) / width),
    }));
    const sum = taps.reduce((total, tap) => total + tap.weight, 0);
    for (const tap of taps) add(tap.source, Math.abs(sum) < 1e-35 ? tap.weight : tap.weight / sum);
  });
}

/** TensorFlow's ResizeArea: the mean of what lies between x · size / result and (x + 1) · size / result. */
export function areaWeights(from: number, to: number, options: SamplingOptions = {}): WeightMatrix {
  const distance = step(from, to, options);
  return weightMatrix(from, to, (add, row) => {
    const start = Math.fround(row * distance);
    const end = Math.fround((row + 1) * distance);
    for (let source = Math.floor(start); source < Math.ceil(end); source++) {
      const covered = Math.min(source + 1, end) - Math.max(source, start);
      add(Math.max(0, Math.min(from - 1, source)), covered / distance);
    }
  });
}
