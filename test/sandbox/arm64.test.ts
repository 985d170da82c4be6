/**
 * What is deployed by default, for arm64, in an emulator: the runtime layer loads there and predicts. Nothing is said about its speed,
 * and the emulator shares this machine's kernel.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { App, Duration, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InferenceEndpoint, Model } from '../../lib/constructs/index.js';
import { type LocalHost, startLocalHost } from '../../lib/local/local-host.js';
import type { DetectedObject } from '../../lib/tasks/prediction.js';
import { matchDetections } from '../support/detection-metrics.js';
import { markedFaces, samplePhoto } from '../support/sample-photos.js';
import { GRAVITON_NOTE, GRAVITON_SKIPPED, graviton } from '../support/sandbox/graviton.js';
import { openSandbox, SANDBOX_NOTE, SANDBOX_SKIPPED, type Sandbox } from '../support/sandbox/sandbox.js';

const FACES = join(import.meta.dirname, '../../models/faces');
/** The emulator takes some ten times as long. */
const MINUTES = 60_000;

describe.skipIf(SANDBOX_SKIPPED || GRAVITON_SKIPPED)(`on arm64${SANDBOX_NOTE}${GRAVITON_NOTE}`, () => {
  let folder: string;
  let sandbox: Sandbox;
  let host: LocalHost;
  const log: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-arm64-'));
    const assembly = join(folder, 'cdk.out');
    const app = new App({ outdir: assembly });
    new InferenceEndpoint(new Stack(app, 'Vision'), 'Vision', {
      models: [Model.fromDirectory(FACES)],
      architecture: Architecture.ARM_64,
      memorySize: 3538,
      timeout: Duration.seconds(300),
    });
    app.synth();
    sandbox = openSandbox({ emulation: graviton() });
    host = await startLocalHost({
      assembly,
      port: 0,
      initLimitMs: 5 * MINUTES,
      runtime: sandbox.runtime,
      log: (line) => log.push(line),
    });
  });
  afterAll(async () => {
    await host?.close();
    sandbox?.remove();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  test('the layer loads, the model opens', { timeout: 5 * MINUTES }, async () => {
    const ready = await fetch(`${host.url}/v2/health/ready`);
    expect([ready.status, log.filter((line) => line.includes('ERROR'))]).toEqual([200, []]);
  });

  test('the faces of a photo are found', { timeout: 5 * MINUTES }, async () => {
    const name = 'sample1.jpg';
    const answer = await fetch(`${host.url}/predict/faces`, {
      method: 'POST',
      body: samplePhoto(name),
      headers: { 'content-type': 'image/jpeg' },
    });
    expect(answer.status).toBe(200);
    const { predictions } = (await answer.json()) as { predictions: DetectedObject[] };
    const match = matchDetections(predictions, markedFaces(name));
    expect(match).toMatchObject({ found: markedFaces(name).length, extra: [] });
  });
});
