/** Whose request the lines of a log are about, and how long it was on its way. Nothing of what was sent but its correlation id. */
import { type Log, type LogDetails, log } from '../log/log.js';
import { traceId } from '../log/trace-id.js';
import { CORRELATION_ID_HEADER, correlationId } from './correlation-id.js';
import type { HttpRequest, HttpResponse } from './http.js';
import type { InvocationContext } from './invocation-context.js';

export class RequestLog {
  /** Milliseconds from its arrival at the API to this function's start; undefined where the event does not say. */
  protected queueTime: number | undefined;
  private readonly wallClock = Date.now();
  private identifiers: LogDetails;
  private correlationId: string | undefined;

  /** @param isColdStart whether the environment was started for this request */
  constructor(
    context: InvocationContext | undefined,
    protected readonly isColdStart: boolean,
  ) {
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

  /** The event was a request: whose it is, and since when it is on its way. */
  received(request: HttpRequest): void {
    this.correlationId = correlationId(request) ?? this.correlationId;
    this.identifiers = { ...this.identifiers, correlation_id: this.correlationId };
    // Two machines' clocks: a request may seem to arrive before it was sent.
    if (request.receivedAt !== undefined) this.queueTime = Math.max(0, this.wallClock - request.receivedAt);
  }

  /** The response, for the caller to find the request in our logs. */
  identify(response: HttpResponse): HttpResponse {
    if (this.correlationId === undefined) return response;
    return { ...response, headers: { ...response.headers, [CORRELATION_ID_HEADER]: this.correlationId } };
  }
}
