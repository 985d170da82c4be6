/** One HTTP request: finds its route, invokes the function, and sends what the function answers. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { answerAbsentService } from './absent-services.js';
import { isPreflight, preflightAnswer, withCors } from './cors.js';
import type { FunctionPool, PoolInvocation } from './function-pool.js';
import { API_KEY_MISSING, HTTP_API_ERRORS, headerMissing, REST_API_ERRORS } from './gateway-errors.js';
import { type HttpAnswer, toHttpAnswer } from './http-answer.js';
import { type ReceivedRequest, toHttpEvent } from './http-event.js';
import { answerInvoke, MAX_EVENT_BYTES } from './invoke-api.js';
import type { LocalFunction, LocalRoute } from './local-stack.js';
import { readRequestBody } from './request-body.js';
import { readStreamHead, toRestAnswer } from './rest-answer.js';
import type { RestRoute } from './rest-api-routes.js';
import { toRestEvent } from './rest-event.js';
import type { RouteTable } from './route-table.js';

/** What API Gateway takes of a request's body. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;

export interface Serving {
  readonly table: RouteTable;
  readonly pools: ReadonlyMap<LocalFunction, FunctionPool>;
  readonly region: string;
  readonly log: (line: string) => void;
}

export async function serveRequest(
  request: IncomingMessage,
  response: ServerResponse,
  { table, pools, region, log }: Serving,
): Promise<void> {
  const method = request.method ?? 'GET';
  const target = request.url ?? '/';
  const send = (answer: HttpAnswer, detail: string) => {
    log(`${method} ${target} ${answer.status} ${detail}`);
    response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
    response.end(method === 'HEAD' ? undefined : answer.body);
  };

  const poolOf = (localFunction: LocalFunction): FunctionPool => {
    const pool = pools.get(localFunction);
    if (pool === undefined) throw new Error(`no pool for ${localFunction.id}`);
    return pool;
  };
  const invoked = await answerInvoke(request, {
    functions: [...pools.keys()],
    region,
    invoke: (localFunction, id, payload) => poolOf(localFunction).invoke(id, payload),
    onInvoked: (localFunction, ended) => log(`invoked ${describe(localFunction, ended)}`),
  });
  if (invoked !== undefined) return send(invoked, "(Lambda's Invoke API)");
  const absent = answerAbsentService(request);
  if (absent !== undefined) {
    request.resume();
    return send(absent, '(a service that is not here)');
  }

  const { origin } = request.headers;
  if (isPreflight(method, request.headers)) {
    const cors = table.cors(String(request.headers['access-control-request-method']), target.split('?')[0] ?? target);
    if (cors !== undefined) return send(preflightAnswer(cors, origin), '(CORS preflight)');
  }
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
  const body = await readRequestBody(request, MAX_BODY_BYTES);
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
  const streamed = route.rest?.streaming === true ? new StreamedAnswer(response, method === 'HEAD') : undefined;
  const invocation = poolOf(route.function).invoke(requestId, payload, streamed?.take);
  const timer = new AbortController();
  const result = await Promise.race([invocation, afterMs(route.timeoutMs, timer.signal)]);
  timer.abort();
  if (result === undefined) {
    // Lambda goes on with what nobody waits for any more; its end is worth a line.
    void invocation.then((late) =>
      log(`${method} ${target} ${describe(route.function, late)} after the API had given up`),
    );
    const detail = `(no answer within ${route.timeoutMs} ms)`;
    if (streamed?.giveUp() === true) return log(`${method} ${target} ${response.statusCode} cut off ${detail}`);
    return send(errors.timeout, detail);
  }
  const { outcome } = result;
  if ((await streamed?.conclude(outcome.kind === 'streamed')) === true) {
    return log(`${method} ${target} ${response.statusCode} ${describe(route.function, result)}`);
  }
  const answer = outcome.kind === 'response' ? answerOf(outcome.payload, request, route) : undefined;
  const answered = answer ?? errors.failed;
  send(route.cors === undefined ? answered : withCors(answered, route.cors, origin), describe(route.function, result));
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
function describe(localFunction: LocalFunction, invocation: PoolInvocation): string {
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
