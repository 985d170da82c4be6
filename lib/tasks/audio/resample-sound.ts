/**
 * Sample rates: band-limited interpolation with a sinc under a Hann window, one filter for each phase between the two rates (Smith, "Digital
 * Audio Resampling", 1984).
 */
import { type Sound, tooLong } from './wav.js';

/** Zero crossings of the sinc on either side. */
const CROSSINGS = 16;
/** Of the lower of the two Nyquist frequencies: what is left for the filter to fall off. */
const PASS_BAND = 0.95;

/** @throws RequestError 413 SOUND_TOO_LONG for more than `maxSamples` afterwards, at the same rate too */
export function resampleSound({ sampleRate: from, samples }: Sound, to: number, maxSamples: number): Float32Array {
  const divisor = greatestCommonDivisor(from, to);
  const phases = to / divisor;
  const stride = from / divisor;
  const count = Math.floor((samples.length * phases) / stride);
  if (count > maxSamples) throw tooLong(`${count} samples at ${to} Hz; at most ${maxSamples} are heard`);
  if (from === to) return samples;
  const cutoff = Math.min(1, to / from) * PASS_BAND;
  const reach = Math.ceil(CROSSINGS / cutoff);
  const taps = reach * 2;
  const filters = new Map<number, Float32Array>();
  const filterOf = (phase: number) => {
    const known = filters.get(phase) ?? filter(phase / phases, reach, cutoff);
    filters.set(phase, known);
    return known;
  };
  const resampled = new Float32Array(count);
  for (let index = 0; index < count; index++) {
    const position = index * stride;
    const whole = Math.floor(position / phases);
    const weights = filterOf(position - whole * phases);
    const first = whole - reach + 1;
    const start = Math.max(0, -first);
    const end = Math.min(taps, samples.length - first);
    let sum = 0;
    for (let tap = start; tap < end; tap++) sum += (weights[tap] as number) * (samples[first + tap] as number);
    resampled[index] = sum;
  }
  return resampled;
}

/** Weights of the `2 · reach` samples around a place `fraction` behind a sample; they sum to 1, so that silence and offsets stay. */
function filter(fraction: number, reach: number, cutoff: number): Float32Array {
  const weights = Float64Array.from({ length: reach * 2 }, (_, tap) => {
    const distance = tap - reach + 1 - fraction;
    const window = 0.5 + 0.5 * Math.cos((Math.PI * distance) / reach);
    const x = Math.PI * distance * cutoff;
    return Math.abs(distance) >= reach ? 0 : (x === 0 ? 1 : Math.sin(x) / x) * window;
  });
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return Float32Array.from(weights, (weight) => weight / sum);
}

function greatestCommonDivisor(one: number, other: number): number {
  return other === 0 ? one : greatestCommonDivisor(other, one % other);
}
