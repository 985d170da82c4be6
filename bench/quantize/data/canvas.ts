/** A picture of three channels that backgrounds and texts are painted on. Values are 0 to 255. */
import type { DrawnText } from './drawn-text.js';
import type { Random } from './random.js';

type Color = readonly [number, number, number];

export class Canvas {
  readonly #pixels: Float32Array;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.#pixels = new Float32Array(width * height * 3);
  }

  /** A slope from one colour to another, with waves as of paper or cloth. Returns its brightness, 0 to 255. */
  paintBackground(random: Random): number {
    const base = random.between(0, 255);
    const [from, to] = [color(base, random), color(base + random.between(-40, 40), random)];
    const angle = random.between(0, Math.PI);
    const [waves, depth] = [random.between(0.02, 0.6), random.chance(0.6) ? random.between(0, 14) : 0];
    const [across, down] = [Math.cos(angle) / this.width, Math.sin(angle) / this.height];
    for (let y = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++) {
        const at = Math.min(1, Math.max(0, x * across + y * down));
        const wave = depth * Math.sin(waves * (x * Math.sin(angle) + y * Math.cos(angle)) * (1 + at));
        for (let channel = 0; channel < 3; channel++) {
          const value = (from[channel] ?? 0) * (1 - at) + (to[channel] ?? 0) * at + wave;
          this.#pixels[(y * this.width + x) * 3 + channel] = value;
        }
      }
    }
    return base;
  }

  /** @param slope rise over run, for lines that are not quite level */
  paintText({ width, height, ink }: DrawnText, left: number, top: number, ink0: Color, slope = 0): void {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const amount = (ink[y * width + x] ?? 0) / 255;
        const [column, row] = [left + x, top + y + Math.round(slope * x)];
        if (amount === 0 || column < 0 || row < 0 || column >= this.width || row >= this.height) continue;
        for (let channel = 0; channel < 3; channel++) {
          const at = (row * this.width + column) * 3 + channel;
          this.#pixels[at] = (this.#pixels[at] ?? 0) * (1 - amount) + (ink0[channel] ?? 0) * amount;
        }
      }
    }
  }

  /** Of whole numbers, as a camera gives them. */
  finish(random: Random, noise: number): Float32Array {
    return this.#pixels.map((value) =>
      Math.min(255, Math.max(0, Math.round(value + (noise > 0 ? random.normal(noise) : 0)))),
    );
  }
}

/** Around a brightness. */
export function color(brightness: number, random: Random): Color {
  const channel = () => Math.min(255, Math.max(0, brightness + random.between(-35, 35)));
  return [channel(), channel(), channel()];
}

/** One that can be read on it. */
export function inkFor(background: number, random: Random): Color {
  const contrast = random.between(70, 200);
  return color(background > 127 ? background - contrast : background + contrast, random);
}

/** Rows of pixels to planes: [3, height, width], each channel (value - mean) / deviation. */
export function planes(pixels: Float32Array, mean: readonly number[], deviation: readonly number[]): Float32Array {
  const area = pixels.length / 3;
  const result = new Float32Array(pixels.length);
  for (let channel = 0; channel < 3; channel++) {
    const [shift, scale] = [mean[channel] ?? 0, deviation[channel] ?? 1];
    for (let at = 0; at < area; at++) result[channel * area + at] = ((pixels[at * 3 + channel] ?? 0) - shift) / scale;
  }
  return result;
}
