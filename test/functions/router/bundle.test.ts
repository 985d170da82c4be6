/** The real router in front of the real function that predicts, and what it makes of every way in which that and the GPU fail. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readEmbeddedMetrics, seriesOf } from '../../support/embedded-metric-format.js';
import type { ServiceFault } from '../../support/faulty-service.js';
import { LogarithmOracle, logarithmRequest } from '../../support/logarithm-requests.js';
import type { LoopbackFunction } from '../../support/loopback-lambda.js';
import { NODES_UNDER_TEST, requireNode } from '../../support/node24.js';
import { type FunctionResult, httpEvent } from '../../support/predict-function.js';
import { get, post, RouterEndpoint } from '../../support/router-endpoint.js';
import { writeLogarithmArtifact } from '../../support/served-artifact.js';
import { modelError } from '../../support/triton-on-sagemaker.js';

const artifact = writeLogarithmArtifact();
let endpoint: RouterEndpoint;
let oracle: LogarithmOracle;
let seed = 0;

beforeAll(async () => {
  endpoint = await RouterEndpoint.start(artifact);
  oracle = await LogarithmOracle.open(artifact.model);
});
beforeEach(() => {
  endpoint.lambdaFault = undefined;
  endpoint.gpuFault = undefined;
});
afterAll(async () => {
  await endpoint?.close();
  await oracle?.close();
  artifact.remove();
});

const awsError = (status: number, type: string, headers = {}): ServiceFault => ({
  kind: 'answer',
  status,
  headers: { 'x-amzn-errortype': type, ...headers },
  body: '{}',
});
const functionError = (errorType: string, errorMessage: string): ServiceFault => ({
  kind: 'answer',
  status: 200,
  headers: { 'x-amz-function-error': 'Unhandled' },
  body: JSON.stringify({ errorType, errorMessage }),
});

/** Sends an inference; a prediction must be the right one. */
async function infer(router: LoopbackFunction, form: 'json' | 'binary' = 'json', count = 4): Promise<FunctionResult> {
  seed += 1;
  const request = logarithmRequest(seed, form, count);
  const result = await post(router, request.path, request.body, request.headers);
  if (result.statusCode === 200) expect(await oracle.fault(request, result, seed)).toBeUndefined();
  return result;
}

function whereAndWhy({ statusCode, headers }: FunctionResult) {
  return [statusCode, headers['x-cdk-onnx-computed-by'], headers['x-cdk-onnx-reason']];
}

function requestLines(router: LoopbackFunction) {
  return router.lines.map((line) => JSON.parse(line)).filter(({ message }) => message === 'request');
}

describe.each(NODES_UNDER_TEST)('an inference on $name', (target) => {
  it.for(['json', 'binary'] as const)(
    'as %s is computed on Lambda, and on the GPU where Lambda throttles',
    async (form, { skip }) => {
      const router = endpoint.router({ node: requireNode(target, skip) });
      expect(whereAndWhy(await infer(router, form))).toEqual([200, 'lambda', 'primary']);
      endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
      expect(whereAndWhy(await infer(router, form))).toEqual([200, 'sagemaker', 'throttled']);
      expect(whereAndWhy(await infer(router, form, 100_000))).toEqual([200, 'sagemaker', 'throttled']);
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
    const router = endpoint.router({ policy: { cpuTimeout: 500 } });
    endpoint.lambdaFault = () => fault;
    expect(whereAndWhy(await infer(router, 'binary'))).toEqual([200, 'sagemaker', reason]);
  });

  it('loses the process that computes, the GPU answers; after that Lambda does again', async () => {
    const router = endpoint.router();
    await infer(router);
    endpoint.predict.onEvent = () => {
      endpoint.predict.onEvent = () => undefined;
      // It is reading the numbers.
      setTimeout(() => void endpoint.predict.killAll(), 5);
    };
    expect(whereAndWhy(await infer(router, 'json', 250_000))).toEqual([200, 'sagemaker', 'function-error']);
    expect(requestLines(router).at(-1)).toMatchObject({
      attempts: [{ outcome: 'function-error', code: 'Runtime.ExitError' }, {}],
    });
    expect(whereAndWhy(await infer(router))).toEqual([200, 'lambda', 'primary']);
  });

  it('is slow only, its answer counts if it comes before that of the GPU', async () => {
    const router = endpoint.router({ policy: { cpuTimeout: 300 } });
    await infer(router);
    endpoint.lambdaFault = () => ({ kind: 'delay', milliseconds: 600 });
    endpoint.gpuFault = () => ({ kind: 'stall', when: 'before-work' });
    expect(whereAndWhy(await infer(router))).toEqual([200, 'lambda', 'primary']);
  });

  it('is slow once in a while, a hedge answers', async () => {
    const router = endpoint.router({ policy: { hedgeAfter: 100 } });
    for (let time = 0; time < 12; time++) await infer(router);
    endpoint.lambdaFault = () => ({ kind: 'delay', milliseconds: 5_000 });
    expect(whereAndWhy(await infer(router))).toEqual([200, 'sagemaker', 'hedge']);
    const line = requestLines(router).at(-1);
    expect(line).toMatchObject({
      Hedges: 1,
      ExtraLoad: 1,
      attempts: [{ outcome: 'discarded' }, { outcome: 'answer' }],
    });
  });
});

