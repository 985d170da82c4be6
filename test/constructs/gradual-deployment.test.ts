import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Match, Template } from 'aws-cdk-lib/assertions';
import type { IAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Bucket, type IBucket } from 'aws-cdk-lib/aws-s3';
import { App, Duration, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ReplaySettings } from '../../lib/artifact/replay.js';
import {
  InferenceDeployment,
  InferenceEndpoint,
  InferenceFunction,
  type InferenceFunctionOptions,
  Model,
  ReplayRequests,
} from '../../lib/constructs/index.js';
import { readCloudAssembly } from '../../lib/local/cloud-assembly.js';
import { readLocalService } from '../../lib/local/local-stack.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';
import { propertiesOf, statementsOf } from '../support/option-combinations.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-deployment-'));
const outdir = join(folder, 'cdk.out');
const recordings = join(folder, 'recordings');
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
  mkdirSync(recordings);
  writeFileSync(
    join(recordings, 'day.jsonl'),
    '{"request":{"method":"POST","path":"/v2/models/faces/infer","body":"{}"}}\n',
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Options = (stack: Stack) => InferenceFunctionOptions;
const facesIn = (options: Options = () => ({})) => {
  const stack = new Stack(new App({ outdir }), 'Vision');
  const model = Model.fromArtifact(writeArtifactFolder(folder));
  return { stack, faces: new InferenceFunction(stack, 'Faces', { model, ...options(stack) }) };
};
const templateOf = (options: Options) => Template.fromStack(facesIn(options).stack);
const withDeployment = (deployment: InferenceDeployment, options: InferenceFunctionOptions = {}) =>
  templateOf(() => ({ deployment, ...options }));
const idOf = (template: Template, type: string, part: string) =>
  Object.keys(template.findResources(type)).find((id) => id.includes(part)) ?? '';

describe('canary and linear deployments', () => {
  test.each<[string, InferenceDeployment, unknown]>([
    ['a canary', InferenceDeployment.canary(), 'CodeDeployDefault.LambdaCanary10Percent10Minutes'],
    ['a linear one', InferenceDeployment.linear(), 'CodeDeployDefault.LambdaLinear10PercentEvery3Minutes'],
    ['all at once', InferenceDeployment.allAtOnce(), 'CodeDeployDefault.LambdaAllAtOnce'],
  ])('%s is one of CodeDeploy, started by a new version of the alias', (_, deployment, name) => {
    const template = withDeployment(deployment);
    template.hasResourceProperties('AWS::CodeDeploy::DeploymentGroup', {
      DeploymentConfigName: name,
      DeploymentStyle: { DeploymentOption: 'WITH_TRAFFIC_CONTROL', DeploymentType: 'BLUE_GREEN' },
      ServiceRoleArn: { 'Fn::GetAtt': [Match.stringLikeRegexp('DeploymentRole'), 'Arn'] },
    });
    template.resourceCountIs('AWS::CodeDeploy::DeploymentConfig', 0);
    template.hasResource('AWS::Lambda::Alias', {
      UpdatePolicy: {
        CodeDeployLambdaAliasUpdate: {
          ApplicationName: { Ref: Match.stringLikeRegexp('GroupApplication') },
          DeploymentGroupName: { Ref: Match.stringLikeRegexp('DeploymentGroup') },
          BeforeAllowTrafficHook: { Ref: Match.stringLikeRegexp('HookFunction') },
        },
      },
      DependsOn: Match.arrayWith([Match.stringLikeRegexp('HookPolicy')]),
    });
  });

  test('have shares and intervals of their own', () => {
    withDeployment(InferenceDeployment.canary({ percent: 5, interval: Duration.hours(1) })).hasResourceProperties(
      'AWS::CodeDeploy::DeploymentConfig',
      {
        ComputePlatform: 'Lambda',
        TrafficRoutingConfig: {
          Type: 'TimeBasedCanary',
          TimeBasedCanary: { CanaryPercentage: 5, CanaryInterval: 60 },
        },
      },
    );
    withDeployment(InferenceDeployment.linear({ percent: 25 })).hasResourceProperties(
      'AWS::CodeDeploy::DeploymentConfig',
      {
        TrafficRoutingConfig: {
          Type: 'TimeBasedLinear',
          TimeBasedLinear: { LinearPercentage: 25, LinearInterval: 3 },
        },
      },
    );
  });

  test('both versions have the one role, and provisioned concurrency stays with the alias', () => {
    const template = withDeployment(InferenceDeployment.canary(), { provisionedConcurrency: { min: 2 } });
    template.hasResource('AWS::Lambda::Alias', {
      Properties: { ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: 2 } },
      UpdatePolicy: Match.anyValue(),
    });
    const functions = propertiesOf(template, 'AWS::Lambda::Function').filter(({ Description }) =>
      String(Description).startsWith('cdk-onnx: model'),
    );
    expect(functions.map(({ Role }) => Role)).toEqual([
      { 'Fn::GetAtt': [expect.stringMatching(/^FacesRole[0-9A-F]{8}$/), 'Arn'] },
    ]);
  });

  test('an endpoint gives each of its functions one, and a model may have its own', () => {
    const stack = new Stack(new App({ outdir }), 'Vision');
    const models = [Model.fromArtifact(writeArtifactFolder(folder))];
    const deployment = InferenceDeployment.canary();
    const endpoint = new InferenceEndpoint(stack, 'Vision', { models, deployment });
    endpoint.addModel(Model.fromArtifact(writeArtifactFolder(folder, { name: 'text' })), {
      deployment: InferenceDeployment.allAtOnce({ replay: false }),
    });
    const names = propertiesOf(Template.fromStack(stack), 'AWS::CodeDeploy::DeploymentGroup').map(
      ({ DeploymentConfigName }) => DeploymentConfigName,
    );
    expect(names).toEqual(['CodeDeployDefault.LambdaCanary10Percent10Minutes', 'CodeDeployDefault.LambdaAllAtOnce']);
    expect(endpoint.functions.get('text')?.deployment?.hook).toBeUndefined();
  });

  test('leave the endpoint as it is on this machine', () => {
    const assembly = join(folder, 'local');
    const stack = new Stack(new App({ outdir: assembly }), 'Vision');
    const models = [Model.fromArtifact(writeArtifactFolder(folder))];
    const replay = { requests: ReplayRequests.fromFolder(recordings) };
    new InferenceEndpoint(stack, 'Vision', {
      models,
      deployment: InferenceDeployment.canary({ replay }),
      provisionedConcurrency: { min: 1, max: 2 },
    });
    App.of(stack)?.synth();
    const { functions } = readLocalService(readCloudAssembly(assembly));
    const hook = functions.find(({ environment }) => environment.CDK_ONNX_LIVE_ALIAS !== undefined);
    expect(hook?.environment.CDK_ONNX_LIVE_ALIAS).toMatch(/^arn:aws:lambda:[^:]+:\d+:function:[^:]+:live$/);
    expect(functions).toHaveLength(2);
  });

  test('without the option nothing of it is there', () => {
    const template = templateOf(() => ({}));
    const types = Object.values(template.toJSON().Resources as Record<string, { Type: string }>).map(
      ({ Type }) => Type,
    );
    expect([...new Set(types)].sort()).toEqual([
      'AWS::IAM::Role',
      'AWS::Lambda::Alias',
      'AWS::Lambda::Function',
      'AWS::Lambda::LayerVersion',
      'AWS::Lambda::Version',
      'AWS::Logs::LogGroup',
    ]);
    expect(Object.values(template.findResources('AWS::Lambda::Alias'))[0]).not.toHaveProperty('UpdatePolicy');
  });
});

