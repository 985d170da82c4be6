/** A model above the limit of a layer: its weights come from S3 into the sandbox's own /tmp, within its memory. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InferenceEndpoint, Model } from '../../lib/constructs/index.js';
import { type LocalHost, startLocalHost } from '../../lib/local/local-host.js';
import { flipByte, largeModelWeights, writeLargeModel } from '../support/large-model.js';
import { HOST_ARCHITECTURE } from '../support/local-app.js';
import {
  egressAttempts,
  openSandbox,
  SANDBOX_NOTE,
  SANDBOX_SKIPPED,
  type Sandbox,
  statusOf,
} from '../support/sandbox/sandbox.js';

describe.skipIf(SANDBOX_SKIPPED)(`a model of more than 300 MB${SANDBOX_NOTE}`, () => {
  let folder: string;
  let assembly: string;
  let sandbox: Sandbox;
  let host: LocalHost | undefined;
  let log: string[] = [];
  const serve = async () => {
    log = [];
    host = await startLocalHost({ assembly, port: 0, runtime: sandbox.runtime, log: (line) => log.push(line) });
    return host.url;
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-sandbox-'));
    const model = join(folder, 'large');
    mkdirSync(model);
    await writeLargeModel(model, 'large');
    assembly = join(folder, 'cdk.out');
    const app = new App({ outdir: assembly });
    const stack = new Stack(app, 'Large');
    new InferenceEndpoint(stack, 'Endpoint', { models: [Model.fromDirectory(model)], architecture: HOST_ARCHITECTURE });
    app.synth();
    rmSync(model, { recursive: true });
    sandbox = openSandbox();
  });
  afterAll(async () => {
    await host?.close();
    sandbox?.remove();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  test('is ready once its weights are in /tmp, and reaches S3 and nobody else', { timeout: 120_000 }, async () => {
    const url = await serve();
    const ready = await fetch(`${url}/v2/health/ready`);
    expect([ready.status, log.slice(-3)]).toEqual([200, expect.anything()]);
    const pid = sandbox.processes().at(-1) ?? 0;
    expect(egressAttempts(pid)).toEqual({ noRoute: 0, datagrams: 0 });
    expect(readdirSync(`/proc/${pid}/root/tmp`)).toEqual(['cdk-onnx']);
    expect(statusOf(pid, 'VmHWM') / 1024).toBeLessThan(1769);
    await host?.close();
  });

  test('is refused where a byte of its weights is another', { timeout: 120_000 }, async () => {
    flipByte(largeModelWeights(assembly, 'Large').file, 200_000_000);
    const url = await serve();
    const refused = await fetch(`${url}/v2/health/ready`);
    expect([refused.status, await refused.json()]).toEqual([503, expect.objectContaining({ code: 'MODEL_NOT_READY' })]);
    expect(log.some((line) => line.includes('WEIGHTS_DIGEST'))).toBe(true);
    expect((await fetch(`${url}/v2/models/large`)).status).toBe(200);
  });
});
