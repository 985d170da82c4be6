/** How long the parts of one request take, one after the other. */
import type { FunctionMetric } from '../../lib/artifact/function-metrics.js';

export type RequestPart = Extract<FunctionMetric, 'DecodeTime' | 'InferenceTime' | 'EncodeTime'>;

export class Stopwatch {
  private last = performance.now();
  private readonly laps = new Map<RequestPart, number>();

  /** The part that began with the last lap, or with the stopwatch, ends now. */
  lap(part: RequestPart): void {
    const now = performance.now();
    this.laps.set(part, now - this.last);
    this.last = now;
  }

  /** In milliseconds; none for a request that was answered without an inference. */
  get times(): Readonly<Partial<Record<RequestPart, number>>> {
    return this.laps.has('InferenceTime') ? Object.fromEntries(this.laps) : {};
  }
}
