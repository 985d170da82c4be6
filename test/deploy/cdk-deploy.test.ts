/**
 * The example app, deployed by the CDK's own command line to an emulator of AWS, called, updated, rolled back and destroyed; then a REST
 * API, and a model whose weights are in S3.
 *
 * MiniStack's CloudFormation knows every type of resource in these stacks, so nothing is left out of them. LACKING names the types that
 * this package or its users may add and that it does not know; it refuses them, as CloudFormation refuses a type that does not exist.
 *
 * What its other limits mean here:
 * - It speaks plain HTTP. The bootstrap stack's bucket has a policy against that, which is removed after `cdk bootstrap`.
 * - It knows an API by the Host `<api>.execute-api.localhost:<port>`, whatever the stack's output says (for a REST API a name at
 *   amazonaws.com), so callers keep the output's API and stage only.
 * - Functions run in processes of this machine, by a loader of MiniStack's in place of Lambda's runtime client: without limits of memory,
 *   CPU, /tmp and init time, and unsandboxed. Its /opt is ours (ministack-node.sh). test/sandbox has all that, and the real client.
 * - The architecture is not looked at; functions are built for this machine's.
 * - A changed alias counts for the next request. On AWS that takes up to some seconds, and both versions answer meanwhile.
 * - Policies are evaluated for all, functions among them; the signatures of all are verified but the root's, who deploys and mostly calls.
 * - Answers are not streamed, so no REST API with `streaming` is here. Access logs, throttling, quotas, request validation's schemas and
 *   provisioned concurrency are stored; that they have an effect is not looked at.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildArtifact } from '../../lib/compiler/build.js';
import type { DetectedObject } from '../../lib/tasks/prediction.js';
import { AccessKeys } from '../support/access-keys.js';
import { accountInventory } from '../support/account-inventory.js';
import { answersDuring } from '../support/answers-during.js';
import { type CdkProject, createCdkProject } from '../support/cdk-project.js';
import { type Credentials, callEndpoint, type EndpointRequest } from '../support/deployed-endpoint.js';
import { matchDetections } from '../support/detection-metrics.js';
import { LARGE_MODEL_WIDTH, largeModelWeights, writeLargeModel } from '../support/large-model.js';
import {
  MINISTACK_ACCOUNT,
  MINISTACK_NOTE,
  MINISTACK_REGION,
  MINISTACK_ROOT,
  MINISTACK_SKIPPED,
  type MiniStack,
  openMiniStack,
} from '../support/ministack.js';
import { NODE24 } from '../support/node24.js';
import { HOST_ARCHITECTURE } from '../support/predict-function.js';
import { randomFloats } from '../support/random-numbers.js';
import { runModel } from '../support/run-model.js';
import { markedFaces, samplePhoto } from '../support/sample-photos.js';
import {
  largestDifference,
  type OutputTensors,
  servingColumns,
  servingRows,
  v2Binary,
  v2Json,
} from '../support/tensor-requests.js';

const ROOT = join(import.meta.dirname, '..', '..');
const APPS = join(ROOT, 'test', 'fixtures', 'deployed-apps');
const EXAMPLE = 'CdkOnnxExample';
const FACES = join(ROOT, 'models/faces');
const FASHION = join(ROOT, 'models/fashion');
/** Of the bootstrap stack. */
const BUCKET = `cdk-hnb659fds-assets-${MINISTACK_ACCOUNT}-${MINISTACK_REGION}`;
/** Types that MiniStack's CloudFormation does not know, and where they would come from. */
const LACKING = {
  'AWS::WAFv2::WebACLAssociation': 'the option webAcl',
  'AWS::ApplicationAutoScaling::ScalableTarget': "autoscaling on a function's alias",
  'AWS::CodeDeploy::DeploymentGroup': 'gradual deployments of an alias',
  'AWS::SageMaker::Endpoint': 'models on a GPU',
};

let ministack: MiniStack;
let project: CdkProject;
let keys: AccessKeys;
/** What the account holds when it has been bootstrapped. */
let before: string[];

beforeAll(async () => {
  if (MINISTACK_SKIPPED) return;
  ministack = await openMiniStack();
  project = createCdkProject(ministack);
  keys = new AccessKeys(ministack);
});
afterAll(async () => {
  await ministack?.stop();
  project?.remove();
});

