/** /openapi.json of a model behind a router: every answer of the real bundles is one that it describes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OpenApiDocument } from '../../../lib/protocol/openapi.js';
import { awsError } from '../../support/aws-answers.js';
import { undescribed } from '../../support/described-answer.js';
import { GPU_COLD, jobRequests } from '../../support/job-requests.js';
import { logarithmRequest } from '../../support/logarithm-requests.js';
import type { FunctionResult } from '../../support/predict-function.js';
import { get, post, RouterEndpoint } from '../../support/router-endpoint.js';
import { setUpRouterTest } from '../../support/router-test.js';
import { writeTaskArtifact } from '../../support/served-artifact.js';
import { textModel } from '../../support/task-models.js';

const test = setUpRouterTest();
const { queueRouter, sendJob } = jobRequests(test);
const INFER = ['post', '/v2/models/logarithm/infer'] as const;
const JOBS = ['post', '/v2/models/logarithm/jobs'] as const;
const START = ['post', '/v2/models/logarithm/jobs/{id}'] as const;
const JOB = ['get', '/v2/models/logarithm/jobs/{id}'] as const;

let document: OpenApiDocument;
beforeAll(async () => {
  document = JSON.parse((await get(queueRouter(), '/openapi.json')).body) as OpenApiDocument;
});

/** Holds an answer against the document, after a look that it is the one that the test is about. */
function check(route: readonly ['get' | 'post', string], status: number, result: FunctionResult): FunctionResult {
  expect([result.statusCode, undescribed(document, route, result)], result.body).toEqual([status, []]);
  return result;
}

describe('the document describes', () => {
  it.each(['json', 'binary'] as const)('an inference as %s, wherever it is computed', async (form) => {
    const router = queueRouter();
    expect(check(INFER, 200, await test.infer(router, form, 2)).headers['x-cdk-onnx-computed-by']).toBe('lambda');
    expect(check(INFER, 200, await test.infer(router, form, 8)).headers['x-cdk-onnx-computed-by']).toBe('sagemaker');
    check(INFER, 400, await post(router, INFER[1], '{'));
    test.endpoint.gpuFault = GPU_COLD;
    test.endpoint.queueFault = () => awsError(503, 'ServiceUnavailable');
    check(INFER, 503, (await sendJob(router, 1, undefined, form)).result);
    check(INFER, 503, (await sendJob(queueRouter({ onGpuUnavailable: 'fail' }), 1, undefined, form)).result);
  });

  it.each(['json', 'binary'] as const)('an inference as %s that becomes a job, until its end', async (form) => {
    const router = queueRouter();
    const { result, location } = await sendJob(router, 2, `key ${form}`, form);
    check(INFER, 202, result);
    check(INFER, 422, (await sendJob(router, 3, `key ${form}`, form)).result);
    check(INFER, 400, (await sendJob(router, 3, ' ', form)).result);
    check(JOB, 200, await get(router, location));
    await test.endpoint.queue.work();
    check(JOB, 200, await get(router, location));
    const { outputKey } = test.endpoint.queue.taken.at(-1) ?? { outputKey: '' };
    test.endpoint.s3.put(outputKey, Buffer.alloc(5 * 2 ** 20, ' '), 'application/json');
    check(JOB, 303, await get(router, location));
    test.endpoint.s3Fault = () => awsError(403, 'InvalidAccessKeyId');
    check(JOB, 503, await get(router, location));
  });

  it('a job that fails, one that has expired, and one that never was', async () => {
    const router = queueRouter();
    test.endpoint.gpuFault = GPU_COLD;
    const wrong = '{"inputs":[{"name":"z","datatype":"FP32","shape":[4],"data":[1,2,3,4]}]}';
    const failing = await post(router, INFER[1], wrong);
    const { location } = await sendJob(router, 4);
    await test.endpoint.queue.work();
    expect(check(JOB, 200, await get(router, failing.headers.location ?? '')).body).toContain('JOB_FAILED');
    test.endpoint.s3.clockOffset = 49 * 3_600_000;
    check(JOB, 410, await get(router, location));
    check(START, 410, await post(router, location, ''));
    check(JOB, 404, await get(router, location.replace(/.$/, 'x')));
    check(START, 404, await post(router, location.replace(/.$/, 'x'), ''));
  });

  it('an upload, from its announcement to its start', async () => {
    const router = queueRouter();
    const { body, headers } = logarithmRequest(5, 'binary');
    const announce = (bytes: number) => {
      const key = { 'idempotency-key': 'upload 5' };
      return post(router, JOBS[1], JSON.stringify({ bytes }), { ...headers, ...key });
    };
    const announced = check(JOBS, 201, await announce(body.length));
    check(JOBS, 422, await announce(body.length + 1));
    check(JOBS, 400, await announce(0));
    const { location, upload } = JSON.parse(announced.body);
    check(JOB, 200, await get(router, location));
    check(START, 409, await post(router, location, ''));
    await fetch(upload.url, { method: 'PUT', headers: upload.headers, body: new Uint8Array(Buffer.from(body)) });
    check(START, 202, await post(router, location, ''));
    check(JOBS, 202, await announce(body.length));
    test.endpoint.s3Fault = () => awsError(403, 'InvalidAccessKeyId');
    check(START, 503, await post(router, location, ''));
    check(JOBS, 503, await announce(body.length));
  });

  it('rows in the words of TensorFlow Serving, and what needs no model', async () => {
    const router = queueRouter();
    const rows = ['post', '/v1/models/logarithm:predict'] as const;
    check(rows, 200, await post(router, rows[1], '{"instances":[1,2]}'));
    check(rows, 400, await post(router, rows[1], '{"instances":1}'));
    test.endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    const failing = test.endpoint.router({ hasQueue: true, environment: { CDK_ONNX_GPU_ENDPOINT: '' } });
    check(rows, 503, await post(failing, rows[1], '{"instances":[1,2]}'));
    for (const path of ['/v2', '/v2/health/ready', '/v2/models/logarithm', '/v1/models/logarithm/metadata']) {
      check(['get', path], 503, await get(router, path));
    }
  });
});

