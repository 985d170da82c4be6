/** A request and a response, whichever kind of event they travel in. */
import { RequestError } from '../../lib/errors.js';

export interface HttpRequest {
  readonly method: string;
  /** Without the query string and the stage. */
  readonly path: string;
  /** What the caller has in front of it: the stage, or what a custom domain maps to the API. Empty, or with a slash in front. */
  readonly basePath: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** As API Gateway hands it over: the text, or base64 of the bytes. */
  readonly body: { readonly content: string; readonly isBase64: boolean };
  /** API Gateway's name for it. */
  readonly requestId: string | undefined;
  /** When it reached API Gateway, milliseconds since 1970. */
  readonly receivedAt: number | undefined;
}

/** What API Gateway says of a request; an event that something else made up may leave it out. */
export function arrival(requestId: unknown, time: unknown): Pick<HttpRequest, 'requestId' | 'receivedAt'> {
  return {
    requestId: typeof requestId === 'string' ? requestId : undefined,
    receivedAt: typeof time === 'number' && Number.isFinite(time) ? time : undefined,
  };
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Text, or pieces of bytes that are sent one after the other. */
  readonly body: string | readonly Uint8Array[];
}

export function jsonResponse(
  status: number,
  document: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  const body = typeof document === 'string' ? document : JSON.stringify(document);
  return { status, headers: { 'content-type': 'application/json', ...headers }, body };
}

/** The media type of a request, without its parameters, in lower case; empty where it names none. */
export function mediaType({ headers }: HttpRequest): string {
  return (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

/** @throws RequestError `CONTENT_ENCODING_UNSUPPORTED` */
export function refuseEncodedBody({ headers }: HttpRequest): void {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding.trim().toLowerCase() === 'identity') return;
  throw new RequestError({
    status: 415,
    code: 'CONTENT_ENCODING_UNSUPPORTED',
    message: `The body is encoded as ${JSON.stringify(encoding.slice(0, 40))}.`,
    advice: 'Send the body as it is, without Content-Encoding.',
  });
}

/** An error that carries the methods that would do. */
export class MethodNotAllowedError extends RequestError {
  constructor(
    method: string,
    readonly allowed: readonly string[],
  ) {
    super({
      status: 405,
      code: 'METHOD_NOT_ALLOWED',
      message: `The method ${JSON.stringify(method.slice(0, 20))} does nothing here.`,
      advice: `Use ${allowed.join(' or ')}.`,
    });
  }
}

/** Over in a while. */
export abstract class RetryLaterError extends RequestError {
  /** What Retry-After says. */
  abstract readonly retryAfterSeconds: number;
}
