import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Schedule } from 'aws-cdk-lib/aws-applicationautoscaling';
import { Schedule as InstanceSchedule } from 'aws-cdk-lib/aws-autoscaling';
import { App, Duration, Stack, TimeZone, Token } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  InferenceEndpoint,
  InferenceFunction,
  type InferenceFunctionOptions,
  Model,
  type ProvisionedConcurrency,
} from '../../lib/constructs/index.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-provisioned-'));
const outdir = join(folder, 'cdk.out');
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const facesIn = (options: InferenceFunctionOptions) => {
  const stack = new Stack(new App({ outdir }), 'Vision');
  const model = Model.fromArtifact(writeArtifactFolder(folder));
  return { stack, faces: new InferenceFunction(stack, 'Faces', { model, ...options }) };
};
const templateOf = (provisionedConcurrency: ProvisionedConcurrency, options: InferenceFunctionOptions = {}) =>
  Template.fromStack(facesIn({ provisionedConcurrency, ...options }).stack);
const only = (template: Template, type: string) => {
  const [resource, ...others] = Object.values(template.findResources(type));
  expect(others).toEqual([]);
  return resource as Record<string, unknown> & { Properties: Record<string, unknown> };
};
const cron = (hour: string) => Schedule.cron({ minute: '0', hour, weekDay: 'MON-FRI' });

describe('a fixed number of environments', () => {
  test.each<ProvisionedConcurrency>([{ min: 3 }, { min: 3, max: 3 }, { min: 3, schedules: [] }])('%j', (options) => {
    const template = templateOf(options);
    template.hasResourceProperties('AWS::Lambda::Alias', {
      Name: 'live',
      ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: 3 },
    });
    template.resourceCountIs('AWS::ApplicationAutoScaling::ScalableTarget', 0);
    expect(facesIn({ provisionedConcurrency: options }).faces.provisionedConcurrencyScaling).toBeUndefined();
  });

  test('may be what only the deployment knows', () => {
    templateOf({ min: Token.asNumber({ Ref: 'Count' }) }).hasResourceProperties('AWS::Lambda::Alias', {
      ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: { Ref: 'Count' } },
    });
  });
});

describe('a number between bounds', () => {
  test('follows the share that is at work, once the alias is there, with the role that AWS made for it', () => {
    const template = templateOf({ min: 2, max: 10 });
    const [aliasId = ''] = Object.keys(template.findResources('AWS::Lambda::Alias'));
    const { Properties, DependsOn } = only(template, 'AWS::ApplicationAutoScaling::ScalableTarget');
    expect(Properties).toEqual({
      MinCapacity: 2,
      MaxCapacity: 10,
      ServiceNamespace: 'lambda',
      ScalableDimension: 'lambda:function:ProvisionedConcurrency',
      ResourceId: { 'Fn::Join': ['', ['function:', { 'Fn::Select': [6, expect.anything()] }, ':live']] },
      RoleARN: {
        'Fn::Join': [
          '',
          [
            'arn:',
            { Ref: 'AWS::Partition' },
            ':iam::',
            { Ref: 'AWS::AccountId' },
            ':role/aws-service-role/lambda.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency',
          ],
        ],
      },
    });
    expect(DependsOn).toEqual([aliasId]);
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalingPolicy', {
      PolicyType: 'TargetTrackingScaling',
      TargetTrackingScalingPolicyConfiguration: {
        TargetValue: 0.7,
        PredefinedMetricSpecification: { PredefinedMetricType: 'LambdaProvisionedConcurrencyUtilization' },
      },
    });
    // Each deployment would set it back to what the alias says.
    expect(only(template, 'AWS::Lambda::Alias').Properties).not.toHaveProperty('ProvisionedConcurrencyConfig');
    template.resourceCountIs('AWS::IAM::Role', 1);
  });

  test('follows the share that is asked for', () => {
    templateOf({ min: 1, max: 2, targetUtilization: 0.5 }).hasResourceProperties(
      'AWS::ApplicationAutoScaling::ScalingPolicy',
      { TargetTrackingScalingPolicyConfiguration: Match.objectLike({ TargetValue: 0.5 }) },
    );
  });
});

describe('schedules', () => {
  const actionsOf = (options: ProvisionedConcurrency) =>
    only(templateOf(options), 'AWS::ApplicationAutoScaling::ScalableTarget').Properties.ScheduledActions;

  test('set both bounds in their time zone, whatever ran before', () => {
    const schedules = [
      { name: 'morning', schedule: cron('8'), timeZone: TimeZone.EUROPE_BERLIN, min: 10 },
      { name: 'noon', schedule: cron('12'), min: 20, max: 40 },
      { name: 'evening', schedule: Schedule.at(new Date(Date.UTC(2026, 11, 24, 18))), min: 1, max: 1 },
    ];
    expect(actionsOf({ min: 2, max: 15, schedules })).toEqual([
      {
        ScheduledActionName: 'morning',
        Schedule: 'cron(0 8 ? * MON-FRI *)',
        Timezone: 'Europe/Berlin',
        ScalableTargetAction: { MinCapacity: 10, MaxCapacity: 15 },
      },
      {
        ScheduledActionName: 'noon',
        Schedule: 'cron(0 12 ? * MON-FRI *)',
        ScalableTargetAction: { MinCapacity: 20, MaxCapacity: 40 },
      },
      {
        ScheduledActionName: 'evening',
        Schedule: 'at(2026-12-24T18:00:00)',
        ScalableTargetAction: { MinCapacity: 1, MaxCapacity: 1 },
      },
    ]);
  });

  test('of fixed numbers follow no share, and those that leave a choice do', () => {
    const fixed = { min: 1, schedules: [{ name: 'day', schedule: cron('8'), min: 5 }] };
    const template = templateOf(fixed);
    template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
      MinCapacity: 1,
      MaxCapacity: 1,
      ScheduledActions: [Match.objectLike({ ScalableTargetAction: { MinCapacity: 5, MaxCapacity: 5 } })],
    });
    template.resourceCountIs('AWS::ApplicationAutoScaling::ScalingPolicy', 0);
    templateOf({ min: 1, schedules: [{ name: 'day', schedule: cron('8'), min: 5, max: 6 }] }).resourceCountIs(
      'AWS::ApplicationAutoScaling::ScalingPolicy',
      1,
    );
  });

  test('leave what scales reachable', () => {
    const { faces } = facesIn({ provisionedConcurrency: { min: 1, max: 2 } });
    expect(faces.provisionedConcurrencyScaling?.target.scalableTargetId).toBeDefined();
    expect(faces.provisionedConcurrencyScaling?.policy?.scalingPolicyArn).toBeDefined();
  });
});

