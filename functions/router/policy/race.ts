/** One request on its way: a call of the first target, perhaps one of the second, and a single end. */

import type { RouterPolicy } from '../../../lib/artifact/router-policy.js';
import type { Permit } from './circuit-breaker.js';
import type { Clock } from './clock.js';
import type { Attempt, Decision, Demand, FailureCause, Reason } from './decision.js';
import { executionOf, isFailure, type Outcome, retryAfterSeconds, type TargetName } from './outcome.js';
import type { Breakers, Placement } from './placement.js';
import { secondsToWait } from './retry-after.js';
import type { RetryBudget } from './retry-budget.js';

/** Asks a target; `signal` says that nobody waits for it any more. `milliseconds` is what is left of the request's time. */
export type Call<Answer> = (target: TargetName, signal: AbortSignal, milliseconds: number) => Promise<Outcome<Answer>>;

export interface RaceOptions<Answer> {
  readonly policy: RouterPolicy;
  readonly clock: Clock;
  readonly breakers: Breakers;
  readonly budget: RetryBudget;
  readonly demand: Demand;
  readonly call: Call<Answer>;
}

type Placed = Extract<Placement, { kind: 'placed' }>;

interface Entrant<Answer> {
  readonly target: TargetName;
  readonly reason: Reason;
  readonly permit: Permit;
  readonly began: number;
  readonly abort: AbortController;
  ended?: { readonly at: number; readonly outcome: Outcome<Answer> };
}

/** A hedge is a suspicion: the last second execution that was saved is for a call that has failed. */
const LEFT_FOR_FALLBACKS = 1;
/** Of a request's time: a target that had less when it was up is not blamed, even where the policy leaves SageMaker none. */
const LEAST_PATIENCE = 0.1;

export class Race<Answer> {
  private readonly entrants: Entrant<Answer>[] = [];
  private readonly timers: (() => void)[] = [];
  private readonly deadline: number;
  private hasFallback = false;
  private isPaid = false;
  private whyNoFallback: Extract<FailureCause, 'circuit-open' | 'budget-spent'> | undefined;
  private resolve: (decision: Decision<Answer>) => void = () => undefined;
  private reject: (error: unknown) => void = () => undefined;
  private isDecided = false;

  constructor(private readonly options: RaceOptions<Answer>) {
    const { clock, policy, demand } = options;
    this.deadline = clock.now() + Math.max(0, Math.min(policy.timeout, demand.timeLeft ?? policy.timeout));
  }

