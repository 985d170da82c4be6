/** An app with a GPU on this machine, end to end over HTTP: the router runs here and reaches the function behind it; SageMaker is not here. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServedEndpoint, serveEndpoint } from '../support/served-endpoint.js';

const MAX_CPU_BATCH = 2;
const MAX_CPU_PAYLOAD = 10_000;
let served: ServedEndpoint;
beforeAll(async () => {
  served = await serveEndpoint({
    echoes: {
      echo: [{ name: 'x', dataType: 'float32', shape: ['N', 3] }],
      other: [{ name: 'x', dataType: 'float32', shape: ['N', 3] }],
    },
    gpu: { queue: true, policy: { maxCpuBatch: MAX_CPU_BATCH, maxCpuPayload: MAX_CPU_PAYLOAD } },
  });
}, 240_000);
afterAll(() => served?.close());

const url = (path: string) => `${served.host.url}${path}`;
const rows = (count: number) => ({
  inputs: [
    { name: 'x', shape: [count, 3], datatype: 'FP32', data: Array.from({ length: count * 3 }, (_, at) => at / 2) },
  ],
});
const post = (path: string, body: unknown) =>
  fetch(url(path), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const whereAndWhy = ({ status, headers }: Response) => [
  status,
  headers.get('x-cdk-onnx-computed-by'),
  headers.get('x-cdk-onnx-reason'),
];

describe('requests to a model with a GPU', () => {
  it.each(['echo', 'other'])('are computed by the function behind the router of %s, which says so', async (model) => {
    const body = rows(MAX_CPU_BATCH);
    const response = await post(`/v2/models/${model}/infer`, body);
    expect(whereAndWhy(response)).toEqual([200, 'lambda', 'primary']);
    expect(await response.json()).toMatchObject({ outputs: [{ name: 'x_out', data: body.inputs[0]?.data }] });
  });

  it('as TensorFlow Serving has them are too', async () => {
    const response = await post('/v1/models/echo:predict', { instances: [[1, 2, 3]] });
    expect(whereAndWhy(response)).toEqual([200, 'lambda', 'primary']);
    expect(await response.json()).toEqual({ predictions: [[1, 2, 3]] });
  });

  it('for what is no inference reach the function, and name no place', async () => {
    for (const [path, expected] of [
      ['/v2/health/ready', { ready: true }],
      ['/v2/models', { models: [{ name: 'echo' }, { name: 'other' }] }],
      ['/v2/models/other', { name: 'other', inputs: [{ name: 'x', shape: [-1, 3] }] }],
    ] as const) {
      const response = await fetch(url(path));
      expect(whereAndWhy(response)).toEqual([200, null, null]);
      expect(await response.json()).toMatchObject(expected);
    }
  });

  it('that the function refuses are refused in its words', async () => {
    const response = await post('/v2/models/echo/infer', { inputs: [] });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: expect.any(String), advice: expect.any(String) });
  });
});

describe('requests that only a GPU would take', () => {
  it('are told that there is none, when to come back, and nothing leaves this machine', async () => {
    const response = await post('/v2/models/echo/infer', rows(MAX_CPU_BATCH + 1));
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await response.json()).toMatchObject({ code: expect.any(String), advice: expect.any(String) });
    expect(served.log.join('\n')).toMatch(/endpoints\/endpoint-gpu-echo-realtime-\w+\/invocations 503/);
  });

  it('as TensorFlow Serving has them are known to be some, by the layer that says what the model takes', async () => {
    const instances = Array.from({ length: MAX_CPU_PAYLOAD / 8 }, () => [1.25, 2, 3]);
    const response = await post('/v1/models/other:predict', { instances });
    expect([response.status, await response.json()]).toMatchObject([503, { code: 'GPU_UNAVAILABLE' }]);
  });

  it('cannot be put where they would be picked up, by whoever got an address for it', async () => {
    const scope = 'AKIALOCALHOST/20261201/us-east-1/s3/aws4_request';
    const response = await fetch(url(`/bucket/requests/1?X-Amz-Credential=${encodeURIComponent(scope)}`), {
      method: 'PUT',
      body: 'tensors',
    });
    expect([response.status, await response.text()]).toEqual([503, expect.stringContaining('ServiceUnavailable')]);
  });
});

it('the log says whose lines they are, and warns of nothing that is there', () => {
  const log = served.log.join('\n');
  expect(log).toMatch(/^echo-router \| /m);
  expect(log).toMatch(/invoked echo#1 cold/);
  expect(log).not.toMatch(/warning: .*CDK_ONNX_PREDICT_FUNCTION/);
  expect(log).toMatch(/warning: .*CDK_ONNX_GPU_QUEUE_BUCKET/);
});
