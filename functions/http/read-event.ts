/** An event of either kind of API as a request. */
import { RequestError } from '../../lib/errors.js';
import type { HttpRequest } from './http.js';
import { fromHttpApiEvent, isHttpApiEvent } from './http-api-event.js';
import { fromRestApiEvent, isRestApiEvent } from './rest-api-event.js';

/** @throws RequestError `EVENT_UNKNOWN` */
export function readEvent(event: unknown): HttpRequest {
  if (isHttpApiEvent(event)) return fromHttpApiEvent(event);
  if (isRestApiEvent(event)) return fromRestApiEvent(event);
  throw new RequestError({
    status: 400,
    code: 'EVENT_UNKNOWN',
    message:
      'The function was invoked with neither an HTTP API event of payload format 2.0 nor a REST API proxy event.',
    advice:
      'Put it behind an HTTP API with that payload format, as InferenceApi does, or a REST API with proxy integration.',
  });
}
