import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib/core';
import { Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { InferenceEndpoint, Model } from '../../lib/constructs/index.js';
import { type LocalHost, startLocalHost } from '../../lib/local/local-host.js';
import type { DetectedObject } from '../../lib/tasks/prediction.js';
import { matchDetections } from '../support/detection-metrics.js';
import { HOST_ARCHITECTURE } from '../support/local-app.js';
import { openModel } from '../support/run-model.js';
import { markedFaces, samplePhoto, samplePhotoNames } from '../support/sample-photos.js';

const ROOT = join(import.meta.dirname, '..', '..');
const log: string[] = [];
let folder: string;
let assembly: string;
let host: LocalHost;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-served-'));
  assembly = join(folder, 'cdk.out');
  const app = new App({ outdir: assembly });
  new InferenceEndpoint(new Stack(app, 'Vision'), 'Vision', {
    models: [Model.fromDirectory(join(ROOT, 'models', 'faces'))],
    architecture: HOST_ARCHITECTURE,
  });
  app.synth();
  host = await startLocalHost({ assembly, port: 0, log: (line) => log.push(line) });
});
afterAll(async () => {
  await host?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('the synthesized endpoint answers: the layers are found, the photo arrives, a face comes back', async () => {
  const ready = await fetch(`${host.url}/v2/health/ready`);
  expect(ready.status).toBe(200);
  expect(log.findLast((line) => !line.startsWith('faces |'))).toMatch(
    /^GET \/v2\/health\/ready 200 faces#1 cold: init \d+ ms, run \d+ ms/,
  );

  const photo = readFileSync(createRequire(import.meta.url).resolve('@vladmandic/face-api/demo/sample1.jpg'));
  const answer = await fetch(`${host.url}/predict/faces`, {
    method: 'POST',
    body: photo,
    headers: { 'content-type': 'image/jpeg', 'x-correlation-id': 'order-17' },
  });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('x-correlation-id')).toBe('order-17');
  const { predictions } = (await answer.json()) as { predictions: { label: string; score: number }[] };
  expect(predictions[0]).toMatchObject({ label: 'face', score: expect.any(Number) });
  expect(log.findLast((line) => !line.startsWith('faces |'))).toMatch(
    /^POST \/predict\/faces 200 faces#1 warm: run \d+ ms/,
  );
  await expect
    .poll(() => log.findLast((line) => line.includes('order-17')))
    .toMatch(
      /^faces \| INFO request correlation_id=order-17 model=faces status=200 QueueTime=\d+ ms DecodeTime=[\d.]+ ms InferenceTime=[\d.]+ ms EncodeTime=[\d.]+ ms$/,
    );
});

test('over HTTP, the six photos give at least 21 of their 22 faces and at most one box that is none', async () => {
  const totals = { marked: 0, found: 0, extra: 0 };
  for (const name of samplePhotoNames) {
    const answer = await fetch(`${host.url}/predict/faces`, {
      method: 'POST',
      body: samplePhoto(name),
      headers: { 'content-type': 'image/jpeg' },
    });
    const { predictions } = (await answer.json()) as { predictions: DetectedObject[] };
    const match = matchDetections(predictions, markedFaces(name));
    totals.marked += markedFaces(name).length;
    totals.found += match.found;
    totals.extra += match.extra.length;
  }
  expect(totals.marked).toBe(22);
  expect(totals.found, JSON.stringify(totals)).toBeGreaterThanOrEqual(21);
  expect(totals.extra, JSON.stringify(totals)).toBeLessThanOrEqual(1);
});

test('over HTTP, binary V2 answers are what onnxruntime gives for the same artifact, bit for bit', async () => {
  const [stage] = readdirSync(assembly).filter((name) => existsSync(join(assembly, name, 'models', 'faces')));
  const session = await openModel(join(assembly, stage ?? '', 'models', 'faces', 'model.onnx'), {
    graphOptimizationLevel: 'all',
  });
  const data = Float32Array.from({ length: 256 * 256 * 3 }, (_, index) => Math.sin(index));
  const expected = await session.run({ 'input:0': new Tensor('float32', data, [1, 256, 256, 3]) });
  const header = new TextEncoder().encode(
    JSON.stringify({
      inputs: [
        {
          name: 'input:0',
          datatype: 'FP32',
          shape: [1, 256, 256, 3],
          parameters: { binary_data_size: data.byteLength },
        },
      ],
      parameters: { binary_data_output: true },
    }),
  );
  const answer = await fetch(`${host.url}/v2/models/faces/infer`, {
    method: 'POST',
    body: Buffer.concat([header, new Uint8Array(data.buffer)]),
    headers: { 'inference-header-content-length': String(header.length), 'content-type': 'application/octet-stream' },
  });
  expect(answer.status).toBe(200);
  const body = Buffer.from(await answer.arrayBuffer());
  let offset = Number(answer.headers.get('inference-header-content-length'));
  const { outputs } = JSON.parse(body.subarray(0, offset).toString()) as {
    outputs: { name: string; parameters: { binary_data_size: number } }[];
  };
  expect(outputs.map(({ name }) => name)).toEqual(Object.keys(expected));
  for (const { name, parameters } of outputs) {
    const bytes = body.subarray(offset, offset + parameters.binary_data_size);
    offset += parameters.binary_data_size;
    const tensor = expected[name]?.data as Float32Array;
    expect(bytes.equals(Buffer.from(tensor.buffer, tensor.byteOffset, tensor.byteLength)), name).toBe(true);
  }
});
