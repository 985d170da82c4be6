/** Triton's contract on SageMaker: what goes there and comes back, and every way in which it fails. */
import { Tensor } from 'onnxruntime-node';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { readEndpoint } from '../../../../functions/aws/endpoint.js';
import { SignedRequests } from '../../../../functions/aws/signed-requests.js';
import { SigningTime } from '../../../../functions/aws/signing-time.js';
import type { UndecodedInferBody } from '../../../../functions/http/infer-body.js';
import { SageMakerTarget } from '../../../../functions/router/targets/sagemaker.js';
import type { TensorForm } from '../../../../lib/protocol/tensor.js';
import { expectedAuthorization, withoutSpaces } from '../../../support/aws-signature.js';
import { encodeInferRequest } from '../../../support/encode-infer-request.js';
import type { FaultyService, ServiceFault } from '../../../support/faulty-service.js';
import { runModel } from '../../../support/run-model.js';
import { writeLogarithmArtifact } from '../../../support/served-artifact.js';
import { modelError, startTritonOnSageMaker } from '../../../support/triton-on-sagemaker.js';

const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'se/cret+', sessionToken: 'tok/en==' };
const artifact = writeLogarithmArtifact();
const values = [1, 2, 0.5, 1e-3, 77];
let fault: ServiceFault | undefined;
let triton: FaultyService;
let target: SageMakerTarget;

const started = startTritonOnSageMaker({
  endpointName: 'gpu-1',
  model: artifact.model,
  signature: artifact.manifest.signature,
  fault: () => fault,
});
beforeEach(async () => {
  triton = await started;
  fault = undefined;
  const endpoint = readEndpoint(
    { variable: 'SAGEMAKER_RUNTIME', host: 'runtime.sagemaker' },
    { AWS_REGION: 'eu-west-1', AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: triton.url },
  );
  const post = new SignedRequests({ endpoint, service: 'sagemaker', credentials, time: new SigningTime() });
  target = new SageMakerTarget({ post, endpointName: 'gpu-1' });
});
afterAll(async () => {
  await (await started).close();
  artifact.remove();
});

function requestOf(form: TensorForm, outputForm: TensorForm, data = values): UndecodedInferBody {
  const tensor = { name: 'x', dataType: 'float32' as const, shape: [data.length], data: Float32Array.from(data), form };
  const { text, binary } = encodeInferRequest({ id: 'r 1', inputs: [tensor], outputForm });
  if (binary.length === 0) return { kind: 'text', text };
  const document = Buffer.from(text);
  return {
    kind: 'base64',
    base64: Buffer.concat([document, ...binary]).toString('base64'),
    headerLength: document.length,
  };
}

const invoke = (body = requestOf('json', 'json')) => target.invoke(body, new AbortController().signal);

describe.each(['json', 'binary'] as const)('an inference with inputs as %s', (form) => {
  it.each(['json', 'binary'] as const)('and outputs as %s brings what onnxruntime computes', async (outputForm) => {
    const outcome = await invoke(requestOf(form, outputForm));
    if (outcome.kind !== 'answer' || outcome.answer.kind !== 'response') throw new Error(JSON.stringify(outcome));
    const { status, headers, body } = outcome.answer.response;
    const bytes = typeof body === 'string' ? Buffer.from(body) : Buffer.concat(body);
    const length = Number(headers['inference-header-content-length'] ?? bytes.length);
    const document = JSON.parse(bytes.toString('utf8', 0, length));
    expect([status, headers['content-type'], document.id]).toEqual([
      200,
      outputForm === 'json' ? 'application/json' : 'application/octet-stream',
      'r 1',
    ]);
    const computed =
      outputForm === 'json'
        ? document.outputs[0].data
        : [...new Float32Array(new Uint8Array(bytes.subarray(length)).buffer)];
    const { y } = await runModel(artifact.model, {
      x: new Tensor('float32', Float32Array.from(values), [values.length]),
    });
    expect(computed.map(Math.fround)).toEqual(Array.from((y?.data ?? []) as Float32Array));
  });
});

it("a call is signed as AWS's own signer signs it, and says in its content type how long the document is", async () => {
  const body = requestOf('binary', 'json');
  await invoke(body);
  const request = triton.calls.at(-1)?.request;
  if (request === undefined || body.kind !== 'base64') throw new Error('no call');
  expect(request.url).toBe('/endpoints/gpu-1/invocations');
  expect(request.headers['content-type']).toBe(
    `application/vnd.sagemaker-triton.binary+json;json-header-size=${body.headerLength}`,
  );
  const expected = await expectedAuthorization(request, {
    service: 'sagemaker',
    region: 'eu-west-1',
    credentials,
    body: Buffer.from(body.base64, 'base64'),
  });
  expect(withoutSpaces(request.headers.authorization)).toBe(expected);
});

it('JSON that came as bytes goes on as JSON', async () => {
  const body = requestOf('json', 'json');
  const base64 = Buffer.from(body.kind === 'text' ? body.text : '').toString('base64');
  expect(await invoke({ kind: 'base64', base64, headerLength: undefined })).toMatchObject({ kind: 'answer' });
});

