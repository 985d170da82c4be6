/** What callers are told when a request is wrong, and that the function lives on. */
import { readFileSync } from 'node:fs';
import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { ModelProtoSchema, TensorProto_DataType, TensorProtoSchema } from 'onnx-buf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TensorForm } from '../../../lib/protocol/tensor.js';
import { encodeInferRequest } from '../../support/encode-infer-request.js';
import { errorOf } from '../../support/error-answer.js';
import { modelProto, nodeProto, valueInfo } from '../../support/onnx-messages.js';
import {
  httpEvent,
  type PreparedFunction,
  prepareFunction,
  type RunningFunction,
} from '../../support/predict-function.js';
import { realModels } from '../../support/real-models.js';
import { type ServedArtifact, writeEchoArtifact, writeServedArtifact } from '../../support/served-artifact.js';

let prepared: PreparedFunction;
let echo: ServedArtifact;
let environment: RunningFunction;
const started: RunningFunction[] = [];

beforeAll(async () => {
  prepared = await prepareFunction();
  echo = writeEchoArtifact([{ name: 'x', dataType: 'float32', shape: ['N'] }]);
  environment = await start({ artifact: echo.folder });
});
afterAll(async () => {
  await Promise.all(started.map((each) => each.stop()));
  echo.remove();
  prepared.remove();
});

async function start(options: Parameters<PreparedFunction['start']>[0]): Promise<RunningFunction> {
  const running = await prepared.start(options);
  started.push(running);
  return running;
}

const INFER = '/v2/models/echo/infer';
const one = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]}';

async function expectAlive(): Promise<void> {
  const { statusCode, body } = await environment.post(INFER, one);
  expect({ statusCode, data: JSON.parse(body).outputs?.[0]?.data }).toEqual({ statusCode: 200, data: [1] });
}

describe('a request that cannot be answered', () => {
  it.each([
    ['no body', '', {}, 400, 'JSON_INVALID'],
    ['half a document', '{"inputs":', {}, 400, 'JSON_INVALID'],
    ['bytes of no meaning', Buffer.from([0xff, 0xd8, 0xff, 0, 1]), {}, 400, 'JSON_INVALID'],
    ['an array', '[]', {}, 400, 'OBJECT_EXPECTED'],
    ['a form', 'inputs=1', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'MEDIA_TYPE_UNSUPPORTED'],
    ['a compressed body', Buffer.from('x'), { 'content-encoding': 'gzip' }, 415, 'CONTENT_ENCODING_UNSUPPORTED'],
    ['a header length of letters', one, { 'inference-header-content-length': 'abc' }, 400, 'HEADER_LENGTH_INVALID'],
    ['a negative header length', one, { 'inference-header-content-length': '-1' }, 400, 'HEADER_LENGTH_INVALID'],
    [
      'binary data as text',
      `${one}????`,
      { 'inference-header-content-length': String(one.length) },
      415,
      'BINARY_BODY_AS_TEXT',
    ],
    [
      'too long a header',
      Buffer.from(one),
      { 'inference-header-content-length': '999' },
      400,
      'HEADER_LENGTH_BEYOND_BODY',
    ],
  ] as const)('with %s is told so, and the function lives on', async (_, body, headers, status, code) => {
    expect(errorOf(await environment.post(INFER, body, headers))).toMatchObject({ status, code });
    await expectAlive();
  });

  it('of random bytes is told so, and the function lives on', async () => {
    const bodies = fc.sample(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json()), { numRuns: 60, seed: 7 });
    for (const body of bodies) {
      const headers = typeof body === 'string' ? {} : { 'inference-header-content-length': String(body.length >> 1) };
      expect(errorOf(await environment.post(INFER, body, headers)).status).toBe(400);
    }
    await expectAlive();
  });

  it('asks for nothing that is there', async () => {
    for (const [method, path, status, code] of [
      ['GET', '/', 404, 'ROUTE_UNKNOWN'],
      ['GET', '/v2/models/', 404, 'ROUTE_UNKNOWN'],
      ['GET', '/v2/models/other', 404, 'MODEL_UNKNOWN'],
      ['POST', '/v2/models/other/infer', 404, 'MODEL_UNKNOWN'],
      ['POST', '/v2/models/%65cho/infer', 404, 'MODEL_UNKNOWN'],
      ['GET', '/v2/models/echo/versions/2', 404, 'MODEL_VERSION_UNKNOWN'],
      ['GET', '/v2/models/echo/versions/2/ready', 404, 'MODEL_VERSION_UNKNOWN'],
      ['POST', '/v2/models/echo/versions/03/infer', 404, 'MODEL_VERSION_UNKNOWN'],
      ['POST', '/v2/models/other/versions/3/infer', 404, 'MODEL_UNKNOWN'],
      ['GET', '/v2/models/echo/versions', 404, 'ROUTE_UNKNOWN'],
      ['POST', '/predict/echo', 404, 'NO_TASK'],
      ['DELETE', '/v2', 405, 'METHOD_NOT_ALLOWED'],
      ['GET', INFER, 405, 'METHOD_NOT_ALLOWED'],
      ['POST', '/v2/health/ready', 405, 'METHOD_NOT_ALLOWED'],
    ] as const) {
      const result = await environment.invoke(httpEvent({ method, path }));
      expect(errorOf(result), `${method} ${path}`).toMatchObject({ status, code });
      if (status === 405) expect(result.headers.allow).toBe(path === INFER ? 'POST' : 'GET');
    }
  });

  const whole = { version: '2.0', rawPath: '/v2', headers: {}, requestContext: { http: { method: 'POST' } } };
  it.each([
    {},
    null,
    7,
    { version: '1.0', path: '/v2' },
    { version: '2.0' },
    { ...whole, headers: null },
    { ...whole, headers: { 'content-type': 7 } },
    { ...whole, rawPath: INFER, body: { inputs: [] } },
  ])('is no HTTP event: %j', async (event) => {
    expect(errorOf(await environment.invoke(event))).toMatchObject({ status: 400, code: 'EVENT_UNKNOWN' });
  });

  it('would be answered with more than Lambda lets out', async () => {
    const data = Float32Array.from({ length: 500_000 }, (_, index) => Math.sin(index));
    const input = { name: 'x', dataType: 'float32', shape: [500_000], data, form: 'binary' } as const;
    const ask = (outputForm: TensorForm) => {
      const { text, binary } = encodeInferRequest({ inputs: [input], outputForm });
      const headers = { 'inference-header-content-length': String(text.length) };
      return environment.post(INFER, Buffer.concat([Buffer.from(text), ...binary]), headers);
    };
    const error = errorOf(await ask('json'));
    expect(error).toMatchObject({ status: 422, code: 'RESPONSE_TOO_LARGE' });
    expect(error.advice).toContain('binary');
    // The same tensor takes 2 MB in the binary form.
    expect((await ask('binary')).statusCode).toBe(200);
  });

  it('of a stage with a name is found behind it', async () => {
    const event = { method: 'GET', path: '/prod/v2/health/live', stage: 'prod' };
    expect((await environment.invoke(httpEvent(event))).statusCode).toBe(200);
  });
});

