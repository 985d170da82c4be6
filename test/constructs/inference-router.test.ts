/** A router in front of a function: what it is, what it may do, what it is refused for. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { User } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Architecture, Tracing } from 'aws-cdk-lib/aws-lambda';
import { Duration, type Stack } from 'aws-cdk-lib/core';
import { describe, expect, test } from 'vitest';
import { ROUTER_METRICS, type RouterMetric } from '../../lib/artifact/function-metrics.js';
import type { Manifest } from '../../lib/artifact/manifest.js';
import { modelInterface } from '../../lib/artifact/model-interface.js';
import { DEFAULT_POLICY } from '../../lib/artifact/router-policy.js';
import {
  type AsynchronousGpuEndpointProps,
  GpuEndpoint,
  InferenceApi,
  InferenceFunction,
  type InferenceFunctionOptions,
  InferenceRouter,
  type InferenceRouterOptions,
  Model,
} from '../../lib/constructs/index.js';
import { writeGpuArtifactFolder } from '../support/gpu-artifact.js';
import { ENV, faces, folder, modelOf, outdir, refusalOf, stackOf } from '../support/gpu-endpoints.js';
import { propertiesOf } from '../support/option-combinations.js';

interface Behind {
  readonly model?: Model;
  readonly predict?: InferenceFunctionOptions;
  readonly realTime?: boolean;
  readonly queue?: Partial<AsynchronousGpuEndpointProps> | boolean;
}

const routerWith = (
  options: InferenceRouterOptions = {},
  { model = faces, predict = {}, realTime = true, queue = false }: Behind = {},
  stack: Stack = stackOf(),
) => {
  const inferenceFunction = new InferenceFunction(stack, 'Faces', { model, ...predict });
  const props = { model };
  const router = new InferenceRouter(stack, 'Router', {
    ...options,
    inferenceFunction,
    ...(realTime ? { gpuEndpoint: GpuEndpoint.realTime(stack, 'Gpu', props) } : {}),
    ...(queue === false
      ? {}
      : { gpuQueue: GpuEndpoint.asynchronous(stack, 'Queue', { ...props, ...(queue === true ? {} : queue) }) }),
  });
  return { stack, router, inferenceFunction };
};
/** The router's own function; the template is made for it. */
const functionOf = (stack: Stack) => {
  const [found] = propertiesOf(Template.fromStack(stack), 'AWS::Lambda::Function').filter(({ Description }) =>
    String(Description).startsWith('cdk-onnx: router'),
  );
  return found as Record<string, unknown> & { Environment: { Variables: Record<string, unknown> } };
};
const messagesOf = (stack: Stack) => {
  const annotations = Annotations.fromStack(stack);
  const text = (kind: 'findWarning' | 'findInfo') =>
    annotations[kind]('*', Match.anyValue()).map(({ entry }) => String(entry.data));
  return {
    warnings: text('findWarning'),
    infos: text('findInfo').filter((line) => line.includes('executions')),
  };
};

