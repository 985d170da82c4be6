/** Normally distributed numbers that are the same in every run. */
import { randomFloats } from './random-numbers.js';

/** Mean 0 and deviation 1, by Box and Muller. */
export function gaussians(count: number, seed: number): Float32Array {
  const uniform = randomFloats(count * 2, seed, 0, 1);
  return Float32Array.from({ length: count }, (_, index) => {
    const [radius = 0, angle = 0] = [uniform[2 * index], uniform[2 * index + 1]];
    return Math.sqrt(-2 * Math.log(1 - radius)) * Math.cos(2 * Math.PI * angle);
  });
}
