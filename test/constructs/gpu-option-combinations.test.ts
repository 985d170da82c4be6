import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { SecurityGroup, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { App, Duration, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type AsynchronousGpuEndpointProps,
  GpuEndpoint,
  type GpuEndpointOptions,
  Model,
  type RealTimeGpuEndpointProps,
} from '../../lib/constructs/index.js';
import { CFN_LINT, lintStacks } from '../support/cfn-lint.js';
import { writeGpuArtifactFolder } from '../support/gpu-artifact.js';
import {
  findingsOf,
  holdingEveryAlternative,
  nameRows,
  pairwise,
  propertiesOf,
  statementsOf,
} from '../support/option-combinations.js';
import { requirePython } from '../support/python.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-gpu-combinations-'));
const outdir = join(folder, 'cdk.out');
let model: Model;
let other: Model;
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  model = Model.fromArtifact(writeGpuArtifactFolder(folder));
  other = Model.fromArtifact(writeGpuArtifactFolder(folder, { tensorRt: true, maxBatchSize: 8 }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the user's own resources need in a stack; made once for it. */
class Given {
  constructor(private readonly stack: Stack) {}

  readonly #made = new Map<string, unknown>();
  /** Options of several groups may want the same. */
  #once<Made>(id: string, make: () => Made): Made {
    if (!this.#made.has(id)) this.#made.set(id, make());
    return this.#made.get(id) as Made;
  }

  key = () =>
    Key.fromKeyArn(this.stack, 'Key', 'arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555');
  ownKey = () => new Key(this.stack, 'OwnKey', { enableKeyRotation: true });
  resultKey = () =>
    Key.fromKeyArn(
      this.stack,
      'ResultKey',
      'arn:aws:kms:eu-west-1:123456789012:key/66666666-7777-8888-9999-000000000000',
    );
  bucket = () => this.#once('Given', () => Bucket.fromBucketName(this.stack, 'Given', 'given'));
  topic = (name: string) => Topic.fromTopicArn(this.stack, name, `arn:aws:sns:eu-west-1:123456789012:${name}`);
  vpc = () =>
    Vpc.fromVpcAttributes(this.stack, 'Vpc', {
      vpcId: 'vpc-0123456789abcdef0',
      availabilityZones: ['eu-west-1a', 'eu-west-1b'],
      privateSubnetIds: ['subnet-0123456789abcdef1', 'subnet-0123456789abcdef2'],
      privateSubnetRouteTableIds: ['rtb-0123456789abcdef1', 'rtb-0123456789abcdef2'],
    });
  securityGroups = () => [SecurityGroup.fromSecurityGroupId(this.stack, 'Group', 'sg-0123456789abcdef0')];
}

type Table<Props> = Readonly<Record<string, readonly ((given: Given) => Partial<Props>)[]>>;

/** Alternatives for each group of options of both kinds; the first is the default. */
const COMMON: Table<GpuEndpointOptions> = {
  instance: [() => ({}), () => ({ instanceType: 'ml.g4dn.12xlarge' }), () => ({ instanceType: 'ml.p5.48xlarge' })],
  triton: [
    () => ({}),
    () => ({ tritonRelease: '25.04', inferenceAmiVersion: 'al2-ami-sagemaker-inference-gpu-3-1' }),
    () => ({ image: '111122223333.dkr.ecr.eu-west-1.amazonaws.com/triton:25.09' }),
  ],
  container: [
    () => ({}),
    () => ({ networkIsolation: false, environment: { SAGEMAKER_TRITON_LOG_INFO: 'true' } }),
    () => ({ startupTimeout: Duration.hours(1) }),
  ],
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
    (given) => ({ assetBucketKey: given.key(), logEncryption: given.ownKey() }),
    () => ({ logRetention: RetentionDays.ONE_DAY }),
  ],
};
const REAL_TIME: Table<RealTimeGpuEndpointProps> = {
  ...COMMON,
  scaling: [
    () => ({}),
    () => ({ scaling: { minInstances: 2, maxInstances: 2 } }),
    () => ({ scaling: { metric: 'invocations', target: 100, maxInstances: 4, scaleInCooldown: Duration.minutes(20) } }),
  ],
  variants: [
    () => ({}),
    () => ({ variants: [{ name: 'candidate', model: other, weight: 0.1, instanceType: 'ml.g6.xlarge' }] }),
    () => ({ shadow: { model: other, share: 0.5 } }),
  ],
  capture: [
    () => ({}),
    (given) => ({ dataCapture: { bucket: given.bucket(), share: 0.1 } }),
    (given) => ({
      dataCapture: { bucket: given.bucket(), prefix: 'a/b/', share: 1, encryption: given.resultKey() },
    }),
  ],
};
const ASYNCHRONOUS: Table<AsynchronousGpuEndpointProps> = {
  ...COMMON,
  scaling: [
    () => ({}),
    () => ({ scaling: { minInstances: 1, maxInstances: 1 } }),
    () => ({ scaling: { minInstances: 1, maxInstances: 4 } }),
    () => ({ scaling: { maxInstances: 4, backlogPerInstance: 2.5 }, maxConcurrentInvocationsPerInstance: 8 }),
  ],
  bucket: [() => ({}), (given) => ({ bucket: given.bucket() }), () => ({ expiry: Duration.days(30) })],
  encryption: [() => ({}), (given) => ({ encryption: given.resultKey() })],
  topics: [
    () => ({}),
    (given) => ({ errorTopic: given.topic('failed') }),
    (given) => ({ successTopic: given.topic('done'), errorTopic: given.topic('failed') }),
  ],
};

const KEY = 'arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555';
const RESULT_KEY = 'arn:aws:kms:eu-west-1:123456789012:key/66666666-7777-8888-9999-000000000000';
const PARTITION = { Ref: 'AWS::Partition' };
const arn = (rest: unknown) => ({ 'Fn::Join': ['', ['arn:', PARTITION, rest]] });
const via = (service: string) => ({
  StringEquals: { 'kms:ViaService': { 'Fn::Join': ['', [`${service}.eu-west-1.`, { Ref: 'AWS::URLSuffix' }]] } },
});
const allow = (Action: string | readonly string[], Resource: unknown, Condition?: object) => ({
  Action,
  Effect: 'Allow',
  Resource,
  ...(Condition === undefined ? {} : { Condition }),
});
const archive = arn(
  expect.stringMatching(/^:s3:::cdk-hnb659fds-assets-123456789012-eu-west-1\/[0-9a-f]{64}\.tar\.gz$/),
);

/** The statements of the role that a combination of options needs, and no other. */
function expectedStatements(options: RealTimeGpuEndpointProps & AsynchronousGpuEndpointProps, kind: Kind): object[] {
  const { vpc, dataCapture, encryption, securityGroups } = options;
  const interfaces = arn(':ec2:eu-west-1:123456789012:network-interface/*');
  const variants = (options.variants ?? []).length + (options.shadow === undefined ? 0 : 1);
  const repository =
    options.image === undefined ? '763104351884:repository/sagemaker-tritonserver' : '111122223333:repository/triton';
  const objects = (prefix: string) =>
    options.bucket === undefined
      ? { 'Fn::Join': ['', [{ 'Fn::GetAtt': [expect.stringMatching(/^GpuBucket/), 'Arn'] }, `/${prefix}*`]] }
      : arn(`:s3:::given/${prefix}*`);
  const topics = [options.successTopic, options.errorTopic].flatMap((topic) => topic?.topicArn ?? []);
  return [
    allow(['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'], {
      'Fn::GetAtt': [expect.stringMatching(/^GpuLogs/), 'Arn'],
    }),
    allow('cloudwatch:PutMetricData', '*', {
      StringEquals: { 'cloudwatch:namespace': ['/aws/sagemaker/Endpoints', 'AWS/SageMaker'] },
    }),
    allow('ecr:GetAuthorizationToken', '*'),
    allow(
      ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
      arn(`:ecr:eu-west-1:${repository}`),
    ),
    // Both models of this table have the same archive: it is one object.
    allow('s3:GetObject', variants >= 0 ? archive : []),
    ...(options.assetBucketKey === undefined ? [] : [allow('kms:Decrypt', KEY, via('s3'))]),
    ...(vpc === undefined
      ? []
      : [
          allow(
            ['ec2:CreateNetworkInterface', 'ec2:CreateNetworkInterfacePermission'],
            [
              arn(':ec2:eu-west-1:123456789012:subnet/subnet-0123456789abcdef1'),
              arn(':ec2:eu-west-1:123456789012:subnet/subnet-0123456789abcdef2'),
              securityGroups === undefined
                ? {
                    'Fn::Join': [
                      '',
                      [
                        'arn:',
                        PARTITION,
                        ':ec2:eu-west-1:123456789012:security-group/',
                        { 'Fn::GetAtt': [expect.stringMatching(/^GpuSecurityGroup/), 'GroupId'] },
                      ],
                    ],
                  }
                : arn(':ec2:eu-west-1:123456789012:security-group/sg-0123456789abcdef0'),
              interfaces,
            ],
          ),
          allow(['ec2:DeleteNetworkInterface', 'ec2:DeleteNetworkInterfacePermission'], interfaces),
          allow(
            [
              'ec2:DescribeDhcpOptions',
              'ec2:DescribeNetworkInterfaces',
              'ec2:DescribeSecurityGroups',
              'ec2:DescribeSubnets',
              'ec2:DescribeVpcs',
            ],
            '*',
          ),
        ]),
    ...(dataCapture === undefined
      ? []
      : [
          allow('s3:PutObject', arn(`:s3:::given/${dataCapture.prefix ?? 'captured/'}*`)),
          ...(dataCapture.encryption === undefined ? [] : [allow('kms:GenerateDataKey', RESULT_KEY, via('s3'))]),
        ]),
    ...(kind === 'real time'
      ? []
      : [
          allow('s3:GetObject', objects('requests/')),
          allow(['s3:AbortMultipartUpload', 's3:PutObject'], [objects('results/'), objects('failures/')]),
          ...(encryption === undefined ? [] : [allow(['kms:Decrypt', 'kms:GenerateDataKey'], RESULT_KEY, via('s3'))]),
          ...(topics.length === 0 ? [] : [allow('sns:Publish', topics.length === 1 ? topics[0] : topics)]),
        ]),
  ];
}

type Kind = 'real time' | 'asynchronous';
interface Row {
  readonly name: string;
  readonly kind: Kind;
  readonly row: readonly number[];
}
const tableOf = (kind: Kind) => Object.entries(kind === 'real time' ? REAL_TIME : ASYNCHRONOUS);
const rowsOf = (kind: Kind): Row[] => {
  const groups = tableOf(kind);
  const nameOf = nameRows(groups.map(([name]) => name));
  return pairwise(groups.map(([, choices]) => choices.length)).map((row) => ({
    name: `${kind}: ${nameOf(row)}`,
    kind,
    row,
  }));
};
const ROWS = [...rowsOf('real time'), ...rowsOf('asynchronous')];

const build = ({ kind, row }: Row) => {
  const app = new App({ outdir });
  const stack = new Stack(app, 'Vision', { env: { account: '123456789012', region: 'eu-west-1' } });
  const given = new Given(stack);
  const options = Object.assign(
    { model },
    ...tableOf(kind).map(([, choices], index) => choices[row[index] ?? 0]?.(given)),
  );
  const endpoint =
    kind === 'real time'
      ? GpuEndpoint.realTime(stack, 'Gpu', options)
      : GpuEndpoint.asynchronous(stack, 'Gpu', options);
  return { app, stack, endpoint, options };
};

test('the table stays small', () => {
  expect(ROWS.length).toBeLessThan(45);
});

describe('an endpoint on a GPU has no finding and no policy beyond what its options need', () => {
  test.each(ROWS)('$name', (row) => {
    const { stack, options } = build(row);
    const template = Template.fromStack(stack);
    expect(statementsOf(template)).toEqual(expectedStatements(options, row.kind));
    for (const role of propertiesOf(template, 'AWS::IAM::Role')) expect(role).not.toHaveProperty('ManagedPolicyArns');
    template.resourceCountIs('AWS::IAM::Policy', 0);
    template.resourceCountIs('AWS::IAM::ManagedPolicy', 0);
    const annotations = Annotations.fromStack(stack);
    const messages = [
      ...annotations.findWarning('*', Match.anyValue()),
      ...annotations.findError('*', Match.anyValue()),
    ];
    expect(messages.map(({ id, entry }) => `${id}: ${String(entry.data)}`)).toEqual([]);
    expect([...new Set(findingsOf(build(row).app, outdir))]).toEqual([]);
  });
});

test('cfn-lint finds nothing with any alternative', ({ skip }) => {
  const python = requirePython(CFN_LINT, skip);
  const linted = (['real time', 'asynchronous'] as const).flatMap((kind) => {
    const rows = rowsOf(kind);
    const held = new Set(holdingEveryAlternative(rows.map(({ row }) => row)));
    return rows.filter(({ row }) => held.has(row));
  });
  const stacks = linted.map((row) => build(row).stack);
  expect(lintStacks(python, stacks, join(folder, 'linted'))).toEqual([]);
}, 600_000);

test('a wildcard that a user grants the role is found, whatever of ours is acknowledged', () => {
  const { app, endpoint } = build(ROWS[0] as Row);
  endpoint.role.addToPolicy(new PolicyStatement({ actions: ['s3:GetObject'], resources: ['*'] }));
  expect(findingsOf(app, outdir)).toEqual(['AwsSolutions-IAM5[Resource::*]']);
});