  run({ target, permit, reason, hasFallback }: Placed): Promise<Decision<Answer>> {
    const { hedgeAfter, cpuTimeout, timeout } = this.options.policy;
    const milliseconds = this.deadline - this.options.clock.now();
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      this.hasFallback = hasFallback;
      this.at(milliseconds, () => this.onDeadline());
      if (hasFallback) {
        if (hedgeAfter !== undefined) this.at(hedgeAfter, () => this.startFallback('hedge'));
        // A request that has less time than others divides it as they do.
        this.at(cpuTimeout * Math.min(1, milliseconds / timeout), () => this.onCpuTimeout());
      }
      this.start(target, permit, reason);
    });
  }

  private at(milliseconds: number, callback: () => void): void {
    this.timers.push(this.options.clock.schedule(milliseconds, callback));
  }

  private start(target: TargetName, permit: Permit, reason: Reason): void {
    const { clock, call } = this.options;
    const entrant: Entrant<Answer> = { target, reason, permit, began: clock.now(), abort: new AbortController() };
    this.entrants.push(entrant);
    call(target, entrant.abort.signal, this.deadline - entrant.began).then(
      (outcome) => this.onOutcome(entrant, outcome),
      (error: unknown) => {
        permit.abandoned();
        this.conclude();
        this.reject(error);
      },
    );
  }

  /** @returns whether SageMaker is asked now */
  private startFallback(reason: Reason): boolean {
    const { breakers, budget } = this.options;
    const { sagemaker } = breakers;
    if (!this.hasFallback || this.isDecided) return false;
    const isHedge = reason === 'hedge';
    if (isHedge ? sagemaker.state !== 'closed' : !sagemaker.canPass) {
      this.whyNoFallback = 'circuit-open';
      return false;
    }
    if (this.executions() > 0) {
      this.isPaid = budget.take(isHedge ? LEFT_FOR_FALLBACKS : 0);
      if (!this.isPaid) {
        // Lambda fails more often than a second execution can make up for: what comes next goes to SageMaker at once.
        if (!isHedge) breakers.lambda.trip();
        this.whyNoFallback = 'budget-spent';
        return false;
      }
    }
    const permit = sagemaker.enter();
    if (permit === undefined) return false;
    this.hasFallback = false;
    this.start('sagemaker', permit, reason);
    return true;
  }

  /** Lambda's answer still counts, but it took too long. */
  private onCpuTimeout(): void {
    const [first] = this.entrants;
    if (first === undefined || first.ended !== undefined) return;
    first.permit.failed();
    this.startFallback('timeout');
  }

  private onOutcome(entrant: Entrant<Answer>, outcome: Outcome<Answer>): void {
    if (this.isDecided) return;
    entrant.ended = { at: this.options.clock.now(), outcome };
    if (isFailure(outcome)) entrant.permit.failed();
    else entrant.permit.succeeded();
    const { target, reason } = entrant;
    if (outcome.kind === 'answer') {
      this.decide({ kind: 'answered', by: target, reason, answer: outcome.answer });
      return;
    }
    if (target === 'lambda' && this.startFallback(reasonOf(outcome))) return;
    if (this.entrants.some(({ ended }) => ended === undefined)) return;
    this.onAllEnded();
  }

  /** Nobody answered; the target that was asked last has had the last word. */
  private onAllEnded(): void {
    const last = this.entrants.at(-1);
    if (last?.ended === undefined) return;
    const { target, reason, ended } = last;
    if (!this.hasFallback && isFaultOfRequest(ended.outcome)) {
      this.decide({ kind: 'rejected', by: target, reason, fault: ended.outcome });
    } else {
      this.fail(this.failureCause(target));
    }
  }

  private failureCause(last: TargetName): FailureCause {
    if (this.entrants.length > 1) return 'all-failed';
    if (last === 'sagemaker') return 'gpu-needed';
    const { targets, isInference } = this.options.demand;
    return targets === 'lambda' || isInference === false ? 'lambda-only' : (this.whyNoFallback ?? 'all-failed');
  }

  private onDeadline(): void {
    const { clock, policy } = this.options;
    const { timeout, cpuTimeout } = policy;
    const patience = Math.max(Math.min(cpuTimeout, timeout - cpuTimeout), timeout * LEAST_PATIENCE);
    for (const { ended, began, permit } of this.entrants) {
      if (ended === undefined && clock.now() - began >= patience) permit.failed();
    }
    this.fail('deadline');
  }

  private fail(cause: FailureCause): void {
    const { breakers } = this.options;
    const waits = this.entrants.map(({ ended }) => ended && retryAfterSeconds(ended.outcome));
    const isOpen = breakers.sagemaker.waitMs > 0 && (cause === 'circuit-open' || cause === 'gpu-needed');
    if (isOpen) waits.push(breakers.sagemaker.waitMs / 1000);
    this.decide({ kind: 'failed', cause, retryAfterSeconds: secondsToWait(waits) });
  }

  private decide(end: DistributiveOmit<Decision<Answer>, 'attempts' | 'isExtraLoad'>): void {
    const isExtraLoad = this.isPaid && this.executions() > 1;
    if (this.isPaid && !isExtraLoad) this.options.budget.refund();
    const now = this.options.clock.now();
    const attempts = this.entrants.map(
      ({ target, reason, began, ended }): Attempt<Answer> => ({
        target,
        reason,
        milliseconds: (ended?.at ?? now) - began,
        outcome: ended?.outcome,
      }),
    );
    this.conclude();
    this.resolve({ ...end, attempts, isExtraLoad });
  }

  /** How many calls run the model or may have done so. */
  private executions(): number {
    return this.entrants.filter(({ ended }) => ended === undefined || executionOf(ended.outcome) === 'possible').length;
  }

  private conclude(): void {
    this.isDecided = true;
    for (const cancel of this.timers) cancel();
    for (const { ended, permit, abort } of this.entrants) {
      if (ended !== undefined) continue;
      permit.abandoned();
      abort.abort();
    }
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

function reasonOf(outcome: Exclude<Outcome<unknown>, { kind: 'answer' }>): Reason {
  return outcome.kind === 'refused' && outcome.status === 413 ? 'payload-too-large' : outcome.kind;
}

function isFaultOfRequest<Answer>(
  outcome: Outcome<Answer>,
): outcome is Extract<Outcome<Answer>, { kind: 'model-error' | 'refused' }> {
  if (outcome.kind === 'model-error') return outcome.status < 500;
  return outcome.kind === 'refused' && outcome.isOfRequest;
}
