/** An endpoint of type 'rest', synthesized and served over real HTTP: buffered with keys and CORS, and streamed. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InferenceEndpoint, Model, type RestApiOptions } from '../../lib/constructs/index.js';
import { type LocalHost, startLocalHost } from '../../lib/local/local-host.js';
import { HOST_ARCHITECTURE } from '../support/local-app.js';
import { samplePhoto, samplePhotoNames } from '../support/sample-photos.js';
import { type ServedArtifact, writeEchoArtifact } from '../support/served-artifact.js';

const ROOT = join(import.meta.dirname, '..', '..');
const ORIGIN = 'https://page.example.com';
const MIB = 1024 * 1024;
let folder: string;
let echo: ServedArtifact;
let buffered: LocalHost;
let streamed: LocalHost;
const logs: Record<string, string[]> = {};

/** As a build leaves it: the manifest names its files, and no others are deployed. */
const listFiles = ({ folder: artifact, manifest, model }: ServedArtifact) => {
  const bytes = readFileSync(model);
  const file = { path: manifest.model, sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length };
  writeFileSync(join(artifact, 'manifest.json'), JSON.stringify({ ...manifest, files: [file] }));
};

const serve = async (name: string, options: Omit<RestApiOptions, 'apiType'>): Promise<LocalHost> => {
  const assembly = join(folder, name);
  const app = new App({ outdir: assembly });
  new InferenceEndpoint(new Stack(app, 'Vision'), 'Vision', {
    apiType: 'rest',
    models: [Model.fromDirectory(join(ROOT, 'models', 'faces')), Model.fromArtifact(echo.folder)],
    architecture: HOST_ARCHITECTURE,
    ...options,
  });
  app.synth();
  const log: string[] = [];
  logs[name] = log;
  return await startLocalHost({ assembly, port: 0, log: (line) => log.push(line) });
};

