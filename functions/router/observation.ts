/** What the log learns of one request: whose it is, who was asked, how that ended and how long it took. Nothing of what was sent. */

import { RequestLog } from '../http/request-log.js';
import type { LogDetails } from '../log/log.js';
import { type MetricValues, writeMetrics } from '../log/metrics.js';
import { failureCode, outcomeCode } from './decided-response.js';
import { QUEUE_UNAVAILABLE, UPLOAD_REASON } from './jobs/job-answers.js';
import type { CircuitState } from './policy/circuit-breaker.js';
import type { Decision } from './policy/decision.js';
import type { TargetName } from './policy/outcome.js';
import type { Routed } from './route-request.js';
import type { TargetAnswer } from './targets/answer.js';

export interface Conclusion {
  readonly model: string;
  readonly status: number;
  /** Of the error that the router made itself. */
  readonly code?: string | undefined;
  /** Undefined where it did not come to one. */
  readonly routed?: Routed | undefined;
  readonly circuits?: Readonly<Record<TargetName, CircuitState>> | undefined;
}

export class RouterObservation extends RequestLog {
  private readonly start = performance.now();

  /** Writes the request's line with its metrics. */
  conclude({ model, status, code, routed, circuits }: Conclusion): void {
    const values = {
      ...(this.isColdStart ? { RouterColdStart: 1 } : {}),
      ...(this.queueTime === undefined ? {} : { RouterQueueTime: this.queueTime }),
      RouterTime: performance.now() - this.start,
      ...(routed === undefined ? {} : routedValues(routed)),
      // Where only health is asked for, nobody probes: a circuit stays as the last inference left it.
      ...(routed?.isInference && circuits?.lambda === 'open' ? { LambdaCircuitOpen: 1 } : {}),
      ...(routed?.isInference && circuits?.sagemaker === 'open' ? { GpuCircuitOpen: 1 } : {}),
    };
    const byCode = countedByCode(status, code, routed);
    writeMetrics(
      {
        message: 'request',
        model,
        values,
        ...(byCode === undefined ? {} : { errors: byCode }),
        details: {
          status,
          ...(routed?.decision === undefined ? {} : decisionDetails(routed.decision)),
          ...(routed?.job === undefined ? {} : { job: { id: routed.job.note.id, event: routed.job.note.event } }),
        },
      },
      this.log,
    );
  }
}

function routedValues({ isInference, decision, job, isJobExtraLoad = false }: Routed): MetricValues {
  return {
    ...(isInference && decision !== undefined ? decisionValues(decision) : {}),
    ...(isJobExtraLoad || (isInference && decision?.isExtraLoad) ? { ExtraLoad: 1 } : {}),
    ...(job?.note.event === 'repeated' ? { JobsRepeated: 1 } : {}),
    ...(job?.note.isResubmitted ? { JobsResubmitted: 1 } : {}),
  };
}

function decisionValues(decision: Decision<TargetAnswer>): MetricValues {
  const answered =
    decision.kind === 'answered' ? decision.attempts.find(({ target }) => target === decision.by) : undefined;
  const time = answered?.milliseconds ?? 0;
  return {
    ...(answered?.target === 'lambda' ? { LambdaAnswers: 1, LambdaTime: time } : {}),
    ...(answered?.target === 'sagemaker' ? { GpuAnswers: 1, GpuTime: time } : {}),
    ...(decision.attempts.some(({ reason }) => reason === 'hedge') ? { Hedges: 1 } : {}),
  };
}

function countedByCode(
  status: number,
  code: string | undefined,
  routed: Routed | undefined,
): { readonly code: string; readonly values: MetricValues } | undefined {
  const { decision, job } = routed ?? {};
  if (job?.note.event === 'unavailable') return { code: QUEUE_UNAVAILABLE, values: { RouterErrors: 1 } };
  if (job?.note.event === 'queued') {
    return { code: decision?.kind === 'failed' ? decision.cause : UPLOAD_REASON, values: { JobsQueued: 1 } };
  }
  if (job !== undefined) return undefined;
  if (decision?.kind === 'failed') return { code: failureCode(decision.cause), values: { RouterErrors: 1 } };
  if (code !== undefined) return status >= 500 ? { code, values: { RouterErrors: 1 } } : undefined;
  if (decision?.kind === 'answered' && decision.by === 'sagemaker') {
    return { code: decision.reason, values: { Fallbacks: 1 } };
  }
  return undefined;
}

function decisionDetails(decision: Decision<TargetAnswer>): LogDetails {
  return {
    ...(decision.kind === 'failed'
      ? { reason: decision.cause }
      : { computed_by: decision.by, reason: decision.reason }),
    attempts: decision.attempts.map(({ target, reason, milliseconds, outcome }) => ({
      target,
      reason,
      milliseconds: Math.round(milliseconds * 1000) / 1000,
      outcome: outcome?.kind ?? 'discarded',
      code: outcome === undefined ? undefined : outcomeCode(outcome),
    })),
  };
}
