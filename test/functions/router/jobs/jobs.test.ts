/** Requests that become jobs, through the real bundle: with an S3 and a SageMaker on loopback. */
import { describe, expect, it } from 'vitest';
import { awsError } from '../../../support/aws-answers.js';
import { readEmbeddedMetrics, seriesOf } from '../../../support/embedded-metric-format.js';
import { errorOf } from '../../../support/error-answer.js';
import { documentOf, GPU_COLD, jobRequests, QUEUE_POLICY } from '../../../support/job-requests.js';
import { logarithmRequest } from '../../../support/logarithm-requests.js';
import { type FunctionResult, httpEvent } from '../../../support/predict-function.js';
import { get, post } from '../../../support/router-endpoint.js';
import { requestLines, setUpRouterTest, whereAndWhy } from '../../../support/router-test.js';

const test = setUpRouterTest();
const JOB = /^\/v2\/models\/logarithm\/jobs\/[0-9a-f]{40}$/;
const { queueRouter, sendJob } = jobRequests(test);

describe('a request that only the GPU could answer', () => {
  it.each(['json', 'binary'] as const)('as %s becomes a job whose result is the prediction', async (form) => {
    const router = queueRouter();
    const { request, result, location } = await sendJob(router, 1, undefined, form);
    expect(whereAndWhy(result)).toEqual([202, 'queue', 'gpu-needed']);
    expect(location).toMatch(JOB);
    expect(Number(result.headers['retry-after'])).toBeGreaterThan(0);
    const { id, status, expires } = documentOf(result);
    expect([location.endsWith(String(id)), status]).toEqual([true, 'queued']);
    expect(Date.parse(String(expires))).toBeGreaterThan(Date.now());
    const waiting = await get(router, location);
    expect([waiting.statusCode, documentOf(waiting).status, Number(waiting.headers['retry-after']) > 0]).toEqual([
      200,
      'queued',
      true,
    ]);
    await test.endpoint.queue.work();
    const answer = await get(router, location);
    expect(await test.fault(request, answer, 1)).toBeUndefined();
    expect(whereAndWhy(answer)).toEqual([200, 'sagemaker', 'job']);
  });

  it('because both fail is a job', async () => {
    const router = queueRouter({ maxCpuBatch: undefined });
    test.endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    const { request, result, location } = await sendJob(router, 2);
    expect(whereAndWhy(result)).toEqual([202, 'queue', 'all-failed']);
    await test.endpoint.queue.work();
    expect(await test.fault(request, await get(router, location), 2)).toBeUndefined();
  });

  it('because nobody answers is a job in its time', async () => {
    test.endpoint.gpuFault = () => ({ kind: 'stall', when: 'before-work' });
    const { result } = await sendJob(queueRouter({ timeout: 8_000 }), 2);
    expect(whereAndWhy(result)).toEqual([202, 'queue', 'deadline']);
  });

  it('is a job at once where SageMaker has nothing but a queue, and where its circuit is open', async () => {
    const alone = test.endpoint.router({
      hasQueue: true,
      policy: QUEUE_POLICY,
      environment: { CDK_ONNX_GPU_ENDPOINT: '' },
    });
    const { gpu } = test.endpoint.asked;
    expect(whereAndWhy((await sendJob(alone, 3)).result)).toEqual([202, 'queue', 'gpu-needed']);
    expect(test.endpoint.asked.gpu).toBe(gpu);
    const router = queueRouter({ circuitBreaker: { failures: 1, openFor: 60_000 } });
    await sendJob(router, 4);
    const asked = test.endpoint.asked.gpu;
    expect(whereAndWhy((await sendJob(router, 5)).result)).toEqual([202, 'queue', 'circuit-open']);
    expect(test.endpoint.asked.gpu).toBe(asked);
    expect(whereAndWhy(await test.infer(alone, 'json', 2))).toEqual([200, 'lambda', 'primary']);
  });

  it('is no job when what it executed once cannot be executed again, or when the policy is to fail', async () => {
    const router = queueRouter({ extraLoad: 0 });
    test.endpoint.gpuFault = () => ({ kind: 'reset', when: 'before-answer' });
    const { result } = await sendJob(router, 6);
    expect([...whereAndWhy(result), errorOf(result).code]).toEqual([503, undefined, 'gpu-needed', 'GPU_UNAVAILABLE']);
    const failing = queueRouter({ onGpuUnavailable: 'fail' });
    expect((await sendJob(failing, 6)).result.statusCode).toBe(503);
  });

  it('says below which stage its job is', async () => {
    const router = queueRouter();
    test.endpoint.gpuFault = GPU_COLD;
    const { body } = logarithmRequest(7, 'json', 8);
    const path = '/v2/models/logarithm/infer';
    const http = await router.invoke<FunctionResult>(
      httpEvent({ method: 'POST', path: `/prod${path}`, stage: 'prod', body }),
    );
    const rest = await router.invoke<FunctionResult>({
      path,
      resource: path,
      httpMethod: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'k' },
      body,
      isBase64Encoded: false,
      requestContext: { requestId: 'r', path: `/live${path}` },
    });
    expect(http.headers.location).toMatch(/^\/prod\/v2\/models\/logarithm\/jobs\/[0-9a-f]{40}$/);
    expect(rest.headers.location).toMatch(/^\/live\/v2\/models\/logarithm\/jobs\/[0-9a-f]{40}$/);
  });
});