describe('a call that fails', () => {
  const container = (status: number, message: string): ServiceFault => {
    const { status: outer, headers, body } = modelError(status, message);
    return { kind: 'answer', status: outer, headers, body: body.toString() };
  };
  const refused = (status: number, type: string, members: object = {}, headers = {}): ServiceFault => ({
    kind: 'answer',
    status,
    headers: { 'x-amzn-errortype': type, ...headers },
    body: JSON.stringify(members),
  });
  const ok = (type: string, body: string): ServiceFault => ({
    kind: 'answer',
    status: 200,
    headers: { 'content-type': type },
    body,
  });
  const binary = (size: string) => `application/vnd.sagemaker-triton.binary+json;json-header-size=${size}`;

  it.each<[string, ServiceFault, object]>([
    [
      'a refusal of the model',
      container(400, '{"error":"unexpected shape for input \'x\'"}'),
      { kind: 'model-error', status: 400, message: "unexpected shape for input 'x'" },
    ],
    [
      'an error of the model',
      container(500, 'CUDA out of memory'),
      { kind: 'model-error', status: 500, message: 'CUDA out of memory' },
    ],
    [
      'a full queue, which Triton calls a bad request',
      container(400, '{"error":"[request id: <id_unknown>] Exceeds maximum queue size"}'),
      { kind: 'throttled' },
    ],
    ['a container that says it has too much', container(429, ''), { kind: 'throttled' }],
    [
      'a container that said nothing in its time',
      container(0, 'Your invocation timed out while waiting for a response from container primary.'),
      { kind: 'timeout' },
    ],
    [
      'a status that means nothing',
      refused(424, 'ModelError', { OriginalStatusCode: 'odd', OriginalMessage: null }),
      { kind: 'model-error', status: 500, message: '' },
    ],
    [
      'a model that is not ready',
      refused(429, 'ModelNotReadyException', {}, { 'retry-after': '30' }),
      { kind: 'not-ready', code: 'ModelNotReadyException', retryAfterSeconds: 30 },
    ],
    ['a throttle', refused(400, 'ThrottlingException'), { kind: 'throttled' }],
    [
      'a service that is not there',
      refused(503, 'ServiceUnavailable'),
      { kind: 'unavailable', code: 'ServiceUnavailable' },
    ],
    ['a service that fails', refused(500, 'InternalFailure'), { kind: 'unavailable', code: 'InternalFailure' }],
    [
      'a service behind it that fails',
      refused(530, 'InternalDependencyException'),
      { kind: 'unavailable', code: 'InternalDependencyException' },
    ],
    [
      'an endpoint that does not exist',
      refused(400, 'ValidationError'),
      { kind: 'refused', status: 400, code: 'ValidationError', isOfRequest: false },
    ],
    [
      'an error whose name is in the body',
      { kind: 'answer', status: 403, body: '{"__type":"com.amazon.coral#AccessDeniedException"}' },
      { kind: 'refused', status: 403, code: 'AccessDeniedException', isOfRequest: false },
    ],
    [
      'a body that is too large',
      refused(413, 'RequestEntityTooLarge'),
      { kind: 'refused', status: 413, code: 'RequestEntityTooLarge', isOfRequest: true },
    ],
    [
      'an answer that is no JSON',
      ok('text/html', '<p>'),
      { kind: 'connection', phase: 'answering', code: 'ANSWER_INVALID' },
    ],
    [
      'a length beyond the answer',
      ok(binary('99'), '{}'),
      { kind: 'connection', phase: 'answering', code: 'ANSWER_INVALID' },
    ],
    [
      'a length that is none',
      ok(binary('x'), '{}'),
      { kind: 'connection', phase: 'answering', code: 'ANSWER_INVALID' },
    ],
    [
      'tensors that are not all there',
      ok(binary('60'), '{"outputs":[{"name":"y","parameters":{"binary_data_size":4}}]}abc'),
      { kind: 'connection', phase: 'answering', code: 'ANSWER_INVALID' },
    ],
    [
      'a lost acknowledgement',
      { kind: 'reset', when: 'before-answer' },
      { kind: 'connection', phase: 'unacknowledged', code: 'ECONNRESET' },
    ],
    [
      'a half-written body',
      { kind: 'reset', when: 'within-answer' },
      { kind: 'connection', phase: 'answering', code: 'ECONNRESET' },
    ],
    [
      'a body that ends early without having said its length',
      { kind: 'cut-short' },
      { kind: 'connection', phase: 'answering', code: 'ANSWER_INVALID' },
    ],
  ])('with %s says so', async (_, what, outcome) => {
    fault = what;
    expect(await invoke()).toEqual(expect.objectContaining(outcome));
  });

  it('because of its tensors is refused with the reason of the model', async () => {
    const outcome = await invoke({ kind: 'text', text: '{"inputs":[]}' });
    expect(outcome).toMatchObject({ kind: 'model-error', status: 400, message: expect.stringContaining('x') });
  });
});
