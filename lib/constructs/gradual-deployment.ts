import { Alarm, ComparisonOperator, type IMetric, Metric, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import {
  type ILambdaDeploymentConfig,
  LambdaDeploymentConfig,
  LambdaDeploymentGroup,
  TimeBasedCanaryTrafficRouting,
  TimeBasedLinearTrafficRouting,
} from 'aws-cdk-lib/aws-codedeploy';
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Alias, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { ArnFormat, Duration, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { InferenceDeployment, TrafficShift } from './inference-deployment.js';
import type { InferenceRollback } from './inference-deployment-options.js';
import { DESCRIBE_ALARMS, INVOKE_FUNCTION, SHIFT_TRAFFIC } from './permissions.js';
import { PreTrafficHook } from './pre-traffic-hook.js';
import { functionMetric, type TelemetryOptions } from './telemetry.js';
import { acknowledgeWildcard } from './wildcard-finding.js';

const MINUTE = Duration.minutes(1);
const DEFAULT_FUNCTION_ERRORS = 1;
const DEFAULT_SERVER_ERRORS = 5;
const DEFAULT_SHARE_OF_TIMEOUT = 0.8;

/** CodeDeploy's own, by percent and minutes: an account may have 50 more. */
const PREDEFINED: Readonly<Record<string, ILambdaDeploymentConfig>> = {
  'canary 10 5': LambdaDeploymentConfig.CANARY_10PERCENT_5MINUTES,
  'canary 10 10': LambdaDeploymentConfig.CANARY_10PERCENT_10MINUTES,
  'canary 10 15': LambdaDeploymentConfig.CANARY_10PERCENT_15MINUTES,
  'canary 10 30': LambdaDeploymentConfig.CANARY_10PERCENT_30MINUTES,
  'linear 10 1': LambdaDeploymentConfig.LINEAR_10PERCENT_EVERY_1MINUTE,
  'linear 10 2': LambdaDeploymentConfig.LINEAR_10PERCENT_EVERY_2MINUTES,
  'linear 10 3': LambdaDeploymentConfig.LINEAR_10PERCENT_EVERY_3MINUTES,
  'linear 10 10': LambdaDeploymentConfig.LINEAR_10PERCENT_EVERY_10MINUTES,
};

/** Whose traffic is shifted. */
export interface GradualDeploymentProps {
  /** How. */
  readonly deployment: InferenceDeployment;
  /** The function of `alias`. */
  readonly function: LambdaFunction;
  /** It points to the function's current version. */
  readonly alias: Alias;
  /** Of an invocation. */
  readonly timeout: Duration;
  /** In its routes and metrics. */
  readonly modelName: string;
  /** What the function publishes of itself. */
  readonly telemetry: TelemetryOptions;
  /** Of the hook's log group. */
  readonly logRetention: RetentionDays | undefined;
  /** Of the hook's log group. */
  readonly logEncryption: IKey | undefined;
}

/**
 * CodeDeploy between a function's new version and its traffic. CloudFormation starts it where the alias gets another version, and waits: a
 * deployment that fails rolls the stack back. There is none when the alias is created.
 */
export class GradualDeployment extends Construct {
  /** What shifts the traffic; alarms can be added to it. */
  readonly deploymentGroup: LambdaDeploymentGroup;
  /** What CodeDeploy may do: `deploymentGroup.role`, with its policies. */
  readonly role: Role;
  /** What is asked before any traffic; undefined without a replay. */
  readonly hook: PreTrafficHook | undefined;
  /** Those that roll back, beside the user's; none where all traffic goes at once. */
  readonly alarms: readonly Alarm[];

  constructor(scope: Construct, id: string, props: GradualDeploymentProps) {
    super(scope, id);
    const { alias, deployment } = props;
    const { shift, options } = deployment;
    const replay = options.replay ?? {};
    this.hook =
      replay === false ? undefined : new PreTrafficHook(this, 'Hook', { ...props, aliasName: alias.aliasName, replay });
    const rollback = options.rollback ?? {};
    this.alarms = shift.kind === 'all-at-once' ? [] : this.createAlarms(props, rollback);
    this.role = this.createRole(props);
    const alarms = [...this.alarms, ...(rollback.alarms ?? [])];
    this.deploymentGroup = new LambdaDeploymentGroup(this, 'Group', {
      alias,
      deploymentConfig: this.deploymentConfig(shift),
      // CDK would add a managed policy, for every function and bucket of the account.
      role: this.role.withoutPolicyUpdates(),
      alarms,
      autoRollback: { failedDeployment: true, stoppedDeployment: true, deploymentInAlarm: alarms.length > 0 },
      ...(this.hook === undefined ? {} : { preHook: this.hook.function }),
    });
    this.hook?.allowReport(this.deploymentGroup.deploymentGroupArn);
    // The hook runs while the alias changes.
    if (this.hook !== undefined) alias.node.addDependency(this.hook.policy);
  }

  private deploymentConfig(shift: TrafficShift): ILambdaDeploymentConfig {
    if (shift.kind === 'all-at-once') return LambdaDeploymentConfig.ALL_AT_ONCE;
    const { kind, percent: percentage, minutes } = shift;
    const predefined = PREDEFINED[`${kind} ${percentage} ${minutes}`];
    if (predefined !== undefined) return predefined;
    const interval = Duration.minutes(minutes);
    const trafficRouting =
      kind === 'canary'
        ? new TimeBasedCanaryTrafficRouting({ interval, percentage })
        : new TimeBasedLinearTrafficRouting({ interval, percentage });
    return new LambdaDeploymentConfig(this, 'Config', { trafficRouting });
  }

  private createRole({ function: lambda, alias, modelName }: GradualDeploymentProps): Role {
    const allAlarms = Stack.of(this).formatArn({
      service: 'cloudwatch',
      resource: 'alarm',
      resourceName: '*',
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    const statements = [
      new PolicyStatement({
        actions: SHIFT_TRAFFIC,
        resources: [lambda.functionArn, `${lambda.functionArn}:${alias.aliasName}`],
      }),
      new PolicyStatement({ actions: DESCRIBE_ALARMS, resources: [allAlarms] }),
      ...(this.hook === undefined
        ? []
        : [new PolicyStatement({ actions: INVOKE_FUNCTION, resources: [this.hook.function.functionArn] })]),
    ];
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('codedeploy.amazonaws.com'),
      description: `Shifts traffic to new versions of the model ${modelName}`,
      inlinePolicies: { ShiftTraffic: new PolicyDocument({ statements }) },
    });
    acknowledgeWildcard(role, allAlarms, 'CloudWatch checks DescribeAlarms against all alarms; it reads no metrics.');
    return role;
  }

  /** Of the new version alone: a version that fails must not keep its remedy from being deployed. */
  private createAlarms(props: GradualDeploymentProps, rollback: InferenceRollback): Alarm[] {
    const { function: lambda, alias, timeout, modelName, telemetry } = props;
    const { functionErrors, serverErrors = DEFAULT_SERVER_ERRORS, latency } = rollback;
    const ofNewVersion = (metricName: string, statistic: string) =>
      new Metric({
        namespace: 'AWS/Lambda',
        metricName,
        statistic,
        period: MINUTE,
        dimensionsMap: {
          FunctionName: lambda.functionName,
          // Not the alias' own reference: it comes after what watches it.
          Resource: `${lambda.functionName}:${alias.aliasName}`,
          // Lambda has it while an alias has two versions.
          ExecutedVersion: lambda.currentVersion.version,
        },
      });
    const slow = latency?.toMilliseconds() ?? DEFAULT_SHARE_OF_TIMEOUT * timeout.toMilliseconds();
    const alarms = [
      this.createAlarm('FunctionErrors', {
        what: `Invocations of the new version of ${modelName} fail.`,
        metric: ofNewVersion('Errors', Stats.SUM),
        threshold: functionErrors ?? DEFAULT_FUNCTION_ERRORS,
      }),
      this.createAlarm('Latency', {
        what: `The new version of ${modelName} is slow.`,
        metric: ofNewVersion('Duration', Stats.percentile(99)),
        threshold: slow,
        outOf: 3,
        periods: 2,
      }),
    ];
    if (serverErrors !== false && telemetry.publishMetrics !== false) {
      alarms.push(
        this.createAlarm('ServerErrors', {
          what: `${modelName} answers with errors of the server.`,
          metric: functionMetric(this, 'ServerErrors', modelName, telemetry, { period: MINUTE }),
          threshold: serverErrors,
        }),
      );
    }
    return alarms;
  }

  private createAlarm(
    id: string,
    alarm: {
      readonly what: string;
      readonly metric: IMetric;
      readonly threshold: number;
      readonly periods?: number;
      readonly outOf?: number;
    },
  ): Alarm {
    const { what, metric, threshold, periods = 1, outOf = periods } = alarm;
    return new Alarm(this, id, {
      alarmDescription: `${what} CodeDeploy rolls back.`,
      metric,
      threshold,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: outOf,
      datapointsToAlarm: periods,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
  }
}
