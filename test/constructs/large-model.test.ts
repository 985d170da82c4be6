/** A model above the limit of a layer, as the templates have it. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Key } from 'aws-cdk-lib/aws-kms';
import { App, Duration, Size, Stack, Stage, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ArtifactFile } from '../../lib/artifact/manifest.js';
import { planSize } from '../../lib/artifact/size-plan.js';
import {
  InferenceEndpoint,
  InferenceFunction,
  type InferenceFunctionOptions,
  Model,
  ModelLayer,
} from '../../lib/constructs/index.js';
import { announceDelivery, deliveryProblems, modelDelivery } from '../../lib/constructs/model-delivery.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';

const MIB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-large-'));
const outdir = join(folder, 'cdk.out');
let large: string;

beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  large = withFile('large', 'model.onnx.data', 300 * MIB);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The artifact of a real model with a file of zeros beside it; zeros take no room on a disk. */
function withFile(name: string, path: string, bytes: number, from = writeArtifactFolder(folder, { name })): string {
  writeFileSync(join(from, path), '');
  truncateSync(join(from, path), bytes);
  const hash = createHash('sha256');
  const zeros = Buffer.alloc(MIB);
  for (let left = bytes; left > 0; left -= MIB) hash.update(zeros.subarray(0, left));
  const file: ArtifactFile = { path, bytes, sha256: hash.digest('hex') };
  const manifest = JSON.parse(readFileSync(join(from, 'manifest.json'), 'utf8'));
  writeFileSync(join(from, 'manifest.json'), JSON.stringify({ ...manifest, files: [...manifest.files, file] }));
  return from;
}

const planOf = (modelBytes: number) => planSize({ runtimeBytes: 26_200_000, functionBytes: 1_800_000, modelBytes });

type Options = (stack: Stack) => InferenceFunctionOptions;
const inStack = (options: Options = () => ({}), artifact = large) => {
  const stack = new Stack(new App({ outdir }), 'Large');
  const model = Model.fromArtifact(artifact);
  return { stack, lambda: new InferenceFunction(stack, 'Large', { model, ...options(stack) }) };
};
const templateOf = (options?: Options, artifact?: string) => Template.fromStack(inStack(options, artifact).stack);
const sha256Of = (artifact: string): string => {
  const { files } = JSON.parse(readFileSync(join(artifact, 'manifest.json'), 'utf8')) as { files: ArtifactFile[] };
  return files.find(({ path }) => path === 'model.onnx.data')?.sha256 ?? '';
};
/** The CDK's bucket for assets, as templates name it. */
const BUCKET = { 'Fn::Sub': expect.stringMatching(/^cdk-hnb659fds-assets-\$\{AWS::AccountId\}-\$\{AWS::Region\}$/) };