describe('what is too large for Lambda', () => {
  it.each([
    [{ maxCpuBatch: 3 }, 'batch-too-large'],
    [{ maxCpuPayload: 20 }, 'payload-too-large'],
  ])('by %j goes to the GPU, and to nobody else when that is away', async (policy, reason) => {
    const router = endpoint.router({ policy });
    const before = endpoint.asked;
    for (const form of ['json', 'binary'] as const) {
      expect(whereAndWhy(await infer(router, form))).toEqual([200, 'sagemaker', reason]);
    }
    endpoint.gpuFault = () => awsError(429, 'ModelNotReadyException', { 'retry-after': '9' });
    const refused = await infer(router);
    expect([...whereAndWhy(refused), refused.headers['retry-after']]).toEqual([503, undefined, 'gpu-needed', '9']);
    expect(JSON.parse(refused.body)).toMatchObject({
      code: 'GPU_UNAVAILABLE',
      error: expect.stringContaining('SageMaker: not ready (ModelNotReadyException)'),
    });
    expect(endpoint.asked).toEqual({ lambda: before.lambda, gpu: before.gpu + 3 });
  });
});

describe('when both fail', () => {
  it('the answer is a 503 that says so, soon without asking anybody, and Lambda answers as soon as a probe finds it well', async () => {
    const router = endpoint.router({ policy: { circuitBreaker: { failures: 3, openFor: 1_500 } } });
    endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    endpoint.gpuFault = () => awsError(503, 'ServiceUnavailable');
    const before = endpoint.asked;
    const codes: string[] = [];
    for (let time = 0; time < 20; time++) {
      const { statusCode, body, headers } = await infer(router);
      expect([statusCode, headers['content-type'], Number(headers['retry-after']) > 0]).toEqual([
        503,
        'application/json',
        true,
      ]);
      codes.push(JSON.parse(body).code);
    }
    expect([codes[0], codes.at(-1)]).toEqual(['TARGETS_UNAVAILABLE', 'CIRCUIT_OPEN']);
    const { lambda, gpu } = endpoint.asked;
    expect(lambda - before.lambda).toBeLessThanOrEqual(4);
    expect(gpu - before.gpu).toBeLessThanOrEqual(4);
    endpoint.lambdaFault = undefined;
    for (let answer = 503, wait = 0; answer !== 200; wait++) {
      expect(wait).toBeLessThan(100);
      await sleep(200);
      answer = (await infer(router)).statusCode;
    }
  });

  it('by saying nothing, the answer is a 503 in time, also where the function has less than the policy', async () => {
    endpoint.lambdaFault = () => ({ kind: 'stall', when: 'before-work' });
    endpoint.gpuFault = () => ({ kind: 'stall', when: 'within-answer' });
    for (const router of [endpoint.router({ policy: { timeout: 1_000 } }), endpoint.router({ timeoutSeconds: 2 })]) {
      const result = await infer(router);
      expect([result.statusCode, JSON.parse(result.body).code]).toEqual([503, 'DEADLINE_EXCEEDED']);
    }
  });

  it('and the model on the GPU refuses the request, that is the answer', async () => {
    endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    const result = await post(endpoint.router(), '/v2/models/logarithm/infer', '{"inputs":[]}');
    expect(whereAndWhy(result)).toEqual([400, 'sagemaker', 'throttled']);
    expect(JSON.parse(result.body)).toMatchObject({ code: 'MODEL_REFUSED', error: expect.stringContaining('x') });
  });

  it('the model on the GPU with an error of its own, the answer is a 503', async () => {
    endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    const { status, headers, body } = modelError(500, 'CUDA error');
    endpoint.gpuFault = () => ({ kind: 'answer', status, headers, body: body.toString() });
    const result = await infer(endpoint.router());
    expect([result.statusCode, JSON.parse(result.body).code]).toEqual([503, 'TARGETS_UNAVAILABLE']);
    expect(result.body).not.toContain('CUDA');
  });
});

