import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { Schedule } from 'aws-cdk-lib/aws-applicationautoscaling';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { SecurityGroup, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Architecture, Function as LambdaFunction, Tracing } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { App, Duration, Size, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  InferenceAuth,
  InferenceDeployment,
  InferenceEndpoint,
  type InferenceEndpointProps,
  Model,
  ReplayRequests,
} from '../../lib/constructs/index.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';
import { CFN_LINT, lintTemplates } from '../support/cfn-lint.js';
import { beyondLimits } from '../support/deployment-limits.js';
import {
  findingsOf,
  holdingEveryAlternative,
  nameRows,
  pairwise,
  propertiesOf,
  statementsOf,
} from '../support/option-combinations.js';
import { requirePython } from '../support/python.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-combinations-'));
const outdir = join(folder, 'cdk.out');
const recordings = join(folder, 'recordings');
mkdirSync(recordings);
writeFileSync(join(recordings, 'day.jsonl'), '{"request":{"method":"GET","path":"/v2"}}');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Options = Partial<InferenceEndpointProps>;
/** What the user's own resources need in a stack; made once for it. */
class Given {
  constructor(private readonly stack: Stack) {}

  bucket = () => Bucket.fromBucketName(this.stack, 'Captures', 'captures');
  key = () => new Key(this.stack, 'Key', { enableKeyRotation: true });
  vpc = () =>
    Vpc.fromVpcAttributes(this.stack, 'Vpc', {
      vpcId: 'vpc-0123456789abcdef0',
      availabilityZones: ['eu-west-1a', 'eu-west-1b'],
      privateSubnetIds: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
      privateSubnetRouteTableIds: ['rtb-0123456789abcdef1', 'rtb-0123456789abcdef2'],
    });
  securityGroups = () => [SecurityGroup.fromSecurityGroupId(this.stack, 'Group', 'sg-0123456789abcdef0')];
  logGroup = (id: string) => new LogGroup(this.stack, id);
  certificate = () =>
    Certificate.fromCertificateArn(this.stack, 'Certificate', 'arn:aws:acm:eu-west-1:123456789012:certificate/1');
  authorizer = () =>
    LambdaFunction.fromFunctionArn(this.stack, 'Check', 'arn:aws:lambda:eu-west-1:123456789012:function:check');
}

/** Alternatives for each group of options; the first is the default. */
const ALTERNATIVES: Readonly<Record<string, readonly ((given: Given) => Options)[]>> = {
  architecture: [() => ({}), () => ({ architecture: Architecture.X86_64 })],
  memory: [() => ({}), () => ({ memorySize: 128 }), () => ({ memorySize: 10_240 })],
  storage: [() => ({}), () => ({ ephemeralStorageSize: Size.gibibytes(10) })],
  timeouts: [
    () => ({}),
    () => ({ timeout: Duration.minutes(15), apiTimeout: Duration.seconds(29) }),
    () => ({ timeout: Duration.seconds(1), apiTimeout: Duration.millis(50) }),
  ],
  concurrency: [
    () => ({}),
    () => ({ reservedConcurrentExecutions: 10 }),
    () => ({ reservedConcurrentExecutions: 0 }),
    () => ({ provisionedConcurrency: { min: 2 } }),
    () => ({
      // Two more than are provisioned, for the hook of a deployment.
      reservedConcurrentExecutions: 12,
      provisionedConcurrency: {
        min: 1,
        max: 5,
        schedules: [{ name: 'day', schedule: Schedule.cron({ minute: '0', hour: '8' }), min: 4, max: 10 }],
      },
    }),
  ],
  deployment: [
    () => ({}),
    () => ({ deployment: InferenceDeployment.canary({ percent: 5, rollback: { serverErrors: false } }) }),
    (given) => ({
      deployment: InferenceDeployment.linear({
        replay: { requests: ReplayRequests.fromBucket(given.bucket()), predictions: 'may-change' },
      }),
    }),
    () => ({
      deployment: InferenceDeployment.allAtOnce({ replay: { requests: ReplayRequests.fromFolder(recordings) } }),
    }),
    () => ({ deployment: InferenceDeployment.canary({ replay: false }) }),
  ],
  retention: [() => ({}), () => ({ keepVersions: 3 })],
  tracing: [() => ({}), () => ({ tracing: Tracing.ACTIVE }), () => ({ tracing: Tracing.PASS_THROUGH })],
  network: [
    () => ({}),
    (given) => ({ vpc: given.vpc() }),
    (given) => ({ vpc: given.vpc(), allowAllOutbound: false }),
    (given) => ({
      vpc: given.vpc(),
      vpcSubnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS },
      securityGroups: given.securityGroups(),
    }),
  ],
  keys: [
    () => ({}),
    (given) => {
      const key = given.key();
      return { environmentEncryption: key, logEncryption: key, accessLogEncryption: key };
    },
    (given) => ({ logGroup: given.logGroup('Logs'), accessLogGroup: given.logGroup('AccessLogs') }),
    () => ({ logRetention: RetentionDays.ONE_DAY, accessLogRetention: RetentionDays.INFINITE }),
  ],
  telemetry: [
    () => ({}),
    () => ({ logLevel: 'DEBUG', metricsNamespace: 'Vision/prod' }),
    () => ({ logLevel: 'SILENT', publishMetrics: false }),
  ],
  auth: [
    () => ({}),
    () => ({ auth: InferenceAuth.jwt({ issuer: 'https://issuer.example.com', audience: ['web'] }) }),
    (given) => ({ auth: InferenceAuth.lambda(given.authorizer()) }),
    () => ({ auth: InferenceAuth.none() }),
  ],
  api: [
    () => ({}),
    () => ({ throttle: { rateLimit: 10, burstLimit: 5 }, cors: { allowOrigins: ['https://example.com'] } }),
    (given) => ({
      customDomain: { name: 'vision.example.com', certificate: given.certificate() },
      disableExecuteApiEndpoint: true,
    }),
  ],
};

