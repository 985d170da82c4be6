/** Sends requests to targets as the policy has it. One for an environment of the router: it remembers how the targets do. */

import type { RouterPolicy } from '../../../lib/artifact/router-policy.js';
import { CircuitBreaker, type CircuitState, type Permit } from './circuit-breaker.js';
import { type Clock, type RandomSource, systemClock } from './clock.js';
import type { Decision, Demand } from './decision.js';
import { executionOf, type TargetName } from './outcome.js';
import { type Breakers, place } from './placement.js';
import { type Call, Race } from './race.js';
import { secondsToWait } from './retry-after.js';
import { RetryBudget } from './retry-budget.js';

export interface DispatcherOptions {
  /** Default: the process's own. */
  readonly clock?: Clock;
  /** Default: Math.random. */
  readonly random?: RandomSource;
  /** Whether SageMaker answers at once; without, it may still have a queue. Default true. */
  readonly hasGpu?: boolean;
}

/** Leave for one request to become a job. */
export interface QueueEntry {
  readonly permit: Permit;
  /** Whether a second execution was paid for. */
  readonly isExtraLoad: boolean;
}

export class Dispatcher {
  private readonly clock: Clock;
  private readonly breakers: Breakers;
  private readonly queue: CircuitBreaker;
  private readonly budget: RetryBudget;
  private readonly hasGpu: boolean;

  constructor(
    private readonly policy: RouterPolicy,
    { clock = systemClock, random = Math.random, hasGpu = true }: DispatcherOptions = {},
  ) {
    const breaker = () => new CircuitBreaker(policy.circuitBreaker, clock, random);
    this.clock = clock;
    this.breakers = { lambda: breaker(), sagemaker: breaker() };
    this.queue = breaker();
    this.hasGpu = hasGpu;
    this.budget = new RetryBudget(policy.extraLoad);
  }

  /** For the log: how the targets do. */
  get circuits(): Readonly<Record<TargetName, CircuitState>> {
    const { lambda, sagemaker } = this.breakers;
    return { lambda: lambda.state, sagemaker: sagemaker.state };
  }

  /**
   * Resolves within the request's time whatever `call` does; what is still under way then is aborted.
   *
   * @param call rejects only by mistake of its own; then so does the dispatch
   */
  async dispatch<Answer>(demand: Demand, call: Call<Answer>): Promise<Decision<Answer>> {
    if (demand.isInference !== false) this.budget.deposit();
    const placement = place(this.policy, demand, this.breakers, this.budget, this.hasGpu);
    if (placement.kind === 'nowhere') {
      const { cause, waitMs } = placement;
      return {
        kind: 'failed',
        cause,
        retryAfterSeconds: secondsToWait([waitMs / 1000]),
        attempts: [],
        isExtraLoad: false,
      };
    }
    const { policy, clock, breakers, budget } = this;
    return await new Race({ policy, clock, breakers, budget, demand, call }).run(placement);
  }

  /**
   * Whether a request that failed may become a job; undefined where the queue is ill, or where the job would execute once more what was
   * executed already and that cannot be paid.
   */
  enterQueue({ attempts }: Extract<Decision<unknown>, { kind: 'failed' }>): QueueEntry | undefined {
    if (!this.queue.canPass) return undefined;
    const isExtraLoad = attempts.some(({ outcome }) => outcome === undefined || executionOf(outcome) === 'possible');
    if (isExtraLoad && !this.budget.take()) return undefined;
    const permit = this.queue.enter();
    return permit === undefined ? undefined : { permit, isExtraLoad };
  }
}