describe('what Lambda alone understands', () => {
  it('metadata, health and descriptions are its answers unchanged, whatever happens to inferences', async () => {
    const router = endpoint.router();
    const { gpu } = endpoint.asked;
    for (const path of [
      '/v2',
      '/v2/health/live',
      '/v2/health/ready',
      '/v2/models',
      '/v2/models/logarithm',
      '/openapi.json',
      '/v1/models/logarithm',
    ]) {
      const { statusCode, headers } = await get(router, path);
      expect([path, statusCode, Object.keys(headers).filter((name) => name.startsWith('x-cdk'))]).toEqual([
        path,
        200,
        [],
      ]);
    }
    expect(endpoint.asked.gpu).toBe(gpu);
  });

  it('refusals of the function are its answers too', async () => {
    const router = endpoint.router();
    for (const [path, status, code] of [
      ['/v2/models/other/infer', 404, 'MODEL_UNKNOWN'],
      ['/v2/models/logarithm/versions/9/infer', 404, 'MODEL_VERSION_UNKNOWN'],
      ['/predict/logarithm', 404, 'NO_TASK'],
      ['/nowhere', 404, 'ROUTE_UNKNOWN'],
      ['/v2/models/logarithm/infer', 400, 'INPUTS_INVALID'],
    ] as const) {
      const { statusCode, body } = await post(router, path, '{}');
      expect([path, statusCode, JSON.parse(body).code]).toEqual([path, status, code]);
    }
  });

  it('an inference of a version that it is, both understand', async () => {
    const router = endpoint.router();
    endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    const { body, headers } = logarithmRequest(1, 'json');
    const result = await post(router, '/v2/models/logarithm/versions/3/infer', body, headers);
    expect(whereAndWhy(result)).toEqual([200, 'sagemaker', 'throttled']);
  });

  it("TensorFlow Serving's requests are answered by it, or with a 503 that says what the GPU would take", async () => {
    const router = endpoint.router();
    const { gpu } = endpoint.asked;
    const answered = await post(router, '/v1/models/logarithm:predict', '{"instances":[1,2]}');
    expect(whereAndWhy(answered)).toEqual([200, 'lambda', 'primary']);
    endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException', { 'retry-after': '4' });
    const refused = await post(router, '/v1/models/logarithm:predict', '{"instances":[1,2]}');
    expect([...whereAndWhy(refused), refused.headers['retry-after']]).toEqual([503, undefined, 'lambda-only', '4']);
    expect(JSON.parse(refused.body)).toMatchObject({
      code: 'LAMBDA_UNAVAILABLE',
      advice: expect.stringContaining('/infer'),
    });
    expect(endpoint.asked.gpu).toBe(gpu);
  });

  it('a body that can be seen to be none is refused as the function would, and nobody is asked', async () => {
    const router = endpoint.router();
    const asked = endpoint.asked;
    const result = await post(router, '/v2/models/logarithm/infer', 'x', { 'content-type': 'text/csv' });
    expect([result.statusCode, JSON.parse(result.body).code]).toEqual([415, 'MEDIA_TYPE_UNSUPPORTED']);
    expect(endpoint.asked).toEqual(asked);
  });
});

