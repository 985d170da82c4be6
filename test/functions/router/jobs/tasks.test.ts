/** Requests of tasks that become jobs: their tensors go into the queue, and what comes back is what the function would have answered. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { awsError } from '../../../support/aws-answers.js';
import { errorOf } from '../../../support/error-answer.js';
import { documentOf, GPU_COLD } from '../../../support/job-requests.js';
import type { LoopbackFunction } from '../../../support/loopback-lambda.js';
import type { FunctionResult } from '../../../support/predict-function.js';
import { get, post, RouterEndpoint } from '../../../support/router-endpoint.js';
import { whereAndWhy } from '../../../support/router-test.js';
import { samplePhoto } from '../../../support/sample-photos.js';
import { type ServedArtifact, writeFaceArtifact, writeTaskArtifact } from '../../../support/served-artifact.js';
import { soundModel, textModel } from '../../../support/task-models.js';
import { encodeWav } from '../../../support/wav-writer.js';

const throttled = () => awsError(429, 'TooManyRequestsException');

/** With a queue, while neither Lambda nor the GPU answers. */
function setUp(write: () => ServedArtifact) {
  const artifact = write();
  const { name } = artifact.manifest;
  let endpoint: RouterEndpoint | undefined;
  beforeAll(async () => {
    endpoint = await RouterEndpoint.start(artifact);
  });
  beforeEach(() => {
    if (endpoint === undefined) return;
    endpoint.lambdaFault = throttled;
    endpoint.gpuFault = GPU_COLD;
  });
  afterAll(async () => {
    await endpoint?.close();
    artifact.remove();
  });
  return {
    get endpoint() {
      if (endpoint === undefined) throw new Error('the endpoint starts before the tests');
      return endpoint;
    },
    router(environment: Readonly<Record<string, string>> = {}) {
      const variables = { CDK_ONNX_MODEL_INTERFACE: artifact.folder, ...environment };
      return this.endpoint.router({ hasQueue: true, policy: { onGpuUnavailable: 'queue' }, environment: variables });
    },
    ask: (router: LoopbackFunction, body: string | Uint8Array, type: string, key?: string): Promise<FunctionResult> =>
      post(router, `/predict/${name}`, body, { 'content-type': type, ...(key && { 'idempotency-key': key }) }),
  };
}

const jpeg = 'image/jpeg';
const text = 'text/plain';

describe('a photo that nobody could look at', () => {
  const test = setUp(writeFaceArtifact);

  it.each([
    ['beside a GPU that answers at once', {}, 'all-failed'],
    ['where there is a queue alone', { CDK_ONNX_GPU_ENDPOINT: '' }, 'all-failed'],
  ])('%s becomes a job whose result has the faces in its own pixels', async (_, environment, reason) => {
    const router = test.router(environment);
    const photo = samplePhoto('sample1.jpg');
    const queued = await test.ask(router, photo, jpeg);
    expect(whereAndWhy(queued)).toEqual([202, 'queue', reason]);
    const location = queued.headers.location ?? '';
    expect(documentOf(await get(router, location))).toMatchObject({ status: 'queued' });
    await test.endpoint.queue.work();
    const result = await get(router, location);
    expect(whereAndWhy(result)).toEqual([200, 'sagemaker', 'job']);
    test.endpoint.lambdaFault = undefined;
    const lambda = await test.ask(router, photo, jpeg);
    expect(whereAndWhy(lambda)).toEqual([200, 'lambda', 'primary']);
    expect([result.body, result.headers['content-type']]).toEqual([lambda.body, 'application/json']);
    expect(JSON.parse(lambda.body).predictions.length).toBeGreaterThan(0);
  });

  it('and is none is refused, and nothing is put into the queue', async () => {
    const taken = test.endpoint.queue.taken.length;
    const result = await test.ask(test.router(), samplePhoto('sample1.jpg').slice(0, 5_000), jpeg);
    expect(errorOf(result)).toMatchObject({ status: 400, code: 'PICTURE_DAMAGED' });
    expect(test.endpoint.queue.taken.length).toBe(taken);
  });
});

describe('a text that nobody could read', () => {
  const test = setUp(() => writeTaskArtifact('texts', textModel()));

  it('is one job with its key, and another text or type with that key is none', async () => {
    const router = test.router();
    const first = await test.ask(router, 'You have won a prize', text, 'key');
    const again = await test.ask(router, 'You have won a prize', text, 'key');
    expect([again.statusCode, again.headers.location]).toEqual([202, first.headers.location]);
    expect(test.endpoint.queue.taken).toHaveLength(1);
    for (const [body, type] of [
      ['You have won nothing', text],
      // The same tensors, and not the same request.
      ['{"text":"You have won a prize"}', 'application/json'],
    ] as const) {
      const other = await test.ask(router, body, type, 'key');
      expect(errorOf(other)).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
    }
    const wrong = await test.ask(router, 'You have won a prize', text, ' ');
    expect(errorOf(wrong)).toMatchObject({ status: 400, code: 'IDEMPOTENCY_KEY_INVALID' });
  });

  it('has a result that says so where the tensors are none, too many, or gone', async () => {
    const router = test.router();
    const { endpoint } = test;
    const queued = await test.ask(router, 'a', text);
    const { outputKey, inputKey } = endpoint.queue.taken.at(-1) ?? { outputKey: '', inputKey: '' };
    const answer = (body: string | Buffer) => endpoint.s3.put(outputKey, Buffer.from(body), 'application/json');
    const look = () => get(router, queued.headers.location ?? '');
    answer('{"outputs":[]}');
    expect(errorOf(await look())).toMatchObject({ status: 503, code: 'QUEUE_UNAVAILABLE' });
    answer('{"outputs":[{"name":"scores","datatype":"FP32","shape":[1],"data":[1]}]}');
    expect(errorOf(await look())).toMatchObject({ status: 503, code: 'QUEUE_UNAVAILABLE' });
    answer(Buffer.alloc(33 * 2 ** 20));
    expect(documentOf(await look())).toMatchObject({ status: 'failed', code: 'JOB_FAILED' });
    answer('{"outputs":[{"name":"scores","datatype":"FP32","shape":[1,2],"data":[1,0]}]}');
    expect(documentOf(await look())).toMatchObject({
      model_name: 'texts',
      predictions: [{ label: 'ham', score: 1 }, {}],
    });
    endpoint.s3.objects.delete(`${inputKey}-original`);
    expect(errorOf(await look())).toMatchObject({ status: 410, code: 'JOB_EXPIRED' });
  });

  it('is Lambda’s alone where the router does not know what the model takes', async () => {
    const result = await test.ask(test.router({ CDK_ONNX_MODEL_INTERFACE: '' }), 'a', text);
    expect(errorOf(result)).toMatchObject({ status: 503, code: 'LAMBDA_UNAVAILABLE' });
  });
});

describe('a sound that nobody could hear', () => {
  const test = setUp(() => writeTaskArtifact('sounds', soundModel()));

  it('is no job: its windows wait for each other', async () => {
    const taken = test.endpoint.queue.taken.length;
    const sound = encodeWav(new Float32Array(2_000));
    const result = await test.ask(test.router(), sound, 'audio/wav');
    expect(errorOf(result)).toMatchObject({ status: 503, code: 'TARGETS_UNAVAILABLE' });
    const alone = await test.ask(test.router({ CDK_ONNX_GPU_ENDPOINT: '' }), sound, 'audio/wav');
    expect(errorOf(alone)).toMatchObject({ status: 503, code: 'LAMBDA_UNAVAILABLE' });
    expect(test.endpoint.queue.taken.length).toBe(taken);
  });
});
