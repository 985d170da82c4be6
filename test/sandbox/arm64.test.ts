/**
 * What is deployed by default, for arm64, in an emulator: the runtime layer loads there and predicts. Nothing is said about its speed,
 * and the emulator shares this machine's kernel.
 */
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DetectedObject } from '../../lib/tasks/prediction.js';
import { matchDetections } from '../support/detection-metrics.js';
import { markedFaces, samplePhoto } from '../support/sample-photos.js';
import { GRAVITON_NOTE, GRAVITON_SKIPPED, graviton } from '../support/sandbox/graviton.js';
import { openSandbox, SANDBOX_NOTE, SANDBOX_SKIPPED, type Sandbox } from '../support/sandbox/sandbox.js';
import { type ServedEndpoint, serveEndpoint } from '../support/served-endpoint.js';

/** The emulator takes some ten times as long. */
const LIMIT_SECONDS = 300;
const timeout = LIMIT_SECONDS * 1000;

describe.skipIf(SANDBOX_SKIPPED || GRAVITON_SKIPPED)(`on arm64${SANDBOX_NOTE}${GRAVITON_NOTE}`, () => {
  let sandbox: Sandbox;
  let endpoint: ServedEndpoint;

  beforeAll(async () => {
    sandbox = openSandbox({ emulation: graviton() });
    endpoint = await serveEndpoint({
      architecture: Architecture.ARM_64,
      memorySize: 3538,
      limitSeconds: LIMIT_SECONDS,
      runtime: sandbox.runtime,
    });
  }, timeout);
  afterAll(async () => {
    await endpoint?.close();
    sandbox?.remove();
  });

  test('the layer loads, the model opens', { timeout }, async () => {
    const ready = await fetch(`${endpoint.host.url}/v2/health/ready`);
    expect([ready.status, endpoint.log.filter((line) => line.includes('ERROR'))]).toEqual([200, []]);
  });

  test('the faces of a photo are found', { timeout }, async () => {
    const name = 'sample1.jpg';
    const answer = await fetch(`${endpoint.host.url}/predict/faces`, {
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
