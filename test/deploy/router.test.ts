/**
 * An endpoint with a router and a GPU, deployed to an emulator: with the role that the router has there, and API Gateway in front of it.
 * MiniStack knows neither SageMaker's endpoints nor their scaling, so these are left out of the template; the router is as in the template, Reserved
 * concurrency is without effect in MiniStack.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { InferenceEndpoint, Model } from '../../lib/constructs/index.js';
import { deploy, emulatorSynthesizer } from '../support/deploy-to-ministack.js';
import { callEndpoint } from '../support/deployed-endpoint.js';
import { HOST_ARCHITECTURE } from '../support/local-app.js';
import {
  MINISTACK_ACCOUNT,
  MINISTACK_NOTE,
  MINISTACK_REGION,
  MINISTACK_ROOT,
  MINISTACK_SKIPPED,
  type MiniStack,
  openMiniStack,
} from '../support/ministack.js';
import { echoModel } from '../support/served-artifact.js';

const STACK = 'Vision';
let folder: string;
let ministack: MiniStack | undefined;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-deploy-router-'));
  process.env.CDK_VALIDATION = 'false';
});
afterAll(async () => {
  await ministack?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const appOf = () => {
  const app = new App({ outdir: join(folder, 'cdk.out') });
  const stack = new Stack(app, STACK, {
    env: { account: MINISTACK_ACCOUNT, region: MINISTACK_REGION },
    synthesizer: emulatorSynthesizer(),
  });
  const directory = join(folder, 'echo');
  mkdirSync(directory);
  const x = { name: 'x', dataType: 'float32', shape: ['N', 3] } as const;
  writeFileSync(join(directory, 'source.onnx'), echoModel([x]).bytes);
  const description = { name: 'echo', source: 'source.onnx', gpu: { precision: 'fp32' } };
  writeFileSync(join(directory, 'model.json'), JSON.stringify(description));
  const model = Model.fromDirectory(directory);
  new InferenceEndpoint(stack, 'Vision', { models: [model], architecture: HOST_ARCHITECTURE, gpu: { queue: true } });
  return app;
};

test.skipIf(MINISTACK_SKIPPED)(
  `a deployed router may invoke the function behind it, and answers for it where that fails${MINISTACK_NOTE}`,
  async () => {
    const emulator = await openMiniStack();
    ministack = emulator;
    const without = /^AWS::(SageMaker|ApplicationAutoScaling)::/;
    expect(await deploy(emulator, appOf(), STACK, { without })).toBe('CREATE_COMPLETE');

    const stacks = await emulator.query('cloudformation', 'DescribeStacks', { StackName: STACK });
    const [, url = ''] = /<OutputValue>(https?:[^<]+)</.exec(stacks) ?? [];
    const data = [1, -0.5, 3];
    const infer = () =>
      callEndpoint(
        emulator.endpoint,
        url,
        {
          path: '/v2/models/echo/infer',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ inputs: [{ name: 'x', shape: [1, 3], datatype: 'FP32', data }] }),
        },
        MINISTACK_ROOT,
      );
    const whereAndWhy = ({ status, headers }: Awaited<ReturnType<typeof infer>>) => [
      status,
      headers['x-cdk-onnx-computed-by'],
      headers['x-cdk-onnx-reason'],
    ];
    const answered = await infer();
    expect(whereAndWhy(answered), answered.body.toString().slice(0, 500)).toEqual([200, 'lambda', 'primary']);
    expect(answered.json()).toMatchObject({ outputs: [{ name: 'x_out', data }] });
    const ready = await callEndpoint(emulator.endpoint, url, { path: '/v2/health/ready' }, MINISTACK_ROOT);
    expect([ready.status, ready.json()]).toEqual([200, { ready: true }]);

    // What it may do is what its role says: without that, Lambda refuses it, and SageMaker is not there.
    const roles = await emulator.query('iam', 'ListRoles');
    const [role = ''] = /[\w-]*RouterRole[\w-]*/.exec(roles) ?? [];
    await emulator.query('iam', 'DeleteRolePolicy', { RoleName: role, PolicyName: 'InvokeFunction' });
    const refused = await infer();
    expect(refused.status, refused.body.toString()).toBe(503);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(refused.json()).toMatchObject({
      error: expect.stringMatching(/Lambda: refused/),
      code: expect.any(String),
    });
  },
  240_000,
);
