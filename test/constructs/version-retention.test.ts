import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { App, Stack, Token, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InferenceEndpoint, InferenceFunction, Model, OnnxRuntimeLayer } from '../../lib/constructs/index.js';
import { type ArtifactFolderOptions, writeArtifactFolder } from '../support/artifact-folder.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-retention-'));
const outdir = join(folder, 'cdk.out');
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const model = (options: ArtifactFolderOptions = {}) => Model.fromArtifact(writeArtifactFolder(folder, options));
const newStack = (name = 'Vision', app = new App({ outdir })) => new Stack(app, name);

interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly DependsOn?: readonly string[];
}
const ofType = (template: Template, type: string) =>
  Object.entries(template.findResources(type)) as unknown as [string, Resource][];
const retentionOf = (stack: Stack) => {
  const [[, resource] = [], ...others] = ofType(Template.fromStack(stack), 'Custom::CdkOnnxVersionRetention');
  expect(others).toEqual([]);
  return resource;
};
const layerArns = (stack: Stack) => (retentionOf(stack)?.Properties.LayerArns ?? []) as readonly unknown[];
/** A function that is not ours, with the runtime layer. */
const foreignFunction = (stack: Stack, runtimeLayer: OnnxRuntimeLayer) =>
  new LambdaFunction(stack, 'Foreign', {
    runtime: Runtime.NODEJS_24_X,
    handler: 'index.handler',
    code: Code.fromInline('exports.handler = async () => {}'),
    layers: [runtimeLayer.layer],
  });

/** Every finding of cdk-nag, of whatever severity, from the report that a synth writes. */
const findingsOf = (app: App): string[] => {
  const reportFile = join(outdir, 'validation-report.json');
  rmSync(reportFile, { force: true });
  try {
    app.synth({ force: true });
  } catch (error) {
    expect(String(error)).toMatch(/validation/i);
  }
  const report = JSON.parse(readFileSync(reportFile, 'utf8')) as {
    readonly pluginReports: readonly { readonly violations: readonly { readonly ruleName: string }[] }[];
  };
  return report.pluginReports.flatMap((plugin) => plugin.violations.map((violation) => violation.ruleName));
};

describe('keepVersions', () => {
  test('is off by default: nothing deletes', () => {
    const stack = newStack();
    const { versionRetention } = new InferenceFunction(stack, 'Faces', { model: model() });
    expect(versionRetention).toBeUndefined();
    expect(retentionOf(stack)).toBeUndefined();
    Template.fromStack(stack).resourceCountIs('AWS::Lambda::Function', 1);
  });

  test('deletes by a function on arm64 and nodejs24.x, after the alias has moved', () => {
    const stack = newStack();
    const faces = new InferenceFunction(stack, 'Faces', { model: model(), keepVersions: 3 });
    const template = Template.fromStack(stack);
    const { function: lambda, resource } = faces.versionRetention ?? {};
    template.hasResourceProperties('AWS::Lambda::Function', {
      Architectures: ['arm64'],
      Runtime: 'nodejs24.x',
      Handler: 'index.handler',
      Timeout: 300,
      LoggingConfig: { LogGroup: stack.resolve(faces.versionRetention?.logGroup.logGroupName) },
    });
    const [alias = ''] = ofType(template, 'AWS::Lambda::Alias').map(([id]) => id);
    const [version = ''] = ofType(template, 'AWS::Lambda::Version').map(([id]) => id);
    const retention = retentionOf(stack);
    expect(retention?.Properties).toEqual({
      ServiceToken: stack.resolve(lambda?.functionArn),
      ServiceTimeout: '1200',
      Functions: [
        {
          FunctionName: stack.resolve(faces.function.functionName),
          Version: { 'Fn::GetAtt': [version, 'Version'] },
          KeepVersions: 3,
        },
      ],
      LayerArns: [faces.runtimeLayer, faces.modelLayer].map(({ layerName }) => ({
        'Fn::Join': [
          '',
          [
            'arn:',
            { Ref: 'AWS::Partition' },
            ':lambda:',
            { Ref: 'AWS::Region' },
            ':',
            { Ref: 'AWS::AccountId' },
            `:layer:${layerName}`,
          ],
        ],
      })),
    });
    expect(retention?.DependsOn).toContain(alias);
    expect(resource?.node.path).toBe('Vision/VersionRetention/Resource');
    // It can delete as long as it is called, when the stack goes too.
    expect(retention?.DependsOn?.some((id) => id.startsWith('VersionRetentionPolicy'))).toBe(true);
  });

  test('runs when a version is published and not otherwise', () => {
    const resourceOf = (options: ArtifactFolderOptions, description: string) => {
      const stack = newStack();
      new InferenceFunction(stack, 'Faces', { model: model(options), keepVersions: 3 });
      stack.templateOptions.description = description;
      return retentionOf(stack);
    };
    expect(resourceOf({}, 'one')).toEqual(resourceOf({}, 'another'));
    expect(resourceOf({ taskType: 'object-detection' }, 'one')).not.toEqual(resourceOf({}, 'one'));
  });

  test('may be a token', () => {
    const stack = newStack();
    new InferenceFunction(stack, 'Faces', { model: model(), keepVersions: Token.asNumber({ Ref: 'Keep' }) });
    expect(retentionOf(stack)?.Properties.Functions).toEqual([
      expect.objectContaining({ KeepVersions: { Ref: 'Keep' } }),
    ]);
  });

  test.each([0, -1, 1.5, Number.NaN])('of %d is refused', (keepVersions) => {
    expect(() => new InferenceFunction(newStack(), 'Faces', { model: model(), keepVersions })).toThrow(
      expect.objectContaining({ code: 'KEEP_VERSIONS_INVALID' }),
    );
  });
});

