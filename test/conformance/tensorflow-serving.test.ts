/**
 * The requests of TensorFlow Serving's documentation, sent as curl sends them, and the answers that it shows for them.
 * https://www.tensorflow.org/tfx/serving/api_rest
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ServedEndpoint, serveModels } from './endpoint.js';

let endpoint: ServedEndpoint;
beforeAll(async () => {
  endpoint = await serveModels(['half_plus_two', 'sensors', 'images']);
});
afterAll(() => endpoint?.close());

interface Answer {
  readonly status: number;
  readonly document: unknown;
}

/** `curl URL`, and with a body `curl -d BODY URL`: curl calls that a form. */
async function curl(path: string, body?: string): Promise<Answer> {
  const answer = await fetch(
    `${endpoint.url}${path}`,
    body === undefined
      ? {}
      : { method: 'POST', body, headers: { 'content-type': 'application/x-www-form-urlencoded', accept: '*/*' } },
  );
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
  return { status: answer.status, document: await answer.json() };
}

/** A row of the example with several named tensors. */
const ROWS = [
  { tag: 'foo', signal: [1, 2, 3, 4, 5], sensor: [[1, 2], [3, 4]] },
  { tag: 'bar', signal: [3, 4, 1, 2, 5], sensor: [[4, 5], [6, 8]] },
]; // biome-ignore format: one row a line
const COLUMNS = {
  tag: ROWS.map(({ tag }) => tag),
  signal: ROWS.map(({ signal }) => signal),
  sensor: ROWS.map(({ sensor }) => sensor),
};

describe('TensorFlow Serving: model status', () => {
  const status = {
    model_version_status: [{ version: '123', state: 'AVAILABLE', status: { error_code: 'OK', error_message: '' } }],
  };
  test('GET /v1/models/half_plus_two', async () => {
    expect(await curl('/v1/models/half_plus_two')).toEqual({ status: 200, document: status });
  });
  test('GET /v1/models/half_plus_two/versions/123', async () => {
    expect(await curl('/v1/models/half_plus_two/versions/123')).toEqual({ status: 200, document: status });
  });
  test('of a version that is not there is a 404', async () => {
    expect(await curl('/v1/models/half_plus_two/versions/124')).toMatchObject({
      status: 404,
      document: { error: expect.stringContaining('124') },
    });
  });
  test('of a model that is not there is a 404', async () => {
    expect((await curl('/v1/models/half_plus_three')).status).toBe(404);
  });
});

describe('TensorFlow Serving: model metadata', () => {
  for (const path of ['/v1/models/half_plus_two/metadata', '/v1/models/half_plus_two/versions/123/metadata']) {
    test(`GET ${path}`, async () => {
      const tensor = (name: string) => ({
        dtype: 'DT_FLOAT',
        tensor_shape: { dim: [{ size: '-1', name: 'N' }], unknown_rank: false },
        name,
      });
      expect(await curl(path)).toEqual({
        status: 200,
        document: {
          model_spec: { name: 'half_plus_two', signature_name: '', version: '123' },
          metadata: {
            signature_def: {
              signature_def: {
                serving_default: {
                  inputs: { x: tensor('x') },
                  outputs: { y: tensor('y') },
                  method_name: 'tensorflow/serving/predict',
                },
              },
            },
          },
        },
      });
    });
  }
});

describe('TensorFlow Serving: predict in row form', () => {
  const answer = { status: 200, document: { predictions: [2.5, 3, 4.5] } };
  test('POST /v1/models/half_plus_two:predict', async () => {
    expect(await curl('/v1/models/half_plus_two:predict', '{"instances": [1.0, 2.0, 5.0]}')).toEqual(answer);
  });
  test('POST /v1/models/half_plus_two/versions/123:predict', async () => {
    const path = '/v1/models/half_plus_two/versions/123:predict';
    expect(await curl(path, '{"instances": [1.0, 2.0, 5.0]}')).toEqual(answer);
  });
  test('with a signature_name', async () => {
    const body = '{"signature_name": "serving_default", "instances": [1.0, 2.0, 5.0]}';
    expect(await curl('/v1/models/half_plus_two:predict', body)).toEqual(answer);
  });
  test('with the input by its name', async () => {
    const body = '{"instances": [{"x": 1.0}, {"x": 2.0}, {"x": 5.0}]}';
    expect(await curl('/v1/models/half_plus_two:predict', body)).toEqual(answer);
  });
  test('with several named tensors', async () => {
    const named = ROWS.map(({ tag, signal, sensor }) => ({ tag_out: tag, signal_out: signal, sensor_out: sensor }));
    expect(await curl('/v1/models/sensors:predict', JSON.stringify({ instances: ROWS }))).toEqual({
      status: 200,
      document: { predictions: named },
    });
  });
  test('with strings, and with bytes in base64, which come back so', async () => {
    const b64 = ['aW1hZ2UgYnl0ZXM=', 'YXdlc29tZSBpbWFnZSBieXRlcw=='].map((text) => ({ b64: text }));
    expect(await curl('/v1/models/images:predict', JSON.stringify({ instances: b64 }))).toEqual({
      status: 200,
      document: { predictions: b64 },
    });
    const named = b64.map((image_bytes) => ({ image_bytes }));
    expect((await curl('/v1/models/images:predict', JSON.stringify({ instances: named }))).document).toEqual({
      predictions: b64,
    });
    const plain = await curl('/v1/models/images:predict', '{"instances": ["image bytes"]}');
    expect(plain.document).toEqual({ predictions: [{ b64: 'aW1hZ2UgYnl0ZXM=' }] });
  });
});

describe('TensorFlow Serving: predict in column form', () => {
  test('of one tensor', async () => {
    expect(await curl('/v1/models/half_plus_two:predict', '{"inputs": [1.0, 2.0, 5.0]}')).toEqual({
      status: 200,
      document: { outputs: [2.5, 3, 4.5] },
    });
  });
  test('of one tensor by its name', async () => {
    expect(await curl('/v1/models/half_plus_two:predict', '{"inputs": {"x": [1.0, 2.0, 5.0]}}')).toEqual({
      status: 200,
      document: { outputs: [2.5, 3, 4.5] },
    });
  });
  test('of several named tensors', async () => {
    expect(await curl('/v1/models/sensors:predict', JSON.stringify({ inputs: COLUMNS }))).toEqual({
      status: 200,
      document: { outputs: { tag_out: COLUMNS.tag, signal_out: COLUMNS.signal, sensor_out: COLUMNS.sensor } },
    });
  });
});

describe('TensorFlow Serving: an error is {"error": …} with a status', () => {
  test.each([
    ['for both forms at once', '/v1/models/half_plus_two:predict', '{"instances": [1.0], "inputs": [1.0]}', 400],
    ['for another signature_name', '/v1/models/half_plus_two:predict', '{"signature_name": "x", "inputs": [1.0]}', 400],
    ['for broken JSON', '/v1/models/half_plus_two:predict', '{"instances": [1.0, 2.0', 400],
    ['for rows that differ', '/v1/models/sensors:predict', JSON.stringify({ instances: [ROWS[0], {}] }), 400],
    ['for another version', '/v1/models/half_plus_two/versions/1:predict', '{"instances": [1.0]}', 404],
  ])('%s', async (_, path, body, status) => {
    const answer = await curl(path, body);
    expect(answer).toMatchObject({ status, document: { error: expect.any(String) } });
  });
});
