import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpApi, HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration, HttpUrlIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Code, Function as LambdaFunction, LayerVersion, Runtime } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { App, CfnParameter, Duration, Fn, Stack, Stage } from 'aws-cdk-lib/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AssemblyStack, readCloudAssembly } from '../../lib/local/cloud-assembly.js';
import { stackEvaluator } from '../../lib/local/intrinsics.js';
import { readLocalService } from '../../lib/local/local-stack.js';
import { FIXTURE_FUNCTIONS } from '../support/local-app.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-assembly-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Synthesizes what `build` puts into a stack and reads it back. */
function read(build: (stack: Stack) => void): readonly AssemblyStack[] {
  const outdir = mkdtempSync(join(folder, 'out-'));
  const app = new App({ outdir });
  build(new Stack(app, 'Test'));
  app.synth();
  return readCloudAssembly(outdir);
}
const functionProps = () => ({
  runtime: Runtime.NODEJS_24_X,
  code: Code.fromAsset(join(FIXTURE_FUNCTIONS, 'module')),
  handler: 'index.handler',
});
const addRoute = (stack: Stack, lambda: LambdaFunction, path = '/x') =>
  new HttpApi(stack, `Api${path.slice(1)}`).addRoutes({
    path,
    methods: [HttpMethod.GET],
    integration: new HttpLambdaIntegration('Integration', lambda),
  });

describe('what is read of an assembly', () => {
  test('a function without alias, with defaults of Lambda and of the API', () => {
    const service = readLocalService(read((stack) => addRoute(stack, new LambdaFunction(stack, 'F', functionProps()))));
    expect(service.routes).toMatchObject([
      { routeKey: 'GET /x', authorization: 'NONE', timeoutMs: 30_000, payloadFormatVersion: '2.0' },
    ]);
    expect(service.functions).toMatchObject([
      {
        architecture: 'x86_64',
        memoryMiB: 128,
        timeoutSeconds: 3,
        handler: 'index.handler',
        runtime: 'nodejs24.x',
        layerFolders: [],
      },
    ]);
  });

  test('nested stages, and references to parameters, pseudo parameters and resources', () => {
    const outdir = mkdtempSync(join(folder, 'out-'));
    const app = new App({ outdir });
    const stack = new Stack(new Stage(app, 'Prod'), 'Inner');
    const parameter = new CfnParameter(stack, 'Size', { default: 'large' });
    const lambda = new LambdaFunction(stack, 'F', {
      ...functionProps(),
      memorySize: 512,
      timeout: Duration.seconds(9),
      environment: {
        SIZE: parameter.valueAsString,
        WHERE: `${stack.partition}/${stack.region}/${stack.account}`,
        BUCKET: new Bucket(stack, 'Data').bucketName,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a placeholder of CloudFormation
        SUB: Fn.sub('${Size}-${AWS::Region}-${!literal}-${own}', { own: 'value' }),
      },
    });
    addRoute(stack, lambda);
    app.synth();
    const service = readLocalService(readCloudAssembly(outdir), 'eu-central-1');
    expect(service.functions[0]).toMatchObject({
      memoryMiB: 512,
      timeoutSeconds: 9,
      environment: {
        SIZE: 'large',
        WHERE: 'aws/eu-central-1/000000000000',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: what a quoted placeholder becomes
        SUB: 'large-eu-central-1-${literal}-value',
      },
    });
    expect(service.warnings).toEqual([
      expect.stringMatching(/the variable BUCKET refers to a resource that does not exist/),
    ]);
  });

  test("a CORS configuration belongs to its API's routes", () => {
    const stacks = read((stack) => {
      const api = new HttpApi(stack, 'Api', {
        corsPreflight: { allowOrigins: ['https://a.example'], maxAge: Duration.minutes(5), allowCredentials: true },
      });
      const integration = new HttpLambdaIntegration('I', new LambdaFunction(stack, 'F', functionProps()));
      api.addRoutes({ path: '/x', integration });
    });
    const { routes, warnings } = readLocalService(stacks);
    expect(warnings).toEqual([]);
    expect(routes[0]?.cors).toEqual({
      allowOrigins: ['https://a.example'],
      allowMethods: [],
      allowHeaders: [],
      exposeHeaders: [],
      allowCredentials: true,
      maxAgeSeconds: 300,
    });
  });
});

