import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Peer, Port, SecurityGroup, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Tracing } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { App, Lazy, Size, Stack, Token } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  InferenceEndpoint,
  InferenceFunction,
  type InferenceFunctionOptions,
  Model,
} from '../../lib/constructs/index.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-function-'));
const outdir = join(folder, 'cdk.out');
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Options = (stack: Stack) => InferenceFunctionOptions;
const facesIn = (options: Options = () => ({})) => {
  const stack = new Stack(new App({ outdir }), 'Vision');
  const model = Model.fromArtifact(writeArtifactFolder(folder));
  return { stack, faces: new InferenceFunction(stack, 'Faces', { model, ...options(stack) }) };
};
const templateOf = (options: Options) => Template.fromStack(facesIn(options).stack);

const subnets = (kind: string, count: number) => Array.from({ length: count }, (_, index) => `subnet-${kind}${index}`);
const vpcOf = (stack: Stack, { privateSubnets = 2 } = {}) =>
  Vpc.fromVpcAttributes(stack, 'Vpc', {
    vpcId: 'vpc-1',
    availabilityZones: ['eu-west-1a', 'eu-west-1b'].slice(0, privateSubnets === 1 ? 1 : 2),
    privateSubnetIds: subnets('private', privateSubnets),
    publicSubnetIds: subnets('public', 2),
  });
const securityGroups = (stack: Stack, count: number) =>
  Array.from({ length: count }, (_, index) => SecurityGroup.fromSecurityGroupId(stack, `Group${index}`, `sg-${index}`));

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}
/** Every statement of every policy of the function's role, by the policy's name. */
const statementsOf = (template: Template): Record<string, readonly Statement[]> => {
  const [role] = Object.values(template.findResources('AWS::IAM::Role'));
  const inline = role?.Properties.Policies as { PolicyName: string; PolicyDocument: { Statement: Statement[] } }[];
  const attached = Object.values(template.findResources('AWS::IAM::Policy')).map(({ Properties }) => Properties);
  expect(role?.Properties).not.toHaveProperty('ManagedPolicyArns');
  return {
    ...Object.fromEntries(inline.map((policy) => [policy.PolicyName, policy.PolicyDocument.Statement])),
    ...(attached.length === 0 ? {} : { attached: attached.flatMap((policy) => policy.PolicyDocument.Statement) }),
  };
};
const WRITE_LOGS = [
  {
    Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    Effect: 'Allow',
    Resource: { 'Fn::GetAtt': [expect.stringContaining('Logs'), 'Arn'] },
  },
];
const NETWORK_INTERFACES = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
];

describe('active tracing', () => {
  test.each([Tracing.ACTIVE, Tracing.PASS_THROUGH])('%s is set and allowed to write traces only', (tracing) => {
    const template = templateOf(() => ({ tracing }));
    template.hasResourceProperties('AWS::Lambda::Function', { TracingConfig: { Mode: tracing } });
    expect(statementsOf(template)).toEqual({
      WriteLogs: WRITE_LOGS,
      WriteTraces: [{ Action: ['xray:PutTelemetryRecords', 'xray:PutTraceSegments'], Effect: 'Allow', Resource: '*' }],
    });
  });

  test('publishes a version, and disabled is the default', () => {
    const versionOf = (options: Options) => Object.keys(templateOf(options).findResources('AWS::Lambda::Version'));
    expect(versionOf(() => ({ tracing: Tracing.ACTIVE }))).not.toEqual(versionOf(() => ({})));
    expect(templateOf(() => ({ tracing: Tracing.DISABLED })).toJSON()).toEqual(templateOf(() => ({})).toJSON());
  });
});

test.each<[string, InferenceFunctionOptions, Record<string, unknown>]>([
  ['reserved concurrency', { reservedConcurrentExecutions: 7 }, { ReservedConcurrentExecutions: 7 }],
  ['a function turned off', { reservedConcurrentExecutions: 0 }, { ReservedConcurrentExecutions: 0 }],
  ['a larger /tmp', { ephemeralStorageSize: Size.gibibytes(10) }, { EphemeralStorage: { Size: 10_240 } }],
])('%s', (_, options, properties) => {
  const template = templateOf(() => options);
  template.hasResourceProperties('AWS::Lambda::Function', properties);
  expect(statementsOf(template)).toEqual({ WriteLogs: WRITE_LOGS });
});

