/** What the real router does beside choosing a target: what only Lambda understands, both kinds of API, the log. */
import { describe, expect, it } from 'vitest';
import { MAX_RESPONSE_BYTES } from '../../../lib/local/runtime-api.js';
import { awsError } from '../../support/aws-answers.js';
import { readEmbeddedMetrics, seriesOf } from '../../support/embedded-metric-format.js';
import { logarithmRequest } from '../../support/logarithm-requests.js';
import { type FunctionResult, httpEvent } from '../../support/predict-function.js';
import { get, post } from '../../support/router-endpoint.js';
import { requestLines, setUpRouterTest, whereAndWhy } from '../../support/router-test.js';

const test = setUpRouterTest();

describe('what Lambda alone understands', () => {
  it('metadata, health and descriptions are its answers unchanged, whatever happens to inferences', async () => {
    const router = test.endpoint.router();
    const { gpu } = test.endpoint.asked;
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
    expect(test.endpoint.asked.gpu).toBe(gpu);
  });

  it('refusals of the function are its answers too', async () => {
    const router = test.endpoint.router();
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

  it('an answer that just fits into what a function may return still does', async () => {
    const router = test.endpoint.router();
    const result = { statusCode: 200, headers: {}, body: '', isBase64Encoded: false };
    const body = 'x'.repeat(MAX_RESPONSE_BYTES - JSON.stringify(result).length);
    test.endpoint.lambdaFault = () => ({ kind: 'answer', status: 200, body: JSON.stringify({ ...result, body }) });
    const request = logarithmRequest(3, 'json');
    const { statusCode, body: answered } = await post(router, request.path, request.body);
    expect([statusCode, answered.length]).toEqual([200, body.length]);
  });

  it('an inference of a version that it is, both understand', async () => {
    const router = test.endpoint.router();
    test.endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    const { body, headers } = logarithmRequest(1, 'json');
    const result = await post(router, '/v2/models/logarithm/versions/3/infer', body, headers);
    expect(whereAndWhy(result)).toEqual([200, 'sagemaker', 'throttled']);
  });

  it("TensorFlow Serving's requests are answered by it, or with a 503 that says what the GPU would take", async () => {
    const router = test.endpoint.router();
    const { gpu } = test.endpoint.asked;
    const answered = await post(router, '/v1/models/logarithm:predict', '{"instances":[1,2]}');
    expect(whereAndWhy(answered)).toEqual([200, 'lambda', 'primary']);
    test.endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException', { 'retry-after': '4' });
    const refused = await post(router, '/v1/models/logarithm:predict', '{"instances":[1,2]}');
    expect([...whereAndWhy(refused), refused.headers['retry-after']]).toEqual([503, undefined, 'lambda-only', '4']);
    expect(JSON.parse(refused.body)).toMatchObject({
      code: 'LAMBDA_UNAVAILABLE',
      advice: expect.stringContaining('/infer'),
    });
    expect(test.endpoint.asked.gpu).toBe(gpu);
  });

  it('a body that can be seen to be none is refused as the function would, and nobody is asked', async () => {
    const router = test.endpoint.router();
    const asked = test.endpoint.asked;
    const result = await post(router, '/v2/models/logarithm/infer', 'x', { 'content-type': 'text/csv' });
    expect([result.statusCode, JSON.parse(result.body).code]).toEqual([415, 'MEDIA_TYPE_UNSUPPORTED']);
    expect(test.endpoint.asked).toEqual(asked);
  });
});

describe('a REST API', () => {
  it('gets answers of both with the headers that a web page needs', async () => {
    const cors = JSON.stringify({ allowOrigins: ['https://app.example'], allowCredentials: false, exposeHeaders: [] });
    const router = test.endpoint.router({ environment: { CDK_ONNX_CORS: cors } });
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
      test.endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    }
  });

  it('or nobody at all gets an answer for what is no request', async () => {
    const result = await test.endpoint.router().invoke<FunctionResult>({ Records: [] });
    expect([result.statusCode, JSON.parse(result.body).code]).toEqual([400, 'EVENT_UNKNOWN']);
  });
});

describe('the log', () => {
  it('has one line a request, with metrics that CloudWatch understands and nothing of what was sent', async () => {
    const router = test.endpoint.router();
    await test.infer(router);
    test.endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    await router.invoke(
      httpEvent({
        method: 'POST',
        path: '/v2/models/logarithm/infer',
        body: '{"id":"SECRET","inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]}',
        requestContext: { requestId: 'req-7', timeEpoch: Date.now() },
      }),
    );
    await post(router, '/v2/models/logarithm/infer', '{"inputs":[{"name":"SECRET"}]}');
    test.endpoint.gpuFault = () => awsError(503, 'ServiceUnavailable');
    await test.infer(router);
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

  it('counts an open circuit for inferences alone: a health check neither notices nor closes it', async () => {
    const router = test.endpoint.router({ policy: { circuitBreaker: { failures: 1, openFor: 3_600_000 } } });
    test.endpoint.lambdaFault = () => awsError(429, 'TooManyRequestsException');
    await test.infer(router);
    await test.infer(router);
    test.endpoint.lambdaFault = undefined;
    await get(router, '/v2/health/ready');
    const counted = requestLines(router).map((line) => seriesOf(line).includes('LambdaCircuitOpen{model=logarithm}'));
    expect(counted).toEqual([true, true, false]);
  });

  it('says what is wrong with the router, and so does each answer', async () => {
    const router = test.endpoint.router({ policy: { onGpuUnavailable: 'queue' } });
    const result = await test.infer(router);
    expect([result.statusCode, JSON.parse(result.body)]).toMatchObject([
      500,
      { code: 'ROUTER_INCOMPLETE', error: expect.stringContaining('CDK_ONNX_GPU_QUEUE_ENDPOINT') },
    ]);
    expect(JSON.parse(router.lines[0] ?? '')).toMatchObject({ level: 'ERROR', error: { code: 'ROUTER_INCOMPLETE' } });
    const empty = await test.infer(test.endpoint.router({ environment: { CDK_ONNX_GPU_ENDPOINT: '' } }));
    expect(JSON.parse(empty.body)).toMatchObject({ code: 'ROUTER_INCOMPLETE' });
  });
});
