/** Which target a request is sent to first. */

import type { RouterPolicy } from '../../../lib/artifact/router-policy.js';
import type { CircuitBreaker, Permit } from './circuit-breaker.js';
import type { Demand, FailureCause, PlacementReason } from './decision.js';
import type { TargetName } from './outcome.js';
import type { RetryBudget } from './retry-budget.js';

export type Breakers = Readonly<Record<TargetName, CircuitBreaker>>;

export type Placement =
  | {
      readonly kind: 'placed';
      readonly target: TargetName;
      readonly permit: Permit;
      readonly reason: 'primary' | PlacementReason;
      /** Whether SageMaker may be asked as well. */
      readonly hasFallback: boolean;
    }
  | { readonly kind: 'nowhere'; readonly cause: FailureCause; readonly waitMs: number };

/** @param hasGpu whether SageMaker answers at once */
export function place(
  policy: RouterPolicy,
  demand: Demand,
  breakers: Breakers,
  budget: RetryBudget,
  hasGpu = true,
): Placement {
  const { lambda, sagemaker } = breakers;
  if (demand.isInference === false) {
    return { kind: 'placed', target: 'lambda', permit: UNGUARDED, reason: 'primary', hasFallback: false };
  }
  const tooLarge = demand.targets === 'lambda' ? undefined : whyTooLarge(policy, demand);
  if (tooLarge !== undefined && !hasGpu) return { kind: 'nowhere', cause: 'gpu-needed', waitMs: 0 };
  if (demand.targets === 'lambda' || !hasGpu) {
    const permit = lambda.enter();
    if (permit === undefined) return { kind: 'nowhere', cause: 'circuit-open', waitMs: lambda.waitMs };
    return { kind: 'placed', target: 'lambda', permit, reason: 'primary', hasFallback: false };
  }
  if (tooLarge !== undefined) {
    const permit = sagemaker.enter();
    if (permit === undefined) return { kind: 'nowhere', cause: 'circuit-open', waitMs: sagemaker.waitMs };
    return { kind: 'placed', target: 'sagemaker', permit, reason: tooLarge, hasFallback: false };
  }
  // A probe that fails costs a second execution, or the request its answer: it waits for the budget, unless that
  // gives nothing or nobody else would answer.
  const canWait = budget.canSave && sagemaker.canPass;
  const isWorthIt = !lambda.isProbeDue || budget.hasOne || !canWait;
  const permit = isWorthIt ? lambda.enter() : undefined;
  if (permit !== undefined) return { kind: 'placed', target: 'lambda', permit, reason: 'primary', hasFallback: true };
  const other = sagemaker.enter();
  if (other !== undefined) {
    return { kind: 'placed', target: 'sagemaker', permit: other, reason: 'circuit-open', hasFallback: false };
  }
  return { kind: 'nowhere', cause: 'circuit-open', waitMs: Math.min(lambda.waitMs, sagemaker.waitMs) };
}

const UNGUARDED: Permit = {
  isProbe: false,
  succeeded: () => undefined,
  failed: () => undefined,
  abandoned: () => undefined,
};

function whyTooLarge(policy: RouterPolicy, { batch, payloadBytes }: Demand): PlacementReason | undefined {
  const { maxCpuBatch = Number.POSITIVE_INFINITY, maxCpuPayload = Number.POSITIVE_INFINITY } = policy;
  if (batch !== undefined && batch > maxCpuBatch) return 'batch-too-large';
  return payloadBytes > maxCpuPayload ? 'payload-too-large' : undefined;
}