describe('a function in a VPC', () => {
  test('lies in its private subnets with a security group of its own, without ingress', () => {
    const template = templateOf((stack) => ({ vpc: vpcOf(stack) }));
    template.hasResourceProperties('AWS::Lambda::Function', {
      VpcConfig: {
        SubnetIds: ['subnet-private0', 'subnet-private1'],
        SecurityGroupIds: [{ 'Fn::GetAtt': [Match.stringLikeRegexp('SecurityGroup'), 'GroupId'] }],
      },
    });
    template.hasResourceProperties('AWS::EC2::SecurityGroup', { SecurityGroupIngress: Match.absent() });
  });

  test("lets Lambda manage its interfaces and denies that to the function's own code", () => {
    expect(statementsOf(templateOf((stack) => ({ vpc: vpcOf(stack) })))).toEqual({
      WriteLogs: WRITE_LOGS,
      JoinVpc: [
        { Action: NETWORK_INTERFACES, Effect: 'Allow', Resource: '*' },
        {
          Action: NETWORK_INTERFACES,
          Effect: 'Deny',
          Resource: '*',
          Condition: { Null: { 'lambda:SourceFunctionArn': 'false' } },
        },
      ],
    });
  });

  test('takes security groups and subnets of the user', () => {
    const template = templateOf((stack) => ({
      vpc: vpcOf(stack),
      vpcSubnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS, availabilityZones: ['eu-west-1b'] },
      securityGroups: securityGroups(stack, 2),
    }));
    template.hasResourceProperties('AWS::Lambda::Function', {
      VpcConfig: { SubnetIds: ['subnet-private1'], SecurityGroupIds: ['sg-0', 'sg-1'] },
    });
    template.resourceCountIs('AWS::EC2::SecurityGroup', 0);
  });

  test('lets out only what connections say, where all outbound is off', () => {
    const { stack, faces } = facesIn((inner) => ({ vpc: vpcOf(inner), allowAllOutbound: false }));
    faces.connections.allowTo(Peer.ipv4('10.0.0.0/16'), Port.tcp(443));
    Template.fromStack(stack).hasResourceProperties('AWS::EC2::SecurityGroup', {
      SecurityGroupEgress: [Match.objectLike({ CidrIp: '10.0.0.0/16', FromPort: 443, ToPort: 443 })],
    });
  });

  test('has no connections without a VPC', () => {
    expect(() => facesIn().faces.connections).toThrow(
      expect.objectContaining({ code: 'VPC_MISSING', message: expect.stringContaining('Vision/Faces') }),
    );
  });
});

describe('keys of the user', () => {
  test('encrypt the environment; the role may decrypt with that key and nothing else', () => {
    const template = templateOf((stack) => ({ environmentEncryption: new Key(stack, 'Key') }));
    const key = { 'Fn::GetAtt': [expect.stringMatching(/^Key/), 'Arn'] };
    const [lambda] = Object.values(template.findResources('AWS::Lambda::Function'));
    expect(lambda?.Properties.KmsKeyArn).toEqual(key);
    expect(statementsOf(template)).toEqual({
      WriteLogs: WRITE_LOGS,
      attached: [{ Action: 'kms:Decrypt', Effect: 'Allow', Resource: key }],
    });
  });

  test('encrypt the log group; the key lets CloudWatch Logs use it for log groups of the stack', () => {
    const template = templateOf((stack) => ({ logEncryption: new Key(stack, 'Key') }));
    template.hasResourceProperties('AWS::Logs::LogGroup', {
      KmsKeyId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Key'), 'Arn'] },
      RetentionInDays: 30,
    });
    expect(statementsOf(template)).toEqual({ WriteLogs: WRITE_LOGS });
    const [key] = Object.values(template.findResources('AWS::KMS::Key'));
    const [ofAccount, ...others] = (key?.Properties.KeyPolicy.Statement ?? []) as object[];
    expect(ofAccount).toMatchObject({ Action: 'kms:*', Principal: { AWS: expect.anything() } });
    expect(others).toEqual([
      {
        Action: ['kms:Decrypt*', 'kms:Describe*', 'kms:Encrypt*', 'kms:GenerateDataKey*', 'kms:ReEncrypt*'],
        Condition: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': expect.anything() } },
        Effect: 'Allow',
        Principal: { Service: { 'Fn::Join': ['', ['logs.', { Ref: 'AWS::Region' }, '.amazonaws.com']] } },
        Resource: '*',
      },
    ]);
    expect(JSON.stringify(others)).toContain(':log-group:Vision-*"');
  });

  test('of another account or stack are used as they are', () => {
    const arn = 'arn:aws:kms:eu-west-1:123456789012:key/1';
    const template = templateOf((stack) => ({ logEncryption: Key.fromKeyArn(stack, 'Key', arn) }));
    template.hasResourceProperties('AWS::Logs::LogGroup', { KmsKeyId: arn });
  });
});

