/** A table of requests that cannot be answered, each sent over HTTP, and after each a good one. */
import { request as httpRequest, type OutgoingHttpHeaders } from 'node:http';
import { expect, it } from 'vitest';

export interface SentRequest {
  /** Default POST. */
  readonly method?: string;
  /** Sent as it is: nothing is encoded or made shorter. */
  readonly path: string;
  /** Default: application/json for a text, application/octet-stream for bytes. */
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
}

export interface Refused {
  readonly status: number;
  readonly code: string;
  /** A piece of the advice. */
  readonly advice: string | RegExp;
  /** A piece of what failed. Default: any. */
  readonly error?: string | RegExp;
}

/** What it is, the request, and the answer. */
export type BadRequest = readonly [name: string, request: SentRequest, refused: Refused];

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export function send(url: string, { method = 'POST', path, headers = {}, body }: SentRequest): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream';
  return new Promise((resolve, reject) => {
    const sent = httpRequest({
      hostname,
      port,
      method,
      path,
      headers: { ...(body === undefined ? {} : { 'content-type': type }), ...headers },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      response.on('error', reject);
      response
        .toArray()
        .then(
          (chunks) =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
          reject,
        );
    });
    sent.end(body);
  });
}

/** The message, code and advice of an error of ours; fails for an answer of another form, or one with a stack. */
export function errorIn({ headers, body }: Answer): { error: string; code: string; advice: string } {
  const text = body.toString();
  expect(headers['content-type'], text).toBe('application/json');
  expect(text).not.toMatch(/\bat .*:\d+:\d+|node:internal|node_modules|\/tmp\//);
  const document = JSON.parse(text);
  expect(Object.keys(document).sort(), text).toEqual(['advice', 'code', 'error']);
  return document;
}

export interface TableOptions {
  /** Where to send them. */
  readonly url: () => string;
  /** Must be answered with 200 after each of them. */
  readonly good: SentRequest;
}

/** A test for each row: the answer is as the table says, and the service lives on. */
export function refuses(rows: readonly BadRequest[], { url, good }: TableOptions): void {
  it.each(rows)('%s', async (_, sent, { status, code, advice, error = '' }) => {
    const answer = await send(url(), sent);
    const told = errorIn(answer);
    expect({ status: answer.status, code: told.code }, told.error).toEqual({ status, code });
    expect(told.advice).toMatch(advice);
    expect(told.error).toMatch(error);
    const next = await send(url(), good);
    expect(next.status, next.body.toString()).toBe(200);
  });
}
