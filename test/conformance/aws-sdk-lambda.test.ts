/** The AWS SDK's Lambda client, unchanged, against the served function: no API Gateway in between. */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { httpEvent } from '../support/predict-function.js';
import { type ServedEndpoint, serveModels } from './endpoint.js';

const PATH = '/v2/models/half_plus_two/infer';
const DOCUMENT = JSON.stringify({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [3], parameters: { binary_data_size: 12 } }],
  parameters: { binary_data_output: true },
});
const BODY = Buffer.concat([Buffer.from(DOCUMENT), Buffer.from(Float32Array.of(1, 2, 5).buffer)]);
const HEADERS = {
  'content-type': 'application/octet-stream',
  'inference-header-content-length': String(DOCUMENT.length),
};

let endpoint: ServedEndpoint;
let client: LambdaClient;
let name: string;
const before = { ...process.env };

beforeAll(async () => {
  endpoint = await serveModels(['half_plus_two']);
  name = endpoint.host.service.functions[0]?.names[0] ?? '';
  // What a user sets; nothing of the endpoint stands in the code.
  process.env.AWS_ENDPOINT_URL_LAMBDA = endpoint.url;
  process.env.AWS_ACCESS_KEY_ID = 'any';
  process.env.AWS_SECRET_ACCESS_KEY = 'any';
  process.env.AWS_REGION = 'us-east-1';
  client = new LambdaClient();
});
afterAll(async () => {
  process.env = before;
  client?.destroy();
  await endpoint?.close();
});

interface Result {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

async function invoke(event: unknown, functionName = name): Promise<Result> {
  const output = await client.send(new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify(event) }));
  expect([output.StatusCode, output.FunctionError]).toEqual([200, undefined]);
  return JSON.parse(output.Payload?.transformToString() ?? '');
}

/** As a REST API of the stage `prod` sends it. */
function restEvent(method: string, path: string, body?: Buffer): unknown {
  return {
    resource: '/{proxy+}',
    path,
    httpMethod: method,
    headers: HEADERS,
    multiValueHeaders: Object.fromEntries(Object.entries(HEADERS).map(([header, value]) => [header, [value]])),
    queryStringParameters: null,
    pathParameters: { proxy: path.slice(1) },
    requestContext: { stage: 'prod', path: `/prod${path}`, httpMethod: method, resourcePath: '/{proxy+}' },
    body: body?.toString('base64') ?? null,
    isBase64Encoded: body !== undefined,
  };
}

function expectHalves({ statusCode, headers, body, isBase64Encoded }: Result): void {
  expect([statusCode, isBase64Encoded]).toEqual([200, true]);
  const bytes = Buffer.from(body, 'base64');
  const tensor = bytes.subarray(Number(headers['inference-header-content-length']));
  expect([tensor.readFloatLE(0), tensor.readFloatLE(4), tensor.readFloatLE(8)]).toEqual([2.5, 3, 4.5]);
}

describe('AWS SDK, LambdaClient by AWS_ENDPOINT_URL_LAMBDA: invoke', () => {
  test('with an event of an HTTP API, payload format 2.0, in JSON', async () => {
    const result = await invoke(
      httpEvent({ method: 'POST', path: '/v1/models/half_plus_two:predict', body: '{"instances":[1,2,5]}' }),
    );
    expect(result).toMatchObject({ statusCode: 200, body: '{"predictions":[2.5,3,4.5]}', isBase64Encoded: false });
  });
  test('with an event of an HTTP API, payload format 2.0, in binary', async () => {
    expectHalves(await invoke(httpEvent({ method: 'POST', path: PATH, body: BODY, headers: HEADERS })));
  });
  test('with an event of a REST API, payload format 1.0, in binary', async () => {
    expectHalves(await invoke(restEvent('POST', PATH, BODY)));
  });
  test('with an event of a REST API, payload format 1.0, without a body', async () => {
    const result = await invoke(restEvent('GET', '/v2/models/half_plus_two/ready'));
    expect([result.statusCode, JSON.parse(result.body)]).toEqual([200, { name: 'half_plus_two', ready: true }]);
  });
  test('of the alias that API Gateway calls', async () => {
    const [alias = ''] = [...(endpoint.host.service.functions[0]?.versions.keys() ?? [])].filter(
      (each) => each === 'live',
    );
    expect(alias).toBe('live');
    const result = await invoke(httpEvent({ method: 'GET', path: '/v2/health/ready' }), `${name}:${alias}`);
    expect(result.statusCode).toBe(200);
  });
  test('with an error in the answer, which is no error of the function', async () => {
    const result = await invoke(httpEvent({ method: 'POST', path: PATH, body: '{' }));
    expect([result.statusCode, JSON.parse(result.body).code]).toEqual([400, 'JSON_INVALID']);
  });
  test('with an event of no API, which is answered too', async () => {
    const result = await invoke({ hello: 'world' });
    expect([result.statusCode, JSON.parse(result.body).code]).toEqual([400, 'EVENT_UNKNOWN']);
  });
  test('of a function that is not there is a ResourceNotFoundException', async () => {
    await expect(invoke({}, 'nobody')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });
  test('with 6 MB and more is a RequestTooLargeException', async () => {
    await expect(invoke({ padding: 'x'.repeat(6 * 1024 * 1024) })).rejects.toMatchObject({
      name: 'RequestTooLargeException',
    });
  });
});