describe('the document of a model with a task describes', () => {
  const artifact = writeTaskArtifact('texts', textModel());
  const PREDICT = ['post', '/predict/texts'] as const;
  const TASK_JOB = ['get', '/v2/models/texts/jobs/{id}'] as const;
  let endpoint: RouterEndpoint;
  beforeAll(async () => {
    endpoint = await RouterEndpoint.start(artifact);
  });
  afterAll(async () => {
    await endpoint?.close();
    artifact.remove();
  });

  it('its predictions, wherever they are computed, and the jobs that become some', async () => {
    const router = endpoint.router({
      hasQueue: true,
      policy: { onGpuUnavailable: 'queue' },
      environment: { CDK_ONNX_MODEL_INTERFACE: artifact.folder },
    });
    const described = JSON.parse((await get(router, '/openapi.json')).body) as OpenApiDocument;
    const checked = (route: readonly ['get' | 'post', string], status: number, result: FunctionResult) => {
      expect([result.statusCode, undescribed(described, route, result)], result.body).toEqual([status, []]);
      return result;
    };
    const ask = (body: string, key: string) =>
      post(router, PREDICT[1], body, { 'content-type': 'text/plain', 'idempotency-key': key });
    checked(PREDICT, 200, await ask('You have won', 'a'));
    endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    checked(PREDICT, 200, await ask('You have won', 'a'));
    endpoint.gpuFault = GPU_COLD;
    const { headers } = checked(PREDICT, 202, await ask('You have won', 'a'));
    checked(PREDICT, 422, await ask('You have lost', 'a'));
    checked(PREDICT, 400, await ask(' ', 'b'));
    checked(TASK_JOB, 200, await get(router, headers.location ?? ''));
    await endpoint.queue.work();
    checked(TASK_JOB, 200, await get(router, headers.location ?? ''));
    endpoint.queueFault = () => awsError(503, 'ServiceUnavailable');
    checked(PREDICT, 503, await ask('You have won', 'c'));
  });
});
