/** Time that passes when a test says so, and what was to happen in it in order. */
import { setImmediate as promisesSettle } from 'node:timers/promises';
import type { Clock } from '../../functions/router/policy/clock.js';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

export class FakeClock implements Clock {
  private time = 0;
  private readonly timers = new Set<Timer>();

  now(): number {
    return this.time;
  }

  schedule(milliseconds: number, callback: () => void): () => void {
    const timer = { at: this.time + Math.max(0, milliseconds), callback };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  /** How many are set: a request that is over should have left none. */
  get pending(): number {
    return this.timers.size;
  }

  async advance(milliseconds: number): Promise<void> {
    const end = this.time + milliseconds;
    for (;;) {
      await promisesSettle();
      const next = this.next();
      if (next === undefined || next.at > end) break;
      this.fire(next);
    }
    this.time = end;
  }

  /** Until nothing is to happen any more. */
  async runAll(): Promise<void> {
    for (;;) {
      await promisesSettle();
      const next = this.next();
      if (next === undefined) return;
      this.fire(next);
    }
  }

  private fire(timer: Timer): void {
    this.timers.delete(timer);
    this.time = timer.at;
    timer.callback();
  }

  /** Of several at the same time the one that was set first. */
  private next(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.timers) if (first === undefined || timer.at < first.at) first = timer;
    return first;
  }
}
