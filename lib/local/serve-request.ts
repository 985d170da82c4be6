/** One HTTP request: finds its route, invokes the function, and sends what the function answers. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { FunctionPool, PoolInvocation } from './function-pool.js';
import { API_KEY_MISSING, HTTP_API_ERRORS, headerMissing, REST_API_ERRORS } from './gateway-errors.js';
import { type HttpAnswer, toHttpAnswer } from './http-answer.js';
import { type ReceivedRequest, toHttpEvent } from './http-event.js';
import type { LocalFunction, LocalRoute } from './local-stack.js';
import { readStreamHead, toRestAnswer } from './rest-answer.js';
import type { RestRoute } from './rest-api-routes.js';
import { toRestEvent } from './rest-event.js';
import type { RouteTable } from './route-table.js';

/** What API Gateway takes of a request's body. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;
/** What Lambda takes of an event, synchronously invoked. */
const MAX_EVENT_BYTES = 6 * 1024 * 1024;

export interface Serving {
  readonly table: RouteTable;
  readonly pools: ReadonlyMap<LocalFunction, FunctionPool>;
  readonly log: (line: string) => void;
}

export async function serveRequest(
  request: IncomingMessage,
  response: ServerResponse,
  { table, pools, log }: Serving,
): Promise<void> {
  const method = request.method ?? 'GET';
  const target = request.url ?? '/';
  const send = (answer: HttpAnswer, detail: string) => {
    log(`${method} ${target} ${answer.status} ${detail}`);
    response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
    response.end(method === 'HEAD' ? undefined : answer.body);
  };

  const found = table.find(method, target);
  if (found === undefined) {
    request.resume();
    return send((table.hasHttpApi ? HTTP_API_ERRORS : REST_API_ERRORS).noRoute, '(no route)');
  }
  const { route, pathParameters } = found.match;
  const errors = route.rest === undefined ? HTTP_API_ERRORS : REST_API_ERRORS;
  const refusal = route.rest === undefined ? undefined : refuse(request, route.rest);
  if (refusal !== undefined) {
    request.resume();
    return send(refusal, '(refused by the API)');
  }
  const body = await readBody(request);
  if (body === undefined) {
    response.setHeader('connection', 'close');
    return send(errors.tooLarge, `(body above ${MAX_BODY_BYTES} bytes)`);
  }
  const requestId = randomUUID();
  const received: ReceivedRequest = {
    method,
    target: found.target,
    rawHeaders: request.rawHeaders,
    body,
    sourceIp: request.socket.remoteAddress ?? '127.0.0.1',
    routeKey: route.routeKey,
    pathParameters,
    requestId,
    time: Date.now(),
  };
  const payload = JSON.stringify(route.rest === undefined ? toHttpEvent(received) : toRestEvent(received, route.rest));
  if (Buffer.byteLength(payload) > MAX_EVENT_BYTES) {
    return send(errors.tooLarge, `(event above Lambda's ${MAX_EVENT_BYTES} bytes)`);
  }
  const pool = pools.get(route.function);
  if (pool === undefined) throw new Error(`no pool for ${route.function.id}`);

  const streamed = route.rest?.streaming === true ? new StreamedAnswer(response, method === 'HEAD') : undefined;
  const invocation = pool.invoke(requestId, payload, streamed?.take);
  const timer = new AbortController();
  const result = await Promise.race([invocation, afterMs(route.timeoutMs, timer.signal)]);
  timer.abort();
  if (result === undefined) {
    // Lambda goes on with what nobody waits for any more; its end is worth a line.
    void invocation.then((late) => log(`${method} ${target} ${describe(route, late)} after the API had given up`));
    const detail = `(no answer within ${route.timeoutMs} ms)`;
    if (streamed?.giveUp() === true) return log(`${method} ${target} ${response.statusCode} cut off ${detail}`);
    return send(errors.timeout, detail);
  }
  const { outcome } = result;
  if ((await streamed?.conclude(outcome.kind === 'streamed')) === true) {
    return log(`${method} ${target} ${response.statusCode} ${describe(route, result)}`);
  }
  const answer = outcome.kind === 'response' ? answerOf(outcome.payload, request, route) : undefined;
  send(answer ?? errors.failed, describe(route, result));
}