describe('the weights of a large model', () => {
  test('are a file asset under their digest; the layer holds the rest', () => {
    const { stack, lambda } = inStack();
    const template = Template.fromStack(stack);
    const sha256 = sha256Of(large);
    expect(lambda.sizePlan).toMatchObject({ kind: 's3', ephemeralStorageMiB: 512 });
    expect(lambda.modelLayer.weights).toMatchObject({ file: { path: 'model.onnx.data', bytes: 300 * MIB, sha256 } });

    const { files } = JSON.parse(readFileSync(join(outdir, 'Large.assets.json'), 'utf8'));
    expect(files[sha256]).toMatchObject({
      source: { path: expect.stringMatching(/^asset\..*model\.onnx\.data$/), packaging: 'file' },
    });
    expect(Object.values(files[sha256].destinations)).toEqual([
      expect.objectContaining({ objectKey: `${sha256}.data` }),
    ]);
    expect(existsSync(join(outdir, files[sha256].source.path))).toBe(true);
    const [layer] = Object.values(template.findResources('AWS::Lambda::LayerVersion')).filter(
      ({ Properties }) => Properties.Description === 'model large',
    );
    const asset = files[String(layer?.Properties.Content.S3Key).replace('.zip', '')];
    expect(asset.source.packaging).toBe('zip');
    expect(readdirSync(join(outdir, asset.source.path, 'models', 'large')).sort()).toEqual([
      'manifest.json',
      'model.onnx',
    ]);
  });

  test('are named to the function, with the /tmp and memory that they take', () => {
    const template = templateOf();
    const [lambda] = Object.values(template.findResources('AWS::Lambda::Function'));
    expect(lambda?.Properties.Environment.Variables.CDK_ONNX_WEIGHTS).toEqual({
      'Fn::Join': ['', ['s3://', BUCKET, `/${sha256Of(large)}.data`]],
    });
    expect(lambda?.Properties).toMatchObject({ EphemeralStorage: { Size: 512 }, MemorySize: 1769 });
    templateOf(() => ({ ephemeralStorageSize: Size.gibibytes(2), memorySize: 600 })).hasResourceProperties(
      'AWS::Lambda::Function',
      { EphemeralStorage: { Size: 2048 }, MemorySize: 600 },
    );
  });

  test('may be read by the role, as one object and nothing else', () => {
    const [role] = Object.values(templateOf().findResources('AWS::IAM::Role'));
    const policies = (role?.Properties.Policies ?? []) as { PolicyName: string; PolicyDocument: object }[];
    expect(policies.map(({ PolicyName }) => PolicyName)).toEqual(['WriteLogs', 'ReadWeights']);
    expect(policies[1]?.PolicyDocument).toMatchObject({
      Statement: [
        {
          Action: 's3:GetObject',
          Effect: 'Allow',
          Resource: {
            'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':s3:::', BUCKET, `/${sha256Of(large)}.data`]],
          },
        },
      ],
    });
  });

  test('may be decrypted with the key of the bucket, where there is one, through S3', () => {
    const arn = 'arn:aws:kms:eu-west-1:123456789012:key/1';
    const [role] = Object.values(
      templateOf((stack) => ({ assetBucketKey: Key.fromKeyArn(stack, 'Key', arn) })).findResources('AWS::IAM::Role'),
    );
    expect(role?.Properties.Policies[1].PolicyDocument.Statement[1]).toEqual({
      Action: 'kms:Decrypt',
      Effect: 'Allow',
      Resource: arn,
      Condition: {
        StringEquals: {
          'kms:ViaService': { 'Fn::Join': ['', ['s3.', { Ref: 'AWS::Region' }, '.', { Ref: 'AWS::URLSuffix' }]] },
        },
      },
    });
  });

  test('make a new version of the function when they change, and only then', () => {
    const versionOf = (artifact: string) =>
      Object.keys(templateOf(undefined, artifact).findResources('AWS::Lambda::Version'));
    const other = withFile('large', 'model.onnx.data', 300 * MIB + 1);
    expect(versionOf(large)).toEqual(versionOf(large));
    expect(versionOf(other)).not.toEqual(versionOf(large));
    rmSync(other, { recursive: true });
  });

  test('find their way from a stack in a stage', () => {
    const app = new App({ outdir: join(folder, 'staged.out') });
    const stack = new Stack(new Stage(app, 'Beta'), 'Large');
    new InferenceFunction(stack, 'Large', { model: Model.fromArtifact(large) });
    app.synth();
    const stage = join(folder, 'staged.out', 'assembly-Beta');
    const assets = readdirSync(stage).find((name) => name.endsWith('.assets.json')) ?? '';
    const { files } = JSON.parse(readFileSync(join(stage, assets), 'utf8'));
    for (const { source } of Object.values(files) as { source: { path: string } }[]) {
      expect(existsSync(join(stage, source.path)), source.path).toBe(true);
    }
    expect(files[sha256Of(large)].source.packaging).toBe('file');
    rmSync(join(folder, 'staged.out'), { recursive: true });
  });

  test('leave cdk-nag without a finding', () => {
    const app = new App({ outdir });
    const models = [Model.fromArtifact(large)];
    new InferenceEndpoint(new Stack(app, 'Large'), 'Endpoint', { models });
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    const report = join(outdir, 'validation-report.json');
    delete process.env.CDK_VALIDATION;
    app.synth();
    process.env.CDK_VALIDATION = 'false';
    const { pluginReports } = JSON.parse(readFileSync(report, 'utf8')) as { pluginReports: { violations: object[] }[] };
    expect(pluginReports.flatMap(({ violations }) => violations)).toEqual([]);
  });

  test('stay in the layer of a ModelLayer alone: it does not know what is beside it', () => {
    const layer = new ModelLayer(new Stack(new App({ outdir }), 'Layer'), 'Model', {
      model: Model.fromArtifact(large),
    });
    expect([layer.sizePlan, layer.weights]).toEqual([undefined, undefined]);
  });
});