describe('a router', () => {
  test('is a function without onnxruntime, with time for its policy and to write an answer down', () => {
    const { stack, router } = routerWith();
    const { Layers, ...properties } = functionOf(stack);
    expect(Layers).toEqual([{ Ref: expect.stringMatching(/^RouterModelInterface/) }]);
    expect(properties).toMatchObject({
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      MemorySize: 1024,
      Timeout: 29,
      Handler: 'index.handler',
      LoggingConfig: { LogGroup: { Ref: expect.stringMatching(/^RouterLogs/) } },
    });
    expect(router.policy).toEqual(DEFAULT_POLICY);
    expect(router.minApiTimeoutMs).toBe(29_000);
    Template.fromStack(stack).hasResourceProperties('AWS::Lambda::Alias', {
      Name: 'live',
      FunctionName: { Ref: Match.stringLikeRegexp('^RouterFunction') },
    });
  });

  test('knows what stands behind it by what it may invoke there', () => {
    const { stack, router } = routerWith({}, { queue: true });
    expect(functionOf(stack).Environment.Variables).toEqual({
      CDK_ONNX_PREDICT_FUNCTION: { Ref: expect.stringMatching(/^FacesAlias/) },
      CDK_ONNX_MODEL: 'faces',
      CDK_ONNX_MODEL_VERSION: '1',
      CDK_ONNX_GPU_ENDPOINT: router.gpuEndpoint?.endpointName,
      CDK_ONNX_MODEL_INTERFACE: '/opt/models/faces',
      CDK_ONNX_GPU_QUEUE_ENDPOINT: router.gpuQueue?.endpointName,
      CDK_ONNX_GPU_QUEUE_BUCKET: { Ref: expect.stringMatching(/^QueueBucket/) },
      CDK_ONNX_JOB_SECRET: { Ref: 'AWS::StackId' },
      CDK_ONNX_ROUTER_POLICY: '{"onGpuUnavailable":"queue"}',
    });
  });

  test.each([
    [{ realTime: true }, ['CDK_ONNX_GPU_ENDPOINT']],
    [{ realTime: false, queue: true }, ['CDK_ONNX_GPU_QUEUE_BUCKET', 'CDK_ONNX_GPU_QUEUE_ENDPOINT']],
  ])('may have one GPU alone: %j', (behind, expected) => {
    const { stack } = routerWith({}, behind);
    const names = Object.keys(functionOf(stack).Environment.Variables).filter((name) => name.includes('_GPU_'));
    expect(names.sort()).toEqual(expected);
  });

  test('with a queue alone has a layer if the model has a task, whose requests become jobs', () => {
    const model = modelOf({ taskType: 'image-classification' });
    const { stack } = routerWith({}, { model, realTime: false, queue: true });
    expect(functionOf(stack).Environment.Variables).toMatchObject({ CDK_ONNX_MODEL_INTERFACE: '/opt/models/faces' });
  });

  test('has no layer for a queue alone of a model without a task, or where nothing was built', () => {
    const queueAlone = routerWith({}, { realTime: false, queue: true });
    const notBuilt = routerWith({}, {}, stackOf(ENV, { 'aws:cdk:bundling-stacks': [] }));
    for (const { stack, router } of [queueAlone, notBuilt]) {
      expect(router.modelInterfaceLayer).toBeUndefined();
      const { Layers, Environment } = functionOf(stack);
      expect(Layers).toBeUndefined();
      expect(Environment.Variables).not.toHaveProperty('CDK_ONNX_MODEL_INTERFACE');
    }
  });

  describe('has a layer of what callers rely on', () => {
    const layerOf = (artifact: string) => {
      const { stack, router } = routerWith({}, { model: Model.fromArtifact(artifact) });
      const digest = router.modelInterfaceLayer?.digest;
      const versions = Object.keys(Template.fromStack(stack).findResources('AWS::Lambda::Version'));
      const version = versions.filter((id) => id.startsWith('Router'));
      return { staged: join(outdir, `asset.${digest}`), digest, version };
    };
    const assets = { 'tokenizer.json': '{"model":{}}', 'more/words.txt': 'a b' };

    test('without the weights', () => {
      const artifact = writeGpuArtifactFolder(folder, { assets });
      const { staged } = layerOf(artifact);
      const files = readdirSync(staged, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
      expect(files.map(({ parentPath, name }) => relative(staged, join(parentPath, name))).sort()).toEqual([
        'models/faces/assets/more/words.txt',
        'models/faces/assets/tokenizer.json',
        'models/faces/interface.json',
      ]);
      const manifest = JSON.parse(readFileSync(join(artifact, 'manifest.json'), 'utf8'));
      expect(JSON.parse(readFileSync(join(staged, 'models/faces/interface.json'), 'utf8'))).toEqual(
        modelInterface(manifest),
      );
    });

    test('that is the same for a model that only learnt more, and another for another signature or file', () => {
      const before = layerOf(writeGpuArtifactFolder(folder, { assets }));
      const changed = (change: (manifest: Manifest) => object, files = assets) => {
        const artifact = writeGpuArtifactFolder(folder, { assets: files });
        const manifest = JSON.parse(readFileSync(join(artifact, 'manifest.json'), 'utf8'));
        writeFileSync(join(artifact, 'manifest.json'), JSON.stringify({ ...manifest, ...change(manifest) }));
        return layerOf(artifact);
      };
      const learnt = changed(() => ({ contentHash: '1'.repeat(64) }));
      expect(learnt).toEqual(before);
      const other = [
        changed(({ signature }) => ({ signature: { ...signature, outputs: [] } })),
        changed(() => ({}), { ...assets, 'tokenizer.json': '{}' }),
      ];
      expect(new Set([before, ...other].map(({ digest }) => digest)).size).toBe(3);
      expect(new Set([before, ...other].map(({ version }) => JSON.stringify(version))).size).toBe(3);
    });
  });

  test('tells its code what of the policy is not the default, and takes its own timeout from it', () => {
    const policy = { timeout: 9_500, maxCpuBatch: 8, circuitBreaker: { failures: 3 } };
    const { stack, router } = routerWith({ policy });
    const { Environment, Timeout } = functionOf(stack);
    expect(JSON.parse(String(Environment.Variables.CDK_ONNX_ROUTER_POLICY))).toEqual(policy);
    expect(Timeout).toBe(11);
    expect(router.policy).toMatchObject({ timeout: 9_500, cpuTimeout: 4_750, circuitBreaker: { failures: 3 } });
    expect(functionOf(routerWith().stack).Environment.Variables).not.toHaveProperty('CDK_ONNX_ROUTER_POLICY');
  });

  test('has the options of functions', () => {
    const stack = stackOf();
    const key = new Key(stack, 'Key');
    const vpc = Vpc.fromVpcAttributes(stack, 'Vpc', {
      vpcId: 'vpc-0123456789abcdef0',
      availabilityZones: ['eu-west-1a'],
      privateSubnetIds: ['subnet-0123456789abcdef1'],
      privateSubnetRouteTableIds: ['rtb-0123456789abcdef1'],
    });
    const { router } = routerWith(
      {
        memorySize: 512,
        architecture: Architecture.X86_64,
        tracing: Tracing.ACTIVE,
        logLevel: 'ERROR',
        metricsNamespace: 'Vision',
        environmentEncryption: key,
        keepVersions: 2,
        vpc,
      },
      {},
      stack,
    );
    expect(functionOf(stack)).toMatchObject({
      MemorySize: 512,
      Architectures: ['x86_64'],
      TracingConfig: { Mode: 'Active' },
      KmsKeyArn: { 'Fn::GetAtt': [expect.stringMatching(/^Key/), 'Arn'] },
      VpcConfig: { SubnetIds: ['subnet-0123456789abcdef1'] },
      Environment: { Variables: { POWERTOOLS_LOG_LEVEL: 'ERROR', POWERTOOLS_METRICS_NAMESPACE: 'Vision' } },
    });
    expect(router.connections.securityGroups).toHaveLength(1);
    expect(router.versionRetention).toBeDefined();
    expect(refusalOf(() => routerWith().router.connections).code).toBe('VPC_MISSING');
  });

  test('lets others invoke its alias', () => {
    const { stack, router } = routerWith();
    router.grantInvoke(new User(stack, 'Caller'));
    Template.fromStack(stack).hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: [
          {
            Action: 'lambda:InvokeFunction',
            Effect: 'Allow',
            Resource: { Ref: Match.stringLikeRegexp('^RouterAlias') },
          },
        ],
      },
    });
  });

  test('has a metric for each that it writes', () => {
    const { router } = routerWith({ metricsNamespace: 'Vision' });
    for (const [name, unit] of Object.entries(ROUTER_METRICS)) {
      expect(router.metricRouter(name as RouterMetric)).toMatchObject({
        namespace: 'Vision',
        metricName: name,
        dimensions: { model: 'faces' },
        statistic: unit === 'Count' ? 'Sum' : 'Average',
      });
    }
    const named = [router.metricTime(), router.metricLambdaAnswers(), router.metricGpuAnswers()];
    named.push(router.metricFallbacks(), router.metricRouterErrors(), router.metricExtraLoad());
    expect(named.map(({ metricName }) => metricName)).toEqual([
      'RouterTime',
      'LambdaAnswers',
      'GpuAnswers',
      'Fallbacks',
      'RouterErrors',
      'ExtraLoad',
    ]);
    expect(router.metricThrottles().namespace).toBe('AWS/Lambda');
  });
});

