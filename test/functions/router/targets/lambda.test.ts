/** Every way in which Lambda's Invoke API ends, told apart. */
import { afterEach, describe, expect, it } from 'vitest';
import { readEndpoint } from '../../../../functions/aws/endpoint.js';
import { SignedRequests } from '../../../../functions/aws/signed-requests.js';
import { SigningTime } from '../../../../functions/aws/signing-time.js';
import { LambdaTarget } from '../../../../functions/router/targets/lambda.js';
import { expectedAuthorization, withoutSpaces } from '../../../support/aws-signature.js';
import {
  type FaultyService,
  type ServiceAnswer,
  type ServiceFault,
  startFaultyService,
} from '../../../support/faulty-service.js';

const ARN = 'arn:aws:lambda:eu-west-1:000000000000:function:predict:live';
const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'se/cret+', sessionToken: 'tok/en==' };
let service: FaultyService | undefined;
afterEach(() => service?.close());

const result = {
  statusCode: 200,
  headers: { 'content-type': 'application/json' },
  body: '{"outputs":[]}',
  isBase64Encoded: false,
};

interface Case {
  readonly answer?: ServiceAnswer;
  readonly fault?: ServiceFault;
  readonly signal?: AbortSignal;
  readonly takesErrorAnswers?: boolean;
}

const answered = (payload: unknown, headers: Readonly<Record<string, string>> = {}): ServiceAnswer => ({
  status: 200,
  headers: { 'content-type': 'application/json', ...headers },
  body: Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)),
});
const functionError = (payload: unknown) => answered(payload, { 'x-amz-function-error': 'Unhandled' });
const refused = (status: number, type: string, members: object = {}, headers = {}): ServiceFault => ({
  kind: 'answer',
  status,
  headers: { 'x-amzn-errortype': type, ...headers },
  body: JSON.stringify(members),
});

async function start({ answer = answered(result), fault }: Case) {
  service = await startFaultyService({
    answer: async (request) => {
      await request.toArray();
      return answer;
    },
    fault: () => fault,
  });
  return targetAt(service.url);
}

function targetAt(url: string, time = new SigningTime()): LambdaTarget {
  const endpoint = readEndpoint(
    { variable: 'LAMBDA', host: 'lambda' },
    { AWS_REGION: 'eu-west-1', AWS_ENDPOINT_URL_LAMBDA: url },
  );
  return new LambdaTarget({
    post: new SignedRequests({ endpoint, service: 'lambda', credentials, time }),
    functionName: ARN,
  });
}

async function invoke(given: Case) {
  const target = await start(given);
  const { signal = new AbortController().signal, takesErrorAnswers = false } = given;
  return await target.invoke({ payload: '{"a":"ä"}', signal, takesErrorAnswers });
}

