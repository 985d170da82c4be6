/**
 * Lambda's Invoke API: `POST /2015-03-31/functions/{name}/invocations`, for SDKs whose endpoint is the local host. Signatures are not
 * verified: whoever reaches the port may invoke. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { findFunction, type NamedFunction } from './function-name.js';
import type { PoolInvocation } from './function-pool.js';
import type { HttpAnswer } from './http-answer.js';
import type { LocalFunction } from './local-stack.js';
import { readRequestBody } from './request-body.js';
import { decodePathSegment } from './route-table.js';

/** Of a payload. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
export const MAX_EVENT_BYTES = 6 * 1024 * 1024;
const MAX_ASYNCHRONOUS_EVENT_BYTES = 1024 * 1024;
/** What `LogType: Tail` gives of a log. */
const LOG_TAIL_BYTES = 4096;
const PATH = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;
const INVOCATION_TYPES = ['RequestResponse', 'Event', 'DryRun'];

export interface InvokeApiOptions {
  readonly functions: readonly LocalFunction[];
  readonly region: string;
  readonly invoke: (localFunction: LocalFunction, requestId: string, payload: string) => Promise<PoolInvocation>;
  /** Told of every end of an invocation, of those too that nobody waits for. */
  readonly onInvoked: (localFunction: LocalFunction, invocation: PoolInvocation) => void;
}

/** The answer, or undefined for a request that is none of this API. */
export async function answerInvoke(
  request: IncomingMessage,
  options: InvokeApiOptions,
): Promise<HttpAnswer | undefined> {
  const [path = '', query] = (request.url ?? '').split('?');
  const [, encodedName] = PATH.exec(path) ?? [];
  if (encodedName === undefined || request.method !== 'POST') return undefined;
  const type = header(request, 'x-amz-invocation-type') ?? 'RequestResponse';
  const body = await readRequestBody(request, MAX_EVENT_BYTES);
  const lookup = findFunction(
    options.functions,
    decodePathSegment(encodedName),
    new URLSearchParams(query).get('Qualifier') ?? undefined,
    options.region,
  );
  switch (lookup.kind) {
    case 'unknown':
      return failure(404, 'ResourceNotFoundException', `Function not found: ${lookup.arn}`);
    case 'ambiguous':
      return failure(409, 'ResourceConflictException', `Several functions have that name: ${lookup.ids.join(', ')}`);
    case 'qualifiers-differ':
      return failure(
        400,
        'InvalidParameterValueException',
        'The derived qualifier from the function name does not match the specified qualifier.',
      );
    case 'found':
      break;
  }
  if (!INVOCATION_TYPES.includes(type)) {
    return failure(400, 'InvalidParameterValueException', `InvocationType is none of ${INVOCATION_TYPES.join(', ')}.`);
  }
  const limit = type === 'Event' ? MAX_ASYNCHRONOUS_EVENT_BYTES : MAX_EVENT_BYTES;
  if (body === undefined || body.length > limit) {
    const message = `Request must be smaller than ${limit} bytes for the InvokeFunction operation`;
    return failure(413, 'RequestTooLargeException', message);
  }
  const payload = body.length === 0 ? '{}' : body.toString('utf8');
  const fault = jsonFault(payload);
  if (fault !== undefined) {
    return failure(400, 'InvalidRequestContentException', `Could not parse request body into json: ${fault}`);
  }
  if (type === 'DryRun') return { status: 204, headers: {}, body: Buffer.alloc(0) };
  return await run(lookup, payload, options, {
    isAsynchronous: type === 'Event',
    withLog: header(request, 'x-amz-log-type') === 'Tail',
  });
}

async function run(
  { function: localFunction, version }: NamedFunction,
  payload: string,
  { invoke, onInvoked }: InvokeApiOptions,
  { isAsynchronous, withLog }: { readonly isAsynchronous: boolean; readonly withLog: boolean },
): Promise<HttpAnswer> {
  const requestId = randomUUID();
  const invocation = invoke(localFunction, requestId, payload).then((ended) => {
    onInvoked(localFunction, ended);
    return ended;
  });
  // Lambda would try a failed one twice more; here its line in the log is all that comes of it.
  if (isAsynchronous) return { status: 202, headers: { 'x-amzn-requestid': requestId }, body: Buffer.alloc(0) };

  const ended = await invocation;
  const { outcome } = ended;
  return {
    status: 200,
    headers: {
      'content-type': 'application/json',
      'x-amzn-requestid': requestId,
      'x-amz-executed-version': version,
      ...(outcome.kind === 'response' ? {} : { 'x-amz-function-error': 'Unhandled' }),
      ...(withLog ? { 'x-amz-log-result': logTail(requestId, localFunction, version, ended) } : {}),
    },
    body: Buffer.from(payloadOf(requestId, localFunction, outcome)),
  };
}

/** What the function answered, or how Lambda describes that it did not. */
function payloadOf(requestId: string, localFunction: LocalFunction, outcome: PoolInvocation['outcome']): string {
  switch (outcome.kind) {
    case 'response':
      return outcome.payload;
    case 'streamed':
      // Only where a stream was asked for, and here it is not.
      return '';
    case 'error': {
      const { errorType, errorMessage, trace } = outcome;
      return JSON.stringify({ errorType, errorMessage, ...(trace === undefined ? {} : { trace }) });
    }
    case 'timeout':
      return JSON.stringify({
        errorType: 'Sandbox.Timedout',
        errorMessage: `RequestId: ${requestId} Error: Task timed out after ${localFunction.timeoutSeconds.toFixed(2)} seconds`,
      });
    case 'exit':
    case 'init-failed':
      return JSON.stringify({
        errorType: 'Runtime.ExitError',
        errorMessage: `RequestId: ${requestId} Error: Runtime exited with error: ${outcome.reason}`,
      });
  }
}

/** The end of what the function wrote, between the lines that Lambda writes itself; base64. */
function logTail(requestId: string, localFunction: LocalFunction, version: string, ended: PoolInvocation): string {
  const { initMs, runMs, peakMemoryMiB, lines } = ended;
  const report = [
    `REPORT RequestId: ${requestId}`,
    `Duration: ${runMs.toFixed(2)} ms`,
    `Memory Size: ${localFunction.memoryMiB} MB`,
    ...(peakMemoryMiB === undefined ? [] : [`Max Memory Used: ${peakMemoryMiB} MB`]),
    ...(initMs === undefined ? [] : [`Init Duration: ${initMs.toFixed(2)} ms`]),
  ];
  const log = [
    `START RequestId: ${requestId} Version: ${version}`,
    ...lines,
    `END RequestId: ${requestId}`,
    `${report.join('\t')}\n`,
  ];
  return Buffer.from(log.join('\n')).subarray(-LOG_TAIL_BYTES).toString('base64');
}

function failure(status: number, type: string, message: string): HttpAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': type, 'x-amzn-requestid': randomUUID() },
    body: Buffer.from(JSON.stringify({ Type: 'User', Message: message })),
  };
}

function jsonFault(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}
