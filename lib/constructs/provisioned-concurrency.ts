/** Environments of an alias that are started ahead of requests. */
import {
  PredefinedMetric,
  ScalableTarget,
  type Schedule,
  ServiceNamespace,
  type TargetTrackingScalingPolicy,
} from 'aws-cdk-lib/aws-applicationautoscaling';
import { Role } from 'aws-cdk-lib/aws-iam';
import type { Alias, CfnAlias } from 'aws-cdk-lib/aws-lambda';
import { Stack, type TimeZone, Token } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { checkWholeNumber, type Problem } from './problems.js';

/** How many environments wait for requests, so that none of these starts cold. They are paid for by the hour, used or not. */
export interface ProvisionedConcurrency {
  /** How many there are at least, 1 or more. */
  readonly min: number;
  /**
   * How many there are at most; in between, their number follows `targetUtilization`.
   * @default - `min`: their number is fixed
   */
  readonly max?: number;
  /**
   * Which share of them should be at work, 0.1 to 0.9: above it more are started, below it some are given back.
   * @default 0.7
   */
  readonly targetUtilization?: number;
  /**
   * When other bounds begin to hold. Each deployment that changes these options begins with `min` and `max`, until the next one is due.
   * @default - none
   */
  readonly schedules?: readonly ProvisionedConcurrencySchedule[];
}

/** Bounds from a point in time on, until another schedule is due. */
export interface ProvisionedConcurrencySchedule {
  /** Told apart by it; 1 to 256 characters. */
  readonly name: string;
  /** When: `Schedule.cron` or `Schedule.at` of aws-cdk-lib/aws-applicationautoscaling. */
  readonly schedule: Schedule;
  /**
   * Where the schedule's time is read. `Schedule.at` writes the time of its date in UTC: leave this out beside it, or write a local time by
   * `Schedule.expression('at(2026-12-24T08:00:00)')`.
   * @default TimeZone.ETC_UTC
   */
  readonly timeZone?: TimeZone;
  /** How many there are at least from then on, 1 or more. With 0 the next deployment fails, because Lambda then has no such configuration. */
  readonly min: number;
  /**
   * How many there are at most from then on.
   * @default - as without the schedule, `min` of the schedule at least
   */
  readonly max?: number;
}

/** What changes the number of an alias' environments. */
export interface ProvisionedConcurrencyScaling {
  /** What is scaled, to scale it by further metrics. */
  readonly target: ScalableTarget;
  /** By which share of them is at work; undefined where no bounds leave it a choice. */
  readonly policy: TargetTrackingScalingPolicy | undefined;
}

const DEFAULT_TARGET_UTILIZATION = 0.7;
/** https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html: no control characters and none of |:/ */
const SCHEDULE_NAME = /^[^|:/\p{Cc}]{1,256}$/u;
/** Application Auto Scaling's; aws-autoscaling has a `Schedule` too, whose expressions it does not take. https://github.com/aws/aws-cdk/issues/30502 */
const SCHEDULE_EXPRESSION = /^(cron|at)\(.+\)$/;

/** What is wrong with the options; `reservedConcurrentExecutions` are the function's. */
export function provisionedConcurrencyProblems(
  options: ProvisionedConcurrency | undefined,
  { reservedConcurrentExecutions }: { readonly reservedConcurrentExecutions?: number | undefined } = {},
): Problem[] {
  if (options === undefined) return [];
  const { min, max, targetUtilization, schedules = [] } = options;
  const problems = [
    ...boundsProblems('provisionedConcurrency', { min, max }),
    ...utilizationProblems(targetUtilization),
    ...schedules.flatMap((schedule, index) => scheduleProblems(schedule, `provisionedConcurrency.schedules[${index}]`)),
    ...nameProblems(schedules),
  ];
  if (targetUtilization !== undefined && !boundsLeaveChoice(options)) {
    problems.push({
      code: 'TARGET_UTILIZATION_WITHOUT_EFFECT',
      message: `provisionedConcurrency.targetUtilization is given, and no max is above its min.`,
      advice: 'Give a max above min, or leave targetUtilization out.',
    });
  }
  const most = greatestConcurrency(options);
  const isReserved = reservedConcurrentExecutions !== undefined && !Token.isUnresolved(reservedConcurrentExecutions);
  if (isReserved && most !== undefined && reservedConcurrentExecutions < most) {
    problems.push({
      code: 'RESERVED_CONCURRENCY_TOO_SMALL',
      message: `reservedConcurrentExecutions is ${reservedConcurrentExecutions}, and provisionedConcurrency goes up to ${most}.`,
      advice: `Reserve ${most} or more: Lambda takes provisioned concurrency out of what is reserved.`,
    });
  }
  return problems;
}

/** The highest number of environments that the options allow; undefined where only the deployment knows. */
export function greatestConcurrency(options: ProvisionedConcurrency): number | undefined {
  const ends = allBounds(options).map(({ max }) => max);
  return ends.some((end) => Token.isUnresolved(end)) ? undefined : Math.max(...ends);
}

/**
 * Gives an alias its environments: a fixed number of its own, or a number that Application Auto Scaling sets.
 *
 * @returns what scales it, undefined for a fixed number
 */