/** What a REST API asks of a request before it invokes a function, as far as it is asked here. */
function refuse({ headers }: IncomingMessage, { apiKeyRequired, requiredHeaders }: RestRoute): HttpAnswer | undefined {
  if (apiKeyRequired && (headers['x-api-key'] ?? '') === '') return API_KEY_MISSING;
  const missing = requiredHeaders.filter((name) => (headers[name] ?? '') === '');
  return missing.length === 0 ? undefined : headerMissing(missing);
}

/** Hands an answer on to the caller while the function writes it. */
class StreamedAnswer {
  private stream: Readable | undefined;
  private head: Promise<boolean> = Promise.resolve(false);
  private gaveUp = false;

  constructor(
    private readonly response: ServerResponse,
    private readonly headOnly: boolean,
  ) {}

  readonly take = (stream: Readable): void => {
    this.stream = stream;
    // A caller that goes away does not stop the function, as on Lambda: what it writes is read and dropped.
    this.response.once('close', () => this.drop());
    this.head = this.sendHead(stream);
  };

  /** Ends the answer; false when none has begun. */
  async conclude(isComplete: boolean): Promise<boolean> {
    if (!(await this.head)) return false;
    if (!isComplete) this.response.destroy();
    else if (!this.response.writableEnded) this.response.end();
    return true;
  }

  /** Cuts the answer off; false when none has begun. */
  giveUp(): boolean {
    this.gaveUp = true;
    const begun = this.response.headersSent;
    if (begun) this.response.destroy();
    this.drop();
    return begun;
  }

  private async sendHead(stream: Readable): Promise<boolean> {
    const head = await readStreamHead(stream);
    if (head === undefined || this.gaveUp) {
      this.drop();
      return false;
    }
    this.response.writeHead(head.status, head.headers);
    if (this.headOnly) this.drop();
    else {
      if (head.rest.length > 0) this.response.write(head.rest);
      stream.pipe(this.response, { end: false });
    }
    return true;
  }

  private drop(): void {
    this.stream?.unpipe();
    this.stream?.resume();
  }
}

function answerOf(payload: string, request: IncomingMessage, { rest }: LocalRoute): HttpAnswer | undefined {
  try {
    const result: unknown = JSON.parse(payload);
    return rest === undefined
      ? toHttpAnswer(result)
      : toRestAnswer(result, request.headers.accept, rest.binaryMediaTypes);
  } catch {
    return undefined;
  }
}

/** `faces#1 cold: init 412 ms, run 35 ms, 183 of 1769 MiB` */
function describe(route: LocalRoute, invocation: PoolInvocation): string {
  const { function: localFunction } = route;
  const { outcome, initMs, runMs, peakMemoryMiB } = invocation;
  const start = initMs === undefined ? 'warm:' : `cold: init ${Math.round(initMs)} ms,`;
  const memory = peakMemoryMiB === undefined ? '' : `, ${peakMemoryMiB} of ${localFunction.memoryMiB} MiB`;
  const failure = describeFailure(outcome, localFunction);
  return `${localFunction.label}#${invocation.environment} ${start} run ${Math.round(runMs)} ms${memory}${failure}`;
}

function describeFailure(outcome: PoolInvocation['outcome'], { timeoutSeconds }: LocalFunction): string {
  switch (outcome.kind) {
    case 'response':
    case 'streamed':
      return '';
    case 'timeout':
      return `; timed out after ${timeoutSeconds} s`;
    case 'error':
      return `; ${outcome.errorType}: ${outcome.errorMessage}`;
    case 'exit':
      return `; the environment ended: ${outcome.reason}`;
    case 'init-failed':
      return `; init failed: ${outcome.reason}`;
  }
}

/** A body, or undefined as soon as it is known to be too long. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function afterMs(milliseconds: number, signal: AbortSignal): Promise<undefined> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  return undefined;
}
