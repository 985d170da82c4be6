/** TensorFlow Serving's requests, answered by the GPU as Lambda answers them: the same bytes from the real router and the real function. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { awsError } from '../../../support/aws-answers.js';
import { errorOf } from '../../../support/error-answer.js';
import type { LoopbackFunction } from '../../../support/loopback-lambda.js';
import { httpEvent } from '../../../support/predict-function.js';
import { post, RouterEndpoint } from '../../../support/router-endpoint.js';
import { requestLines, whereAndWhy } from '../../../support/router-test.js';
import { writeEchoArtifact, writeLogarithmArtifact } from '../../../support/served-artifact.js';

const artifacts = {
  echo: writeEchoArtifact([
    { name: 'whole', dataType: 'int64', shape: ['N'] },
    { name: 'text', dataType: 'string', shape: ['N'] },
    { name: 'flag', dataType: 'bool', shape: ['N', 2] },
    { name: 'byte', dataType: 'uint8', shape: ['N'] },
    { name: 'single', dataType: 'float64', shape: [] },
  ]),
  logarithm: writeLogarithmArtifact(),
};
const throttled = () => awsError(429, 'TooManyRequestsException');

describe.each(['echo', 'logarithm'] as const)('the model %s', (name) => {
  const artifact = artifacts[name];
  let endpoint: RouterEndpoint;
  let router: LoopbackFunction;
  beforeAll(async () => {
    endpoint = await RouterEndpoint.start(artifact);
    router = endpoint.router({
      policy: { maxCpuPayload: 5_000 },
      environment: { CDK_ONNX_MODEL_INTERFACE: artifact.folder },
    });
  });
  beforeEach(() => {
    endpoint.lambdaFault = undefined;
    endpoint.gpuFault = undefined;
  });
  afterAll(async () => {
    await endpoint?.close();
    artifact.remove();
  });

  const echoInputs = {
    whole: ['9223372036854775807', -1, 0].map(String),
    text: ['', 'ä"\n', '日本'],
    flag: [
      [true, false],
      [false, false],
      [true, true],
    ],
    byte: [0, 255, 7],
    single: 0.1,
  };
  // Integers beyond 2^53 are literals of JSON that JavaScript cannot write.
  const inputs = JSON.stringify(echoInputs).replace(/"whole":\[[^\]]*\]/, (text) =>
    text.replaceAll('"', '').replace('whole', '"whole"'),
  );
  const cases: Readonly<Record<typeof name, readonly (readonly [string, string, number])[]>> = {
    echo: [
      ['columns', `{"inputs":${inputs}}`, 200],
      ['columns of nothing', `{"inputs":{"whole":[],"text":[],"flag":[],"byte":[],"single":1}}`, 400],
      ['rows, which a scalar has not', `{"instances":[${inputs}]}`, 400],
      ['an input too few', '{"inputs":{"whole":[1]}}', 400],
      ['another signature', '{"signature_name":"x","inputs":{}}', 400],
    ],
    logarithm: [
      ['rows', '{"instances":[1,2.5,1e-30]}', 200],
      ['rows by name', '{"signature_name":"serving_default","instances":[{"x":1},{"x":2}]}', 200],
      ['columns', '{"inputs":[1,2]}', 200],
      ['what has an infinite logarithm', '{"instances":[0]}', 422],
      ['no document', '{"instances":', 400],
      ['texts', '{"instances":["a"]}', 400],
    ],
  };

  it.each(cases[name])('answers %s alike', async (_, body, status) => {
    const path = `/v1/models/${name}:predict`;
    const lambda = await post(router, path, body);
    expect(whereAndWhy(lambda)).toEqual([status, 'lambda', 'primary']);
    endpoint.lambdaFault = throttled;
    const gpu = await post(router, path, body);
    expect([gpu.statusCode, gpu.body, gpu.headers['content-type']]).toEqual([status, lambda.body, 'application/json']);
    if (status === 200) expect(whereAndWhy(gpu)).toEqual([200, 'sagemaker', 'throttled']);
  });

  if (name === 'logarithm') {
    it('sends what is too large for Lambda to the GPU, and the rest to Lambda as it came', async () => {
      const path = '/v1/models/logarithm/versions/3:predict';
      const large = JSON.stringify({ instances: Array.from({ length: 2_000 }, (_, index) => index + 1) });
      expect(whereAndWhy(await post(router, path, large))).toEqual([200, 'sagemaker', 'payload-too-large']);
      expect((await post(router, '/v1/models/logarithm/versions/4:predict', '{"instances":[1]}')).statusCode).toBe(404);
      const base64 = Buffer.from('{"instances":[1]}');
      endpoint.lambdaFault = throttled;
      const result = await router.invoke<Awaited<ReturnType<typeof post>>>(
        httpEvent({ method: 'POST', path, body: base64 }),
      );
      expect([result.statusCode, result.body]).toEqual([200, '{"predictions":[0]}']);
    });

    it('does not take what is no answer of Triton for one', async () => {
      endpoint.lambdaFault = throttled;
      for (const body of [
        '{"outputs":[]}',
        '{"outputs":[{"name":"y","datatype":"FP64","shape":[1],"data":[1]}]}',
        '{"outputs":[{"name":"y","datatype":"FP32","shape":[2],"data":[1]}]}',
      ]) {
        endpoint.gpuFault = () => ({
          kind: 'answer',
          status: 200,
          headers: { 'content-type': 'application/json' },
          body,
        });
        const result = await post(router, '/v1/models/logarithm:predict', '{"instances":[1]}');
        expect([result.statusCode, errorOf(result).code]).toEqual([503, 'TARGETS_UNAVAILABLE']);
      }
      expect(requestLines(router).at(-1)).toMatchObject({ attempts: [{}, { code: 'answering ANSWER_INVALID' }] });
    });

    it('is no job where nobody answers: clients of TensorFlow Serving know none', async () => {
      const queueing = endpoint.router({
        hasQueue: true,
        policy: { onGpuUnavailable: 'queue' },
        environment: { CDK_ONNX_MODEL_INTERFACE: artifact.folder },
      });
      endpoint.lambdaFault = throttled;
      endpoint.gpuFault = () => awsError(429, 'ModelNotReadyException');
      const result = await post(queueing, '/v1/models/logarithm:predict', '{"instances":[1]}');
      expect([result.statusCode, errorOf(result).code]).toEqual([503, 'TARGETS_UNAVAILABLE']);
    });
  }
});