describe('several functions of a stack', () => {
  test('share what deletes; it knows every one and each layer once', () => {
    const stack = newStack();
    const endpoint = new InferenceEndpoint(stack, 'Vision', { models: [model()], keepVersions: 5 });
    const text = endpoint.addModel(model({ name: 'text' }), { keepVersions: 2 });
    expect(text.versionRetention).toBe(endpoint.functions.get('faces')?.versionRetention);
    const retention = retentionOf(stack);
    expect(retention?.Properties.Functions).toMatchObject([{ KeepVersions: 5 }, { KeepVersions: 2 }]);
    expect(JSON.stringify(layerArns(stack)).match(/:layer:Vision-[A-Za-z-]+(?=-[0-9A-F]{8}")/g)).toEqual([
      ':layer:Vision-OnnxRuntime',
      ':layer:Vision-Models-faces-Model',
      ':layer:Vision-Models-text-Model',
    ]);
    for (const [id] of ofType(Template.fromStack(stack), 'AWS::Lambda::Alias'))
      expect(retention?.DependsOn).toContain(id);
    const [[, policy] = []] = ofType(Template.fromStack(stack), 'AWS::IAM::Policy');
    const document = policy?.Properties.PolicyDocument as { Statement: { Action: string | string[] }[] } | undefined;
    expect(document?.Statement.map(({ Action }) => [Action].flat().join(' '))).toEqual([
      'lambda:ListAliases lambda:ListVersionsByFunction',
      'lambda:DeleteFunction',
      'lambda:DeleteLayerVersion',
      'lambda:DeleteLayerVersion',
      'lambda:ListAliases lambda:ListVersionsByFunction',
      'lambda:DeleteFunction',
      'lambda:DeleteLayerVersion',
    ]);
  });

  test('of which one keeps all its versions keep the layer that they share with it', () => {
    const stack = newStack();
    const runtimeLayer = new OnnxRuntimeLayer(stack, 'OnnxRuntime');
    new InferenceFunction(stack, 'Faces', { model: model(), runtimeLayer, keepVersions: 2 });
    expect(layerArns(stack)).toHaveLength(2);
    const other = newStack();
    const shared = new OnnxRuntimeLayer(other, 'OnnxRuntime');
    new InferenceFunction(other, 'Faces', { model: model(), runtimeLayer: shared, keepVersions: 2 });
    new InferenceFunction(other, 'Text', { model: model({ name: 'text' }), runtimeLayer: shared });
    expect(JSON.stringify(layerArns(other))).toMatch(/:layer:Vision-Faces-Model-[0-9A-F]{8}"\]\]\}\]$/);
  });
});

test('permissions on all versions are all that cdk-nag finds, and each is explained, whatever the account and region', () => {
  const app = new App({ outdir });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const endpoint = new InferenceEndpoint(newStack('Vision', app), 'Vision', {
    models: [model(), model({ name: 'text' })],
    keepVersions: 5,
  });
  expect(findingsOf(app)).toEqual([]);
  endpoint.functions
    .get('faces')
    ?.versionRetention?.role.addToPolicy(new PolicyStatement({ actions: ['s3:GetObject'], resources: ['*'] }));
  expect(findingsOf(app)).toEqual(['AwsSolutions-IAM5[Resource::*]']);
});

describe('a runtime layer of the user', () => {
  test('is left alone where a function that is not ours uses it, in the same stack or in another', () => {
    for (const where of ['Vision', 'Other']) {
      const app = new App({ outdir });
      const stack = newStack('Vision', app);
      const runtimeLayer = new OnnxRuntimeLayer(stack, 'OnnxRuntime');
      new InferenceFunction(stack, 'Faces', { model: model(), runtimeLayer, keepVersions: 2 });
      foreignFunction(where === 'Vision' ? stack : newStack(where, app), runtimeLayer);
      expect(JSON.stringify(layerArns(stack))).not.toContain('OnnxRuntime');
      expect(layerArns(stack)).toHaveLength(1);
    }
  });

  test('of another stack is not touched', () => {
    const app = new App({ outdir });
    const runtimeLayer = new OnnxRuntimeLayer(newStack('Layers', app), 'OnnxRuntime');
    const stack = newStack('Vision', app);
    new InferenceFunction(stack, 'Faces', { model: model(), runtimeLayer, keepVersions: 2 });
    expect(layerArns(stack)).toHaveLength(1);
    expect(JSON.stringify(Template.fromStack(stack).toJSON())).not.toContain(`${runtimeLayer.layerName}:*`);
  });
});

describe('the name of a layer', () => {
  const namesIn = (stackName: string, options: ArtifactFolderOptions = {}) => {
    const stack = new Stack(new App({ outdir }), 'Id', { stackName });
    new InferenceFunction(stack, 'Faces', { model: model(options) });
    return ofType(Template.fromStack(stack), 'AWS::Lambda::LayerVersion').map(
      ([, { Properties }]) => Properties.LayerName,
    );
  };

  test('is the same for every content and another in every stack', () => {
    expect(namesIn('Vision', { taskType: 'object-detection' })).toEqual(namesIn('Vision'));
    expect(namesIn('Vision')).toEqual([
      expect.stringMatching(/^Vision-Faces-OnnxRuntime-[0-9A-F]{8}$/),
      expect.stringMatching(/^Vision-Faces-Model-[0-9A-F]{8}$/),
    ]);
    for (const name of namesIn('Vision')) expect(namesIn('Hearing')).not.toContain(name);
  });

  test('fits Lambda, however long the path', () => {
    for (const name of namesIn('S'.repeat(128), { name: 'm'.repeat(63) })) {
      expect(name).toMatch(/^[A-Za-z0-9_-]{1,140}$/);
    }
  });
});
