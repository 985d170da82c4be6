/** Lambda's Runtime API for one execution environment, on a loopback port of its own. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';

/** A synchronous response: 6 MB, with a little for the envelope. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
export const MAX_RESPONSE_BYTES = 6 * 1024 * 1024 + 100;

export interface Invocation {
  readonly requestId: string;
  /** The event as JSON. */
  readonly payload: string;
  readonly functionArn: string;
  /** Milliseconds since 1970. */
  readonly deadline: number;
  /** Takes an answer that the function streams, while it comes. Without it the answer is collected. */
  readonly onStream: ((stream: Readable) => void) | undefined;
}

export type InvocationOutcome =
  | { readonly kind: 'response'; readonly payload: string }
  /** The stream that `onStream` got has ended. */
  | { readonly kind: 'streamed' }
  | ({ readonly kind: 'error' } & FunctionError);

/** What a runtime client says of a failure. */
export interface FunctionError {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
}

export interface RuntimeApiEvents {
  /** The runtime has loaded the function and asks for its first invocation. */
  onReady(): void;
  onInitError(error: FunctionError): void;
  onOutcome(requestId: string, outcome: InvocationOutcome): void;
}

const PREFIX = '/2018-06-01/runtime';
const ACCEPTED = '{"status":"OK"}';

export class RuntimeApi {
  private readonly server: Server;
  private waiting: ServerResponse | undefined;
  private pending: Invocation | undefined;
  private current: Invocation | undefined;
  private ready = false;

  constructor(private readonly events: RuntimeApiEvents) {
    this.server = createServer((request, response) => void this.serve(request, response));
    // An idle environment waits for its next invocation as long as it takes.
    this.server.requestTimeout = 0;
    this.server.keepAliveTimeout = 0;
  }

  /** `host:port`, for AWS_LAMBDA_RUNTIME_API. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(0, '127.0.0.1', resolve);
    });
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Hands an invocation to the runtime; its outcome comes through `onOutcome`. */
  invoke(invocation: Invocation): void {
    this.pending = invocation;
    this.handOver();
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private handOver(): void {
    if (this.waiting === undefined || this.pending === undefined) return;
    const [response, invocation] = [this.waiting, this.pending];
    this.waiting = undefined;
    this.pending = undefined;
    this.current = invocation;
    response.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': invocation.requestId,
      'lambda-runtime-deadline-ms': String(invocation.deadline),
      'lambda-runtime-invoked-function-arn': invocation.functionArn,
      'lambda-runtime-trace-id': `Root=1-${Math.floor(Date.now() / 1000).toString(16)}-${invocation.requestId.replaceAll('-', '').slice(0, 24)};Sampled=0`,
    });
    response.end(invocation.payload);
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    if (request.method === 'GET' && path === `${PREFIX}/invocation/next`) {
      this.waiting = response;
      if (!this.ready) {
        this.ready = true;
        this.events.onReady();
      }
      this.handOver();
      return;
    }
    const { onStream } = this.current ?? {};
    if (onStream !== undefined && isStreamed(request)) {
      await this.passOn(request, response, onStream);
      return;
    }
    const body = await readBody(request, MAX_RESPONSE_BYTES);
    const [, requestId = '', what] = /^\/2018-06-01\/runtime\/invocation\/([^/]+)\/(response|error)$/.exec(path) ?? [];
    if (request.method !== 'POST' || (what === undefined && path !== `${PREFIX}/init/error`)) {
      answer(response, 404, '{"errorType":"ResourceNotFound","errorMessage":"Unknown path"}');
    } else if (what === 'response' && body === undefined) {
      answer(
        response,
        413,
        '{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Exceeded maximum allowed payload size (6291556 bytes)."}',
      );
      this.events.onOutcome(requestId, {
        kind: 'error',
        errorType: 'Function.ResponseSizeTooLarge',
        errorMessage: `Response payload size exceeded maximum allowed payload size (${MAX_RESPONSE_BYTES} bytes).`,
      });
    } else if (what === 'response') {
      answer(response, 202, ACCEPTED);
      this.events.onOutcome(requestId, { kind: 'response', payload: body ?? '' });
    } else {
      answer(response, 202, ACCEPTED);
      const error = parseError(body, request.headers['lambda-runtime-function-error-type']);
      if (what === 'error') this.events.onOutcome(requestId, { kind: 'error', ...error });
      else this.events.onInitError(error);
    }
  }

  private async passOn(
    request: IncomingMessage,
    response: ServerResponse,
    onStream: (stream: Readable) => void,
  ): Promise<void> {
    const [, requestId = ''] = /\/invocation\/([^/]+)\/response$/.exec(request.url ?? '') ?? [];
    onStream(request);
    try {
      await finished(request, { writable: false });
    } catch {
      // The environment died in the middle of its answer, or the caller went away and its reader gave up.
      return;
    }
    const { 'lambda-runtime-function-error-type': type, 'lambda-runtime-function-error-body': body } = request.trailers;
    answer(response, 202, ACCEPTED);
    if (type === undefined) return this.events.onOutcome(requestId, { kind: 'streamed' });
    const error = parseError(Buffer.from(body ?? '', 'base64').toString('utf8'), type);
    this.events.onOutcome(requestId, { kind: 'error', ...error });
  }
}

function isStreamed(request: IncomingMessage): boolean {
  return (
    request.headers['lambda-runtime-function-response-mode'] === 'streaming' &&
    /\/invocation\/[^/]+\/response$/.test(request.url ?? '')
  );
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(body);
}

/** A body as text, or undefined when it is longer than `limit`; what is beyond is read and dropped. */
async function readBody(request: IncomingMessage, limit: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes <= limit) chunks.push(chunk);
    }
  } catch {
    // The environment died in the middle of its answer: its exit is what counts.
    return undefined;
  }
  return bytes <= limit ? Buffer.concat(chunks).toString('utf8') : undefined;
}

function parseError(body: string | undefined, header: string | string[] | undefined): FunctionError {
  try {
    const { errorType, errorMessage, trace } = JSON.parse(body ?? '') as Partial<Record<keyof FunctionError, unknown>>;
    return {
      errorType: String(errorType),
      errorMessage: String(errorMessage),
      ...(Array.isArray(trace) ? { trace: trace.map(String) } : {}),
    };
  } catch {
    return { errorType: String(header ?? 'Unknown'), errorMessage: 'The function failed without saying why.' };
  }
}
