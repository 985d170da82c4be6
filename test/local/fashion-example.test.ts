import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { InferenceEndpoint, Model } from '../../lib/constructs/index.js';
import { type LocalHost, startLocalHost } from '../../lib/local/local-host.js';
import { HOST_ARCHITECTURE } from '../support/local-app.js';

const EXAMPLE = join(import.meta.dirname, '../../models/fashion');
const HOLDOUT = join(EXAMPLE, 'samples/holdout');
const { task } = JSON.parse(readFileSync(join(EXAMPLE, 'model.json'), 'utf8'));

interface Prediction {
  readonly label: string;
  readonly score: number;
}

let folder: string;
let host: LocalHost;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-fashion-'));
  const assembly = join(folder, 'cdk.out');
  const app = new App({ outdir: assembly });
  new InferenceEndpoint(new Stack(app, 'Vision'), 'Vision', {
    models: [Model.fromDirectory(EXAMPLE)],
    architecture: HOST_ARCHITECTURE,
  });
  app.synth();
  host = await startLocalHost({ assembly, port: 0, log: () => undefined });
});
afterAll(async () => {
  await host?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function predictionsFor(path: string): Promise<readonly Prediction[]> {
  const answer = await fetch(`${host.url}/predict/fashion`, {
    method: 'POST',
    body: readFileSync(path),
    headers: { 'content-type': 'image/png' },
  });
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { predictions: readonly Prediction[] }).predictions;
}

test('a Keras archive, its lock and its samples are an endpoint that tells clothes on PNG files', async () => {
  const classes = readdirSync(HOLDOUT);
  expect([...classes].sort()).toEqual([...task.labels].sort());
  let [right, all] = [0, 0];
  for (const name of classes) {
    for (const file of readdirSync(join(HOLDOUT, name))) {
      const [first, ...others] = await predictionsFor(join(HOLDOUT, name, file));
      expect(first?.score).toBeGreaterThanOrEqual(Math.max(0, ...others.map(({ score }) => score)));
      right += Number(first?.label === name);
      all++;
    }
  }
  expect(all).toBe(350);
  // As in float32: see the lock's certificate.
  expect(right / all).toBeGreaterThan(0.88);
}, 120_000);