describe('what is said at synth', () => {
  const infos = (stack: Stack) =>
    Annotations.fromStack(stack)
      .findInfo('*', Match.anyValue())
      .map(({ entry }) => String(entry.data));
  const warnings = (stack: Stack) =>
    Annotations.fromStack(stack)
      .findWarning('*', Match.anyValue())
      .map(({ entry }) => String(entry.data));
  const vpcOf = (stack: Stack) =>
    Vpc.fromVpcAttributes(stack, 'Vpc', {
      vpcId: 'vpc-1',
      availabilityZones: ['eu-west-1a'],
      privateSubnetIds: ['subnet-private'],
      privateSubnetRouteTableIds: ['rtb-private'],
      isolatedSubnetIds: ['subnet-isolated'],
      isolatedSubnetRouteTableIds: ['rtb-isolated'],
    });

  test('the plan, and no warning', () => {
    const { stack } = inStack();
    expect(infos(stack).join()).toMatch(
      /the model comes from S3 at init and takes 512 MiB of \/tmp and at least \d+ MiB of memory/,
    );
    expect(warnings(stack)).toEqual([]);
  });

  test('a timeout that a cold start may not keep', () => {
    const warningsWith = (seconds: number) => {
      const stack = new Stack(new App({ outdir }), 'Large');
      announceDelivery(stack, planOf(2000 * MIB), { timeout: Duration.seconds(seconds) });
      return warnings(stack);
    };
    expect(warningsWith(29).join()).toMatch(/may take 42 s, and the function's timeout is 29 s: give it 42 s or more/);
    expect(warningsWith(60)).toEqual([]);
  });

  test('a VPC needs a way to S3: an info, and a warning where the subnets have no other', () => {
    const inPrivate = inStack((stack) => ({ vpc: vpcOf(stack) }));
    expect(infos(inPrivate.stack).join()).toContain('gateway endpoint for S3');
    expect(warnings(inPrivate.stack)).toEqual([]);
    const inIsolated = inStack((stack) => ({
      vpc: vpcOf(stack),
      vpcSubnets: { subnetType: SubnetType.PRIVATE_ISOLATED },
    }));
    expect(warnings(inIsolated.stack).join()).toContain('gateway endpoint for S3');
  });

  test('memory below what the model takes', () => {
    expect(() => inStack(() => ({ memorySize: 492 }))).toThrow(
      expect.objectContaining({
        code: 'MEMORY_SIZE_BELOW_MODEL',
        message: expect.stringContaining('memorySize is 492 MiB, and the model large takes at least 493 MiB'),
      }),
    );
  });

  test('each fault of a model that is larger still, and its defaults', () => {
    const layer = (file: ArtifactFile) => ({ sizePlan: planOf(2000 * MIB), weights: { file, uri: '', objectArn: '' } });
    const whole = layer({ path: 'model.onnx.data', bytes: 1999 * MIB, sha256: '' });
    const small = { memorySize: 1769, ephemeralStorageSize: Size.mebibytes(2031) };
    expect(deliveryProblems('huge', whole, small)).toMatchObject([
      { code: 'MEMORY_SIZE_BELOW_MODEL', message: expect.stringContaining('at least 2192 MiB') },
      {
        code: 'EPHEMERAL_STORAGE_BELOW_MODEL',
        message: expect.stringContaining('is 2031 MiB, and the model huge takes 2032'),
      },
    ]);
    expect(deliveryProblems('huge', whole, {})).toEqual([]);
    const { memorySize, ephemeralStorageSize } = modelDelivery(whole, {});
    expect([memorySize, ephemeralStorageSize?.toMebibytes()]).toEqual([2192, 2032]);
    expect(deliveryProblems('huge', layer({ path: 'a.data', bytes: 1000 * MIB, sha256: '' }), {})).toMatchObject([
      { code: 'MODEL_IN_SEVERAL_FILES', message: expect.stringContaining('a.data') },
    ]);
  });

  test('variables of our own are not for users', () => {
    expect(() => inStack(() => ({ environment: { CDK_ONNX_WEIGHTS: 's3://a/b' } }))).toThrow(
      expect.objectContaining({ code: 'ENVIRONMENT_VARIABLE_TAKEN' }),
    );
  });
});
