/** A model above the limit of a layer, from its source over S3 to an answer. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { App, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Manifest } from '../../lib/artifact/manifest.js';
import { InferenceEndpoint, Model } from '../../lib/constructs/index.js';
import { type LocalHost, startLocalHost } from '../../lib/local/local-host.js';
import { flipByte, LARGE_MODEL_WIDTH, largeModelWeights, writeLargeModel } from '../support/large-model.js';
import { HOST_ARCHITECTURE } from '../support/local-app.js';
import { randomTensor } from '../support/random-numbers.js';
import { openModel } from '../support/run-model.js';

// A temporary folder of this file's own: hundreds of megabytes must not outlive it.
const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-large-'));
process.env.TMPDIR = folder;
process.env.CDK_VALIDATION = 'false';
const assembly = join(folder, 'cdk.out');
let stack: Stack;
let host: LocalHost | undefined;
let log: string[] = [];

const weightsAsset = () => largeModelWeights(assembly, 'Large');
const serve = async () => {
  log = [];
  host = await startLocalHost({ assembly, port: 0, log: (line) => log.push(line) });
  return host.url;
};
/** What the function logged, as the local host shows it. */
const lines = () => log.filter((line) => line.startsWith('large | '));
/** The numbers of a line, by their names. */
const numbersOf = (line = '') =>
  Object.fromEntries([...line.matchAll(/(\w+)=([\d.]+)/g)].map(([, name = '', value]) => [name, Number(value)]));

beforeAll(async () => {
  const model = join(folder, 'large');
  mkdirSync(model);
  await writeLargeModel(model, 'large');
  const app = new App({ outdir: assembly });
  stack = new Stack(app, 'Large');
  new InferenceEndpoint(stack, 'Endpoint', { models: [Model.fromDirectory(model)], architecture: HOST_ARCHITECTURE });
  app.synth();
  // It is in the assembly now.
  rmSync(model, { recursive: true });
});
afterAll(async () => {
  await host?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('its weights are an asset of their own, the layer holds all the rest', () => {
  const { hash, file, files } = weightsAsset();
  expect(statSync(file).size).toBeGreaterThan(300e6);
  const template = Template.fromStack(stack);
  const layers = Object.values(template.findResources('AWS::Lambda::LayerVersion'));
  const layer = layers.find(({ Properties }) => Properties.Description === 'model large');
  const key: string = layer?.Properties.Content.S3Key;
  const layerFolder = join(assembly, files[key.replace('.zip', '')]?.source.path ?? '', 'models', 'large');
  expect(readdirSync(layerFolder).sort()).toEqual(['manifest.json', 'model.onnx']);
  const manifest = JSON.parse(readFileSync(join(layerFolder, 'manifest.json'), 'utf8')) as Manifest;
  expect(manifest.files).toContainEqual({ path: 'model.onnx.data', sha256: hash, bytes: statSync(file).size });
  Annotations.fromStack(stack).hasInfo('*', Match.stringLikeRegexp('the model comes from S3 at init'));
});

describe('served on this machine', () => {
  test('answers as onnxruntime does with the same files, with its weights in /tmp', async () => {
    const url = await serve();
    const ready = await fetch(`${url}/v2/health/ready`);
    expect([ready.status, await ready.json()]).toEqual([200, { ready: true }]);

    const { file } = weightsAsset();
    const session = await openModel(file.replace(/\.data$/, ''), {
      graphOptimizationLevel: 'all',
    });
    const x = randomTensor([2, LARGE_MODEL_WIDTH], 5);
    const expected = (await session.run({ x })).y?.data as Float32Array;
    await session.release();
    const answer = await fetch(`${url}/v2/models/large/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        inputs: [{ name: 'x', datatype: 'FP32', shape: x.dims, data: [...(x.data as Float32Array)] }],
      }),
    });
    expect(answer.status).toBe(200);
    const { outputs } = (await answer.json()) as { outputs: { data: number[] }[] };
    expect(Float32Array.from(outputs[0]?.data ?? [])).toEqual(expected);
    expect(Math.max(...expected)).toBeGreaterThan(0.5);
  });

  test('logs a line per quarter, and takes little memory beside the file', () => {
    const bytes = statSync(weightsAsset().file).size;
    expect(lines()[0]).toBe(`large | INFO loading weights model=large bytes=${bytes}`);
    const loaded = lines()
      .filter((line) => line.includes('INFO weights loading'))
      .map((line) => (numbersOf(line).loadedBytes ?? 0) / bytes);
    expect(loaded.length).toBeGreaterThanOrEqual(3);
    expect(loaded).toEqual([...loaded].sort());
    const done = numbersOf(lines().find((line) => line.includes('INFO weights loaded')));
    const number = expect.any(Number);
    expect(done).toMatchObject({ bytes, retries: 0, ms: number, megabytesPerSecond: number });
    // The whole process, with Node.js itself; the weights alone are 336 MB.
    if (process.platform === 'linux') expect(done.peakMemoryMiB).toBeLessThan(200);
    expect(lines().some((line) => line.includes('INFO model ready'))).toBe(true);
  });

  test('refuses weights with one byte changed, stays alive, and keeps nothing of them', async () => {
    await host?.close();
    const { file, hash } = weightsAsset();
    flipByte(file, 200_000_000);
    const url = await serve();
    const refused = await fetch(`${url}/v2/models/large/ready`);
    expect(refused.status).toBe(503);
    const body = (await refused.json()) as Record<string, string>;
    expect(body).toMatchObject({
      code: 'MODEL_NOT_READY',
      error: 'The weights of the model large could not be loaded.',
    });
    expect(JSON.stringify(body)).not.toMatch(/s3:|sha256|\/tmp/);
    expect(lines().find((line) => line.includes('WEIGHTS_DIGEST'))).toContain(hash);
    expect((await fetch(`${url}/v2/health/live`)).status).toBe(200);
    const temporary = readdirSync(folder).find((name) => name.startsWith('cdk-onnx-local-')) ?? '';
    const left = readdirSync(join(folder, temporary), { recursive: true }).map(String);
    expect(left.filter((path) => path.includes('model.onnx.data'))).toEqual([]);
    flipByte(file, 200_000_000);
  });

  test('refuses weights that are cut short', async () => {
    await host?.close();
    const { file } = weightsAsset();
    truncateSync(file, statSync(file).size - 1);
    const url = await serve();
    expect((await fetch(`${url}/v2/models/large/ready`)).status).toBe(503);
    expect(lines().some((line) => line.includes('WEIGHTS_SIZE'))).toBe(true);
    expect((await fetch(`${url}/v2/health/live`)).status).toBe(200);
  });
});