describe('a REST API', () => {
  it('gets answers of both with the headers that a web page needs', async () => {
    const cors = JSON.stringify({ allowOrigins: ['https://app.example'], allowCredentials: false, exposeHeaders: [] });
    const router = endpoint.router({ environment: { CDK_ONNX_CORS: cors } });
    const { body } = logarithmRequest(2, 'json');
    const event = {
      path: '/v2/models/logarithm/infer',
      httpMethod: 'POST',
      headers: { 'Content-Type': 'application/json', Origin: 'https://app.example', 'X-Correlation-Id': 'abc-1' },
      body,
      isBase64Encoded: false,
      requestContext: { requestId: 'r' },
    };
    for (const by of ['lambda', 'sagemaker']) {
      const { statusCode, headers } = await router.invoke<FunctionResult>(event);
      expect([statusCode, headers]).toMatchObject([
        200,
        {
          'x-cdk-onnx-computed-by': by,
          'access-control-allow-origin': 'https://app.example',
          'x-correlation-id': 'abc-1',
        },
      ]);
      endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    }
  });

  it('or nobody at all gets an answer for what is no request', async () => {
    const result = await endpoint.router().invoke<FunctionResult>({ Records: [] });
    expect([result.statusCode, JSON.parse(result.body).code]).toEqual([400, 'EVENT_UNKNOWN']);
  });
});

describe('the log', () => {
  it('has one line a request, with metrics that CloudWatch understands and nothing of what was sent', async () => {
    const router = endpoint.router();
    await infer(router);
    endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    await router.invoke(
      httpEvent({
        method: 'POST',
        path: '/v2/models/logarithm/infer',
        body: '{"id":"SECRET","inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]}',
        requestContext: { requestId: 'req-7', timeEpoch: Date.now() },
      }),
    );
    await post(router, '/v2/models/logarithm/infer', '{"inputs":[{"name":"SECRET"}]}');
    endpoint.gpuFault = () => awsError(503, 'ServiceUnavailable');
    await infer(router);
    await get(router, '/v2');
    const lines = requestLines(router);
    expect(lines).toHaveLength(5);
    expect(router.lines.join('\n')).not.toContain('SECRET');
    for (const line of lines) readEmbeddedMetrics(line);
    const model = '{model=logarithm}';
    expect(seriesOf(lines[0])).toEqual([
      `RouterColdStart${model}`,
      `RouterTime${model}`,
      `LambdaAnswers${model}`,
      `LambdaTime${model}`,
    ]);
    expect(seriesOf(lines[1])).toEqual([
      `RouterQueueTime${model}`,
      `RouterTime${model}`,
      `GpuAnswers${model}`,
      `GpuTime${model}`,
      `Fallbacks${model}`,
      'Fallbacks{model=logarithm,code=throttled}',
    ]);
    expect(lines[1]).toMatchObject({
      status: 200,
      computed_by: 'sagemaker',
      reason: 'throttled',
      correlation_id: 'req-7',
      attempts: [
        { target: 'lambda', outcome: 'throttled' },
        { target: 'sagemaker', outcome: 'answer' },
      ],
    });
    expect(lines[2]).toMatchObject({ status: 400, attempts: [{}, { outcome: 'model-error', code: '400' }] });
    expect(seriesOf(lines[3])).toContain('RouterErrors{model=logarithm,code=TARGETS_UNAVAILABLE}');
  });

  it('says what is wrong with the router, and so does each answer', async () => {
    const router = endpoint.router({ policy: { onGpuUnavailable: 'queue' } });
    const result = await infer(router);
    expect([result.statusCode, JSON.parse(result.body)]).toMatchObject([
      500,
      { code: 'POLICY_INVALID', error: expect.stringContaining('queue') },
    ]);
    expect(JSON.parse(router.lines[0] ?? '')).toMatchObject({ level: 'ERROR', error: { code: 'POLICY_INVALID' } });
    const empty = await infer(endpoint.router({ environment: { CDK_ONNX_GPU_ENDPOINT: '' } }));
    expect(JSON.parse(empty.body)).toMatchObject({ code: 'ROUTER_INCOMPLETE' });
  });
});