describe('what rolls back', () => {
  const alarmsOf = (deployment: InferenceDeployment, options: InferenceFunctionOptions = {}) => {
    const template = withDeployment(deployment, options);
    const version = idOf(template, 'AWS::Lambda::Version', 'CurrentVersion');
    const [group] = propertiesOf(template, 'AWS::CodeDeploy::DeploymentGroup');
    return { alarms: propertiesOf(template, 'AWS::CloudWatch::Alarm'), version, group };
  };

  test('errors and latency of the new version, and errors that are answered', () => {
    const { alarms, version, group } = alarmsOf(InferenceDeployment.canary(), { timeout: Duration.seconds(10) });
    const functionName = { Ref: expect.stringMatching(/^FacesFunction/) };
    const dimensions = [
      { Name: 'ExecutedVersion', Value: { 'Fn::GetAtt': [version, 'Version'] } },
      { Name: 'FunctionName', Value: functionName },
      { Name: 'Resource', Value: { 'Fn::Join': ['', [functionName, ':live']] } },
    ];
    const common = {
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      Period: 60,
      TreatMissingData: 'notBreaching',
    };
    expect(alarms).toEqual([
      expect.objectContaining({
        ...common,
        Namespace: 'AWS/Lambda',
        MetricName: 'Errors',
        Statistic: 'Sum',
        Threshold: 1,
        EvaluationPeriods: 1,
        DatapointsToAlarm: 1,
        Dimensions: dimensions,
      }),
      expect.objectContaining({
        ...common,
        Namespace: 'AWS/Lambda',
        MetricName: 'Duration',
        ExtendedStatistic: 'p99',
        Threshold: 8000,
        EvaluationPeriods: 3,
        DatapointsToAlarm: 2,
        Dimensions: dimensions,
      }),
      expect.objectContaining({
        ...common,
        Namespace: 'cdk-onnx',
        MetricName: 'ServerErrors',
        Statistic: 'Sum',
        Threshold: 5,
        Dimensions: [{ Name: 'model', Value: 'faces' }],
      }),
    ]);
    expect(group).toMatchObject({
      AlarmConfiguration: {
        Enabled: true,
        Alarms: ['FunctionErrors', 'Latency', 'ServerErrors'].map((name) => ({
          Name: { Ref: expect.stringMatching(new RegExp(`Deployment${name}`)) },
        })),
      },
      AutoRollbackConfiguration: {
        Enabled: true,
        Events: ['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_REQUEST', 'DEPLOYMENT_STOP_ON_ALARM'],
      },
    });
  });

  test('limits and alarms of the user', () => {
    const rollback = { functionErrors: 3, serverErrors: 9, latency: Duration.millis(250) };
    const { alarms } = alarmsOf(InferenceDeployment.linear({ rollback }));
    expect(alarms.map(({ Threshold }) => Threshold)).toEqual([3, 250, 9]);
    // The function's own metrics name no alias: they can be watched before there is one.
    const { stack, faces } = facesIn(() => ({ deployment: InferenceDeployment.canary() }));
    const own = faces.metricThrottles().createAlarm(stack, 'Throttles', { threshold: 1, evaluationPeriods: 1 });
    faces.deployment?.deploymentGroup.addAlarm(own);
    Template.fromStack(stack).hasResourceProperties('AWS::CodeDeploy::DeploymentGroup', {
      AlarmConfiguration: { Alarms: Match.arrayWith([{ Name: { Ref: Match.stringLikeRegexp('Throttles') } }]) },
    });
  });

  test('answers are left out where they are not counted or not asked for', () => {
    const names = (deployment: InferenceDeployment, options: InferenceFunctionOptions = {}) =>
      alarmsOf(deployment, options).alarms.map(({ MetricName }) => MetricName);
    expect(names(InferenceDeployment.canary(), { publishMetrics: false })).toEqual(['Errors', 'Duration']);
    expect(names(InferenceDeployment.canary({ rollback: { serverErrors: false } }))).toEqual(['Errors', 'Duration']);
    expect(names(InferenceDeployment.allAtOnce())).toEqual([]);
  });
});

