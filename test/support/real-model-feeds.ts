/** Inputs for the real models: random, and for the readers of text a made-up page, because on noise they answer with nothing. */
import { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { randomFloats, randomTensor } from './random-numbers.js';
import type { RealModelName } from './real-models.js';

export function realModelFeeds(name: RealModelName, seed = 1): Record<string, RuntimeTensor> {
  const sampleRate = () => new RuntimeTensor('int64', BigInt64Array.of(16_000n), []);
  switch (name) {
    case 'blazefaceBack':
      return { 'input:0': randomTensor([1, 256, 256, 3], seed) };
    case 'blazefaceFront':
      return { 'input:0': randomTensor([1, 128, 128, 3], seed) };
    case 'ocrDetector':
      return { x: page(160, 160, seed) };
    case 'ocrRecognizer':
      return { x: randomTensor([1, 3, 48, 160], seed) };
    case 'ocrAngleClassifier':
      return { x: randomTensor([2, 3, 48, 192], seed) };
    case 'sileroV5':
    case 'sileroV6':
      return { input: randomTensor([1, 576], seed), state: randomTensor([2, 1, 128], seed + 1), sr: sampleRate() };
    case 'sileroLegacy':
      return {
        input: randomTensor([1, 1536], seed),
        h: randomTensor([2, 1, 64], seed + 1),
        c: randomTensor([2, 1, 64], seed + 2),
        sr: sampleRate(),
      };
  }
}

/** Dark strokes in rows on white, in the units of ImageNet normalization: shape [1, 3, height, width]. */
function page(height: number, width: number, seed: number): RuntimeTensor {
  const pixels = randomFloats(3 * height * width, seed, 2.1, 2.3);
  const choices = randomFloats(3 * height * width, seed + 1, 0, 1);
  let next = 0;
  const choose = (count: number) => Math.floor((choices[next++] ?? 0) * count);
  for (let row = 12; row + 28 < height; row += 44) {
    for (let column = 12; column + 16 < width; column += 14) {
      for (let stroke = 0; stroke < 3; stroke++) {
        const [across, down] = choose(2) === 0 ? [3, 18] : [10, 3];
        const [left, top] = [column + choose(6), row + choose(10)];
        for (let channel = 0; channel < 3; channel++) {
          for (let y = top; y < top + down; y++) {
            const start = (channel * height + y) * width + left;
            pixels.fill(-1.9, start, start + across);
          }
        }
      }
    }
  }
  return new RuntimeTensor('float32', pixels, [1, 3, height, width]);
}
