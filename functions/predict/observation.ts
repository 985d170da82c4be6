/** What the log learns of one request: identifiers, times, and how it ended. Nothing of what was sent but its correlation id. */
import { CORRELATION_ID_HEADER, correlationId } from '../http/correlation-id.js';
import type { HttpRequest, HttpResponse } from '../http/http.js';
import type { InvocationContext } from '../http/invocation-context.js';
import { type Log, type LogDetails, log } from '../log/log.js';
import { type MetricValues, writeMetrics } from '../log/metrics.js';
import { traceId } from '../log/trace-id.js';
import { Stopwatch } from './stopwatch.js';

export interface ObservationOptions {
  readonly context: InvocationContext | undefined;
  /** Whether the environment was started for this request. */
  readonly isColdStart: boolean;
}

export class RequestObservation {
  readonly stopwatch = new Stopwatch();
  private readonly start = Date.now();
  private readonly isColdStart: boolean;
  private identifiers: LogDetails;
  private correlationId: string | undefined;
  private queueTime: MetricValues = {};

  constructor({ context, isColdStart }: ObservationOptions) {
    this.isColdStart = isColdStart;
    this.correlationId = context?.awsRequestId;
    this.identifiers = {
      cold_start: isColdStart,
      function_request_id: context?.awsRequestId,
      xray_trace_id: traceId(process.env._X_AMZN_TRACE_ID),
      correlation_id: this.correlationId,
    };
  }

  /** Each line says which request it is about. */
  readonly log: Log = (level, message, details, always) =>
    log(level, message, { ...this.identifiers, ...details }, always);

  /** The event was one: whose request it is, and since when it is on its way. */
  received(request: HttpRequest): void {
    this.correlationId = correlationId(request) ?? this.correlationId;
    this.identifiers = { ...this.identifiers, correlation_id: this.correlationId };
    const { receivedAt, body } = request;
    // Two machines' clocks: a request may seem to arrive before it was sent.
    if (receivedAt !== undefined) this.queueTime = { QueueTime: Math.max(0, this.start - receivedAt) };
    this.log('DEBUG', 'request received', { body_characters: body.content.length, is_base64: body.isBase64 });
  }

  /** The response, for the caller to find the request in our logs. */
  identify(response: HttpResponse): HttpResponse {
    if (this.correlationId === undefined) return response;
    return { ...response, headers: { ...response.headers, [CORRELATION_ID_HEADER]: this.correlationId } };
  }

  /** Writes the request's line with its metrics; `code` is the error's, where there was one. */
  conclude(model: string, status: number, code?: string): void {
    const error: MetricValues = status >= 500 ? { ServerErrors: 1 } : { ClientErrors: 1 };
    writeMetrics(
      {
        message: 'request',
        model,
        values: {
          ...(this.isColdStart ? { ColdStart: 1 } : {}),
          ...this.queueTime,
          ...(code === undefined ? this.stopwatch.times : {}),
        },
        ...(code === undefined ? {} : { errors: { code, values: error } }),
        details: { status },
      },
      this.log,
    );
  }
}
