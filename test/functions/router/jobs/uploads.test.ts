/** Requests that are too large for Lambda, through the real bundle: announced, uploaded by whoever has the address, started, answered. */
import { describe, expect, it } from 'vitest';
import { awsError } from '../../../support/aws-answers.js';
import { seriesOf } from '../../../support/embedded-metric-format.js';
import { errorOf } from '../../../support/error-answer.js';
import { type LogarithmRequest, logarithmRequest } from '../../../support/logarithm-requests.js';
import type { LoopbackFunction } from '../../../support/loopback-lambda.js';
import type { FunctionResult } from '../../../support/predict-function.js';
import { get, post } from '../../../support/router-endpoint.js';
import { requestLines, setUpRouterTest, whereAndWhy } from '../../../support/router-test.js';

const test = setUpRouterTest();
const JOBS = '/v2/models/logarithm/jobs';
const queueRouter = () => test.endpoint.router({ hasQueue: true });

interface Announced {
  readonly id: string;
  readonly status: string;
  readonly location: string;
  readonly upload: {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly bytes: number;
    readonly expiresInSeconds: number;
  };
}

async function announce(
  router: LoopbackFunction,
  { body, headers }: Pick<LogarithmRequest, 'body' | 'headers'>,
  more: Readonly<Record<string, string>> = {},
): Promise<{ readonly result: FunctionResult; readonly job: Announced; readonly bytes: Buffer }> {
  const bytes = Buffer.from(body);
  const result = await post(router, JOBS, JSON.stringify({ bytes: bytes.length }), { ...headers, ...more });
  return { result, job: JSON.parse(result.body) as Announced, bytes };
}

const put = ({ upload: { url, headers } }: Announced, body: Buffer) =>
  fetch(url, { method: 'PUT', headers, body: new Uint8Array(body) });