const appOf = (name: string) => `node --import tsx ${join(APPS, name)}`;
const call = (request: EndpointRequest, credentials: Credentials | undefined = MINISTACK_ROOT) =>
  callEndpoint(ministack.endpoint, project.url(EXAMPLE), request, credentials);
const photoRequest: EndpointRequest = {
  path: '/predict/faces',
  headers: { 'content-type': 'image/jpeg' },
  body: samplePhoto('sample1.jpg'),
};
const image = {
  name: 'input:0',
  shape: [1, 256, 256, 3],
  data: randomFloats(256 * 256 * 3, 7).map((value) => Number(value.toFixed(3))),
};
interface Predictions {
  readonly model_version: string;
  readonly predictions: readonly DetectedObject[];
}
const versionNow = async () => ((await call(photoRequest)).json() as Predictions).model_version;

const photosDuring = <T>(work: Promise<T>) =>
  answersDuring(
    work,
    () => call(photoRequest),
    (answer) => `200 version ${(answer.json() as Predictions).model_version}`,
  );

describe.skipIf(MINISTACK_SKIPPED)(`cdk${MINISTACK_NOTE}`, { timeout: 120_000 }, () => {
  test('bootstrap prepares the account', async () => {
    const { status, output } = await project.cdk('bootstrap');
    expect(status, output).toBe(0);
    await ministack.remove(`/${BUCKET}?policy`);
    before = await accountInventory(ministack);
    expect(before).toEqual(expect.arrayContaining(['stack CDKToolkit']));
  });

  test('deploy creates every resource of the template', async () => {
    const { status, output } = await project.deploy(EXAMPLE);
    expect(status, output).toBe(0);
    const template = JSON.parse(readFileSync(join(project.assembly, `${EXAMPLE}.template.json`), 'utf8'));
    const resources = await ministack.query('cloudformation', 'DescribeStackResources', { StackName: EXAMPLE });
    // MiniStack lists all but AWS::CDK::Metadata.
    const ids = Object.keys(template.Resources).filter((id) => id !== 'CDKMetadata');
    const created = [...resources.matchAll(/<LogicalResourceId>(\w+)<[\s\S]*?<ResourceStatus>(\w+)</g)].map(
      ([, id, state]) => `${id} ${state}`,
    );
    expect(created.sort()).toEqual(ids.map((id) => `${id} CREATE_COMPLETE`).sort());
  });

  test('deploy of what did not change does nothing', async () => {
    const { status, output } = await project.deploy(EXAMPLE);
    expect(status, output).toBe(0);
    expect(output).toContain('(no changes)');
  });

  describe('the deployed HTTP API', () => {
    let expected: OutputTensors;
    beforeAll(async () => {
      const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-deployed-model-'));
      const outputDirectory = join(folder, 'faces');
      try {
        await buildArtifact({ modelDirectory: FACES, outputDirectory, architecture: HOST_ARCHITECTURE });
        const model = join(outputDirectory, 'model.onnx');
        expected = await outputsOf(model, { [image.name]: new Tensor('float32', image.data, image.shape) });
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });

    test('is ready, and describes its model', async () => {
      expect((await call({ path: '/v2/health/ready' })).json()).toEqual({ ready: true });
      expect((await call({ path: '/v2/models/faces' })).json()).toMatchObject({
        name: 'faces',
        versions: ['1'],
        inputs: [{ name: 'input:0', datatype: 'FP32', shape: image.shape }],
      });
      expect((await call({ path: '/v1/models/faces' })).json()).toMatchObject({
        model_version_status: [{ version: '1', state: 'AVAILABLE' }],
      });
      expect((await call({ path: '/openapi.json' })).json()).toMatchObject({ openapi: '3.1.0' });
    });

    test('runs its function on Node.js 24 with the layers in /opt', () => {
      expect(ministack.functions()).toEqual([
        { script: expect.stringContaining('VisionModelsfacesFunction'), node: NODE24, opt: ['models', 'nodejs'] },
      ]);
    });

    test('finds the faces in a photo', async () => {
      for (const name of ['sample1.jpg', 'sample4.jpg']) {
        const answer = await call({ ...photoRequest, body: samplePhoto(name) });
        expect(answer.status, answer.body.toString()).toBe(200);
        const { predictions } = answer.json() as Predictions;
        const marked = markedFaces(name);
        const match = matchDetections(predictions, marked);
        expect([match.found, match.extra], name).toEqual([marked.length, []]);
      }
    });

    test('tells the clothes on a picture, by a function of their own', async () => {
      const bags = join(FASHION, 'samples/holdout/Bag');
      const body = readFileSync(join(bags, readdirSync(bags)[0] ?? ''));
      const answer = await call({ path: '/predict/fashion', headers: { 'content-type': 'image/png' }, body });
      expect(answer.status, answer.body.toString()).toBe(200);
      const { predictions } = answer.json() as { predictions: readonly { label: string; score: number }[] };
      expect(predictions[0]?.label).toBe('Bag');
      expect(predictions[0]?.score).toBeGreaterThan(0.5);
    });

    test.each([
      ['V2 in JSON', v2Json],
      ['V2 in binary', v2Binary],
      ["TensorFlow Serving's API by rows", servingRows],
      ["TensorFlow Serving's API by columns", servingColumns],
    ])('answers %s as onnxruntime does with the optimized model', async (_, write) => {
      const { request, read } = write('faces', image);
      const answer = await call(request);
      expect(answer.status, answer.body.toString().slice(0, 1000)).toBe(200);
      expect(largestDifference(read(answer), expected)).toBeLessThan(1e-4);
    });

    test('answers a wrong request with an error of its own', async () => {
      const answer = await call({ path: '/v2/models/faces/infer', body: '{}' });
      expect([answer.status, answer.json()]).toEqual([400, expect.objectContaining({ code: expect.any(String) })]);
    });

    test('lets nobody in without a signature, or with one that no policy allows', async () => {
      expect((await callEndpoint(ministack.endpoint, project.url(EXAMPLE), photoRequest, undefined)).status).toBe(403);
      await ministack.query('iam', 'CreateUser', { UserName: 'nobody' });
      expect((await call(photoRequest, await keys.create('nobody'))).status).toBe(403);
      await keys.withdraw();
      await ministack.query('iam', 'DeleteUser', { UserName: 'nobody' });
    });
  });

  test('deploy of a changed model: its version answers, and no request fails meanwhile', async () => {
    project.editModel('faces', { version: 2, weights: 'fp16', optimize: undefined });
    const { result, answers, count } = await photosDuring(project.deploy(EXAMPLE));
    expect(result.status, result.output).toBe(0);
    expect(answers).toEqual(['200 version 1', '200 version 2']);
    expect(count).toBeGreaterThan(20);
    expect(await versionNow()).toBe('2');
  });

  test('deploy that fails halfway is rolled back: the former version answers again, and no request fails meanwhile', async () => {
    project.editModel('faces', { version: 3, weights: undefined });
    const { result, answers } = await photosDuring(project.deploy(EXAMPLE, appOf('failing-release.ts')));
    expect(result.status, result.output).not.toBe(0);
    const stack = await ministack.query('cloudformation', 'DescribeStacks', { StackName: EXAMPLE });
    expect(stack).toContain('<StackStatus>UPDATE_ROLLBACK_COMPLETE<');
    // The new version was live before it failed.
    expect(result.output).toMatch(/UPDATE_COMPLETE +\| AWS::Lambda::Alias /);
    expect(answers.filter((answer) => !/^200 version [23]$/.test(answer))).toEqual([]);
    expect(await versionNow()).toBe('2');
  });

  test('deploy of that release without its fault succeeds', async () => {
    const { status, output } = await project.deploy(EXAMPLE);
    expect(status, output).toBe(0);
    expect(await versionNow()).toBe('3');
  });

  test('deploy of the first content again brings its version back', async () => {
    project.editModel('faces', { version: 1 });
    const { result, answers } = await photosDuring(project.deploy(EXAMPLE));
    expect(result.status, result.output).toBe(0);
    expect(answers).toEqual(['200 version 3', '200 version 1']);
    // All that went live are there, that of the failed deployment too; and the other model's, which never changed.
    const versions = (await accountInventory(ministack)).filter((line) => line.startsWith('function-version'));
    expect(versions).toHaveLength(6);
    const { predictions } = (await call(photoRequest)).json() as Predictions;
    expect(matchDetections(predictions, markedFaces('sample1.jpg')).found).toBe(markedFaces('sample1.jpg').length);
  });

  test('deploy of a REST API: it answers whom grantInvoke names, and nobody else', async () => {
    const { status, output } = await project.deploy('RestEndpoint', appOf('rest-api.ts'));
    expect(status, output).toBe(0);
    const url = project.url('RestEndpoint');
    expect(url).toMatch(/\/prod$/);
    const [caller, stranger] = [await keys.create('caller'), await keys.create('stranger')];
    const answer = await callEndpoint(ministack.endpoint, url, photoRequest, caller);
    expect(answer.status, answer.body.toString()).toBe(200);
    const { predictions } = answer.json() as Predictions;
    expect(matchDetections(predictions, markedFaces('sample1.jpg')).found).toBe(markedFaces('sample1.jpg').length);
    for (const write of [v2Binary, servingRows]) {
      const { request } = write('faces', image);
      const tensors = await callEndpoint(ministack.endpoint, url, request, caller);
      expect(tensors.status, tensors.body.toString().slice(0, 1000)).toBe(200);
    }
    for (const nobody of [stranger, undefined]) {
      expect((await callEndpoint(ministack.endpoint, url, photoRequest, nobody)).status).toBe(403);
    }
  });

  test('deploy of a model too large for a layer: the function loads its weights from S3, by the permission it was given', async () => {
    await writeLargeModel(project.addModel('large'), 'large');
    const { status, output } = await project.deploy('LargeModel', appOf('large-model.ts'));
    expect(status, output).toBe(0);
    const x = { name: 'x', shape: [1, LARGE_MODEL_WIDTH], data: randomFloats(LARGE_MODEL_WIDTH, 5) };
    const built = largeModelWeights(project.assembly, 'LargeModel').file.replace(/\.data$/, '');
    const expected = await outputsOf(built, { x: new Tensor('float32', x.data, x.shape) });
    const { request, read } = v2Binary('large', x);
    const caller = await keys.create('large-caller');
    const answer = await callEndpoint(ministack.endpoint, project.url('LargeModel'), request, caller);
    expect(answer.status, answer.body.toString().slice(0, 1000)).toBe(200);
    expect(largestDifference(read(answer), expected)).toBeLessThan(1e-4);
  });

  test(`deploy of what the emulator lacks fails: ${Object.entries(LACKING)
    .map((entry) => entry.join(', for '))
    .join('; ')}`, async () => {
    const types = Object.keys(LACKING);
    const { status, output } = await project.deploy('Lacking', appOf('lacking.ts'), `--context=types=${types}`);
    expect(status, output).not.toBe(0);
    expect(output).toContain(`Unrecognized resource types: [${types.sort().join(', ')}]`);
  });

  test('destroy leaves what is retained on purpose, and nothing else', async () => {
    await keys.withdraw();
    for (const [stack, app] of [
      [EXAMPLE, undefined],
      ['RestEndpoint', 'rest-api.ts'],
      ['LargeModel', 'large-model.ts'],
    ] as const) {
      const options = app === undefined ? [] : [`--app=${appOf(app)}`];
      const { status, output } = await project.cdk('destroy', stack, '--force', ...options);
      expect(status, output).toBe(0);
    }
    const left = (await accountInventory(ministack)).filter((line) => !before.includes(line));
    expect(left).toEqual([
      // Layers, so that what is deployed elsewhere or again finds them: one version for each deployment of a model, of onnxruntime the first.
      ...[1, 2, 3, 4, 5].map((version) =>
        expect.stringMatching(`^layer-version ${EXAMPLE}-Vision-Models-faces-Model-\\w+:${version}$`),
      ),
      expect.stringMatching(`^layer-version ${EXAMPLE}-Vision-Models-fashion-Model-\\w+:1$`),
      expect.stringMatching(`^layer-version ${EXAMPLE}-Vision-OnnxRuntime-\\w+:1$`),
      expect.stringMatching(/^layer-version LargeModel-Endpoint-Models-large-Model-\w+:1$/),
      expect.stringMatching(/^layer-version LargeModel-Endpoint-OnnxRuntime-\w+:1$/),
      expect.stringMatching(/^layer-version RestEndpoint-Vision-Models-faces-Model-\w+:1$/),
      expect.stringMatching(/^layer-version RestEndpoint-Vision-OnnxRuntime-\w+:1$/),
      // `cloudWatchRole`: API Gateway has it for the whole account, other stacks' REST APIs log by it.
      expect.stringMatching(/^role RestEndpoint-VisionApiRestApiCloudWatchRole/),
    ]);
  });
});

/** Of the only run of a model, by name. @param model its path */
async function outputsOf(model: string, feeds: Readonly<Record<string, Tensor>>): Promise<OutputTensors> {
  const outputs = await runModel(model, feeds, { graphOptimizationLevel: 'all' });
  return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data as Float32Array]));
}