const groups = Object.entries(ALTERNATIVES);
const rows = pairwise(groups.map(([, alternatives]) => alternatives.length));
const nameOf = nameRows(groups.map(([name]) => name));

const build = (row: readonly number[]) => {
  const app = new App({ outdir });
  const stack = new Stack(app, 'Vision', { env: { account: '123456789012', region: 'eu-west-1' } });
  const given = new Given(stack);
  const options = Object.assign(
    {},
    ...groups.map(([, choices], index) => choices[row[index] ?? 0]?.(given)),
  ) as Options;
  const model = Model.fromArtifact(writeArtifactFolder(folder));
  const endpoint = new InferenceEndpoint(stack, 'Vision', { models: [model], ...options });
  return { app, stack, endpoint, options };
};

const NETWORK_INTERFACES = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
];
/** In the order of the alternatives of `auth`. */
const AUTHORIZATION_TYPES = ['AWS_IAM', 'JWT', 'CUSTOM', 'NONE'];
const retentionLogGroupArn = { 'Fn::GetAtt': [expect.stringMatching(/^VersionRetentionLogs/), 'Arn'] };
const functionArn = { 'Fn::GetAtt': [expect.stringMatching(/facesFunction/), 'Arn'] };
const logGroupArn = { 'Fn::GetAtt': [expect.stringContaining('Logs'), 'Arn'] };
/** The statements that a combination of options needs, and no other. */
const writeLogs = (part: string) => ({
  Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
  Effect: 'Allow',
  Resource: { 'Fn::GetAtt': [expect.stringContaining(part), 'Arn'] },
});
/** Of CodeDeploy and of the hook's log. */
const deploymentRoles = ({ deployment }: Options): object[] => {
  if (deployment === undefined) return [];
  const hasHook = deployment.options.replay !== false;
  return [
    ...(hasHook ? [writeLogs('DeploymentHookLogs')] : []),
    {
      Action: ['lambda:GetAlias', 'lambda:GetProvisionedConcurrencyConfig', 'lambda:UpdateAlias'],
      Effect: 'Allow',
      Resource: [functionArn, { 'Fn::Join': ['', [functionArn, ':live']] }],
    },
    {
      Action: 'cloudwatch:DescribeAlarms',
      Effect: 'Allow',
      Resource: {
        'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':cloudwatch:eu-west-1:123456789012:alarm:*']],
      },
    },
    ...(hasHook
      ? [
          {
            Action: 'lambda:InvokeFunction',
            Effect: 'Allow',
            Resource: { 'Fn::GetAtt': [expect.stringMatching(/DeploymentHookFunction/), 'Arn'] },
          },
        ]
      : []),
  ];
};
/** Of the hook. */
const hookPolicy = ({ deployment }: Options): object[] => {
  if (deployment === undefined || deployment.options.replay === false) return [];
  const bucketArn = ['arn:', { Ref: 'AWS::Partition' }, ':s3:::captures'];
  const readsBucket = deployment.options.replay?.predictions === 'may-change';
  return [
    { Action: 'lambda:InvokeFunction', Effect: 'Allow', Resource: { 'Fn::Join': ['', [functionArn, ':*']] } },
    ...(readsBucket
      ? [
          {
            Action: 's3:ListBucket',
            Effect: 'Allow',
            Resource: { 'Fn::Join': ['', bucketArn] },
            Condition: { StringLike: { 's3:prefix': 'captures/faces/*' } },
          },
          {
            Action: 's3:GetObject',
            Effect: 'Allow',
            Resource: { 'Fn::Join': ['', [...bucketArn.slice(0, 2), ':s3:::captures/captures/faces/*']] },
          },
        ]
      : []),
    {
      Action: 'codedeploy:PutLifecycleEventHookExecutionStatus',
      Effect: 'Allow',
      Resource: {
        'Fn::Join': [
          '',
          [
            'arn:',
            { Ref: 'AWS::Partition' },
            ':codedeploy:eu-west-1:123456789012:deploymentgroup:',
            { Ref: expect.stringMatching(/GroupApplication/) },
            '/',
            { Ref: expect.stringMatching(/DeploymentGroup/) },
          ],
        ],
      },
    },
  ];
};
const expectedStatements = (options: Options): object[] => [
  { Action: ['logs:CreateLogStream', 'logs:PutLogEvents'], Effect: 'Allow', Resource: logGroupArn },
  ...(options.tracing === undefined
    ? []
    : [{ Action: ['xray:PutTelemetryRecords', 'xray:PutTraceSegments'], Effect: 'Allow', Resource: '*' }]),
  ...(options.vpc === undefined
    ? []
    : [
        { Action: NETWORK_INTERFACES, Effect: 'Allow', Resource: '*' },
        {
          Action: NETWORK_INTERFACES,
          Effect: 'Deny',
          Resource: '*',
          Condition: { Null: { 'lambda:SourceFunctionArn': 'false' } },
        },
      ]),
  ...deploymentRoles(options),
  ...(options.keepVersions === undefined
    ? []
    : [{ Action: ['logs:CreateLogStream', 'logs:PutLogEvents'], Effect: 'Allow', Resource: retentionLogGroupArn }]),
  ...(options.environmentEncryption === undefined
    ? []
    : [
        {
          Action: 'kms:Decrypt',
          Effect: 'Allow',
          Resource: { 'Fn::GetAtt': [expect.stringMatching(/^Key/), 'Arn'] },
        },
      ]),
  ...hookPolicy(options),
  ...(options.keepVersions === undefined
    ? []
    : [
        { Action: ['lambda:ListAliases', 'lambda:ListVersionsByFunction'], Effect: 'Allow', Resource: functionArn },
        { Action: 'lambda:DeleteFunction', Effect: 'Allow', Resource: { 'Fn::Join': ['', [functionArn, ':*']] } },
        ...['Vision-OnnxRuntime', 'Vision-Models-faces-Model'].map((name) => ({
          Action: 'lambda:DeleteLayerVersion',
          Effect: 'Allow',
          Resource: {
            'Fn::Join': [
              '',
              [
                'arn:',
                { Ref: 'AWS::Partition' },
                expect.stringMatching(new RegExp(`^:lambda:eu-west-1:123456789012:layer:${name}-[0-9A-F]{8}:\\*$`)),
              ],
            ],
          },
        })),
      ]),
];

beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
});

test('the table holds every pair of alternatives and stays small', () => {
  const pairs = new Set(
    rows.flatMap((row) => row.flatMap((a, left) => row.flatMap((b, right) => `${left}.${a}|${right}.${b}`))),
  );
  const sizes = groups.map(([, alternatives]) => alternatives.length);
  sizes.forEach((leftSize, left) => {
    sizes.forEach((rightSize, right) => {
      if (left === right) return;
      for (let a = 0; a < leftSize; a += 1) {
        for (let b = 0; b < rightSize; b += 1) expect(pairs).toContain(`${left}.${a}|${right}.${b}`);
      }
    });
  });
  expect(rows.length).toBeLessThan(40);
});

describe('an endpoint has no finding, no policy and no value beyond what its options need', () => {
  test.each(rows.map((row) => ({ name: nameOf(row), row })))('$name', ({ row }) => {
    const { stack, options } = build(row);
    const template = Template.fromStack(stack);

    expect(statementsOf(template)).toEqual(expectedStatements(options));
    for (const role of propertiesOf(template, 'AWS::IAM::Role')) expect(role).not.toHaveProperty('ManagedPolicyArns');
    template.resourceCountIs('AWS::IAM::ManagedPolicy', 0);

    expect(beyondLimits(template)).toEqual([]);
    for (const integration of propertiesOf(template, 'AWS::ApiGatewayV2::Integration')) {
      expect(integration.PayloadFormatVersion).toBe('2.0');
      expect(integration.IntegrationUri).toEqual({ Ref: expect.stringContaining('Alias') });
    }
    const authorizationTypes = propertiesOf(template, 'AWS::ApiGatewayV2::Route').map(
      (route) => route.AuthorizationType,
    );
    const authorization = AUTHORIZATION_TYPES[row[groups.findIndex(([name]) => name === 'auth')] ?? 0];
    expect(new Set(authorizationTypes)).toEqual(new Set([authorization]));
    for (const permission of propertiesOf(template, 'AWS::Lambda::Permission')) {
      expect(permission).toMatchObject({
        Action: 'lambda:InvokeFunction',
        Principal: 'apigateway.amazonaws.com',
        SourceArn: expect.anything(),
      });
    }

    const annotations = Annotations.fromStack(stack);
    const messages = [
      ...annotations.findWarning('*', Match.anyValue()),
      ...annotations.findError('*', Match.anyValue()),
    ];
    expect(messages.map(({ id, entry }) => `${id}: ${entry.data}`)).toEqual([]);
    const expected = authorization === 'NONE' ? ['AwsSolutions-APIG4'] : [];
    expect([...new Set(findingsOf(build(row).app, outdir))]).toEqual(expected);
  });
});

