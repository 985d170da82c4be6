/** Many who send the same request with the same key, at once and again, while S3 and SageMaker lose what they like: one job, one result. */
import * as fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { S3Bucket } from '../../../../functions/aws/s3-bucket.js';
import { SignedRequests } from '../../../../functions/aws/signed-requests.js';
import { SigningTime } from '../../../../functions/aws/signing-time.js';
import type { HttpRequest } from '../../../../functions/http/http.js';
import { type JobAnswer, JobService } from '../../../../functions/router/jobs/job-service.js';
import { SageMakerQueue } from '../../../../functions/router/targets/sagemaker-queue.js';
import { type FaultyService, type ServiceFault, startFaultyService } from '../../../support/faulty-service.js';
import { logarithmRequest } from '../../../support/logarithm-requests.js';
import { LOOPBACK_CREDENTIALS, LOOPBACK_REGION } from '../../../support/loopback-lambda.js';
import { LoopbackS3 } from '../../../support/loopback-s3.js';
import { LoopbackQueue } from '../../../support/sagemaker-queue.js';
import { writeLogarithmArtifact } from '../../../support/served-artifact.js';

const BUCKET = 'jobs-bucket';
const artifact = writeLogarithmArtifact();
let s3: LoopbackS3;
let queue: LoopbackQueue;
let sagemaker: FaultyService;
/** One for each call, in turn; none after the last. */
let s3Faults: (ServiceFault | undefined)[] = [];
let queueFaults: (ServiceFault | undefined)[] = [];

beforeAll(async () => {
  s3 = await LoopbackS3.start({
    bucket: BUCKET,
    allows: { put: ['requests/', 'jobs/'], get: ['jobs/', 'results/', 'failures/'] },
    fault: () => s3Faults.shift(),
  });
  const { model, manifest } = artifact;
  const options = { endpointName: 'queue', bucket: BUCKET, s3, model, signature: manifest.signature };
  queue = await LoopbackQueue.open(options);
  sagemaker = await startFaultyService({
    answer: (request) => queue.take(request),
    fault: () => queueFaults.shift(),
  });
});
afterAll(async () => {
  await Promise.all([s3.service.close(), sagemaker.close(), queue.close()]);
  artifact.remove();
});
beforeEach(() => {
  s3.expiryDays = 30;
});

/** As an environment of the router has it. */
function service(): JobService {
  const requests = (name: string, url: string) =>
    new SignedRequests({
      endpoint: { url, region: LOOPBACK_REGION },
      service: name,
      credentials: {
        accessKeyId: LOOPBACK_CREDENTIALS.AWS_ACCESS_KEY_ID,
        secretAccessKey: LOOPBACK_CREDENTIALS.AWS_SECRET_ACCESS_KEY,
        sessionToken: LOOPBACK_CREDENTIALS.AWS_SESSION_TOKEN,
      },
      time: new SigningTime(),
    });
  return new JobService({
    model: 'logarithm',
    bucket: new S3Bucket({ requests: requests('s3', `${s3.service.url}/${BUCKET}`), name: BUCKET }),
    queue: new SageMakerQueue({ requests: requests('sagemaker', sagemaker.url), endpointName: 'queue' }),
    secret: 'secret',
    conclude: async () => undefined,
  });
}

type Step =
  /** So many send the request, at the same time. */
  | { readonly kind: 'send'; readonly count: number }
  /** So many ask for the job. */
  | { readonly kind: 'ask'; readonly count: number }
  /** SageMaker computes what it has. */
  | { readonly kind: 'work' }
  /** Whoever was at it is not any more. */
  | { readonly kind: 'wait' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('send' as const), count: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('ask' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'work' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'wait' }) },
);
const LOST: ServiceFault = { kind: 'reset', when: 'before-answer' };
const faults = (...kinds: ServiceFault[]) =>
  fc.array(fc.option(fc.constantFrom(...kinds), { freq: 3, nil: undefined }), { maxLength: 24 });
