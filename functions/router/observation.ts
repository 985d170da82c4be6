/** What the log learns of one request: whose it is, who was asked, how that ended and how long it took. Nothing of what was sent. */
import { CORRELATION_ID_HEADER, correlationId } from '../http/correlation-id.js';
import type { HttpRequest, HttpResponse } from '../http/http.js';
import type { InvocationContext } from '../http/invocation-context.js';
import { type Log, type LogDetails, log } from '../log/log.js';
import { type MetricValues, writeMetrics } from '../log/metrics.js';
import { traceId } from '../log/trace-id.js';
import { failureCode, outcomeCode } from './decided-response.js';
import type { CircuitState } from './policy/circuit-breaker.js';
import type { Decision } from './policy/decision.js';
import type { TargetName } from './policy/outcome.js';
import type { TargetAnswer } from './targets/answer.js';

/** What became of a request. */
export interface Routed {
  readonly isInference: boolean;
  readonly decision: Decision<TargetAnswer>;
}

export interface Conclusion {
  readonly model: string;
  readonly status: number;
  /** Of the error that the router made itself. */
  readonly code?: string | undefined;
  /** Undefined where it did not come to one. */
  readonly routed?: Routed | undefined;
  readonly circuits?: Readonly<Record<TargetName, CircuitState>> | undefined;
}

export class RouterObservation {
  private readonly start = performance.now();
  private readonly wallClock = Date.now();
  private readonly isColdStart: boolean;
  private identifiers: LogDetails;
  private correlationId: string | undefined;
  private queueTime: MetricValues = {};

  constructor(context: InvocationContext | undefined, isColdStart: boolean) {
    this.isColdStart = isColdStart;
    this.correlationId = context?.awsRequestId;
    this.identifiers = {
      cold_start: isColdStart,
      function_request_id: context?.awsRequestId,
      xray_trace_id: traceId(process.env._X_AMZN_TRACE_ID),
      correlation_id: this.correlationId,
    };
  }

  readonly log: Log = (level, message, details, always) =>
    log(level, message, { ...this.identifiers, ...details }, always);

  received(request: HttpRequest): void {
    this.correlationId = correlationId(request) ?? this.correlationId;
    this.identifiers = { ...this.identifiers, correlation_id: this.correlationId };
    const { receivedAt } = request;
    if (receivedAt !== undefined) this.queueTime = { RouterQueueTime: Math.max(0, this.wallClock - receivedAt) };
  }

  /** For a response that no function has given its identifier. */
  identify(response: HttpResponse): HttpResponse {
    if (this.correlationId === undefined) return response;
    return { ...response, headers: { ...response.headers, [CORRELATION_ID_HEADER]: this.correlationId } };
  }

  /** Writes the request's line with its metrics. */
  conclude({ model, status, code, routed, circuits }: Conclusion): void {
    const values = {
      ...(this.isColdStart ? { RouterColdStart: 1 } : {}),
      ...this.queueTime,
      RouterTime: performance.now() - this.start,
      ...(routed?.isInference ? decisionValues(routed.decision) : {}),
      ...(circuits?.lambda === 'open' ? { LambdaCircuitOpen: 1 } : {}),
      ...(circuits?.sagemaker === 'open' ? { GpuCircuitOpen: 1 } : {}),
    };
    const byCode = countedByCode(status, code, routed);
    writeMetrics(
      {
        message: 'request',
        model,
        values,
        ...(byCode === undefined ? {} : { errors: byCode }),
        details: { status, ...(routed === undefined ? {} : decisionDetails(routed.decision)) },
      },
      this.log,
    );
  }
}

function decisionValues(decision: Decision<TargetAnswer>): MetricValues {
  const answered =
    decision.kind === 'answered' ? decision.attempts.find(({ target }) => target === decision.by) : undefined;
  const time = answered?.milliseconds ?? 0;
  return {
    ...(answered?.target === 'lambda' ? { LambdaAnswers: 1, LambdaTime: time } : {}),
    ...(answered?.target === 'sagemaker' ? { GpuAnswers: 1, GpuTime: time } : {}),
    ...(decision.attempts.some(({ reason }) => reason === 'hedge') ? { Hedges: 1 } : {}),
    ...(decision.isExtraLoad ? { ExtraLoad: 1 } : {}),
  };
}

function countedByCode(
  status: number,
  code: string | undefined,
  routed: Routed | undefined,
): { readonly code: string; readonly values: MetricValues } | undefined {
  const decision = routed?.decision;
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
