/** A request that is sent to versions of the function, and what it was answered once, where somebody recorded that. */
import { REPLAY_REQUEST_ID, type RecordedInference, type RecordedMessage } from '../../../lib/artifact/replay.js';
import type { Answer } from '../answer.js';

export interface ReplayedRequest {
  /** Whence it is: for the log. */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly isBase64: boolean;
  readonly recordedAnswer?: Answer | undefined;
}

/** As an HTTP API sends it, payload format 2.0. */
export function eventOf({ method, path, headers, body, isBase64 }: ReplayedRequest): object {
  return {
    version: '2.0',
    routeKey: `${method} ${path}`,
    rawPath: path,
    rawQueryString: '',
    headers,
    requestContext: { http: { method, path }, stage: '$default', requestId: REPLAY_REQUEST_ID },
    ...(body === undefined ? {} : { body }),
    isBase64Encoded: isBase64,
  };
}

/**
 * One line of a recording.
 *
 * @returns undefined for what cannot be replayed: something was left out, or it was no success
 * @throws Error for what is no record
 */
export function readRecord(line: string, name: string): ReplayedRequest | undefined {
  const { request, response } = (JSON.parse(line) ?? {}) as Partial<RecordedInference>;
  if (typeof request?.method !== 'string' || typeof request.path !== 'string') throw new Error('it is no record');
  if (request.redacted === true || (response !== undefined && response.status !== 200)) return undefined;
  return {
    name,
    method: request.method,
    path: request.path,
    headers: lowerCase(request.headers),
    body: request.body,
    isBase64: request.isBase64 === true,
    recordedAnswer: response === undefined || response.redacted === true ? undefined : answerOf(response),
  };
}

function answerOf(response: RecordedMessage & { readonly status: number }): Answer {
  const { status, headers, body = '', isBase64 = false } = response;
  return { status, headers: lowerCase(headers), body: Buffer.from(body, isBase64 ? 'base64' : 'utf8') };
}

function lowerCase(headers: RecordedMessage['headers'] = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
}