describe('concurrency of its own', () => {
  const reserved = (options?: InferenceRouterOptions, behind?: Behind) =>
    functionOf(routerWith(options, behind).stack).ReservedConcurrentExecutions;

  test.each<[InferenceRouterOptions, InferenceFunctionOptions, number]>([
    [{}, { reservedConcurrentExecutions: 30 }, 60],
    [{}, { reservedConcurrentExecutions: 100 }, 200],
    // Everything goes to the GPU.
    [{}, { reservedConcurrentExecutions: 0 }, 60],
    [{ reservedConcurrentExecutions: 7 }, { reservedConcurrentExecutions: 30 }, 7],
    [{ provisionedConcurrency: { min: 80 } }, { reservedConcurrentExecutions: 30 }, 80],
  ])('%j with %j behind it is %i', (options, predict, expected) => {
    expect(reserved(options, { predict })).toBe(expected);
  });

  test('is announced with what an account has', () => {
    const { stack } = routerWith({}, { predict: { reservedConcurrentExecutions: 30 } });
    expect(messagesOf(stack)).toEqual({
      warnings: [],
      infos: [
        expect.stringMatching(/^30 executions .* for the function of faces, and 60 for its router.*may have 10/s),
      ],
    });
  });

  test.each<[InferenceRouterOptions, InferenceFunctionOptions, string]>([
    [{ reserveConcurrency: false }, {}, 'the function of faces and its router'],
    [{ reserveConcurrency: false }, { reservedConcurrentExecutions: 5 }, 'its router'],
    [{}, {}, 'the function of faces'],
  ])('that is missing is a warning: %j, %j', (options, predict, who) => {
    const { stack } = routerWith(options, { predict });
    const { warnings } = messagesOf(stack);
    expect(warnings).toEqual([expect.stringContaining(`No concurrency of its own: ${who}.`)]);
    expect(warnings[0]).toContain('API Gateway answers with 500');
  });
});

