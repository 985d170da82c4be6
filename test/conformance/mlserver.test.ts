/** mlserver, a server of Open Inference Protocol V2 of other people, unchanged, as the GPU that the real router falls over to. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { awsError } from '../support/aws-answers.js';
import { postToContainer, startContainerOnSageMaker } from '../support/container-on-sagemaker.js';
import { encodeInferRequest } from '../support/encode-infer-request.js';
import type { ServiceFault } from '../support/faulty-service.js';
import { LogarithmOracle, logarithmRequest } from '../support/logarithm-requests.js';
import { MLSERVER, type Mlserver, startMlserver } from '../support/mlserver.js';
import { pythonIfMade, pythonWith } from '../support/python-environment.js';
import { randomFloats } from '../support/random-numbers.js';
import { post, RouterEndpoint } from '../support/router-endpoint.js';
import { whereAndWhy } from '../support/router-test.js';
import { type ServedArtifact, writeFaceArtifact, writeLogarithmArtifact } from '../support/served-artifact.js';
import { requireClient } from './python-clients.js';

const python = process.env.CI === 'true' ? pythonWith(MLSERVER) : pythonIfMade(MLSERVER);

/** A router with mlserver in place of Triton; undefined where there is no mlserver. */
async function start(artifact: ServedArtifact) {
  if (python === undefined) return undefined;
  const { name } = artifact.manifest;
  const server = await startMlserver(python, { name, model: artifact.model });
  const endpoint = await RouterEndpoint.start(artifact, (fault) =>
    startContainerOnSageMaker({ endpointName: 'gpu', url: server.url, model: name, fault }),
  );
  return { server, endpoint };
}

async function stop(started: { readonly server: Mlserver; readonly endpoint: RouterEndpoint } | undefined) {
  await started?.endpoint.close();
  await started?.server.close();
}

/** Each leaves a request that Lambda has not answered; of those that it may have executed, a new router repeats only the first. */
const LAMBDA_FAULTS: readonly (readonly [string, ServiceFault, number])[] = [
  ['throttled', awsError(429, 'TooManyRequestsException'), 3],
  [
    'crashed',
    {
      kind: 'answer',
      status: 200,
      headers: { 'x-amz-function-error': 'Unhandled' },
      body: '{"errorType":"Runtime.ExitError"}',
    },
    1,
  ],
  ['cut off', { kind: 'reset', when: 'within-answer' }, 1],
  ['blocked', { kind: 'stall', when: 'before-work' }, 1],
];

describe('mlserver with a small model', () => {
  const artifact = writeLogarithmArtifact();
  let started: Awaited<ReturnType<typeof start>>;
  let oracle: LogarithmOracle;
  beforeAll(async () => {
    started = await start(artifact);
    oracle = await LogarithmOracle.open(artifact.model);
  }, 600_000);
  afterEach(() => {
    if (started !== undefined) started.endpoint.lambdaFault = undefined;
  });
  afterAll(async () => {
    await stop(started);
    await oracle?.close();
    artifact.remove();
  });

  for (const [what, fault, requests] of LAMBDA_FAULTS) {
    it(`answers in place of a Lambda function that is ${what}`, async ({ skip }) => {
      const { endpoint } = requireClient(started, skip);
      // One of its own, so that no circuit is open yet.
      const router = endpoint.router({ policy: { timeout: 20_000, cpuTimeout: 2_000 } });
      endpoint.lambdaFault = () => fault;
      for (let seed = 1; seed <= requests; seed++) {
        const request = logarithmRequest(seed, 'json', 10 * seed);
        const result = await post(router, request.path, request.body, request.headers);
        expect([result.statusCode, result.headers['x-cdk-onnx-computed-by'], result.body.slice(0, 300)]).toEqual([
          200,
          'sagemaker',
          expect.any(String),
        ]);
        expect(await oracle.fault(request, result, seed)).toBeUndefined();
      }
    });
  }

  it('is left alone while Lambda answers', async ({ skip }) => {
    const { endpoint } = requireClient(started, skip);
    const { gpu } = endpoint.asked;
    const router = endpoint.router();
    for (const form of ['json', 'binary'] as const) {
      const request = logarithmRequest(7, form);
      const result = await post(router, request.path, request.body, request.headers);
      expect(whereAndWhy(result)).toEqual([200, 'lambda', 'primary']);
      expect(await oracle.fault(request, result, 7)).toBeUndefined();
    }
    expect(endpoint.asked.gpu).toBe(gpu);
  });

  it('cannot read binary tensors over HTTP, and the caller is told so, not left waiting', async ({ skip }) => {
    const { endpoint, server } = requireClient(started, skip);
    endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    const request = logarithmRequest(8, 'binary');
    const result = await post(endpoint.router(), request.path, request.body, request.headers);
    expect(result.statusCode).toBe(503);
    expect(JSON.parse(result.body)).toMatchObject({ code: 'TARGETS_UNAVAILABLE' });
    const direct = await postToContainer(
      `${server.url}/v2/models/logarithm/infer`,
      { ...request.headers, 'content-type': 'application/octet-stream' },
      Buffer.from(request.body),
    );
    // As of mlserver 1.7; when this changes, the cases above gain a form.
    expect(direct.status).toBe(500);
  });

  it('refuses what is no request of its model, and so does the router', async ({ skip }) => {
    const { endpoint } = requireClient(started, skip);
    endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    const body = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1]}]}';
    const result = await post(endpoint.router(), '/v2/models/logarithm/infer', body);
    // Its own status, and its own words.
    expect([result.statusCode, JSON.parse(result.body).error]).toEqual([422, expect.stringContaining('data')]);
  });
});

describe('mlserver with the face detector', () => {
  const artifact = writeFaceArtifact();
  let started: Awaited<ReturnType<typeof start>>;
  beforeAll(async () => {
    started = await start(artifact);
  }, 600_000);
  afterAll(async () => {
    await stop(started);
    artifact.remove();
  });

  it('answers a request of megabytes with four outputs', async ({ skip }) => {
    const { endpoint } = requireClient(started, skip);
    const shape = [1, 256, 256, 3];
    const data = randomFloats(256 * 256 * 3, 5, 0, 1);
    const { text } = encodeInferRequest({
      inputs: [{ name: 'input:0', dataType: 'float32', shape, data, form: 'json' }],
    });
    endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    const result = await post(endpoint.router(), '/v2/models/faces/infer', text);
    expect(whereAndWhy(result)).toEqual([200, 'sagemaker', 'throttled']);
    const session = await InferenceSession.create(artifact.model);
    const expected = await session.run({ 'input:0': new Tensor('float32', data, shape) });
    const { outputs } = JSON.parse(result.body) as { outputs: { name: string; shape: number[]; data: number[] }[] };
    expect(outputs.map(({ name }) => name).sort()).toEqual(Object.keys(expected).sort());
    for (const output of outputs) {
      const tensor = expected[output.name];
      expect(output.shape).toEqual(tensor?.dims);
      const computed = (tensor?.data ?? []) as Float32Array;
      const furthest = output.data.reduce(
        (most, value, index) => Math.max(most, Math.abs(value - (computed[index] ?? 1e9))),
        0,
      );
      expect(furthest).toBeLessThan(1e-4);
    }
    await session.release();
  });
});
