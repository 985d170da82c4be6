/** Fashion-MNIST's test pictures (Debian's dataset-fashion-mnist), scaled up as the classifier was trained, with their labels. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { DataSource, Role } from './sets.js';
import { GroupedSamples } from './sets.js';

const folder = '/usr/share/datasets/fashion-mnist';
const [SMALL, SIZE] = [28, 224];
/** First and end, of the 10,000 that no training saw. */
const PARTS: Readonly<Record<Role, readonly [number, number]>> = {
  calibration: [0, 100],
  evaluation: [100, 600],
  holdout: [600, 2600],
};

export const fashion: DataSource = {
  identity: `fashion 1 ${JSON.stringify(PARTS)}`,
  async write(role, target) {
    const pixels = read('t10k-images-idx3-ubyte.gz', 16);
    const labels = read('t10k-labels-idx1-ubyte.gz', 8);
    const samples = new GroupedSamples('image', [1, 1, SIZE, SIZE]);
    const [first, end] = PARTS[role];
    for (let index = first; index < end; index++) {
      const picture = pixels.subarray(index * SMALL * SMALL, (index + 1) * SMALL * SMALL);
      samples.add('test', scaledUp(picture), labels[index] ?? 0);
    }
    samples.write(target);
  },
};

/** @throws Error where the data is not installed */
function read(name: string, headerBytes: number): Uint8Array {
  try {
    return gunzipSync(readFileSync(join(folder, name))).subarray(headerBytes);
  } catch (cause) {
    throw new Error(`${join(folder, name)} cannot be read: install Debian's dataset-fashion-mnist.`, { cause });
  }
}

/** Bilinear with half-pixel centres; [SIZE, SIZE], -1 to 1. */
function scaledUp(picture: Uint8Array): Float32Array {
  const result = new Float32Array(SIZE * SIZE);
  const near = Array.from({ length: SIZE }, (_, target) => {
    const at = Math.min(SMALL - 1, Math.max(0, ((target + 0.5) * SMALL) / SIZE - 0.5));
    const low = Math.floor(at);
    return { low, high: Math.min(SMALL - 1, low + 1), part: at - low };
  });
  const pixel = (row: number, column: number) => picture[row * SMALL + column] ?? 0;
  for (const [y, down] of near.entries()) {
    for (const [x, across] of near.entries()) {
      const upper = pixel(down.low, across.low) * (1 - across.part) + pixel(down.low, across.high) * across.part;
      const lower = pixel(down.high, across.low) * (1 - across.part) + pixel(down.high, across.high) * across.part;
      result[y * SIZE + x] = (upper * (1 - down.part) + lower * down.part - 127.5) / 127.5;
    }
  }
  return result;
}
