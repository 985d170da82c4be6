/** Deployments of the synthesized stack to an emulator: what is left of versions and layers after each of them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateAliasCommand,
  DeleteAliasCommand,
  GetAliasCommand,
  LambdaClient,
  ListFunctionsCommand,
  paginateListLayerVersions,
  paginateListVersionsByFunction,
} from '@aws-sdk/client-lambda';
import { App, CustomResource, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { InferenceFunction, Model } from '../../lib/constructs/index.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';
import { deploy, destroy, emulatorSynthesizer } from '../support/deploy-to-ministack.js';
import {
  MINISTACK_ACCOUNT,
  MINISTACK_NOTE,
  MINISTACK_REGION,
  MINISTACK_ROOT,
  MINISTACK_SKIPPED,
  type MiniStack,
  openMiniStack,
} from '../support/ministack.js';

const STACK = 'Vision';
let folder: string;
let ministack: MiniStack | undefined;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-deploy-'));
  process.env.CDK_VALIDATION = 'false';
});
afterAll(async () => {
  await ministack?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The app with one release of its model; `failing` adds a resource that cannot be created, after old versions were deleted. */
const appOf = (release: number, { keepVersions = 2, failing = false } = {}) => {
  const app = new App({ outdir: join(folder, `cdk.out.${release}`) });
  const stack = new Stack(app, STACK, {
    env: { account: MINISTACK_ACCOUNT, region: MINISTACK_REGION },
    synthesizer: emulatorSynthesizer(),
  });
  const artifact = writeArtifactFolder(folder);
  const manifestFile = join(artifact, 'manifest.json');
  const manifest = JSON.parse(readFileSync(manifestFile, 'utf8')) as object;
  writeFileSync(manifestFile, JSON.stringify({ ...manifest, modelVersion: release }));
  const model = Model.fromArtifact(artifact);
  const faces = new InferenceFunction(stack, 'Faces', { model, keepVersions });
  if (failing && faces.versionRetention !== undefined) {
    const serviceToken = `arn:aws:lambda:${MINISTACK_REGION}:${MINISTACK_ACCOUNT}:function:none`;
    new CustomResource(stack, 'Failing', { serviceToken }).node.addDependency(faces.versionRetention);
  }
  return { app, faces };
};

const title = `deployments leave the newest versions, what aliases point to, and what a rollback needs${MINISTACK_NOTE}`;
test.skipIf(MINISTACK_SKIPPED)(
  title,
  async () => {
    const emulator = await openMiniStack({ policies: false });
    ministack = emulator;
    const client = new LambdaClient({
      endpoint: emulator.endpoint,
      region: MINISTACK_REGION,
      credentials: MINISTACK_ROOT,
    });
    const release = async (number: number, options: Parameters<typeof appOf>[1] = {}) =>
      deploy(emulator, appOf(number, options).app, STACK);
    const { modelLayer, runtimeLayer } = appOf(1).faces;

    expect(await release(1), emulator.log()).toBe('CREATE_COMPLETE');
    const { Functions = [] } = await client.send(new ListFunctionsCommand({}));
    const FunctionName =
      Functions.map((lambda) => lambda.FunctionName ?? '').find((name) => name.includes('Faces')) ?? '';
    const left = async () => {
      const [live, versions, models, runtimes] = await Promise.all([
        client.send(new GetAliasCommand({ FunctionName, Name: 'live' })),
        versionsOf(client, FunctionName),
        layerVersionsOf(client, modelLayer.layerName),
        layerVersionsOf(client, runtimeLayer.layerName),
      ]);
      return { live: Number(live.FunctionVersion), versions, models, runtimes };
    };
    expect(await left()).toEqual({ live: 1, versions: [1], models: [1], runtimes: [1] });

    expect(await release(2), emulator.log()).toBe('UPDATE_COMPLETE');
    expect(await left()).toEqual({ live: 2, versions: [1, 2], models: [1, 2], runtimes: [1] });

    // The third is one too many: the first goes with its model; the runtime layer, which all use, stays.
    expect(await release(3), emulator.log()).toBe('UPDATE_COMPLETE');
    expect(await left()).toEqual({ live: 3, versions: [2, 3], models: [2, 3], runtimes: [1] });

    await client.send(
      new CreateAliasCommand({
        FunctionName,
        Name: 'canary',
        FunctionVersion: '3',
        RoutingConfig: { AdditionalVersionWeights: { 2: 0.1 } },
      }),
    );
    expect(await release(4), emulator.log()).toBe('UPDATE_COMPLETE');
    expect(await release(5), emulator.log()).toBe('UPDATE_COMPLETE');
    expect(await left()).toEqual({ live: 5, versions: [2, 3, 4, 5], models: [2, 3, 4, 5], runtimes: [1] });

    await client.send(new DeleteAliasCommand({ FunctionName, Name: 'canary' }));
    // With one to keep, version 5 would go before the deployment fails, were it not what the rollback returns to.
    expect(await release(6, { keepVersions: 1, failing: true }), emulator.log()).toBe('UPDATE_ROLLBACK_COMPLETE');
    expect(await left()).toMatchObject({ live: 5, versions: [5, 6] });

    expect(await release(7, { keepVersions: 1 }), emulator.log()).toBe('UPDATE_COMPLETE');
    expect(await left()).toEqual({ live: 7, versions: [5, 7], models: [5, 7], runtimes: [1] });

    expect(await destroy(emulator, STACK), emulator.log()).toBeUndefined();
    await expect(versionsOf(client, FunctionName)).rejects.toThrow(
      expect.objectContaining({ name: 'ResourceNotFoundException' }),
    );
  },
  300_000,
);

async function versionsOf(client: LambdaClient, FunctionName: string): Promise<number[]> {
  const versions: number[] = [];
  for await (const page of paginateListVersionsByFunction({ client }, { FunctionName })) {
    for (const { Version } of page.Versions ?? []) if (Version !== '$LATEST') versions.push(Number(Version));
  }
  return versions.sort((a, b) => a - b);
}

async function layerVersionsOf(client: LambdaClient, LayerName: string): Promise<number[]> {
  const versions: number[] = [];
  for await (const page of paginateListLayerVersions({ client }, { LayerName })) {
    versions.push(...(page.LayerVersions ?? []).flatMap(({ Version }) => Version ?? []));
  }
  return versions.sort((a, b) => a - b);
}
