/**
 * Bilinear resampling with antialiasing: the triangle filter is as wide as the step when it shrinks, so that every pixel of the photo
 * counts, and an ordinary bilinear interpolation when it grows. The same as Pillow's `BILINEAR`, which models are mostly trained with.
 */
import type { Picture } from './picture.js';

/** The part of a picture to look at, in pixels, with fractions; it may reach over the edge, where the outermost pixels count. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** For each target pixel: the first source pixel, how many, and their weights, which sum to 1. */
interface Taps {
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Float32Array;
  readonly perPixel: number;
}

function tapsOf(sourceSize: number, start: number, length: number, targetSize: number): Taps {
  const step = length / targetSize;
  const reach = Math.max(1, step);
  const perPixel = Math.ceil(reach * 2) + 1;
  const first = new Int32Array(targetSize);
  const count = new Int32Array(targetSize);
  const weights = new Float32Array(targetSize * perPixel);
  for (let target = 0; target < targetSize; target++) {
    // Centre of the target pixel, in source pixels.
    const centre = Math.min(Math.max(start + (target + 0.5) * step, 0.5), sourceSize - 0.5);
    const from = Math.max(0, Math.ceil(centre - reach - 0.5));
    const end = Math.min(sourceSize, from + perPixel, Math.floor(centre + reach - 0.5) + 1);
    let sum = 0;
    for (let source = from; source < end; source++) {
      const weight = Math.max(0, 1 - Math.abs(source + 0.5 - centre) / reach);
      weights[target * perPixel + source - from] = weight;
      sum += weight;
    }
    for (let tap = 0; tap < end - from; tap++) {
      weights[target * perPixel + tap] = (weights[target * perPixel + tap] as number) / sum;
    }
    first[target] = from;
    count[target] = end - from;
  }
  return { first, count, weights, perPixel };
}

/**
 * Resamples `region` to `width` x `height` and hands over row after row: `width * 3` numbers from 0 to 255, RGB. The row is overwritten by
 * the next one.
 */
export function resample(
  picture: Picture,
  region: Region,
  { width, height }: { readonly width: number; readonly height: number },
  onRow: (row: Float32Array, y: number) => void,
): void {
  const across = tapsOf(picture.width, region.left, region.width, width);
  const down = tapsOf(picture.height, region.top, region.height, height);
  const rowLength = width * 3;
  // Rows already resampled across, kept as long as a target row still needs them.
  const kept = new Float32Array(down.perPixel * rowLength);
  const row = new Float32Array(rowLength);
  let nextSource = down.first[0] as number;
  for (let y = 0; y < height; y++) {
    const first = down.first[y] as number;
    const end = first + (down.count[y] as number);
    for (nextSource = Math.max(nextSource, first); nextSource < end; nextSource++) {
      resampleRow(picture, nextSource, across, kept, (nextSource % down.perPixel) * rowLength, width);
    }
    row.fill(0);
    for (let source = first; source < end; source++) {
      const weight = down.weights[y * down.perPixel + source - first] as number;
      const from = (source % down.perPixel) * rowLength;
      for (let at = 0; at < rowLength; at++) row[at] = (row[at] as number) + weight * (kept[from + at] as number);
    }
    onRow(row, y);
  }
}

function resampleRow(
  { data, width: sourceWidth }: Picture,
  sourceRow: number,
  { first, count, weights, perPixel }: Taps,
  target: Float32Array,
  start: number,
  width: number,
): void {
  const rowStart = sourceRow * sourceWidth * 3;
  for (let x = 0, at = start; x < width; x++, at += 3) {
    let source = rowStart + (first[x] as number) * 3;
    let red = 0;
    let green = 0;
    let blue = 0;
    const from = x * perPixel;
    const end = from + (count[x] as number);
    for (let tap = from; tap < end; tap++, source += 3) {
      const weight = weights[tap] as number;
      red += weight * (data[source] as number);
      green += weight * (data[source + 1] as number);
      blue += weight * (data[source + 2] as number);
    }
    target[at] = red;
    target[at + 1] = green;
    target[at + 2] = blue;
  }
}