export function scaleProvisionedConcurrency(
  scope: Construct,
  alias: Alias,
  options: ProvisionedConcurrency,
): ProvisionedConcurrencyScaling | undefined {
  const { min, targetUtilization = DEFAULT_TARGET_UTILIZATION, schedules = [] } = options;
  if (schedules.length === 0 && !boundsLeaveChoice(options)) {
    (alias.node.defaultChild as CfnAlias).provisionedConcurrencyConfig = { provisionedConcurrentExecutions: min };
    return undefined;
  }
  const scaling = new Construct(scope, 'ProvisionedConcurrency');
  const target = new ScalableTarget(scaling, 'Target', {
    serviceNamespace: ServiceNamespace.LAMBDA,
    scalableDimension: 'lambda:function:ProvisionedConcurrency',
    resourceId: `function:${alias.functionName}`,
    minCapacity: min,
    maxCapacity: endOf(options),
    role: serviceLinkedRole(scaling),
  });
  // Application Auto Scaling looks for the alias. https://github.com/aws/aws-cdk/issues/7903
  target.node.addDependency(alias);
  for (const schedule of schedules) {
    target.scaleOnSchedule(schedule.name, {
      schedule: schedule.schedule,
      minCapacity: schedule.min,
      // Always both, so that what holds does not depend on which schedules ran before.
      maxCapacity: endOf(schedule, options),
      ...(schedule.timeZone === undefined ? {} : { timeZone: schedule.timeZone }),
    });
  }
  const policy = boundsLeaveChoice(options)
    ? target.scaleToTrackMetric('Utilization', {
        predefinedMetric: PredefinedMetric.LAMBDA_PROVISIONED_CONCURRENCY_UTILIZATION,
        targetValue: targetUtilization,
      })
    : undefined;
  return { target, policy };
}

/** Application Auto Scaling uses it whatever is said; named, so that CDK does not make another one that nobody uses. */
function serviceLinkedRole(scope: Construct) {
  const arn = Stack.of(scope).formatArn({
    service: 'iam',
    region: '',
    resource: 'role/aws-service-role/lambda.application-autoscaling.amazonaws.com',
    resourceName: 'AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency',
  });
  return Role.fromRoleArn(scope, 'Role', arn, { mutable: false });
}

interface Bounds {
  readonly min: number;
  readonly max?: number | undefined;
}

/** A schedule's end follows the option's where it says none. */
function endOf({ min, max }: Bounds, outer?: Bounds): number {
  if (max !== undefined) return max;
  if (outer === undefined) return min;
  const end = endOf(outer);
  return Token.isUnresolved(end) || Token.isUnresolved(min) ? end : Math.max(min, end);
}

function allBounds(options: ProvisionedConcurrency): readonly { readonly min: number; readonly max: number }[] {
  const { schedules = [] } = options;
  return [
    { min: options.min, max: endOf(options) },
    ...schedules.map((schedule) => ({ min: schedule.min, max: endOf(schedule, options) })),
  ];
}

function boundsLeaveChoice(options: ProvisionedConcurrency): boolean {
  return allBounds(options).some(({ min, max }) => min !== max);
}

function boundsProblems(name: string, { min, max }: Bounds): Problem[] {
  const range = { min: 1, unit: 'environments' };
  const problems = [
    ...checkWholeNumber('PROVISIONED_CONCURRENCY_INVALID', `${name}.min`, min, range),
    ...checkWholeNumber('PROVISIONED_CONCURRENCY_INVALID', `${name}.max`, max, range),
  ];
  if (problems.length > 0 || max === undefined || Token.isUnresolved(min) || Token.isUnresolved(max)) return problems;
  if (max >= min) return [];
  return [
    {
      code: 'PROVISIONED_CONCURRENCY_INVALID',
      message: `${name}.min is ${min}, max is ${max}.`,
      advice: 'Give a max that is min or more.',
    },
  ];
}

function utilizationProblems(targetUtilization: number | undefined): Problem[] {
  if (targetUtilization === undefined || Token.isUnresolved(targetUtilization)) return [];
  if (targetUtilization >= 0.1 && targetUtilization <= 0.9) return [];
  return [
    {
      code: 'TARGET_UTILIZATION_INVALID',
      message: `provisionedConcurrency.targetUtilization is ${targetUtilization}.`,
      advice: 'Give a share from 0.1 to 0.9.',
    },
  ];
}

function scheduleProblems({ name, schedule, min, max }: ProvisionedConcurrencySchedule, path: string): Problem[] {
  const problems = boundsProblems(path, { min, max });
  if (!Token.isUnresolved(name) && !SCHEDULE_NAME.test(name)) {
    problems.push({
      code: 'SCHEDULE_NAME_INVALID',
      message: `${path}.name is ${JSON.stringify(name)}.`,
      advice: 'Give 1 to 256 characters without | : and /.',
    });
  }
  const { expressionString } = schedule;
  if (!Token.isUnresolved(expressionString) && !SCHEDULE_EXPRESSION.test(expressionString)) {
    problems.push({
      code: 'SCHEDULE_INVALID',
      message: `${path}.schedule is ${JSON.stringify(expressionString)}.`,
      advice: 'Make it by Schedule.cron or Schedule.at of aws-cdk-lib/aws-applicationautoscaling.',
    });
  }
  return problems;
}

function nameProblems(schedules: readonly ProvisionedConcurrencySchedule[]): Problem[] {
  const names = schedules.map(({ name }) => name);
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))].map((name) => ({
    code: 'SCHEDULE_NAME_TAKEN',
    message: `Several of provisionedConcurrency.schedules are called ${JSON.stringify(name)}.`,
    advice: 'Give each a name of its own.',
  }));
}
