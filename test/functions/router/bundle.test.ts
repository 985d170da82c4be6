/** The real router in front of the real function that predicts, and what it makes of every way in which that and the GPU fail. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { awsError, functionError } from '../../support/aws-answers.js';
import type { ServiceFault } from '../../support/faulty-service.js';
import { logarithmRequest } from '../../support/logarithm-requests.js';
import { NODES_UNDER_TEST, requireNode } from '../../support/node24.js';
import { post } from '../../support/router-endpoint.js';
import { requestLines, setUpRouterTest, whereAndWhy } from '../../support/router-test.js';
import { modelError } from '../../support/triton-on-sagemaker.js';

const test = setUpRouterTest();
const ROUTER_PROBE = join(import.meta.dirname, '../../support/fault-run/router-probe.cjs');

describe.each(NODES_UNDER_TEST)('an inference on $name', (target) => {
  it.for(['json', 'binary'] as const)(
    'as %s is computed on Lambda, and on the GPU where Lambda throttles',
    async (form, { skip }) => {
      const router = test.endpoint.router({ node: requireNode(target, skip) });
      expect(whereAndWhy(await test.infer(router, form))).toEqual([200, 'lambda', 'primary']);
      test.endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
      expect(whereAndWhy(await test.infer(router, form))).toEqual([200, 'sagemaker', 'throttled']);
      expect(whereAndWhy(await test.infer(router, form, 100_000))).toEqual([200, 'sagemaker', 'throttled']);
    },
  );
});

describe('when Lambda', () => {
  it.each<[string, ServiceFault, string]>([
    ['throttles', awsError(429, 'TooManyRequestsException'), 'throttled'],
    ['takes no event of that size', awsError(413, 'RequestTooLargeException'), 'payload-too-large'],
    ['is not allowed to the router', awsError(403, 'AccessDeniedException'), 'refused'],
    ['fails as a service', awsError(500, 'ServiceException'), 'unavailable'],
    ['prepares the function', awsError(502, 'ResourceNotReadyException'), 'not-ready'],
    [
      'ends the function at its timeout',
      functionError('Sandbox.Timedout', 'RequestId: 1 Error: Task timed out after 3.00 seconds'),
      'timeout',
    ],
    [
      'finds no memory',
      functionError('Runtime.ExitError', 'RequestId: 1 Error: Runtime exited with error: signal: killed'),
      'function-error',
    ],
    ['cuts the connection before the work', { kind: 'reset', when: 'before-work' }, 'connection'],
    ['loses the acknowledgement', { kind: 'reset', when: 'before-answer' }, 'connection'],
    ['writes half of a body', { kind: 'reset', when: 'within-answer' }, 'connection'],
    ['ends its body early', { kind: 'cut-short' }, 'connection'],
    ['does not answer', { kind: 'stall', when: 'before-work' }, 'timeout'],
    ['stops in the middle of its answer', { kind: 'stall', when: 'within-answer' }, 'timeout'],
    ['writes too slowly', { kind: 'trickle', pieces: 100, pause: 300 }, 'timeout'],
  ])('%s, the GPU answers', async (_, fault, reason) => {
    const router = test.endpoint.router({ policy: { cpuTimeout: 500 } });
    test.endpoint.lambdaFault = () => fault;
    expect(whereAndWhy(await test.infer(router, 'binary'))).toEqual([200, 'sagemaker', reason]);
  });

  it('loses the process that computes, the GPU answers; after that Lambda does again', async () => {
    const router = test.endpoint.router();
    await test.infer(router);
    test.endpoint.predict.onEvent = () => {
      test.endpoint.predict.onEvent = () => undefined;
      // It is reading the numbers.
      setTimeout(() => void test.endpoint.predict.killAll(), 5);
    };
    expect(whereAndWhy(await test.infer(router, 'json', 250_000))).toEqual([200, 'sagemaker', 'function-error']);
    expect(requestLines(router).at(-1)).toMatchObject({
      attempts: [{ outcome: 'function-error', code: 'Runtime.ExitError' }, {}],
    });
    expect(whereAndWhy(await test.infer(router))).toEqual([200, 'lambda', 'primary']);
  });

  it('is slow only, its answer counts if it comes before that of the GPU', async () => {
    const router = test.endpoint.router({ policy: { cpuTimeout: 300 } });
    await test.infer(router);
    test.endpoint.lambdaFault = () => ({ kind: 'delay', milliseconds: 600 });
    test.endpoint.gpuFault = () => ({ kind: 'stall', when: 'before-work' });
    expect(whereAndWhy(await test.infer(router))).toEqual([200, 'lambda', 'primary']);
  });

  it('is slow once in a while, a hedge answers', async () => {
    const router = test.endpoint.router({ policy: { hedgeAfter: 100 } });
    for (let time = 0; time < 12; time++) await test.infer(router);
    test.endpoint.lambdaFault = () => ({ kind: 'delay', milliseconds: 5_000 });
    expect(whereAndWhy(await test.infer(router))).toEqual([200, 'sagemaker', 'hedge']);
    const line = requestLines(router).at(-1);
    expect(line).toMatchObject({
      Hedges: 1,
      ExtraLoad: 1,
      attempts: [{ outcome: 'discarded' }, { outcome: 'answer' }],
    });
  });
});

describe('when the wall clock jumps', () => {
  it.each([3_600_000, -3_600_000])('by %d ms, requests still get their answers', async (by) => {
    const environment = { NODE_OPTIONS: `--require ${JSON.stringify(ROUTER_PROBE)}` };
    const router = test.endpoint.router({ environment });
    const { path, body } = logarithmRequest(1, 'json');
    for (const headers of [{}, { 'x-fault-clock': `${by};0` }, {}]) {
      expect(whereAndWhy(await post(router, path, body, headers))).toEqual([200, 'lambda', 'primary']);
    }
  });
});

describe('what is too large for Lambda', () => {
  it.each([
    [{ maxCpuBatch: 3 }, 'batch-too-large'],
    [{ maxCpuPayload: 20 }, 'payload-too-large'],
  ])('by %j goes to the GPU, and to nobody else when that is away', async (policy, reason) => {
    const router = test.endpoint.router({ policy });
    const before = test.endpoint.asked;
    for (const form of ['json', 'binary'] as const) {
      expect(whereAndWhy(await test.infer(router, form))).toEqual([200, 'sagemaker', reason]);
    }
    test.endpoint.gpuFault = () => awsError(429, 'ModelNotReadyException', { 'retry-after': '9' });
    const refused = await test.infer(router);
    expect([...whereAndWhy(refused), refused.headers['retry-after']]).toEqual([503, undefined, 'gpu-needed', '9']);
    expect(JSON.parse(refused.body)).toMatchObject({
      code: 'GPU_UNAVAILABLE',
      error: expect.stringContaining('SageMaker: not ready (ModelNotReadyException)'),
    });
    expect(test.endpoint.asked).toEqual({ ...before, gpu: before.gpu + 3 });
  });
});

describe('when both fail', () => {
  it('the answer is a 503 that says so, soon without asking anybody, and Lambda answers as soon as a probe finds it well', async () => {
    const router = test.endpoint.router({ policy: { circuitBreaker: { failures: 3, openFor: 1_500 } } });
    test.endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    test.endpoint.gpuFault = () => awsError(503, 'ServiceUnavailable');
    const before = test.endpoint.asked;
    const codes: string[] = [];
    for (let time = 0; time < 20; time++) {
      const { statusCode, body, headers } = await test.infer(router);
      expect([statusCode, headers['content-type'], Number(headers['retry-after']) > 0]).toEqual([
        503,
        'application/json',
        true,
      ]);
      codes.push(JSON.parse(body).code);
    }
    expect([codes[0], codes.at(-1)]).toEqual(['TARGETS_UNAVAILABLE', 'CIRCUIT_OPEN']);
    const { lambda, gpu } = test.endpoint.asked;
    expect(lambda - before.lambda).toBeLessThanOrEqual(4);
    expect(gpu - before.gpu).toBeLessThanOrEqual(4);
    test.endpoint.lambdaFault = undefined;
    for (let answer = 503, wait = 0; answer !== 200; wait++) {
      expect(wait).toBeLessThan(100);
      await sleep(200);
      answer = (await test.infer(router)).statusCode;
    }
  });

  it('by saying nothing, the answer is a 503 in time, also where the function has less than the policy', async () => {
    test.endpoint.lambdaFault = () => ({ kind: 'stall', when: 'before-work' });
    test.endpoint.gpuFault = () => ({ kind: 'stall', when: 'within-answer' });
    for (const router of [
      test.endpoint.router({ policy: { timeout: 1_000 } }),
      test.endpoint.router({ timeoutSeconds: 2 }),
    ]) {
      const result = await test.infer(router);
      expect([result.statusCode, JSON.parse(result.body).code]).toEqual([503, 'DEADLINE_EXCEEDED']);
    }
  });

  it('and the model on the GPU refuses the request, that is the answer', async () => {
    test.endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    const result = await post(test.endpoint.router(), '/v2/models/logarithm/infer', '{"inputs":[]}');
    expect(whereAndWhy(result)).toEqual([400, 'sagemaker', 'throttled']);
    expect(JSON.parse(result.body)).toMatchObject({ code: 'MODEL_REFUSED', error: expect.stringContaining('x') });
  });

  it('the model on the GPU with an error of its own, the answer is a 503', async () => {
    test.endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    const { status, headers, body } = modelError(500, 'CUDA error');
    test.endpoint.gpuFault = () => ({ kind: 'answer', status, headers, body: body.toString() });
    const result = await test.infer(test.endpoint.router());
    expect([result.statusCode, JSON.parse(result.body).code]).toEqual([503, 'TARGETS_UNAVAILABLE']);
    expect(result.body).not.toContain('CUDA');
  });
});
