/** What the log learns of one request: identifiers, times, and how it ended. Nothing of what was sent but its correlation id. */
import type { HttpRequest } from '../http/http.js';
import { RequestLog } from '../http/request-log.js';
import { type MetricValues, writeMetrics } from '../log/metrics.js';
import { Stopwatch } from './stopwatch.js';

export class RequestObservation extends RequestLog {
  readonly stopwatch = new Stopwatch();

  override received(request: HttpRequest): void {
    super.received(request);
    const { content, isBase64 } = request.body;
    this.log('DEBUG', 'request received', { body_characters: content.length, is_base64: isBase64 });
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
          ...(this.queueTime === undefined ? {} : { QueueTime: this.queueTime }),
          ...(code === undefined ? this.stopwatch.times : {}),
        },
        ...(code === undefined ? {} : { errors: { code, values: error } }),
        details: { status },
      },
      this.log,
    );
  }
}
