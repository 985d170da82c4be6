/** Jobs through the real bundle while S3 and SageMaker fail: a well-formed answer in time, and one submission, or one more that is counted. */
import { describe, expect, it } from 'vitest';
import { awsError } from '../../../support/aws-answers.js';
import { seriesOf } from '../../../support/embedded-metric-format.js';
import { errorOf } from '../../../support/error-answer.js';
import type { SeenCall, ServiceFault } from '../../../support/faulty-service.js';
import { documentOf, jobRequests } from '../../../support/job-requests.js';
import { get } from '../../../support/router-endpoint.js';
import { requestLines, setUpRouterTest, whereAndWhy } from '../../../support/router-test.js';

const test = setUpRouterTest();
const { queueRouter, sendJob } = jobRequests(test);

describe('a submission whose acknowledgement is lost', () => {
  it('is a job, submitted once more when it is asked for, and counted', async () => {
    const router = queueRouter();
    const before = test.endpoint.queue.taken.length;
    test.endpoint.queueFault = () => ({ kind: 'reset', when: 'before-answer' });
    const { request, result, location } = await sendJob(router, 20, 'key-20');
    expect(whereAndWhy(result)).toEqual([202, 'queue', 'gpu-needed']);
    test.endpoint.queueFault = undefined;
    expect(documentOf(await get(router, location)).status).toBe('queued');
    await get(router, location);
    expect((await sendJob(router, 20, 'key-20')).location).toBe(location);
    expect(
      test.endpoint.queue.taken.slice(before).map(({ inferenceId }) => `/v2/models/logarithm/jobs/${inferenceId}`),
    ).toEqual([location, location]);
    const lines = requestLines(router);
    expect(lines.filter(({ JobsResubmitted }) => JobsResubmitted === 1)).toHaveLength(1);
    await test.endpoint.queue.work();
    expect(await test.fault(request, await get(router, location), 20)).toBeUndefined();
  });

  it('by the death of the router, is submitted once more as soon as that must have been over', async () => {
    const router = queueRouter();
    const { request, location } = await sendJob(router, 21, 'key-21');
    const id = location.split('/').at(-1) ?? '';
    // As it was in the middle of the submission.
    const key = `jobs/${id}.json`;
    const record = JSON.parse(test.endpoint.s3.objects.get(key)?.body.toString() ?? '');
    const { output: _, failure: __, ...before } = record;
    test.endpoint.s3.put(key, Buffer.from(JSON.stringify({ ...before, state: 'submitting' })), 'application/json');
    const taken = test.endpoint.queue.taken.length;
    expect(documentOf(await get(router, location)).status).toBe('queued');
    expect(test.endpoint.queue.taken.length).toBe(taken);
    test.endpoint.s3.clockOffset = 32_000;
    expect(documentOf(await get(router, location)).status).toBe('queued');
    expect(test.endpoint.queue.taken.length).toBe(taken + 1);
    await test.endpoint.queue.work();
    expect(await test.fault(request, await get(router, location), 21)).toBeUndefined();
  });
});