describe('the hook in front of traffic', () => {
  const settingsOf = (template: Template): ReplaySettings => {
    const hook = propertiesOf(template, 'AWS::Lambda::Function').find(({ Description }) =>
      String(Description).includes('replays'),
    );
    const { Variables = {} } = (hook?.Environment ?? {}) as { readonly Variables?: Readonly<Record<string, string>> };
    return JSON.parse(Variables.CDK_ONNX_REPLAY ?? '') as ReplaySettings;
  };

  test('knows the new version, the alias by name, and the defaults', () => {
    const template = withDeployment(InferenceDeployment.canary(), { timeout: Duration.seconds(20) });
    template.hasResourceProperties('AWS::Lambda::Function', {
      Runtime: 'nodejs24.x',
      Timeout: 300,
      MemorySize: 1024,
      Environment: {
        Variables: {
          CDK_ONNX_NEW_VERSION: { Ref: Match.stringLikeRegexp('FunctionCurrentVersion') },
          CDK_ONNX_LIVE_ALIAS: {
            'Fn::Join': ['', [{ 'Fn::GetAtt': [Match.stringLikeRegexp('^FacesFunction'), 'Arn'] }, ':live']],
          },
        },
      },
    });
    expect(settingsOf(template)).toEqual({
      model: 'faces',
      source: { kind: 'generated' },
      compare: 'values',
      tolerance: { absolute: 0.001, relative: 0.01 },
      maxRequests: 100,
      maxDifferentShare: 0,
      invocationTimeout: 50_000,
    });
  });

  test('is told what is expected', () => {
    const tolerance = { relative: 0.05 };
    const expected = (replay: Parameters<typeof InferenceDeployment.canary>[0]) =>
      settingsOf(withDeployment(InferenceDeployment.canary(replay)));
    expect(expected({ replay: { tolerance, maxRequests: 7, maxDifferentShare: 0.1 } })).toMatchObject({
      tolerance: { absolute: 0.001, relative: 0.05 },
      maxRequests: 7,
      maxDifferentShare: 0.1,
    });
    expect(expected({ replay: { predictions: 'may-change' } })).toMatchObject({ compare: 'form' });
  });

  test('has recorded requests in a layer', () => {
    const replay = { requests: ReplayRequests.fromFolder(recordings), timeout: Duration.minutes(10) };
    const template = withDeployment(InferenceDeployment.canary({ replay }));
    expect(settingsOf(template).source).toEqual({ kind: 'layer' });
    template.hasResourceProperties('AWS::Lambda::Function', {
      Timeout: 600,
      Layers: [{ Ref: Match.stringLikeRegexp('Recordings') }],
      Environment: { Variables: Match.objectLike({ CDK_ONNX_RECORDINGS: '/opt' }) },
    });
  });

  const functionArn = { 'Fn::GetAtt': [expect.stringMatching(/^FacesFunction/), 'Arn'] };
  const hookStatements = [
    { Action: 'lambda:InvokeFunction', Effect: 'Allow', Resource: { 'Fn::Join': ['', [functionArn, ':*']] } },
  ];
  const reportStatement = {
    Action: 'codedeploy:PutLifecycleEventHookExecutionStatus',
    Effect: 'Allow',
    Resource: {
      'Fn::Join': [
        '',
        [
          'arn:',
          { Ref: 'AWS::Partition' },
          ':codedeploy:',
          { Ref: 'AWS::Region' },
          ':',
          { Ref: 'AWS::AccountId' },
          ':deploymentgroup:',
          { Ref: expect.stringMatching(/GroupApplication/) },
          '/',
          { Ref: expect.stringMatching(/DeploymentGroup/) },
        ],
      ],
    },
  };
  const logStatement = (part: string) => ({
    Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    Effect: 'Allow',
    Resource: { 'Fn::GetAtt': [expect.stringContaining(part), 'Arn'] },
  });
  const shiftStatement = {
    Action: ['lambda:GetAlias', 'lambda:GetProvisionedConcurrencyConfig', 'lambda:UpdateAlias'],
    Effect: 'Allow',
    Resource: [functionArn, { 'Fn::Join': ['', [functionArn, ':live']] }],
  };
  const alarmStatement = {
    Action: 'cloudwatch:DescribeAlarms',
    Effect: 'Allow',
    Resource: {
      'Fn::Join': [
        '',
        [
          'arn:',
          { Ref: 'AWS::Partition' },
          ':cloudwatch:',
          { Ref: 'AWS::Region' },
          ':',
          { Ref: 'AWS::AccountId' },
          ':alarm:*',
        ],
      ],
    },
  };
  const invokeHook = {
    Action: 'lambda:InvokeFunction',
    Effect: 'Allow',
    Resource: { 'Fn::GetAtt': [expect.stringMatching(/HookFunction/), 'Arn'] },
  };

  test('and CodeDeploy may do what they do, on this function, and nothing else', () => {
    const template = withDeployment(InferenceDeployment.canary());
    expect(statementsOf(template)).toEqual([
      logStatement('FacesLogs'),
      logStatement('HookLogs'),
      shiftStatement,
      alarmStatement,
      invokeHook,
      ...hookStatements,
      reportStatement,
    ]);
    for (const role of propertiesOf(template, 'AWS::IAM::Role')) expect(role).not.toHaveProperty('ManagedPolicyArns');
    template.resourceCountIs('AWS::Lambda::Permission', 0);
  });

  test('reads what was captured, of its model alone', () => {
    const template = templateOf((stack) => {
      const bucket = new Bucket(stack, 'Captures', { encryptionKey: new Key(stack, 'Key') }) as IBucket;
      return {
        deployment: InferenceDeployment.canary({ replay: { requests: ReplayRequests.fromBucket(bucket, 'seen/') } }),
      };
    });
    const bucketArn = { 'Fn::GetAtt': [expect.stringMatching(/^Captures/), 'Arn'] };
    expect(statementsOf(template).slice(5)).toEqual([
      ...hookStatements,
      {
        Action: 's3:ListBucket',
        Effect: 'Allow',
        Resource: bucketArn,
        Condition: { StringLike: { 's3:prefix': 'seen/faces/*' } },
      },
      { Action: 's3:GetObject', Effect: 'Allow', Resource: { 'Fn::Join': ['', [bucketArn, '/seen/faces/*']] } },
      { Action: 'kms:Decrypt', Effect: 'Allow', Resource: { 'Fn::GetAtt': [expect.stringMatching(/^Key/), 'Arn'] } },
      reportStatement,
    ]);
  });

  test('may be left out', () => {
    const template = withDeployment(InferenceDeployment.canary({ replay: false }));
    expect(statementsOf(template)).toEqual([logStatement('FacesLogs'), shiftStatement, alarmStatement]);
    const [alias] = Object.values(template.findResources('AWS::Lambda::Alias'));
    expect(alias?.UpdatePolicy.CodeDeployLambdaAliasUpdate).not.toHaveProperty('BeforeAllowTrafficHook');
  });
});

