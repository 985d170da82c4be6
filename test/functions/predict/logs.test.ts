/** What the real function's lines say besides metrics: whose request they are about, at which level, and what a caller is told of it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { Logger } from '@aws-lambda-powertools/logger';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { correlationId } from '../../../functions/http/correlation-id.js';
import { errorOf } from '../../support/error-answer.js';
import { type LogLine, logLines, requestLines } from '../../support/log-lines.js';
import {
  httpEvent,
  type PreparedFunction,
  prepareFunction,
  type RunningFunction,
} from '../../support/predict-function.js';
import { type ServedArtifact, writeEchoArtifact } from '../../support/served-artifact.js';

const TRACE = '1-5759e988-bd862e3fe1be46a994272793';
const ENVIRONMENT = { _X_AMZN_TRACE_ID: `Root=${TRACE};Parent=53995c3f42cd8ad8;Sampled=1` };
const CONTEXT = { awsRequestId: 'c6af9ac6-7b61-11e6-9a41-93e8deadbeef', functionName: 'faces' };

let prepared: PreparedFunction;
let echo: ServedArtifact;
const started: RunningFunction[] = [];

beforeAll(async () => {
  prepared = await prepareFunction();
  echo = writeEchoArtifact([{ name: 'x', dataType: 'float32', shape: ['N'] }]);
});
afterAll(async () => {
  await Promise.all(started.map((each) => each.stop()));
  echo.remove();
  prepared.remove();
});

async function start(environment: Readonly<Record<string, string>> = {}, withRuntime = true): Promise<RunningFunction> {
  const running = await prepared.start({
    artifact: echo.folder,
    environment: { ...ENVIRONMENT, ...environment },
    withRuntime,
  });
  started.push(running);
  return running;
}

const lastLine = async (running: RunningFunction): Promise<LogLine> => (await logLines(running)).at(-1) ?? {};

describe('the correlation id', () => {
  const ask = (headers: Record<string, string>, requestId?: string) =>
    httpEvent({ method: 'GET', path: '/v2', headers, requestContext: requestId === undefined ? {} : { requestId } });

  it.each([
    ['x-correlation-id', { 'x-correlation-id': 'order-17', 'x-request-id': 'other' }, 'api', 'order-17'],
    ['x-request-id', { 'x-request-id': '0190c1b5-cf5b-7d9a' }, 'api', '0190c1b5-cf5b-7d9a'],
    ["the API's, without either", {}, 'JKJaXmPLvHcESHA=', 'JKJaXmPLvHcESHA='],
    ["the API's, where the caller's is none", { 'x-correlation-id': 'a b', 'x-request-id': '' }, 'api', 'api'],
    ["the API's, where the caller's breaks a line", { 'x-correlation-id': 'a\r\nset-cookie: b' }, 'api', 'api'],
    ["the API's, where the caller's is long", { 'x-correlation-id': 'a'.repeat(129) }, 'api', 'api'],
    ["Lambda's, without an API's", {}, undefined, CONTEXT.awsRequestId],
  ])('is %s; it is in the line and in the answer', async (_, headers, requestId, expected) => {
    const running = started[0] ?? (await start());
    const answer = await running.invoke(ask(headers, requestId), CONTEXT);
    expect(answer.headers['x-correlation-id']).toBe(expected);
    expect(await lastLine(running)).toMatchObject({
      message: 'request',
      correlation_id: expected,
      function_request_id: CONTEXT.awsRequestId,
      xray_trace_id: TRACE,
    });
  });

  it("is found in a REST API's headers, whatever their case", async () => {
    const running = started[0] ?? (await start());
    const event = { path: '/v2', httpMethod: 'GET', headers: { 'X-Correlation-Id': 'a1' }, requestContext: {} };
    expect((await running.invoke(event)).headers['x-correlation-id']).toBe('a1');
  });

  it('is in answers that are errors, and leaves their other headers', async () => {
    const running = started[0] ?? (await start());
    const event = httpEvent({ method: 'DELETE', path: '/v2', headers: { 'x-correlation-id': 'a2' } });
    const answer = await running.invoke(event);
    expect(errorOf(answer).code).toBe('METHOD_NOT_ALLOWED');
    expect(answer.headers).toMatchObject({ allow: 'GET', 'x-correlation-id': 'a2' });
    // Not even an event.
    expect((await running.invoke({}, CONTEXT)).headers['x-correlation-id']).toBe(CONTEXT.awsRequestId);
  });

  it('of any text is one that a header and a line can hold, or none', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.stringMatching(/^[\w.:/+=@~-]{0,140}$/));
    fc.assert(
      fc.property(text, text, fc.option(text, { nil: undefined }), (first, second, requestId) => {
        const headers = { 'x-correlation-id': first, 'x-request-id': second };
        const request = {
          method: 'GET',
          path: '/',
          basePath: '',
          body: { content: '', isBase64: false },
          receivedAt: undefined,
        };
        const id = correlationId({ ...request, headers, requestId });
        if (id === undefined) return;
        expect([first, second, requestId]).toContain(id);
        expect(new Headers({ 'x-correlation-id': id }).get('x-correlation-id')).toBe(id);
        expect(JSON.stringify(id)).toBe(`"${id}"`);
        expect(id.length).toBeLessThanOrEqual(128);
      }),
      { seed: 11 },
    );
  });
});

describe('a trace id', () => {
  it('that is none is left out', async () => {
    const running = await start({ _X_AMZN_TRACE_ID: 'Root=canary;Parent=1' });
    await running.get('/v2');
    expect(await lastLine(running)).not.toHaveProperty('xray_trace_id');
  });
});

describe('the level', () => {
  const messages = async (environment: Readonly<Record<string, string>>, withRuntime = true) => {
    const running = await start(environment, withRuntime);
    await running.get('/v2/health/ready');
    return (await logLines(running)).map(({ level, message }) => `${level} ${message}`);
  };

  it.each([
    ['', ['INFO model ready', 'INFO request']],
    ['INFO', ['INFO model ready', 'INFO request']],
    ['nonsense', ['INFO model ready', 'INFO request']],
    ['debug', ['INFO model ready', 'DEBUG request received', 'INFO request']],
    ['TRACE', ['INFO model ready', 'DEBUG request received', 'INFO request']],
    // The lines that carry metrics stay; a request without an inference carries none.
    ['WARN', ['INFO model ready']],
    ['SILENT', ['INFO model ready']],
  ])('%j lets through %j', async (level, expected) => {
    expect(await messages({ POWERTOOLS_LOG_LEVEL: level })).toEqual(expected);
  });

  it('lets errors through up to ERROR', async () => {
    const quiet = { POWERTOOLS_METRICS_DISABLED: '1' };
    const errors = [
      'ERROR the model could not be opened',
      'ERROR the model could not be opened',
      'ERROR request failed',
    ];
    expect(await messages({ ...quiet, POWERTOOLS_LOG_LEVEL: 'ERROR' }, false)).toEqual(errors);
    expect(await messages({ ...quiet, POWERTOOLS_LOG_LEVEL: 'CRITICAL' }, false)).toEqual([]);
  });
});

describe('a model that cannot be opened', () => {
  it('is explained in full, with its causes and where it was thrown, and with the request that tried again', async () => {
    const running = await start({}, false);
    await running.invoke(httpEvent({ method: 'GET', path: '/v2/health/ready', headers: { 'x-request-id': 'a3' } }));
    const lines = await logLines(running);
    const [atInit, atRequest] = lines.filter(({ message }) => message === 'the model could not be opened');
    expect(atInit).toMatchObject({
      level: 'ERROR',
      error: {
        name: 'RuntimeError',
        code: 'RUNTIME_NOT_LOADED',
        message: expect.any(String),
        advice: expect.stringContaining('OnnxRuntimeLayer'),
        stack: expect.stringMatching(/^ +at /),
        cause: { code: 'MODULE_NOT_FOUND', message: expect.stringContaining('onnxruntime-node') },
      },
    });
    expect(atInit).not.toHaveProperty('correlation_id');
    expect(atRequest).toMatchObject({ correlation_id: 'a3', error: { code: 'RUNTIME_NOT_LOADED' } });
    expect(requestLines(lines)[0]).toMatchObject({ correlation_id: 'a3', code: 'RUNTIME_NOT_LOADED', status: 503 });
  });
});

it('says which request opened the model, where one did', async () => {
  const late = writeEchoArtifact([{ name: 'x', dataType: 'float32', shape: ['N'] }]);
  const model = readFileSync(late.model);
  writeFileSync(late.model, 'not a model');
  const running = await prepared.start({ artifact: late.folder, environment: ENVIRONMENT });
  started.push(running);
  writeFileSync(late.model, model);
  await running.invoke(httpEvent({ method: 'GET', path: '/v2/health/ready', headers: { 'x-request-id': 'a5' } }));
  const lines = (await logLines(running)).map(({ message, correlation_id }) => [message, correlation_id]);
  expect(lines).toEqual([
    ['the model could not be opened', undefined],
    ['model ready', 'a5'],
    ['request', 'a5'],
  ]);
  late.remove();
});

it("has the members of Powertools' logger", async () => {
  const running = await start({ AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand', POWERTOOLS_METRICS_DISABLED: '1' });
  await running.invoke(httpEvent({ method: 'GET', path: '/v2', headers: { 'x-request-id': 'a4' } }), CONTEXT);
  const ours = await lastLine(running);

  const written: string[] = [];
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => written.push(String(chunk)) > 0);
  try {
    for (const [name, value] of Object.entries({ ...ENVIRONMENT, AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand' })) {
      vi.stubEnv(name, value);
    }
    const logger = new Logger();
    logger.addContext({ ...CONTEXT, invokedFunctionArn: 'arn', memoryLimitInMB: '1', functionVersion: '1' } as never);
    logger.setCorrelationId('a4');
    logger.info('request');
  } finally {
    write.mockRestore();
    vi.unstubAllEnvs();
  }
  const theirs = JSON.parse(written.join('')) as LogLine;
  const ofBoth = ['level', 'message', 'cold_start', 'function_request_id', 'xray_trace_id', 'correlation_id'];
  for (const member of ofBoth) expect({ [member]: ours[member] }).toEqual({ [member]: theirs[member] });
  const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
  expect([ours.timestamp, theirs.timestamp]).toEqual([
    expect.stringMatching(timestamp),
    expect.stringMatching(timestamp),
  ]);
});