describe('an upload', () => {
  it('that no Lambda could take becomes a job and its result', async () => {
    const router = queueRouter();
    // 7 MB and more.
    const request = logarithmRequest(60, 'binary', 1_900_000);
    const { result, job, bytes } = await announce(router, request);
    expect(bytes.length).toBeGreaterThan(7_000_000);
    expect([result.statusCode, result.headers.location, job.status]).toEqual([
      201,
      `${JOBS}/${job.id}`,
      'awaiting-upload',
    ]);
    expect([job.upload.method, job.upload.bytes, job.upload.expiresInSeconds]).toEqual(['PUT', bytes.length, 900]);
    expect(JSON.parse((await get(router, job.location)).body)).toMatchObject({ status: 'awaiting-upload' });
    expect((await put(job, bytes)).status).toBe(200);
    const started = await post(router, job.location, '');
    expect(whereAndWhy(started)).toEqual([202, 'queue', 'upload']);
    await test.endpoint.queue.work();
    const answer = await get(router, job.location);
    expect(answer.statusCode).toBe(303);
    const fetched = await fetch(answer.headers.location ?? '');
    const body = Buffer.from(await fetched.arrayBuffer());
    const type = fetched.headers.get('content-type') ?? '';
    const length = /json-header-size=(\d+)/.exec(type)?.[1] ?? '';
    const whole = {
      statusCode: 200,
      headers: { 'inference-header-content-length': length },
      body: body.toString('base64'),
      isBase64Encoded: true,
    };
    expect(await test.fault(request, whole, 60)).toBeUndefined();
    expect(seriesOf(requestLines(router)[2])).toContain('JobsQueued{model=logarithm,code=upload}');
  });

  it('is started once, however often that is asked for, and its request does not change', async () => {
    const router = queueRouter();
    const request = logarithmRequest(61, 'json');
    const { job, bytes } = await announce(router, request);
    await put(job, bytes);
    const before = test.endpoint.queue.taken.length;
    for (let time = 0; time < 3; time++) expect((await post(router, job.location, '')).statusCode).toBe(202);
    expect(test.endpoint.queue.taken.length).toBe(before + 1);
    const other = Buffer.from(bytes).fill(0x20, bytes.length - 4);
    expect((await put(job, other)).status).toBe(412);
    await test.endpoint.queue.work();
    expect(await test.fault(request, await get(router, job.location), 61)).toBeUndefined();
    expect((await post(router, job.location, '')).statusCode).toBe(202);
    expect(test.endpoint.queue.taken.length).toBe(before + 1);
  });

  it('with an idempotency key is announced once, and cannot be something else', async () => {
    const router = queueRouter();
    const request = logarithmRequest(62, 'json');
    const key = { 'idempotency-key': 'upload-62' };
    const [one, two] = [await announce(router, request, key), await announce(queueRouter(), request, key)];
    expect([two.result.statusCode, two.job.id]).toEqual([201, one.job.id]);
    const longer = await post(router, JOBS, '{"bytes":99}', key);
    expect(errorOf(longer)).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
    await put(two.job, two.bytes);
    await post(router, one.job.location, '');
    const again = await announce(router, request, key);
    expect([again.result.statusCode, again.job.status, again.job.id]).toEqual([202, 'queued', one.job.id]);
  });

  it('becomes a job although the policy is to fail what nobody answers', async () => {
    const router = test.endpoint.router({
      hasQueue: true,
      policy: { onGpuUnavailable: 'fail' },
      environment: { CDK_ONNX_GPU_ENDPOINT: '' },
    });
    const request = logarithmRequest(67, 'json');
    test.endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    expect((await post(router, request.path, request.body, request.headers)).statusCode).toBe(503);
    const { job, bytes } = await announce(router, request);
    await put(job, bytes);
    expect(whereAndWhy(await post(router, job.location, ''))).toEqual([202, 'queue', 'upload']);
    await test.endpoint.queue.work();
    expect(await test.fault(request, await get(router, job.location), 67)).toBeUndefined();
  });

  it('goes to a place of its own when the same key had one that has expired', async () => {
    const router = queueRouter();
    const key = { 'idempotency-key': 'upload-68' };
    const [request, other] = [logarithmRequest(68, 'json'), logarithmRequest(69, 'json')];
    const old = await announce(router, request, key);
    expect((await put(old.job, old.bytes)).status).toBe(200);
    test.endpoint.s3.clockOffset = 49 * 3_600_000;
    const { job, bytes } = await announce(router, other, key);
    expect([job.id, job.status]).toEqual([old.job.id, 'awaiting-upload']);
    expect(errorOf(await post(router, job.location, ''))).toMatchObject({ status: 409, code: 'UPLOAD_MISSING' });
    expect((await put(job, bytes)).status).toBe(200);
    expect((await post(router, job.location, '')).statusCode).toBe(202);
    await test.endpoint.queue.work();
    expect(await test.fault(other, await get(router, job.location), 69)).toBeUndefined();
  });

  it('that is not there does not start', async () => {
    const router = queueRouter();
    const { job } = await announce(router, logarithmRequest(63, 'json'));
    expect(errorOf(await post(router, job.location, ''))).toMatchObject({ status: 409, code: 'UPLOAD_MISSING' });
    expect(errorOf(await post(router, `${JOBS}/${'0'.repeat(32)}`, ''))).toMatchObject({ status: 404 });
  });

  it('that SageMaker does not take at first is started later', async () => {
    const router = queueRouter();
    const request = logarithmRequest(64, 'binary');
    const { job, bytes } = await announce(router, request);
    await put(job, bytes);
    test.endpoint.queueFault = () => awsError(503, 'ServiceUnavailable');
    expect(errorOf(await post(router, job.location, ''))).toMatchObject({ status: 503, code: 'QUEUE_UNAVAILABLE' });
    test.endpoint.queueFault = undefined;
    expect((await post(router, job.location, '')).statusCode).toBe(202);
    await test.endpoint.queue.work();
    expect(await test.fault(request, await get(router, job.location), 64)).toBeUndefined();
  });

  it.each([
    ['', {}],
    ['[]', {}],
    ['{"bytes":0}', {}],
    ['{"bytes":"9"}', {}],
    ['{"bytes":1073741825}', {}],
    ['{"bytes":9,"x":1}', {}],
    ['{"bytes":9}', { 'inference-header-content-length': '10' }],
  ])('announced with %j and %j is refused', async (body, headers) => {
    const result = await post(queueRouter(), JOBS, body, headers);
    expect(errorOf(result)).toMatchObject({ status: 400, code: 'UPLOAD_INVALID' });
  });
});

describe('the address of an upload', () => {
  it('is for this object, this size, these headers, and not for ever', async () => {
    const router = queueRouter();
    const { job, bytes } = await announce(router, logarithmRequest(65, 'json'));
    const { url, headers } = job.upload;
    const attempt = async (to: string | URL, init: RequestInit) => (await fetch(to, init)).status;
    const body = new Uint8Array(bytes);
    const other = new URL(url);
    other.pathname = other.pathname.replace(job.id, '0'.repeat(32));
    const record = new URL(url);
    record.pathname = record.pathname.replace(/requests.*/, `jobs/${job.id}.json`);
    for (const address of [other, record]) expect(await attempt(address, { method: 'PUT', headers, body })).toBe(403);
    expect(await attempt(url, { method: 'PUT', headers, body: new Uint8Array(bytes.length + 1) })).toBe(403);
    expect(await attempt(url, { method: 'PUT', headers: { ...headers, 'if-none-match': 'x' }, body })).toBe(403);
    expect(await attempt(url, { method: 'GET' })).toBe(403);
    test.endpoint.s3.clockOffset = 901_000;
    expect(await attempt(url, { method: 'PUT', headers, body })).toBe(403);
    test.endpoint.s3.clockOffset = 0;
    expect(await attempt(url, { method: 'PUT', headers, body })).toBe(200);
  });

  it('is in no log', async () => {
    const router = queueRouter();
    await announce(router, logarithmRequest(66, 'json'));
    expect(router.lines.join('\n')).not.toMatch(/X-Amz|Signature|requests\//);
  });
});
