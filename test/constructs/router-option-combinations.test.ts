/** Endpoints with a GPU in every pair of alternatives: what the router may do, and that nothing finds fault with the template. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { SecurityGroup, Vpc } from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Architecture, Tracing } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { App, Duration, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  InferenceAuth,
  InferenceEndpoint,
  type InferenceEndpointProps,
  type InferenceGpuOptions,
  Model,
} from '../../lib/constructs/index.js';
import { CFN_LINT, lintStacks } from '../support/cfn-lint.js';
import { beyondLimits } from '../support/deployment-limits.js';
import { writeGpuArtifactFolder } from '../support/gpu-artifact.js';
import {
  findingsOf,
  holdingEveryAlternative,
  nameRows,
  pairwise,
  propertiesOf,
  type Statement,
} from '../support/option-combinations.js';
import { requirePython } from '../support/python.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-router-combinations-'));
const outdir = join(folder, 'cdk.out');
let model: Model;
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  model = Model.fromArtifact(writeGpuArtifactFolder(folder));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Options {
  readonly gpu?: InferenceGpuOptions;
  readonly endpoint?: Partial<InferenceEndpointProps>;
}

/** What the user's own resources need in a stack. */
class Given {
  constructor(private readonly stack: Stack) {}

  ownKey = () => new Key(this.stack, 'Key', { enableKeyRotation: true });
  resultKey = () => Key.fromKeyArn(this.stack, 'ResultKey', RESULT_KEY);
  bucket = () => Bucket.fromBucketName(this.stack, 'Given', 'given');
  logGroup = () => new LogGroup(this.stack, 'Logs');
  vpc = () =>
    Vpc.fromVpcAttributes(this.stack, 'Vpc', {
      vpcId: 'vpc-0123456789abcdef0',
      availabilityZones: ['eu-west-1a', 'eu-west-1b'],
      privateSubnetIds: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
      privateSubnetRouteTableIds: ['rtb-0123456789abcdef1', 'rtb-0123456789abcdef2'],
    });
  securityGroups = () => [SecurityGroup.fromSecurityGroupId(this.stack, 'Group', 'sg-0123456789abcdef0')];
}

const RESULT_KEY = 'arn:aws:kms:eu-west-1:123456789012:key/66666666-7777-8888-9999-000000000000';

/** Alternatives for each group of options; the first is the default. */
const ALTERNATIVES: Readonly<Record<string, readonly ((given: Given) => Options)[]>> = {
  gpu: [
    () => ({}),
    () => ({ gpu: { queue: true } }),
    (given) => ({ gpu: { queue: { encryption: given.resultKey() } } }),
    (given) => ({ gpu: { realTime: false, queue: { bucket: given.bucket() } } }),
  ],
  policy: [() => ({}), () => ({ gpu: { policy: { timeout: 5_000, hedgeAfter: 100, maxCpuBatch: 8 } } })],
  router: [
    () => ({}),
    (given) => ({
      gpu: {
        router: {
          memorySize: 512,
          architecture: Architecture.X86_64,
          logGroup: given.logGroup(),
          publishMetrics: false,
        },
      },
    }),
    () => ({ gpu: { router: { memorySize: 10_240, provisionedConcurrency: { min: 1, max: 5 } } } }),
  ],
  network: [
    () => ({}),
    (given) => ({ gpu: { router: { vpc: given.vpc() } } }),
    (given) => ({ gpu: { router: { vpc: given.vpc(), securityGroups: given.securityGroups() } } }),
  ],
  functions: [
    () => ({}),
    () => ({ endpoint: { tracing: Tracing.ACTIVE, keepVersions: 2 } }),
    (given) => {
      const key = given.ownKey();
      return { endpoint: { environmentEncryption: key, logEncryption: key } };
    },
  ],
  api: [
    () => ({}),
    () => ({ endpoint: { apiTimeout: Duration.seconds(20), auth: InferenceAuth.none() } }),
    () => ({ endpoint: { apiType: 'rest', cors: { allowOrigins: ['https://example.com'] }, requestValidation: true } }),
  ],
};

const groups = Object.entries(ALTERNATIVES);
const rows = pairwise(groups.map(([, alternatives]) => alternatives.length));
const nameOf = nameRows(groups.map(([name]) => name));

const build = (row: readonly number[]) => {
  const app = new App({ outdir });
  const stack = new Stack(app, 'Vision', { env: { account: '123456789012', region: 'eu-west-1' } });
  const given = new Given(stack);
  const chosen = groups.map(([, choices], index) => choices[row[index] ?? 0]?.(given) ?? {});
  const gpu: InferenceGpuOptions = Object.assign({}, ...chosen.map((options) => options.gpu), {
    router: Object.assign({}, ...chosen.map((options) => options.gpu?.router)),
  });
  const options = Object.assign({}, ...chosen.map(({ endpoint }) => endpoint)) as Partial<InferenceEndpointProps>;
  const endpoint = new InferenceEndpoint(stack, 'Vision', {
    models: [model],
    ...options,
    gpu,
  } as InferenceEndpointProps);
  return { app, stack, endpoint, gpu, options };
};

/** Of the router's role: its own, and those of policies that it is in. */
const routerStatements = (template: Template): Statement[] => {
  const isRouters = (value: unknown) => /GpufacesRouterRole/.test(JSON.stringify(value));
  const [role] = Object.entries(template.findResources('AWS::IAM::Role')).filter(([id]) => isRouters(id));
  const policies = propertiesOf(template, 'AWS::IAM::Policy').filter(({ Roles }) => isRouters(Roles));
  const documents = [...(role?.[1].Properties.Policies ?? []), ...policies] as {
    PolicyDocument: { Statement: Statement[] };
  }[];
  return documents.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
};