const s3Fault = faults(
  LOST,
  { kind: 'reset', when: 'before-work' },
  { kind: 'answer', status: 503, body: '<Error><Code>SlowDown</Code></Error>' },
  { kind: 'answer', status: 409, body: '<Error><Code>ConditionalRequestConflict</Code></Error>' },
  { kind: 'delay', milliseconds: 3 },
);
const queueFault = faults(
  LOST,
  { kind: 'cut-short' },
  { kind: 'reset', when: 'before-work' },
  { kind: 'answer', status: 503, headers: { 'x-amzn-errortype': 'ServiceUnavailable' }, body: '{}' },
  { kind: 'answer', status: 500, headers: { 'x-amzn-errortype': 'InternalFailure' }, body: '{}' },
  { kind: 'delay', milliseconds: 5 },
);

let runs = 0;

it('one key is one job with one result, and what SageMaker got twice was counted', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), s3Fault, queueFault, async (steps, one, two) => {
      runs += 1;
      s3.clockOffset = 0;
      s3Faults = [...one];
      queueFaults = [...two];
      const { path, body } = logarithmRequest(runs, 'json');
      const request: HttpRequest = {
        method: 'POST',
        path,
        basePath: '',
        headers: { 'idempotency-key': `key ${runs}` },
        body: { content: String(body), isBase64: false },
        requestId: undefined,
        receivedAt: undefined,
      };
      const taken = queue.taken.length;
      const environments = [service(), service(), service()];
      const ids = new Set<string>();
      const results = new Set<string>();
      let resubmissions = 0;
      let turn = 0;
      const next = () => environments[turn++ % environments.length] ?? service();
      const signal = AbortSignal.timeout(60_000);
      const send = async () => {
        const jobs = next();
        const outcome = await jobs.add(
          request,
          { tensors: { kind: 'text', text: String(body) }, isTask: false },
          signal,
        );
        if (outcome.kind !== 'queued') return;
        const { response, note } = jobs.answer(request, outcome, 'gpu-needed');
        expect([response.status, response.headers.location]).toEqual([202, `/v2/models/logarithm/jobs/${note.id}`]);
        ids.add(outcome.job.id);
        if (note.isResubmitted) resubmissions += 1;
      };
      const ask = async (id: string) => {
        const answer: JobAnswer = await next().look(request, id, signal);
        if (answer.note.isResubmitted) resubmissions += 1;
        expect([200, 503]).toContain(answer.response.status);
        if (answer.response.headers['x-cdk-onnx-computed-by'] !== undefined) results.add(String(answer.response.body));
        return answer;
      };
      for (const each of steps) {
        if (each.kind === 'work') await queue.work();
        else if (each.kind === 'wait') s3.clockOffset += 32_000;
        else {
          const [id] = ids;
          const count = each.kind === 'ask' && id === undefined ? 0 : each.count;
          await Promise.all(Array.from({ length: count }, () => (each.kind === 'send' ? send() : ask(id ?? ''))));
        }
      }
      // All is well again.
      s3Faults = [];
      queueFaults = [];
      s3.clockOffset += 32_000;
      await send();
      expect(ids.size).toBe(1);
      await queue.work();
      const [id = ''] = ids;
      for (let time = 0; time < 2; time++) await ask(id);
      await queue.work();
      await ask(id);
      expect(results.size).toBe(1);
      const submissions = queue.taken.slice(taken);
      expect(new Set(submissions.map(({ inferenceId, inputKey }) => `${inferenceId} ${inputKey}`)).size).toBe(1);
      // What a service lost before its work was counted too; what was not counted was not submitted twice.
      expect(submissions.length).toBeGreaterThanOrEqual(1);
      expect(submissions.length).toBeLessThanOrEqual(1 + resubmissions);
    }),
    { numRuns: 25 },
  );
}, 600_000);
