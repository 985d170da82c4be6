/** By which a request is found in the logs of all that it passes. */
import type { HttpRequest } from './http.js';

/** In the order in which they count, in lower case; the first is also the answer's. */
export const CORRELATION_ID_HEADER = 'x-correlation-id';
const HEADERS = [CORRELATION_ID_HEADER, 'x-request-id'];

/** What identifiers are made of: UUIDs, ULIDs, base64, trace ids. Nothing that could break out of a header or a log line. */
const IDENTIFIER = /^[\w.:/+=@~-]{1,128}$/;

/** The caller's identifier, where it is one; else the API's for the request. */
export function correlationId({ headers, requestId }: HttpRequest): string | undefined {
  return [...HEADERS.map((name) => headers[name]), requestId].find(isIdentifier);
}

function isIdentifier(value: unknown): value is string {
  return typeof value === 'string' && IDENTIFIER.test(value);
}