describe('wrong options', () => {
  const day = { name: 'day', schedule: cron('8'), min: 5 };
  test.each<[string, string, InferenceFunctionOptions]>([
    ['PROVISIONED_CONCURRENCY_INVALID', 'no environments', { provisionedConcurrency: { min: 0 } }],
    ['PROVISIONED_CONCURRENCY_INVALID', 'half an environment', { provisionedConcurrency: { min: 1, max: 1.5 } }],
    ['PROVISIONED_CONCURRENCY_INVALID', 'bounds that cross', { provisionedConcurrency: { min: 3, max: 2 } }],
    [
      'PROVISIONED_CONCURRENCY_INVALID',
      'nights without environments, in which no deployment succeeds',
      { provisionedConcurrency: { min: 1, schedules: [{ ...day, name: 'night', min: 0 }] } },
    ],
    ['TARGET_UTILIZATION_INVALID', 'too low', { provisionedConcurrency: { min: 1, max: 2, targetUtilization: 0.05 } }],
    ['TARGET_UTILIZATION_INVALID', 'percent', { provisionedConcurrency: { min: 1, max: 2, targetUtilization: 70 } }],
    ['TARGET_UTILIZATION_WITHOUT_EFFECT', 'fixed', { provisionedConcurrency: { min: 1, targetUtilization: 0.5 } }],
    ['SCHEDULE_NAME_INVALID', '', { provisionedConcurrency: { min: 1, schedules: [{ ...day, name: 'a/b' }] } }],
    ['SCHEDULE_NAME_TAKEN', '', { provisionedConcurrency: { min: 1, schedules: [day, day] } }],
    [
      'SCHEDULE_INVALID',
      "another package's",
      {
        provisionedConcurrency: { min: 1, schedules: [{ ...day, schedule: InstanceSchedule.cron({ hour: '8' }) }] },
      },
    ],
    [
      'SCHEDULE_INVALID',
      'a rate',
      { provisionedConcurrency: { min: 1, schedules: [{ ...day, schedule: Schedule.rate(Duration.hours(1)) }] } },
    ],
    [
      'RESERVED_CONCURRENCY_TOO_SMALL',
      '',
      { provisionedConcurrency: { min: 1, max: 6 }, reservedConcurrentExecutions: 5 },
    ],
    [
      'RESERVED_CONCURRENCY_TOO_SMALL',
      'for a schedule',
      { provisionedConcurrency: { min: 1, schedules: [day] }, reservedConcurrentExecutions: 4 },
    ],
  ])('%s: %s', (code, _, options) => {
    expect(() => facesIn(options)).toThrow(expect.objectContaining({ code, name: 'SynthesisError' }));
  });

  test('are reported all at once, of an endpoint too', () => {
    const stack = new Stack(new App({ outdir }), 'Vision');
    const models = [Model.fromArtifact(writeArtifactFolder(folder))];
    const provisionedConcurrency = { min: 0, schedules: [{ ...day, name: '' }] };
    expect(
      () => new InferenceEndpoint(stack, 'Vision', { models, provisionedConcurrency, reservedConcurrentExecutions: 1 }),
    ).toThrow(/^(?=.*PROVISIONED_CONCURRENCY_INVALID)(?=.*SCHEDULE_NAME_INVALID)(?=.*RESERVED_CONCURRENCY_TOO_SMALL)/s);
  });

  test('as much reserved as provisioned is none', () => {
    expect(() =>
      facesIn({ provisionedConcurrency: { min: 1, max: 6 }, reservedConcurrentExecutions: 6 }),
    ).not.toThrow();
  });
});

test("an endpoint's functions have it each, and a model may have its own", () => {
  const stack = new Stack(new App({ outdir }), 'Vision');
  const models = [Model.fromArtifact(writeArtifactFolder(folder))];
  const endpoint = new InferenceEndpoint(stack, 'Vision', { models, provisionedConcurrency: { min: 2 } });
  endpoint.addModel(Model.fromArtifact(writeArtifactFolder(folder, { name: 'text' })), {
    provisionedConcurrency: { min: 7 },
  });
  const numbers = Object.values(Template.fromStack(stack).findResources('AWS::Lambda::Alias')).map(
    ({ Properties }) => Properties.ProvisionedConcurrencyConfig,
  );
  expect(numbers).toEqual([{ ProvisionedConcurrentExecutions: 2 }, { ProvisionedConcurrentExecutions: 7 }]);
});
