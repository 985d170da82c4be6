/** Behind a REST API the function answers as behind an HTTP API. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { errorOf } from '../../support/error-answer.js';
import {
  httpEvent,
  type PreparedFunction,
  prepareFunction,
  type RunningFunction,
} from '../../support/predict-function.js';
import { type ServedArtifact, writeEchoArtifact } from '../../support/served-artifact.js';

let prepared: PreparedFunction;
let echo: ServedArtifact;
let running: RunningFunction;

beforeAll(async () => {
  prepared = await prepareFunction();
  echo = writeEchoArtifact([{ name: 'x', dataType: 'float32', shape: ['N'] }]);
  running = await prepared.start({ artifact: echo.folder });
});
afterAll(async () => {
  await running.stop();
  echo.remove();
  prepared.remove();
});

const INFER = '/v2/models/echo/infer';
const DOCUMENT = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}]}';
const BODY = Buffer.concat([Buffer.from(DOCUMENT), Buffer.from(Float32Array.of(0.5).buffer)]);

/** As a REST API of the stage `prod` sends it. */
const restEvent = (event: Readonly<Record<string, unknown>>) => ({
  resource: '/{proxy+}',
  path: '/v2',
  httpMethod: 'GET',
  headers: null,
  multiValueHeaders: null,
  queryStringParameters: null,
  pathParameters: null,
  stageVariables: null,
  requestContext: { stage: 'prod', path: '/prod/v2', httpMethod: 'GET', resourcePath: '/{proxy+}' },
  body: null,
  isBase64Encoded: false,
  ...event,
});

it('answers a binary request, whatever the case of its headers', async () => {
  const headers = {
    'Content-Type': 'application/octet-stream',
    'Inference-Header-Content-Length': String(DOCUMENT.length),
  };
  const multiValueHeaders = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
  const expected = await running.invoke(
    httpEvent({
      method: 'POST',
      path: INFER,
      body: BODY,
      headers: { 'inference-header-content-length': String(DOCUMENT.length) },
    }),
  );
  expect(JSON.parse(expected.body).outputs[0].data).toEqual([0.5]);
  const event = { path: INFER, httpMethod: 'POST', body: BODY.toString('base64'), isBase64Encoded: true };
  expect(await running.invoke(restEvent({ ...event, headers, multiValueHeaders }))).toEqual(expected);
  expect(await running.invoke(restEvent({ ...event, headers, multiValueHeaders: undefined }))).toEqual(expected);
  expect(await running.invoke(restEvent({ ...event, multiValueHeaders }))).toEqual(expected);
});

it('answers without headers and without a body', async () => {
  expect((await running.invoke(restEvent({ path: '/v2/health/live' }))).statusCode).toBe(200);
  expect(errorOf(await running.invoke(restEvent({ path: INFER, httpMethod: 'POST' })))).toMatchObject({
    status: 400,
    code: 'JSON_INVALID',
  });
});

it('does not see headers that are no text', async () => {
  const event = restEvent({
    path: INFER,
    httpMethod: 'POST',
    headers: { 'Content-Encoding': 7, 'content-type': null },
  });
  expect(errorOf(await running.invoke(event))).toMatchObject({ status: 400, code: 'JSON_INVALID' });
});

it('does not see the path that a custom domain maps to the API', async () => {
  for (const event of [
    { path: '/vision/v2/models/echo', resource: '/v2/models/echo' },
    { path: '/vision/v2/models/echo', resource: '/{proxy+}', pathParameters: { proxy: 'v2/models/echo' } },
    {
      path: '/vision/v2/models/echo/versions/3',
      resource: '/v2/models/echo/versions/{version}',
      pathParameters: { version: '3' },
    },
  ]) {
    expect((await running.invoke(restEvent(event))).statusCode, JSON.stringify(event)).toBe(200);
  }
  expect(errorOf(await running.invoke(restEvent({ path: '/vision/v2' }))).code).toBe('ROUTE_UNKNOWN');
});

it.each([
  ['no method', { httpMethod: undefined }],
  ['headers of text', { headers: 'a' }],
  ['a body of no text', { body: {} }],
  ['no context', { requestContext: null }],
])('refuses an event with %s', async (_, event) => {
  expect(errorOf(await running.invoke(restEvent(event)))).toMatchObject({ status: 400, code: 'EVENT_UNKNOWN' });
});

it('answers for its description', async () => {
  const { statusCode, body } = await running.invoke(restEvent({ path: '/openapi.json' }));
  expect(statusCode).toBe(200);
  expect(JSON.parse(body)).toMatchObject({ openapi: '3.1.0', paths: { '/v1/models/echo:predict': {} } });
});