describe('wrong options', () => {
  test.each<[string, Options]>([
    ['EPHEMERAL_STORAGE_INVALID', () => ({ ephemeralStorageSize: Size.mebibytes(511) })],
    ['EPHEMERAL_STORAGE_INVALID', () => ({ ephemeralStorageSize: Size.mebibytes(10_241) })],
    ['EPHEMERAL_STORAGE_INVALID', () => ({ ephemeralStorageSize: Size.kibibytes(600 * 1024 + 1) })],
    ['RESERVED_CONCURRENCY_INVALID', () => ({ reservedConcurrentExecutions: -1 })],
    ['RESERVED_CONCURRENCY_INVALID', () => ({ reservedConcurrentExecutions: 1.5 })],
    ['VPC_MISSING', () => ({ vpcSubnets: { subnetType: SubnetType.PRIVATE_ISOLATED } })],
    ['VPC_MISSING', (stack) => ({ securityGroups: securityGroups(stack, 1) })],
    ['VPC_MISSING', () => ({ allowAllOutbound: true })],
    ['VPC_SUBNET_PUBLIC', (stack) => ({ vpc: vpcOf(stack), vpcSubnets: { subnetType: SubnetType.PUBLIC } })],
    ['VPC_SUBNETS_NOT_FOUND', (stack) => ({ vpc: vpcOf(stack), vpcSubnets: { subnetGroupName: 'none' } })],
    ['VPC_SUBNET_COUNT', (stack) => ({ vpc: vpcOf(stack, { privateSubnets: 18 }) })],
    ['SECURITY_GROUP_COUNT', (stack) => ({ vpc: vpcOf(stack), securityGroups: securityGroups(stack, 6) })],
    ['SECURITY_GROUP_COUNT', (stack) => ({ vpc: vpcOf(stack), securityGroups: [] })],
    [
      'ALLOW_ALL_OUTBOUND_WITHOUT_EFFECT',
      (stack) => ({ vpc: vpcOf(stack), securityGroups: securityGroups(stack, 1), allowAllOutbound: false }),
    ],
    [
      'LOG_ENCRYPTION_WITHOUT_EFFECT',
      (stack) => ({ logGroup: new LogGroup(stack, 'Logs'), logEncryption: new Key(stack, 'Key') }),
    ],
  ])('%s', (code, options) => {
    expect(() => facesIn(options)).toThrow(expect.objectContaining({ code, name: 'SynthesisError' }));
  });

  test('are reported all at once', () => {
    const wrong: Options = (stack) => ({
      reservedConcurrentExecutions: -1,
      ephemeralStorageSize: Size.mebibytes(1),
      vpcSubnets: {},
      securityGroups: [],
      allowAllOutbound: false,
      logGroup: new LogGroup(stack, 'Logs'),
      logRetention: RetentionDays.ONE_DAY,
      logEncryption: new Key(stack, 'Key'),
    });
    let message = '';
    try {
      facesIn(wrong);
    } catch (error) {
      message = String(error);
    }
    expect(
      message
        .split('\n')
        .slice(1)
        .map((line) => line.trim().split(':')[0]),
    ).toEqual([
      'EPHEMERAL_STORAGE_INVALID',
      'RESERVED_CONCURRENCY_INVALID',
      'LOG_RETENTION_WITHOUT_EFFECT',
      'LOG_ENCRYPTION_WITHOUT_EFFECT',
      'VPC_MISSING',
      'VPC_MISSING',
      'VPC_MISSING',
      'SECURITY_GROUP_COUNT',
      'ALLOW_ALL_OUTBOUND_WITHOUT_EFFECT',
    ]);
  });

  test('are not looked for in tokens', () => {
    templateOf(() => ({
      reservedConcurrentExecutions: Token.asNumber({ Ref: 'Reserved' }),
      ephemeralStorageSize: Size.mebibytes(Lazy.number({ produce: () => 513 })),
    })).hasResourceProperties('AWS::Lambda::Function', {
      ReservedConcurrentExecutions: { Ref: 'Reserved' },
      EphemeralStorage: { Size: 513 },
    });
  });
});

describe('a model that is added to an endpoint', () => {
  const added = (ofEndpoint: Options, ofModel: Options) => {
    const stack = new Stack(new App({ outdir }), 'Vision');
    const models = [Model.fromArtifact(writeArtifactFolder(folder))];
    const endpoint = new InferenceEndpoint(stack, 'Vision', { models, ...ofEndpoint(stack) });
    const inner = new Stack(stack, 'Inner');
    endpoint.addModel(Model.fromArtifact(writeArtifactFolder(folder, { name: 'text' })), ofModel(inner));
    return Template.fromStack(stack);
  };

  test('inherits what it does not say', () => {
    const template = added(
      (stack) => ({ vpc: vpcOf(stack), reservedConcurrentExecutions: 3 }),
      () => ({ vpcSubnets: { availabilityZones: ['eu-west-1a'] }, reservedConcurrentExecutions: 5 }),
    );
    template.hasResourceProperties('AWS::Lambda::Function', {
      ReservedConcurrentExecutions: 5,
      VpcConfig: { SubnetIds: ['subnet-private0'] },
    });
  });

  test('with a log group or a network of its own leaves what the endpoint said of those', () => {
    const template = added(
      (stack) => ({
        logRetention: RetentionDays.ONE_DAY,
        vpc: vpcOf(stack),
        securityGroups: securityGroups(stack, 1),
      }),
      (stack) => ({
        logGroup: LogGroup.fromLogGroupName(stack, 'Own', 'own'),
        vpc: vpcOf(stack, { privateSubnets: 1 }),
        allowAllOutbound: false,
      }),
    );
    template.hasResourceProperties('AWS::Lambda::Function', {
      LoggingConfig: { LogGroup: 'own' },
      VpcConfig: {
        SubnetIds: ['subnet-private0'],
        SecurityGroupIds: [{ 'Fn::GetAtt': [Match.stringLikeRegexp('text'), 'GroupId'] }],
      },
    });
  });
});