describe('an inference that fails', () => {
  it('says why in the words of onnxruntime, without its source paths', async () => {
    const model = writeServedArtifact({
      name: 'vad',
      model: readFileSync(realModels.sileroV5),
      signature: {
        inputs: [
          { name: 'input', dataType: 'float32', shape: [null, null] },
          { name: 'state', dataType: 'float32', shape: [2, null, 128] },
          { name: 'sr', dataType: 'int64', shape: [] },
        ],
        outputs: [{ name: 'output', dataType: 'float32', shape: [null, 1] }],
      },
    });
    const running = await start({ artifact: model.folder });
    const inputs = (state: number) => [
      { name: 'input', datatype: 'FP32', shape: [1, 576], data: new Array(576).fill(0) },
      { name: 'state', datatype: 'FP32', shape: [2, state, 128], data: new Array(256 * state).fill(0) },
      { name: 'sr', datatype: 'INT64', shape: [], data: [16000] },
    ];
    const path = '/v2/models/vad/infer';
    // A state for three rows and sound for one: the signature allows it, the graph does not.
    const error = errorOf(await running.post(path, JSON.stringify({ inputs: inputs(3) })));
    expect(error).toMatchObject({ status: 400, code: 'INFERENCE_FAILED' });
    expect(error.error).not.toContain('/onnxruntime');
    expect((await running.post(path, JSON.stringify({ inputs: inputs(1) }))).statusCode).toBe(200);
    model.remove();
  });
});

describe('a model with sizes of its own', () => {
  /** y holds ones in the shape that x says, or x in two rows. */
  function writeShapeArtifact(name: string, node: ReturnType<typeof nodeProto>): ServedArtifact {
    const shape = create(TensorProtoSchema, {
      name: 'rows',
      dims: [2n],
      dataType: TensorProto_DataType.INT64,
      int64Data: [2n, -1n],
    });
    const proto = modelProto({
      node: [node],
      initializer: [shape],
      input: [valueInfo('x', ['N'], TensorProto_DataType.INT64)],
      output: [valueInfo('y', ['A', 'B'], name === 'rows' ? TensorProto_DataType.INT64 : TensorProto_DataType.FLOAT)],
    });
    return writeServedArtifact({
      name,
      model: toBinary(ModelProtoSchema, proto),
      signature: {
        inputs: [{ name: 'x', dataType: 'int64', shape: ['N'] }],
        outputs: [{ name: 'y', dataType: name === 'rows' ? 'int64' : 'float32', shape: null }],
      },
    });
  }
  const x = (...data: readonly number[]) =>
    JSON.stringify({ inputs: [{ name: 'x', datatype: 'INT64', shape: [data.length], data }] });

  it('is served although it refused the warm-up run', async () => {
    const rows = writeShapeArtifact('rows', nodeProto('Reshape', ['x', 'rows'], ['y']));
    const running = await start({ artifact: rows.folder });
    expect(running.output).toContain('the model refused its warm-up run');
    const { statusCode, body } = await running.post('/v2/models/rows/infer', x(1, 2, 3, 4));
    expect({ statusCode, output: JSON.parse(body).outputs[0] }).toMatchObject({
      statusCode: 200,
      output: { shape: [2, 2], data: [1, 2, 3, 4] },
    });
    expect(errorOf(await running.post('/v2/models/rows/infer', x(1, 2, 3)))).toMatchObject({
      status: 400,
      code: 'INFERENCE_FAILED',
    });
    rows.remove();
  });

  it('that asks for more memory than there is fails alone, and the function lives on', async () => {
    const ones = writeShapeArtifact('ones', nodeProto('ConstantOfShape', ['x'], ['y']));
    const running = await start({ artifact: ones.folder });
    const path = '/v2/models/ones/infer';
    expect(errorOf(await running.post(path, x(2 ** 30, 2 ** 20)))).toMatchObject({
      status: 500,
      code: 'OUT_OF_MEMORY',
    });
    expect(JSON.parse((await running.post(path, x(1, 2))).body).outputs[0].data).toEqual([0, 0]);
    ones.remove();
  });
});