describe('provisioned concurrency', () => {
  const aliases = (options: InferenceRouterOptions) => {
    const { stack } = routerWith(options, { predict: { provisionedConcurrency: { min: 2 } } });
    return propertiesOf(Template.fromStack(stack), 'AWS::Lambda::Alias').map(
      ({ ProvisionedConcurrencyConfig }) => ProvisionedConcurrencyConfig,
    );
  };

  test('is that of the function behind it unless it says otherwise', () => {
    expect(aliases({})).toEqual([{ ProvisionedConcurrentExecutions: 2 }, { ProvisionedConcurrentExecutions: 2 }]);
    expect(aliases({ provisionedConcurrency: { min: 5 } })[1]).toEqual({ ProvisionedConcurrentExecutions: 5 });
    expect(aliases({ provisionedConcurrency: false })[1]).toBeUndefined();
  });
});

describe('is refused', () => {
  test.each<[string, InferenceRouterOptions, Behind]>([
    ['ROUTER_WITHOUT_GPU', {}, { realTime: false }],
    ['MEMORY_SIZE_INVALID', { memorySize: 511 }, {}],
    ['POLICY_INVALID', { policy: { timeout: 28_001 } }, {}],
    ['POLICY_INVALID', { policy: { retries: 3 } as object }, {}],
    ['POLICY_QUEUE_MISSING', { policy: { onGpuUnavailable: 'queue' } }, {}],
    ['RESERVED_CONCURRENCY_INVALID', { reservedConcurrentExecutions: 1.5 }, {}],
    ['RESERVED_CONCURRENCY_TOO_SMALL', { reservedConcurrentExecutions: 1, provisionedConcurrency: { min: 2 } }, {}],
    ['KEEP_VERSIONS_INVALID', { keepVersions: 0 }, {}],
    ['VPC_MISSING', { allowAllOutbound: true }, {}],
    ['LOG_LEVEL_INVALID', { logLevel: 'LOUD' as 'INFO' }, {}],
  ])('%s: %j %j', (code, options, behind) => {
    expect(refusalOf(() => routerWith(options, behind)).code).toBe(code);
  });

  test('with all that is wrong at once', () => {
    const { message } = refusalOf(() => routerWith({ memorySize: 1, policy: { timeout: 1, extraLoad: 1 } }));
    for (const text of ['memorySize is 1', 'policy.timeout is 1', 'policy.extraLoad is 1']) {
      expect(message).toContain(text);
    }
  });

  test('in front of another model', () => {
    const stack = stackOf();
    const inferenceFunction = new InferenceFunction(stack, 'Faces', { model: faces });
    const gpuEndpoint = GpuEndpoint.realTime(stack, 'Gpu', { model: modelOf({ name: 'cats' }) });
    const refusal = refusalOf(() => new InferenceRouter(stack, 'Router', { inferenceFunction, gpuEndpoint }));
    expect(refusal).toMatchObject({ code: 'ROUTER_MODELS_DIFFER', message: expect.stringContaining('cats') });
  });

  test('behind an API that streams, or that waits less than it', () => {
    const streaming = routerWith();
    expect(
      refusalOf(
        () =>
          new InferenceApi(streaming.stack, 'Api', { apiType: 'rest', streaming: true, functions: [streaming.router] }),
      ).code,
    ).toBe('STREAMING_WITH_ROUTER');
    const { stack, router } = routerWith();
    const apiTimeout = Duration.seconds(28.5);
    expect(refusalOf(() => new InferenceApi(stack, 'Api', { apiTimeout, functions: [router] })).code).toBe(
      'API_TIMEOUT_BELOW_ROUTER',
    );
  });
});
