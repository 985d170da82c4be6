/** Sends requests to targets as the policy has it. One for an environment of the router: it remembers how the targets do. */

import type { RouterPolicy } from '../../../lib/artifact/router-policy.js';
import { CircuitBreaker, type CircuitState } from './circuit-breaker.js';
import { type Clock, type RandomSource, systemClock } from './clock.js';
import type { Decision, Demand } from './decision.js';
import type { TargetName } from './outcome.js';
import { type Breakers, place } from './placement.js';
import { type Call, Race } from './race.js';
import { secondsToWait } from './retry-after.js';
import { RetryBudget } from './retry-budget.js';

export interface DispatcherOptions {
  /** Default: the process's own. */
  readonly clock?: Clock;
  /** Default: Math.random. */
  readonly random?: RandomSource;
}

export class Dispatcher {
  private readonly clock: Clock;
  private readonly breakers: Breakers;
  private readonly budget: RetryBudget;

  constructor(
    private readonly policy: RouterPolicy,
    { clock = systemClock, random = Math.random }: DispatcherOptions = {},
  ) {
    const breaker = () => new CircuitBreaker(policy.circuitBreaker, clock, random);
    this.clock = clock;
    this.breakers = { lambda: breaker(), sagemaker: breaker() };
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
    const placement = place(this.policy, demand, this.breakers, this.budget);
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
}