describe('an idempotency key', () => {
  it('names one job, however often and through whichever environment it is sent', async () => {
    const [one, other] = [queueRouter(), queueRouter()];
    const before = test.endpoint.queue.taken.length;
    const first = await sendJob(one, 10, 'order 10');
    for (const router of [one, other]) {
      const again = await sendJob(router, 10, 'order 10');
      expect([again.result.statusCode, again.location]).toEqual([202, first.location]);
    }
    expect(test.endpoint.queue.taken.length).toBe(before + 1);
    await test.endpoint.queue.work();
    expect(await test.fault(first.request, await get(other, first.location), 10)).toBeUndefined();
    expect(seriesOf(requestLines(other)[0])).toContain('JobsRepeated{model=logarithm}');
  });

  it('does not stand for two requests, nor do two keys for one job', async () => {
    const router = queueRouter();
    const first = await sendJob(router, 11, 'key-11');
    const other = await sendJob(router, 12, 'key-11');
    expect(errorOf(other.result)).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
    expect((await sendJob(router, 11, 'key-12')).location).not.toBe(first.location);
    await test.endpoint.queue.work();
    expect(await test.fault(first.request, await get(router, first.location), 11)).toBeUndefined();
  });

  it.each(['', ' ', 'a'.repeat(256), 'ключ'])('%j is refused before anybody is asked', async (key) => {
    const asked = test.endpoint.asked;
    const { result } = await sendJob(queueRouter(), 13, key);
    expect(errorOf(result)).toMatchObject({ status: 400, code: 'IDEMPOTENCY_KEY_INVALID' });
    expect(test.endpoint.asked).toEqual(asked);
  });

  it('cannot be told from the id that it makes without the secret', async () => {
    const other = test.endpoint.router({
      hasQueue: true,
      policy: QUEUE_POLICY,
      environment: { CDK_ONNX_JOB_SECRET: 'another stack' },
    });
    const [one, two] = [await sendJob(queueRouter(), 14, 'k'), await sendJob(other, 14, 'k')];
    expect(one.location).not.toBe(two.location);
  });
});