describe('what is refused', () => {
  test.each<[string, (stack: Stack) => void]>([
    ['NO_ROUTES', () => undefined],
    [
      'LOCAL_INTEGRATION',
      (stack) => {
        new HttpApi(stack, 'Api').addRoutes({
          path: '/x',
          integration: new HttpUrlIntegration('I', 'https://example.com'),
        });
      },
    ],
    [
      'LOCAL_FUNCTION',
      (stack) =>
        addRoute(
          stack,
          new LambdaFunction(stack, 'F', { ...functionProps(), code: Code.fromInline('exports.handler = 1') }),
        ),
    ],
    [
      'LOCAL_FUNCTION',
      (stack) => addRoute(stack, new LambdaFunction(stack, 'F', { ...functionProps(), runtime: Runtime.PYTHON_3_13 })),
    ],
    [
      'LOCAL_LAYER',
      (stack) => {
        const layer = LayerVersion.fromLayerVersionArn(
          stack,
          'L',
          'arn:aws:lambda:us-east-1:123456789012:layer:theirs:4',
        );
        addRoute(stack, new LambdaFunction(stack, 'F', { ...functionProps(), layers: [layer] }));
      },
    ],
    [
      'LOCAL_INTRINSIC',
      (stack) =>
        addRoute(
          stack,
          new LambdaFunction(stack, 'F', { ...functionProps(), environment: { X: Fn.importValue('theirs') } }),
        ),
    ],
    [
      'LOCAL_REFERENCE',
      (stack) => {
        const parameter = new CfnParameter(stack, 'NoDefault');
        addRoute(
          stack,
          new LambdaFunction(stack, 'F', { ...functionProps(), environment: { X: parameter.valueAsString } }),
        );
      },
    ],
    [
      'ROUTE_TWICE',
      (stack) => {
        const lambda = new LambdaFunction(stack, 'F', functionProps());
        for (const id of ['One', 'Two']) {
          new HttpApi(stack, id).addRoutes({ path: '/x', integration: new HttpLambdaIntegration(`I${id}`, lambda) });
        }
      },
    ],
  ])('%s', (code, build) => {
    const stacks = read(build);
    expect(() => readLocalService(stacks)).toThrow(expect.objectContaining({ code, name: 'ConfigurationError' }));
  });

  test('a folder that is none, and one that is damaged', () => {
    expect(() => readCloudAssembly(join(folder, 'nowhere'))).toThrow(
      expect.objectContaining({ code: 'ASSEMBLY_NOT_FOUND' }),
    );
    const damaged = join(folder, 'damaged');
    mkdirSync(damaged);
    writeFileSync(join(damaged, 'manifest.json'), '{"artifacts":');
    expect(() => readCloudAssembly(damaged)).toThrow(expect.objectContaining({ code: 'ASSEMBLY_UNREADABLE' }));
  });
});

test('values without intrinsic functions are left as they are', () => {
  const stack: AssemblyStack = {
    name: 'S',
    template: { Resources: {}, Parameters: {}, Outputs: {} },
    assetFolders: new Map(),
    fileAssets: [],
  };
  const { evaluate } = stackEvaluator(stack, 'us-east-1');
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      fc.pre(!/"(Ref|Fn::)/.test(JSON.stringify(value)));
      expect(evaluate(value)).toEqual(value);
    }),
    { seed: 7 },
  );
});

test('Fn::Select takes one of what Fn::Split makes', () => {
  const resources = {
    F: { Type: 'AWS::Lambda::Function', Properties: {} },
    A: { Type: 'AWS::Lambda::Alias', Properties: { FunctionName: { Ref: 'F' }, Name: 'live' } },
  };
  const stack: AssemblyStack = {
    name: 'S',
    template: { Resources: resources, Parameters: {}, Outputs: {} },
    assetFolders: new Map(),
    fileAssets: [],
  };
  const { evaluate } = stackEvaluator(stack, 'us-east-1');
  const parts = { 'Fn::Split': [':', { Ref: 'A' }] };
  // As CDK takes an alias' name from its ARN.
  expect(evaluate({ 'Fn::Select': [6, parts] })).toBe('F');
  expect(evaluate({ 'Fn::Select': ['7', parts] })).toBe('live');
  expect(evaluate({ 'Fn::Select': [1, ['a', 'b']] })).toBe('b');
  expect(evaluate({ 'Fn::Select': [9, parts] })).toBeUndefined();
});

test('Fn::Join of a list is the join of its values', () => {
  const stack: AssemblyStack = {
    name: 'S',
    template: { Resources: {}, Parameters: { P: { Default: 'p' } }, Outputs: {} },
    assetFolders: new Map(),
    fileAssets: [],
  };
  const { text } = stackEvaluator(stack, 'us-east-1');
  fc.assert(
    fc.property(fc.string(), fc.array(fc.oneof(fc.string(), fc.constant({ Ref: 'P' }))), (separator, parts) => {
      const plain = parts.map((part) => (typeof part === 'string' ? part : 'p')).join(separator);
      expect(text({ 'Fn::Join': [separator, parts] })).toBe(plain);
    }),
    { seed: 7 },
  );
});