beforeAll(async () => {
  process.env.CDK_VALIDATION = 'false';
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-served-rest-'));
  echo = writeEchoArtifact([{ name: 'x', dataType: 'float32', shape: ['N'] }]);
  listFiles(echo);
  buffered = await serve('buffered', {
    usagePlans: [{ name: 'gold', apiKeys: ['acme'] }],
    cors: { allowOrigins: ['https://other.example.com', ORIGIN], exposeHeaders: ['Inference-Header-Content-Length'] },
  });
  streamed = await serve('streamed', { streaming: true, requestValidation: true });
});
afterAll(async () => {
  await buffered?.close();
  await streamed?.close();
  echo?.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** In V2's binary form, asked back in JSON or binary. */
const binaryRequest = (values: Float32Array, binaryOutput: boolean) => {
  const header = Buffer.from(
    JSON.stringify({
      inputs: [
        {
          name: 'x',
          datatype: 'FP32',
          shape: [values.length],
          parameters: { binary_data_size: values.byteLength },
        },
      ],
      parameters: { binary_data_output: binaryOutput },
    }),
  );
  return {
    method: 'POST',
    body: Buffer.concat([header, Buffer.from(values.buffer)]),
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(header.length),
      'x-api-key': 'any',
    },
  };
};
const jsonRequest = (body: unknown, headers: Record<string, string> = {}) => ({
  method: 'POST',
  body: typeof body === 'string' ? body : JSON.stringify(body),
  headers: { 'content-type': 'application/json', 'x-api-key': 'any', ...headers },
});
const hosts: readonly [string, () => LocalHost][] = [
  ['buffered', () => buffered],
  ['streamed', () => streamed],
];

describe.each(hosts)('%s', (_, host) => {
  const post = (path: string, init: RequestInit) => fetch(`${host().url}${path}`, init);

  test('finds a face in a picture', async () => {
    const [name = ''] = samplePhotoNames;
    const answer = await post('/predict/faces', {
      method: 'POST',
      body: samplePhoto(name),
      headers: { 'content-type': 'image/jpeg', 'x-api-key': 'any' },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/json');
    const { predictions } = (await answer.json()) as { predictions: { label: string }[] };
    expect(predictions[0]).toMatchObject({ label: 'face', score: expect.any(Number) });
  });

  test('takes V2 and TensorFlow Serving in JSON, at the stage too', async () => {
    const v2 = { inputs: [{ name: 'x', datatype: 'FP32', shape: [3], data: [1, 0.5, -2] }] };
    for (const path of ['/v2/models/echo/infer', '/v2/models/echo/versions/3/infer', '/prod/v2/models/echo/infer']) {
      const answer = await post(path, jsonRequest(v2));
      expect([path, answer.status, await answer.json()]).toMatchObject([
        path,
        200,
        { model_version: '3', outputs: [{ name: 'x_out', data: [1, 0.5, -2] }] },
      ]);
    }
    for (const path of ['/v1/models/echo:predict', '/v1/models/echo/versions/3:predict']) {
      const answer = await post(path, jsonRequest({ inputs: [1, 2] }));
      expect(await answer.json()).toEqual({ outputs: [1, 2] });
    }
  });

  test('takes V2 in binary and answers in binary, to the byte', async () => {
    const values = Float32Array.from({ length: 1000 }, (_, index) => Math.sin(index));
    const answer = await post('/v2/models/echo/infer', binaryRequest(values, true));
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/octet-stream']);
    const body = Buffer.from(await answer.arrayBuffer());
    const head = Number(answer.headers.get('inference-header-content-length'));
    expect(body.subarray(head).equals(Buffer.from(values.buffer))).toBe(true);
  });

  test('answers errors with status, code and advice', async () => {
    const invalid = await post('/v2/models/echo/infer', jsonRequest('{'));
    expect([invalid.status, await invalid.json()]).toMatchObject([
      400,
      { code: 'JSON_INVALID', advice: expect.any(String) },
    ]);
    const version = await post('/v2/models/echo/versions/9/infer', jsonRequest('{}'));
    expect([version.status, await version.json()]).toMatchObject([404, { code: 'MODEL_VERSION_UNKNOWN' }]);
    const picture = await post('/predict/faces', {
      method: 'POST',
      body: 'no picture',
      headers: { 'content-type': 'image/jpeg', 'x-api-key': 'any' },
    });
    expect([picture.status, await picture.json()]).toMatchObject([415, { code: expect.any(String) }]);
  });

  test('lists its models', async () => {
    const answer = await fetch(`${host().url}/v2/models`, { headers: { 'x-api-key': 'any' } });
    expect(await answer.json()).toMatchObject({ models: [{ name: 'faces' }, { name: 'echo' }] });
  });
});

describe('an answer of more than 6 MB', () => {
  const values = Float32Array.from({ length: MIB }, (_, index) => Math.fround(Math.sin(index)));

  test('is an error where answers are buffered', async () => {
    const answer = await fetch(`${buffered.url}/v2/models/echo/infer`, binaryRequest(values, false));
    expect([answer.status, await answer.json()]).toMatchObject([422, { code: 'RESPONSE_TOO_LARGE' }]);
  });

  test('comes whole where they are streamed', async () => {
    const answer = await fetch(`${streamed.url}/v2/models/echo/infer`, binaryRequest(values, false));
    expect(answer.status).toBe(200);
    const text = await answer.text();
    expect(text.length).toBeGreaterThan(6 * MIB);
    const [output] = (JSON.parse(text) as { outputs: { data: number[] }[] }).outputs;
    const received = Float32Array.from(output?.data ?? []);
    expect(Buffer.from(received.buffer).equals(Buffer.from(values.buffer))).toBe(true);
  });
});

describe('what the API asks', () => {
  test('is a key, where there are usage plans', async () => {
    expect((await fetch(`${buffered.url}/v2`)).status).toBe(403);
    expect((await fetch(`${buffered.url}/v2`, { headers: { 'x-api-key': 'any' } })).status).toBe(200);
    expect(logs.buffered?.join('\n')).toMatch(/^warning: Requests need a header x-api-key/m);
    expect((await fetch(`${streamed.url}/v2`)).status).toBe(200);
  });

  test('is the type of a picture, where requests are validated', async () => {
    const picture = await fetch(`${streamed.url}/predict/faces`, { method: 'POST', body: Buffer.from('x') });
    expect(picture.status).toBe(400);
    expect(await picture.json()).toEqual({ message: 'Missing required request parameters: [content-type]' });
  });
});

test('a page of an allowed origin may read answers and errors, another may not', async () => {
  const headersFor = async (origin: string, path: string) => {
    const answer = await fetch(`${buffered.url}${path}`, { headers: { origin, 'x-api-key': 'any' } });
    return Object.fromEntries(answer.headers);
  };
  for (const path of ['/v2', '/v2/models/faces/versions/9']) {
    expect(await headersFor(ORIGIN, path)).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-expose-headers': 'Inference-Header-Content-Length',
      vary: 'Origin',
    });
    const other = await headersFor('https://evil.example.com', path);
    expect(other).toMatchObject({ vary: 'Origin' });
    expect(other).not.toHaveProperty('access-control-allow-origin');
  }
  const silent = await fetch(`${streamed.url}/v2`, { headers: { origin: ORIGIN } });
  expect(silent.headers.has('access-control-allow-origin')).toBe(false);
});