describe('an invocation', () => {
  it("is signed as AWS's own signer signs it, and brings the function's result as it is", async () => {
    const bodies: Buffer[] = [];
    service = await startFaultyService({
      answer: async (request) => {
        bodies.push(Buffer.concat(await request.toArray()));
        return answered({ ...result, headers: { a: 'b' }, isBase64Encoded: true });
      },
    });
    const signal = new AbortController().signal;
    const outcome = await targetAt(service.url).invoke({ payload: '{"a":"ä"}', signal, takesErrorAnswers: false });
    expect(outcome).toEqual({
      kind: 'answer',
      answer: { kind: 'result', result: { ...result, headers: { a: 'b' }, isBase64Encoded: true } },
    });
    const [call] = service.calls;
    expect(call?.request.url).toBe(`/2015-03-31/functions/${encodeURIComponent(ARN)}/invocations`);
    expect(call?.request.headers['x-amz-invocation-type']).toBe('RequestResponse');
    expect(bodies.map(String)).toEqual(['{"a":"ä"}']);
    const expected =
      call &&
      (await expectedAuthorization(call.request, {
        service: 'lambda',
        region: 'eu-west-1',
        credentials,
        body: '{"a":"ä"}',
      }));
    expect(withoutSpaces(call?.request.headers.authorization)).toBe(expected);
  });

  it.each<[string, Case, object]>([
    [
      'a throttle',
      {
        fault: refused(
          429,
          'TooManyRequestsException',
          { Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded' },
          { 'retry-after': '2' },
        ),
      },
      { kind: 'throttled', retryAfterSeconds: 2 },
    ],
    [
      'a throttle that says when in its body',
      { fault: refused(429, 'TooManyRequestsException', { retryAfterSeconds: '3' }) },
      { kind: 'throttled', retryAfterSeconds: 3 },
    ],
    [
      "the function's timeout",
      {
        answer: functionError({
          errorType: 'Sandbox.Timedout',
          errorMessage: 'RequestId: 1 Error: Task timed out after 3.00 seconds',
        }),
      },
      { kind: 'timeout' },
    ],
    [
      "the function's timeout as it was written before",
      { answer: functionError({ errorMessage: '2026-12-01T10:00:00.000Z 1 Task timed out after 3.01 seconds' }) },
      { kind: 'timeout' },
    ],
    [
      'a crash',
      {
        answer: functionError({
          errorType: 'Runtime.ExitError',
          errorMessage: 'RequestId: 1 Error: Runtime exited with error: exit status 1',
        }),
      },
      { kind: 'function-error', cause: 'crash', code: 'Runtime.ExitError' },
    ],
    [
      'no memory',
      {
        answer: functionError({
          errorType: 'Runtime.ExitError',
          errorMessage: 'RequestId: 1 Error: Runtime exited with error: signal: killed',
        }),
      },
      { kind: 'function-error', cause: 'out-of-memory', code: 'Runtime.ExitError' },
    ],
    [
      'no memory, said by name',
      { answer: functionError({ errorType: 'Runtime.OutOfMemory', errorMessage: '' }) },
      { kind: 'function-error', cause: 'out-of-memory', code: 'Runtime.OutOfMemory' },
    ],
    [
      'an error that the function threw',
      { answer: functionError({ errorType: 'TypeError', errorMessage: 'x' }) },
      { kind: 'function-error', cause: 'unhandled', code: 'TypeError' },
    ],
    [
      'an error whose name nobody should read',
      { answer: functionError({ errorType: 'pay load\n', errorMessage: 'x' }) },
      { kind: 'function-error', cause: 'unhandled', code: 'UNNAMED' },
    ],
    [
      'a function error that is no JSON',
      { answer: functionError('Internal') },
      { kind: 'function-error', cause: 'unhandled', code: 'UNNAMED' },
    ],
    [
      'a result that is none',
      { answer: answered({ status: 'fine' }) },
      { kind: 'function-error', cause: 'malformed', code: 'RESULT_INVALID' },
    ],
    [
      'a result of null',
      { answer: answered('null') },
      { kind: 'function-error', cause: 'malformed', code: 'RESULT_INVALID' },
    ],
    [
      'a model that is loading',
      {
        answer: answered({
          ...result,
          statusCode: 503,
          headers: { 'retry-after': '5' },
          body: '{"code":"MODEL_LOADING"}',
        }),
      },
      { kind: 'not-ready', code: 'MODEL_LOADING', retryAfterSeconds: 5 },
    ],
    [
      'a model that found no memory',
      { answer: answered({ ...result, statusCode: 500, body: '{"code":"OUT_OF_MEMORY"}' }) },
      { kind: 'function-error', cause: 'out-of-memory', code: 'OUT_OF_MEMORY' },
    ],
    [
      'a handler that failed',
      { answer: answered({ ...result, statusCode: 500, body: 'oops' }) },
      { kind: 'function-error', cause: 'error-answer', code: 'HTTP_500' },
    ],
    [
      'a function that is being changed',
      { fault: refused(409, 'ResourceConflictException') },
      { kind: 'not-ready', code: 'ResourceConflictException' },
    ],
    [
      'a function that is being prepared',
      { fault: refused(502, 'ResourceNotReadyException') },
      { kind: 'not-ready', code: 'ResourceNotReadyException' },
    ],
    [
      'an error of the service',
      { fault: refused(500, 'ServiceException:http://internal.amazon.com/coral/') },
      { kind: 'unavailable', code: 'ServiceException' },
    ],
    [
      'a gateway in front of the service',
      { fault: { kind: 'answer', status: 503, body: '<html>' } },
      { kind: 'unavailable', code: 'HTTP_503' },
    ],
    [
      'an event that is too large',
      { fault: refused(413, 'RequestTooLargeException') },
      { kind: 'refused', status: 413, code: 'RequestTooLargeException', isOfRequest: true },
    ],
    [
      'an event that is refused',
      { fault: refused(400, 'InvalidRequestContentException') },
      { kind: 'refused', status: 400, code: 'InvalidRequestContentException', isOfRequest: true },
    ],
    [
      'no permission',
      { fault: refused(403, 'AccessDeniedException') },
      { kind: 'refused', status: 403, code: 'AccessDeniedException', isOfRequest: false },
    ],
    [
      'no function',
      { fault: refused(404, 'ResourceNotFoundException') },
      { kind: 'refused', status: 404, code: 'ResourceNotFoundException', isOfRequest: false },
    ],
    [
      'a connection that is cut before the work',
      { fault: { kind: 'reset', when: 'before-work' } },
      { kind: 'connection', phase: 'unacknowledged', code: 'ECONNRESET' },
    ],
    [
      'a lost acknowledgement',
      { fault: { kind: 'reset', when: 'before-answer' } },
      { kind: 'connection', phase: 'unacknowledged', code: 'ECONNRESET' },
    ],
    [
      'a half-written body',
      { fault: { kind: 'reset', when: 'within-answer' } },
      { kind: 'connection', phase: 'answering', code: 'ECONNRESET' },
    ],
    [
      'a body that ends early without having said its length',
      { fault: { kind: 'cut-short' } },
      { kind: 'connection', phase: 'answering', code: 'ANSWER_INVALID' },
    ],
    ['a slow body', { fault: { kind: 'trickle', pieces: 5, pause: 20 } }, { kind: 'answer' }],
  ])('that ends with %s says so', async (_, given, outcome) => {
    const got = await invoke(given);
    expect(got).toMatchObject(outcome);
    expect(
      got.kind === 'answer' ||
        Object.keys(got).every((key) => key in outcome || got[key as keyof typeof got] === undefined),
    ).toBe(true);
  });

  it('of metadata takes every answer of the function', async () => {
    const answer = answered({ ...result, statusCode: 503, body: '{"code":"MODEL_LOADING"}' });
    expect(await invoke({ answer, takesErrorAnswers: true })).toMatchObject({
      kind: 'answer',
      answer: { result: { statusCode: 503 } },
    });
  });

  it('that finds nobody there never began', async () => {
    const target = await start({});
    await service?.close();
    const outcome = await target.invoke({
      payload: '{}',
      signal: new AbortController().signal,
      takesErrorAnswers: false,
    });
    expect(outcome).toEqual({ kind: 'connection', phase: 'connecting', code: 'ECONNREFUSED' });
  });

  it.each(['before-work', 'within-answer'] as const)(
    'that stalls %s ends when nobody waits for it any more',
    async (when) => {
      const abort = new AbortController();
      const target = await start({ fault: { kind: 'stall', when } });
      const pending = target.invoke({ payload: '{}', signal: abort.signal, takesErrorAnswers: false });
      while (service?.calls.length !== 1) await new Promise((resolve) => setTimeout(resolve, 2));
      abort.abort();
      expect(await pending).toMatchObject({ kind: 'connection', code: 'ABORT_ERR' });
    },
  );
});