describe('a job', () => {
  it('that the model refuses says why', async () => {
    const router = queueRouter();
    test.endpoint.gpuFault = GPU_COLD;
    const body = '{"inputs":[{"name":"z","datatype":"FP32","shape":[4],"data":[1,2,3,4]}]}';
    const { headers } = await post(router, '/v2/models/logarithm/infer', body);
    await test.endpoint.queue.work();
    const failed = await get(router, headers.location ?? '');
    expect([failed.statusCode, documentOf(failed)]).toMatchObject([
      200,
      { status: 'failed', code: 'JOB_FAILED', error: expect.stringContaining('z') },
    ]);
  });

  it('that nobody made is not there, whatever it is called', async () => {
    const router = queueRouter();
    for (const id of ['0'.repeat(40), '0'.repeat(32), 'x', '..%2f', 'A'.repeat(40)]) {
      const result = await get(router, `/v2/models/logarithm/jobs/${id}`);
      expect(errorOf(result)).toMatchObject({ status: 404, code: 'JOB_UNKNOWN' });
    }
    expect((await get(router, `/v2/models/other/jobs/${'0'.repeat(32)}`)).statusCode).toBe(404);
    const without = await get(test.endpoint.router(), `/v2/models/logarithm/jobs/${'0'.repeat(32)}`);
    expect(errorOf(without)).toMatchObject({ status: 404, code: 'ROUTE_UNKNOWN' });
  });

  it('expires with its record, or when SageMaker has given it up', async () => {
    const router = queueRouter();
    const [{ location }, early] = [await sendJob(router, 30), await sendJob(router, 31)];
    test.endpoint.s3.clockOffset = 8 * 3_600_000;
    test.endpoint.s3.expiryDays = 30;
    expect(errorOf(await get(router, early.location))).toMatchObject({ status: 410, code: 'JOB_EXPIRED' });
    await test.endpoint.queue.work();
    expect((await get(router, location)).statusCode).toBe(200);
    test.endpoint.s3.expiryDays = 1;
    test.endpoint.s3.clockOffset = 49 * 3_600_000;
    expect(errorOf(await get(router, location))).toMatchObject({ status: 410, code: 'JOB_EXPIRED' });
  });

  it('that has expired is told from one that never was, after S3 has deleted all of it', async () => {
    const router = queueRouter();
    const jobs = [await sendJob(router, 34), await sendJob(router, 35, 'key-35')];
    for (const key of test.endpoint.s3.keys('')) test.endpoint.s3.objects.delete(key);
    for (const { location } of jobs) {
      expect(errorOf(await get(router, location))).toMatchObject({ status: 410, code: 'JOB_EXPIRED' });
      expect(errorOf(await post(router, location, ''))).toMatchObject({ status: 410, code: 'JOB_EXPIRED' });
      const other = location.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
      expect(errorOf(await get(router, other))).toMatchObject({ status: 404, code: 'JOB_UNKNOWN' });
    }
  });

  it('of another router with the same queue is found', async () => {
    const { location } = await sendJob(queueRouter(), 36);
    const other = test.endpoint.router({ hasQueue: true, environment: { CDK_ONNX_JOB_SECRET: 'another stack' } });
    expect((await get(other, location)).statusCode).toBe(200);
    for (const key of test.endpoint.s3.keys('')) test.endpoint.s3.objects.delete(key);
    expect((await get(other, location)).statusCode).toBe(404);
  });

  it.each([true, false])(
    'is made anew with its key once it has expired, whether S3 has deleted it: %s',
    async (isDeleted) => {
      const router = queueRouter();
      const first = await sendJob(router, 37, `key-37-${isDeleted}`);
      await test.endpoint.queue.work();
      if (isDeleted) for (const key of test.endpoint.s3.keys('')) test.endpoint.s3.objects.delete(key);
      test.endpoint.s3.clockOffset = 49 * 3_600_000;
      expect((await get(router, first.location)).statusCode).toBe(410);
      const taken = test.endpoint.queue.taken.length;
      // Whatever the request is: nothing is left of the one before.
      const second = await sendJob(router, 38, `key-37-${isDeleted}`);
      expect([whereAndWhy(second.result), second.location]).toEqual([[202, 'queue', 'gpu-needed'], first.location]);
      expect(test.endpoint.queue.taken.length).toBe(taken + 1);
      await test.endpoint.queue.work();
      expect(await test.fault(second.request, await get(router, second.location), 38)).toBeUndefined();
    },
  );

  it('with a result that is too large for Lambda answers with an address of it', async () => {
    const router = queueRouter();
    const { location } = await sendJob(router, 32);
    await test.endpoint.queue.work();
    const { outputKey } = test.endpoint.queue.taken.at(-1) ?? { outputKey: '' };
    // Below the bound, but not as text within a function's result.
    const escaped = Buffer.from(JSON.stringify({ x: '\n'.repeat(2 * 2 ** 20 - 16) }));
    for (const large of [Buffer.alloc(5 * 2 ** 20, '{"x":1}'), escaped]) {
      test.endpoint.s3.put(outputKey, large, 'application/json');
      const result = await get(router, location);
      expect([result.statusCode, documentOf(result)]).toMatchObject([
        303,
        { status: 'succeeded', result: { bytes: large.length, contentType: 'application/json' } },
      ]);
      const fetched = await fetch(result.headers.location ?? '');
      expect([fetched.status, Buffer.from(await fetched.arrayBuffer()).equals(large)]).toEqual([200, true]);
      // For this object and this method, and not for ever.
      const other = new URL(result.headers.location ?? '');
      other.pathname = other.pathname.replace(/results.*/, `jobs/${location.split('/').at(-1)}.json`);
      expect((await fetch(other)).status).toBe(403);
      expect((await fetch(result.headers.location ?? '', { method: 'PUT', body: 'x' })).status).toBe(403);
      test.endpoint.s3.clockOffset = 901_000;
      expect((await fetch(result.headers.location ?? '')).status).toBe(403);
      test.endpoint.s3.clockOffset = 0;
    }
    expect(router.lines.join('\n')).not.toContain('X-Amz-Signature');
  });

  it.each(['json', 'binary'] as const)('as %s is read without the content type of its result', async (form) => {
    const router = queueRouter();
    const { request, location } = await sendJob(router, 33, undefined, form);
    await test.endpoint.queue.work();
    const { outputKey } = test.endpoint.queue.taken.at(-1) ?? { outputKey: '' };
    const stored = test.endpoint.s3.objects.get(outputKey)?.body ?? Buffer.alloc(0);
    test.endpoint.s3.put(outputKey, stored, 'binary/octet-stream');
    expect(await test.fault(request, await get(router, location), 33)).toBeUndefined();
    test.endpoint.s3.put(outputKey, stored.subarray(0, stored.length - 5), 'binary/octet-stream');
    expect(errorOf(await get(router, location))).toMatchObject({ status: 503, code: 'QUEUE_UNAVAILABLE' });
  });

  it('is asked for by GET alone', async () => {
    const router = queueRouter();
    const result = await router.invoke<FunctionResult>(
      httpEvent({ method: 'DELETE', path: `/v2/models/logarithm/jobs/${'0'.repeat(32)}` }),
    );
    expect(errorOf(result)).toMatchObject({ status: 405, code: 'METHOD_NOT_ALLOWED' });
  });
});

describe('the log', () => {
  it('says what became a job and why, and nothing of what was sent', async () => {
    const router = queueRouter();
    const { location } = await sendJob(router, 50, 'SECRET-KEY');
    await get(router, location);
    const [made, asked] = requestLines(router);
    readEmbeddedMetrics(made);
    expect(seriesOf(made)).toEqual(
      expect.arrayContaining(['JobsQueued{model=logarithm}', 'JobsQueued{model=logarithm,code=gpu-needed}']),
    );
    const id = location.split('/').at(-1);
    expect([made, asked]).toMatchObject([
      { status: 202, reason: 'gpu-needed', job: { id, event: 'queued' } },
      { status: 200, job: { id, event: 'asked' } },
    ]);
    expect(router.lines.join('\n')).not.toContain('SECRET');
  });
});