describe('cfn-lint', () => {
  const lint = (python: string, templates: Readonly<Record<string, object>>) => {
    const linted = join(folder, 'linted');
    mkdirSync(linted, { recursive: true });
    const files = Object.entries(templates).map(([name, template]) => {
      const file = join(linted, `${name}.json`);
      writeFileSync(file, JSON.stringify(template));
      return file;
    });
    return lintTemplates(python, files);
  };

  test('finds nothing with any alternative', ({ skip }) => {
    const python = requirePython(CFN_LINT, skip);
    const templates = holdingEveryAlternative(rows).map((row, index) => [
      String(index),
      Template.fromStack(build(row).stack).toJSON() as object,
    ]);
    expect(lint(python, Object.fromEntries(templates))).toEqual([]);
  }, 600_000);

  test('would find a property that is not there and a value that is wrong', ({ skip }) => {
    const python = requirePython(CFN_LINT, skip);
    const broken = {
      Resources: {
        Group: {
          Type: 'AWS::Logs::LogGroup',
          Properties: { RetentionInDays: 31, Retention: 1 },
          DeletionPolicy: 'Retain',
          UpdateReplacePolicy: 'Retain',
        },
      },
    };
    expect(lint(python, { broken })).toEqual([
      expect.stringMatching(/^broken\.json E\d+ Resources\/Group\/Properties\/Retention/),
      expect.stringMatching(/^broken\.json E\d+ Resources\/Group\/Properties\/Retention/),
    ]);
  }, 120_000);
});

test('a wildcard that a user grants the role is found, whatever of ours is acknowledged', () => {
  const row = groups.map(([name]) => (name === 'network' || name === 'tracing' ? 1 : 0));
  const { app, endpoint } = build(row);
  const [inferenceFunction] = endpoint.functions.values();
  inferenceFunction?.role.addToPolicy(new PolicyStatement({ actions: ['s3:GetObject'], resources: ['*'] }));
  expect(findingsOf(app, outdir)).toEqual(['AwsSolutions-IAM5[Resource::*]']);
});
