/** Keeps a target that fails from being asked, but for one request now and then that finds out whether it is well again. */

import type { CircuitBreakerPolicy } from '../../../lib/artifact/router-policy.js';
import type { Clock, RandomSource } from './clock.js';

/** `half-open`: a probe is under way. */
export type CircuitState = 'closed' | 'open' | 'half-open';

/** One call that the breaker let through. Only the first of its ends counts. */
export interface Permit {
  readonly isProbe: boolean;
  succeeded(): void;
  failed(): void;
  /** Nobody waits for the call any more, so nothing is known of the target. */
  abandoned(): void;
}

/** Environments that saw the same failure should not probe in the same moment: each waits from so much less to so much more. */
const JITTER = 0.25;

export class CircuitBreaker {
  private consecutiveFailures = 0;
  /** How often it was opened since it was closed. */
  private openings = 0;
  private reopensAt = 0;
  private currentState: CircuitState = 'closed';
  /** Counts changes of state: a call from before the last one says nothing about now. */
  private epoch = 0;

  constructor(
    private readonly policy: CircuitBreakerPolicy,
    private readonly clock: Clock,
    private readonly random: RandomSource,
  ) {}

  get state(): CircuitState {
    return this.currentState;
  }

  /** Whether the next call would be a probe. */
  get isProbeDue(): boolean {
    return this.currentState === 'open' && this.clock.now() >= this.reopensAt;
  }

  get canPass(): boolean {
    return this.currentState === 'closed' || this.isProbeDue;
  }

  /** How long until a call can pass, in ms; 0 where one can now, or where a probe may end at any moment. */
  get waitMs(): number {
    return this.currentState === 'open' ? Math.max(0, this.reopensAt - this.clock.now()) : 0;
  }

  /** Undefined where the target must not be asked. */
  enter(): Permit | undefined {
    if (!this.canPass) return undefined;
    const isProbe = this.currentState === 'open';
    if (isProbe) this.change('half-open');
    const { epoch } = this;
    let isOver = false;
    const once = (end: () => void) => () => {
      const counts = !isOver && epoch === this.epoch;
      isOver = true;
      if (counts) end();
    };
    return {
      isProbe,
      succeeded: once(() => this.onSuccess(isProbe)),
      failed: once(() => this.onFailure(isProbe)),
      abandoned: once(() => {
        if (isProbe) this.open(this.openings);
      }),
    };
  }

  /** Its calls fail more often than can be made up for: no need to wait for failures in a row. */
  trip(): void {
    if (this.currentState === 'closed') this.open(1);
  }

  private onSuccess(isProbe: boolean): void {
    this.consecutiveFailures = 0;
    if (!isProbe) return;
    this.openings = 0;
    this.change('closed');
  }

  private onFailure(isProbe: boolean): void {
    this.consecutiveFailures += 1;
    if (isProbe) this.open(this.openings + 1);
    else if (this.consecutiveFailures >= this.policy.failures) this.open(1);
  }

  private open(openings: number): void {
    const { openFor, maxOpenFor } = this.policy;
    this.openings = openings;
    this.consecutiveFailures = 0;
    const duration = Math.min(maxOpenFor, openFor * 2 ** (openings - 1));
    this.reopensAt = this.clock.now() + duration * (1 - JITTER + 2 * JITTER * this.random());
    this.change('open');
  }

  private change(state: CircuitState): void {
    this.currentState = state;
    this.epoch += 1;
  }
}
