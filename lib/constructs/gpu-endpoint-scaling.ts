/** Application Auto Scaling of an endpoint's variants. */
import { CfnScalableTarget, CfnScalingPolicy } from 'aws-cdk-lib/aws-applicationautoscaling';
import { Alarm, ComparisonOperator, type Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { CfnEndpoint } from 'aws-cdk-lib/aws-sagemaker';
import { Duration, Token } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { AsynchronousGpuScaling, GpuScaling } from './gpu-endpoint-options.js';

const DIMENSION = 'sagemaker:variant:DesiredInstanceCount';
const DEFAULT_SCALE_IN = Duration.minutes(10);
const DEFAULT_SCALE_OUT = Duration.minutes(5);
const DEFAULT_TARGETS = { concurrency: 4, invocations: 600 } as const;
const DEFAULT_BACKLOG = 5;

/** https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PredefinedMetricSpecification.html */
const PREDEFINED_METRICS = {
  concurrency: 'SageMakerVariantConcurrentRequestsPerModelHighResolution',
  invocations: 'SageMakerVariantInvocationsPerInstance',
} as const;

export interface ScaledVariant {
  readonly endpoint: CfnEndpoint;
  readonly endpointName: string;
  readonly variantName: string;
}

interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** The two ends, whole: what is not given follows from what is, and is equal to what cannot be calculated with. */
export function instanceBounds({ minInstances = 1, maxInstances }: GpuScaling = {}): Bounds {
  return {
    min: minInstances,
    max: maxInstances ?? (Token.isUnresolved(minInstances) ? minInstances : 2 * minInstances),
  };
}

export function asynchronousBounds({ minInstances = 0, maxInstances }: AsynchronousGpuScaling = {}): Bounds {
  return { min: minInstances, max: maxInstances ?? oneAtLeast(minInstances) };
}

/** An endpoint cannot be created without an instance, and a limit of none would be one for good. */
export function oneAtLeast(instances: number): number {
  return Token.isUnresolved(instances) ? instances : Math.max(1, instances);
}

/** Whether the number of instances can change. */
export function leaveChoice({ min, max }: Bounds): boolean {
  return Token.isUnresolved(min) || Token.isUnresolved(max) ? min !== max : max > min;
}

/** How many instances a variant has, and what decides. */
export interface ScalingPlan {
  readonly min: number;
  readonly max: number;
  readonly tracking: CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty;
}

/** How one variant of an endpoint grows and shrinks. */
export interface GpuVariantScaling {
  /** What is scaled. */
  readonly target: CfnScalableTarget;
  /** What it is scaled by. */
  readonly policy: CfnScalingPolicy;
}

export function scaleVariant(
  scope: Construct,
  id: string,
  variant: ScaledVariant,
  plan: ScalingPlan,
): GpuVariantScaling {
  const scaling = new Construct(scope, id);
  const target = new CfnScalableTarget(scaling, 'Target', {
    serviceNamespace: 'sagemaker',
    scalableDimension: DIMENSION,
    resourceId: `endpoint/${variant.endpointName}/variant/${variant.variantName}`,
    minCapacity: plan.min,
    maxCapacity: plan.max,
  });
  target.addResourceDependency(variant.endpoint);
  const policy = new CfnScalingPolicy(scaling, 'Tracking', {
    policyName: `${variant.endpointName}-${variant.variantName}-tracking`,
    policyType: 'TargetTrackingScaling',
    scalingTargetId: target.ref,
    targetTrackingScalingPolicyConfiguration: plan.tracking,
  });
  return { target, policy };
}

/** By requests per minute and instance, or by requests at work at once. */
export function requestTracking({
  metric = 'concurrency',
  target,
  scaleInCooldown = DEFAULT_SCALE_IN,
  scaleOutCooldown = DEFAULT_SCALE_OUT,
}: GpuScaling = {}): CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty {
  return {
    targetValue: target ?? DEFAULT_TARGETS[metric],
    predefinedMetricSpecification: { predefinedMetricType: PREDEFINED_METRICS[metric] },
    scaleInCooldown: scaleInCooldown.toSeconds(),
    scaleOutCooldown: scaleOutCooldown.toSeconds(),
  };
}

/** By requests that wait: https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-autoscale.html */
export function backlogTracking(
  endpointName: string,
  {
    backlogPerInstance = DEFAULT_BACKLOG,
    scaleInCooldown = DEFAULT_SCALE_IN,
    scaleOutCooldown = DEFAULT_SCALE_OUT,
  }: AsynchronousGpuScaling = {},
): CfnScalingPolicy.TargetTrackingScalingPolicyConfigurationProperty {
  return {
    targetValue: backlogPerInstance,
    customizedMetricSpecification: {
      namespace: 'AWS/SageMaker',
      metricName: 'ApproximateBacklogSizePerInstance',
      dimensions: [{ name: 'EndpointName', value: endpointName }],
      statistic: 'Average',
    },
    scaleInCooldown: scaleInCooldown.toSeconds(),
    scaleOutCooldown: scaleOutCooldown.toSeconds(),
  };
}

/** What starts the first instance. */
export interface GpuWakeUp {
  /** Adds it. */
  readonly policy: CfnScalingPolicy;
  /** When requests wait and there is no instance. */
  readonly alarm: Alarm;
}

/** Without instances there is no backlog per instance: one request that waits for two minutes brings the first one. */
export function createWakeUp(
  scope: Construct,
  id: string,
  variant: Pick<ScaledVariant, 'endpointName' | 'variantName'>,
  { target }: GpuVariantScaling,
  backlog: Metric,
): GpuWakeUp {
  const wakeUp = new Construct(scope, id);
  const policy = new CfnScalingPolicy(wakeUp, 'Step', {
    policyName: `${variant.endpointName}-${variant.variantName}-wake-up`,
    policyType: 'StepScaling',
    scalingTargetId: target.ref,
    stepScalingPolicyConfiguration: {
      adjustmentType: 'ChangeInCapacity',
      metricAggregationType: 'Average',
      cooldown: DEFAULT_SCALE_OUT.toSeconds(),
      stepAdjustments: [{ metricIntervalLowerBound: 0, scalingAdjustment: 1 }],
    },
  });
  const alarm = new Alarm(wakeUp, 'Alarm', {
    alarmDescription: `Requests wait for ${variant.endpointName}, which has no instance; one is started.`,
    metric: backlog,
    threshold: 1,
    comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    evaluationPeriods: 2,
    datapointsToAlarm: 2,
    treatMissingData: TreatMissingData.MISSING,
  });
  alarm.addAlarmAction({ bind: () => ({ alarmActionArn: policy.ref }) });
  return { policy, alarm };
}