describe('when', () => {
  const refused = (code: string): ServiceFault => ({
    kind: 'answer',
    status: code === 'SlowDown' ? 503 : 403,
    body: `<Error><Code>${code}</Code></Error>`,
  });
  const isWrite = (key: RegExp) => (call: SeenCall) =>
    call.request.method === 'PUT' && key.test(call.request.url ?? '');

  it.each<[string, 's3' | 'queue', ServiceFault, string]>([
    ['S3 refuses', 's3', refused('AccessDenied'), 'AccessDenied'],
    ['S3 wants less', 's3', refused('SlowDown'), 'SlowDown'],
    ['S3 does not answer', 's3', { kind: 'stall', when: 'before-work' }, 'ABORT_ERR'],
    ['S3 cuts connections', 's3', { kind: 'reset', when: 'before-work' }, 'ECONNRESET'],
    ['SageMaker has no such endpoint', 'queue', awsError(400, 'ValidationError'), 'ValidationError'],
    ['SageMaker is away', 'queue', awsError(503, 'ServiceUnavailable', { 'retry-after': '17' }), 'ServiceUnavailable'],
  ])('%s, the answer is a 503 in its time, and the same key is a job later', async (_, service, fault, code) => {
    const router = queueRouter({ timeout: fault.kind === 'stall' ? 2_000 : 28_000 });
    const other = queueRouter();
    if (service === 's3') test.endpoint.s3Fault = () => fault;
    else test.endpoint.queueFault = () => fault;
    const key = `key of ${code}`;
    const { result } = await sendJob(router, 40, key);
    const { status, code: own, error } = errorOf(result);
    expect([status, own, error]).toEqual([503, 'QUEUE_UNAVAILABLE', expect.stringContaining(`(${code})`)]);
    expect(result.headers['retry-after']).toBe(code === 'ServiceUnavailable' ? '17' : '5');
    expect(seriesOf(requestLines(router)[0])).toContain('RouterErrors{model=logarithm,code=QUEUE_UNAVAILABLE}');
    test.endpoint.s3Fault = undefined;
    test.endpoint.queueFault = undefined;
    const { request, result: later, location } = await sendJob(other, 40, key);
    expect(later.statusCode).toBe(202);
    // What was refused was not executed.
    expect(requestLines(other).some(({ JobsResubmitted }) => JobsResubmitted === 1)).toBe(false);
    await test.endpoint.queue.work();
    expect(await test.fault(request, await get(other, location), 40)).toBeUndefined();
  });

  it.each<[string, ServiceFault]>([
    ['loses the answer to a write', { kind: 'reset', when: 'before-answer' }],
    [
      'is in the middle of another write',
      { kind: 'answer', status: 409, body: '<Error><Code>ConditionalRequestConflict</Code></Error>' },
    ],
    ['fails once', { kind: 'answer', status: 500 }],
  ])('S3 %s, the job is made all the same, by one submission', async (name, fault) => {
    for (const key of [/requests/, /jobs/]) {
      const router = queueRouter();
      const before = test.endpoint.queue.taken.length;
      const isHit = isWrite(key);
      // The first, and then the third: every attempt after a failure is well.
      let writes = 0;
      test.endpoint.s3Fault = (call) => (isHit(call) && writes++ % 2 === 0 ? fault : undefined);
      const { request, result, location } = await sendJob(router, 41, `${name} ${key}`);
      expect(result.statusCode).toBe(202);
      expect(writes).toBeGreaterThan(1);
      test.endpoint.s3Fault = undefined;
      expect(test.endpoint.queue.taken.length).toBe(before + 1);
      await test.endpoint.queue.work();
      expect(await test.fault(request, await get(router, location), 41)).toBeUndefined();
      expect(test.endpoint.queue.taken.length).toBe(before + 1);
    }
  });

  it('S3 fails a job that is asked for, the answer is a 503 and the job is well later', async () => {
    const [router, patient] = [queueRouter({ timeout: 1_000 }), queueRouter()];
    const { request, location } = await sendJob(patient, 42);
    await test.endpoint.queue.work();
    for (const url of [/jobs/, /results/]) {
      test.endpoint.s3Fault = ({ request: { url: path } }) =>
        url.test(path ?? '') ? { kind: 'stall', when: 'within-answer' } : undefined;
      expect(errorOf(await get(router, location))).toMatchObject({ status: 503, code: 'QUEUE_UNAVAILABLE' });
    }
    test.endpoint.s3Fault = undefined;
    expect(await test.fault(request, await get(patient, location), 42)).toBeUndefined();
  });

  it('the queue fails again and again, it is left alone for a while', async () => {
    const router = queueRouter({ circuitBreaker: { failures: 2, openFor: 60_000 } });
    test.endpoint.queueFault = () => awsError(503, 'ServiceUnavailable');
    for (let time = 0; time < 6; time++) await sendJob(router, 43);
    const { queue } = test.endpoint.asked;
    const { result } = await sendJob(router, 43);
    expect([result.statusCode, errorOf(result).code, test.endpoint.asked.queue]).toEqual([503, 'CIRCUIT_OPEN', queue]);
  });
});
