/** Samples for the OCR angle classifier: stripes that lean, as lines of text seen from far, made by a seed. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeNpy } from './numpy-writer.js';
import { randomFloats } from './random-numbers.js';

const SHAPE = [1, 3, 48, 192] as const;

/** `count` files in `folder`; no two seeds share a sample. */
export function writeAngleSamples(folder: string, count: number, seed: number): void {
  mkdirSync(folder, { recursive: true });
  const [, channels, height, width] = SHAPE;
  for (let sample = 0; sample < count; sample += 1) {
    const number = seed * 1000 + sample;
    const noise = randomFloats(channels * height * width, number);
    const data = noise.map((value, index) => {
      const [x, y] = [index % width, Math.floor(index / width) % height];
      return 0.8 * Math.sin(x / (3 + (number % 7)) + y / (2 + (number % 5)) + number) + 0.2 * value;
    });
    writeFileSync(join(folder, `${sample}.npy`), writeNpy(SHAPE, data));
  }
}