const NETWORK_INTERFACES = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
];
const allow = (action: string | readonly string[], resource: unknown, condition?: object) => ({
  Action: action,
  Effect: 'Allow',
  Resource: resource,
  ...(condition === undefined ? {} : { Condition: condition }),
});
const arn = (rest: unknown) => ({ 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, rest]] });
const endpointArn = (kind: string) =>
  arn(
    expect.stringMatching(
      new RegExp(`^:sagemaker:eu-west-1:123456789012:endpoint/vision-gpu-faces-${kind}-[0-9a-f]+$`),
    ),
  );

/** What the router's options need, and nothing else. */
const expectedStatements = ({ gpu, options }: ReturnType<typeof build>): object[] => {
  const { realTime, queue } = gpu;
  const queueOptions = typeof queue === 'object' ? queue : {};
  const objects = (...prefixes: readonly string[]) =>
    prefixes.map((prefix) =>
      queueOptions.bucket === undefined
        ? { 'Fn::Join': ['', [{ 'Fn::GetAtt': [expect.stringMatching(/QueueBucket/), 'Arn'] }, `/${prefix}/*`]] }
        : arn(`:s3:::given/${prefix}/*`),
    );
  return [
    allow(['logs:CreateLogStream', 'logs:PutLogEvents'], { 'Fn::GetAtt': [expect.stringContaining('Logs'), 'Arn'] }),
    ...(options.tracing === undefined ? [] : [allow(['xray:PutTelemetryRecords', 'xray:PutTraceSegments'], '*')]),
    ...(gpu.router?.vpc === undefined
      ? []
      : [
          allow(NETWORK_INTERFACES, '*'),
          {
            ...allow(NETWORK_INTERFACES, '*', { Null: { 'lambda:SourceFunctionArn': 'false' } }),
            Effect: 'Deny',
          },
        ]),
    allow('lambda:InvokeFunction', { Ref: expect.stringMatching(/^VisionModelsfacesAlias/) }),
    ...(realTime === false ? [] : [allow('sagemaker:InvokeEndpoint', endpointArn('realtime'))]),
    ...(queue === undefined
      ? []
      : [
          allow('sagemaker:InvokeEndpointAsync', endpointArn('queue')),
          allow('s3:PutObject', objects('requests', 'jobs')),
          allow('s3:GetObject', objects('requests', 'jobs', 'results', 'failures')),
          ...(queueOptions.encryption === undefined
            ? []
            : [
                allow(['kms:Decrypt', 'kms:GenerateDataKey'], RESULT_KEY, {
                  StringEquals: {
                    'kms:ViaService': { 'Fn::Join': ['', ['s3.eu-west-1.', { Ref: 'AWS::URLSuffix' }]] },
                  },
                }),
              ]),
        ]),
    ...(options.environmentEncryption === undefined
      ? []
      : [allow('kms:Decrypt', { 'Fn::GetAtt': [expect.stringMatching(/^Key/), 'Arn'] })]),
  ];
};

test('the table stays small', () => {
  expect(rows.length).toBeLessThan(20);
});

describe('an endpoint with a GPU has no finding, and its router may do what its options need and no more', () => {
  test.each(rows.map((row) => ({ name: nameOf(row), row })))('$name', ({ row }) => {
    const built = build(row);
    const template = Template.fromStack(built.stack);
    expect(routerStatements(template)).toEqual(expectedStatements(built));
    for (const role of propertiesOf(template, 'AWS::IAM::Role')) expect(role).not.toHaveProperty('ManagedPolicyArns');
    template.resourceCountIs('AWS::IAM::ManagedPolicy', 0);
    expect(beyondLimits(template)).toEqual([]);
    for (const { TimeoutInMillis } of propertiesOf(template, 'AWS::ApiGatewayV2::Integration')) {
      expect(TimeoutInMillis).toBeGreaterThanOrEqual(built.endpoint.routers.get('faces')?.minApiTimeoutMs ?? 0);
    }
    for (const permission of propertiesOf(template, 'AWS::Lambda::Permission')) {
      expect(permission).toMatchObject({
        FunctionName: { Ref: expect.stringMatching(/GpufacesRouterAlias/) },
        Principal: 'apigateway.amazonaws.com',
        SourceArn: expect.anything(),
      });
    }
    const annotations = Annotations.fromStack(built.stack);
    const messages = [
      ...annotations.findWarning('*', Match.anyValue()),
      ...annotations.findError('*', Match.anyValue()),
    ];
    expect(messages.map(({ id, entry }) => `${id}: ${String(entry.data)}`)).toEqual([]);
    // A web ACL and no authorization are the user's to decide.
    const expected = [
      ...(built.options.auth === undefined ? [] : ['AwsSolutions-APIG4']),
      ...(built.options.apiType === 'rest' ? ['AwsSolutions-APIG3'] : []),
    ];
    expect([...new Set(findingsOf(build(row).app, outdir))]).toEqual(expected);
  });
});

test('cfn-lint finds nothing with any alternative', ({ skip }) => {
  const python = requirePython(CFN_LINT, skip);
  const stacks = holdingEveryAlternative(rows).map((row) => build(row).stack);
  expect(lintStacks(python, stacks, join(folder, 'linted'))).toEqual([]);
}, 600_000);

test('a wildcard that a user grants the router is found, whatever of ours is acknowledged', () => {
  const { app, endpoint } = build(groups.map(([name]) => (name === 'network' || name === 'gpu' ? 1 : 0)));
  const router = endpoint.routers.get('faces');
  router?.role.addToPolicy(new PolicyStatement({ actions: ['s3:GetObject'], resources: ['*'] }));
  expect(findingsOf(app, outdir)).toEqual(['AwsSolutions-IAM5[Resource::*]']);
});