describe('wrong options', () => {
  const empty = () => mkdtempSync(join(folder, 'empty-'));
  const broken = () => {
    const path = empty();
    writeFileSync(join(path, 'a.jsonl'), '{"request":{"method":"POST","path":"/"}}\n\n{"request":1}\n');
    return path;
  };
  test.each<[string, string, () => InferenceFunctionOptions]>([
    ['DEPLOYMENT_PERCENT_INVALID', '100', () => ({ deployment: InferenceDeployment.canary({ percent: 100 }) })],
    ['DEPLOYMENT_PERCENT_INVALID', 'a share', () => ({ deployment: InferenceDeployment.linear({ percent: 0.1 }) })],
    [
      'DEPLOYMENT_INTERVAL_INVALID',
      'seconds',
      () => ({ deployment: InferenceDeployment.canary({ interval: Duration.seconds(90) }) }),
    ],
    [
      'DEPLOYMENT_INTERVAL_INVALID',
      'three days',
      () => ({ deployment: InferenceDeployment.canary({ interval: Duration.days(3) }) }),
    ],
    [
      'DEPLOYMENT_TOO_LONG',
      '',
      () => ({ deployment: InferenceDeployment.linear({ percent: 1, interval: Duration.minutes(30) }) }),
    ],
    [
      'RESERVED_CONCURRENCY_TOO_SMALL',
      'all of it provisioned',
      () => ({
        deployment: InferenceDeployment.allAtOnce(),
        provisionedConcurrency: { min: 2, max: 8 },
        reservedConcurrentExecutions: 8,
      }),
    ],
    [
      'ROLLBACK_INVALID',
      'no errors',
      () => ({ deployment: InferenceDeployment.canary({ rollback: { functionErrors: 0 } }) }),
    ],
    [
      'ROLLBACK_ALARMS_TOO_MANY',
      'beside our own',
      () => ({
        deployment: InferenceDeployment.canary({
          rollback: { alarms: Array.from({ length: 8 }, () => ({}) as IAlarm) },
        }),
      }),
    ],
    [
      'ROLLBACK_INVALID',
      'slower than the timeout',
      () => ({
        deployment: InferenceDeployment.canary({ rollback: { latency: Duration.seconds(11) } }),
        timeout: Duration.seconds(10),
      }),
    ],
    [
      'METRICS_TURNED_OFF',
      '',
      () => ({ deployment: InferenceDeployment.canary({ rollback: { serverErrors: 1 } }), publishMetrics: false }),
    ],
    [
      'REPLAY_INVALID',
      'tolerance',
      () => ({ deployment: InferenceDeployment.canary({ replay: { tolerance: { absolute: -1 } } }) }),
    ],
    [
      'REPLAY_INVALID',
      'share',
      () => ({ deployment: InferenceDeployment.canary({ replay: { maxDifferentShare: 1.1 } }) }),
    ],
    ['REPLAY_INVALID', 'count', () => ({ deployment: InferenceDeployment.canary({ replay: { maxRequests: 0 } }) })],
    [
      'REPLAY_INVALID',
      'timeout',
      () => ({ deployment: InferenceDeployment.allAtOnce({ replay: { timeout: Duration.seconds(10) } }) }),
    ],
    [
      'TOLERANCE_WITHOUT_EFFECT',
      '',
      () => ({
        deployment: InferenceDeployment.canary({ replay: { predictions: 'may-change', tolerance: { absolute: 1 } } }),
      }),
    ],
    ...[() => join(folder, 'nowhere'), empty, broken].map((path): [string, string, () => InferenceFunctionOptions] => [
      'RECORDING_INVALID',
      path.name,
      () => ({ deployment: InferenceDeployment.canary({ replay: { requests: ReplayRequests.fromFolder(path()) } }) }),
    ]),
  ])('%s %s', (code, _, options) => {
    expect(() => facesIn(options)).toThrow(expect.objectContaining({ code, name: 'SynthesisError' }));
  });
});
