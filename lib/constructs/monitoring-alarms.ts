/** The alarms of one model, each with the defaults that `MonitoringAlarms` gives reasons for. */
import {
  type Alarm,
  ComparisonOperator,
  type IMetric,
  type MathExpression,
  type Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Duration } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { statisticName } from '../artifact/input-profile.js';
import { PRIMARY_VARIANT } from './gpu-endpoint-problems.js';
import type {
  MonitoredModel,
  MonitoringAlarmOptions,
  MonitoringAlarms,
  MonitoringDriftAlarmOptions,
  MonitoringShareAlarmOptions,
} from './inference-monitoring-options.js';
import { MonitoredTraffic } from './monitored-traffic.js';

export type AlarmKind = keyof MonitoringAlarms;
export const ALARM_KINDS: readonly AlarmKind[] = [
  'errorRate',
  'latencyP99',
  'throttles',
  'spillover',
  'circuitOpen',
  'gpuErrors',
  'drift',
];

export const DEFAULT_PERIOD = Duration.minutes(5);
/** Below it a share or a distribution says nothing. */
const MINIMA: Readonly<Partial<Record<AlarmKind, number>>> = { drift: 200 };
const DEFAULT_MINIMUM = 20;
const PERIODS: Readonly<Partial<Record<AlarmKind, Duration>>> = { drift: Duration.hours(6) };

export function defaultPeriod(kind: AlarmKind): Duration {
  return PERIODS[kind] ?? DEFAULT_PERIOD;
}

export function defaultMinimum(kind: AlarmKind): number {
  return MINIMA[kind] ?? DEFAULT_MINIMUM;
}

/** How long bad has to last. */
interface Patience {
  readonly evaluationPeriods: number;
  readonly datapointsToAlarm: number;
}
const PATIENCE: Readonly<Record<AlarmKind, Patience>> = {
  errorRate: { evaluationPeriods: 3, datapointsToAlarm: 2 },
  latencyP99: { evaluationPeriods: 3, datapointsToAlarm: 3 },
  throttles: { evaluationPeriods: 3, datapointsToAlarm: 2 },
  spillover: { evaluationPeriods: 3, datapointsToAlarm: 3 },
  circuitOpen: { evaluationPeriods: 1, datapointsToAlarm: 1 },
  gpuErrors: { evaluationPeriods: 3, datapointsToAlarm: 2 },
  drift: { evaluationPeriods: 2, datapointsToAlarm: 2 },
};

interface Watched {
  readonly id: string;
  readonly metric: Metric | MathExpression | IMetric;
  readonly threshold: number;
  readonly description: string;
}

/** What of a model an alarm of a kind watches: nothing where the model lacks it. */
export function watchedBy(kind: AlarmKind, traffic: MonitoredTraffic, minimum: number): readonly Watched[] {
  const { name, model } = traffic;
  switch (kind) {
    case 'errorRate':
      return [
        {
          id: 'ErrorRate',
          metric: traffic.errorPercentage(minimum),
          threshold: 1,
          description: `${name}: requests fail, in per cent`,
        },
      ];
    case 'latencyP99': {
      const timeout = (model.router?.function.timeout ?? model.function.timeout).toMilliseconds();
      return [
        {
          id: 'LatencyP99',
          metric: traffic.latency('p99'),
          threshold: timeout / 2,
          description: `${name}: one request in a hundred takes so many milliseconds`,
        },
      ];
    }
    case 'throttles':
      return [
        {
          id: 'Throttles',
          metric: traffic.throttles(),
          threshold: 1,
          description: `${name}: Lambda refuses requests for lack of concurrency`,
        },
      ];
    case 'spillover':
      return model.function.provisionedConcurrency === undefined
        ? []
        : [
            {
              id: 'Spillover',
              metric: traffic.spilloverPercentage(minimum),
              threshold: 5,
              description: `${name}: requests find no provisioned concurrency left, in per cent`,
            },
          ];
    case 'circuitOpen':
      return !traffic.hasRouterMetrics
        ? []
        : [
            {
              id: 'CircuitOpen',
              metric: traffic.openCircuits(),
              threshold: 1,
              description: `${name}: the router leaves Lambda or SageMaker alone because it fails`,
            },
          ];
    case 'gpuErrors':
      return [
        ...(model.gpu === undefined
          ? []
          : traffic.gpuVariants.map((variant) => ({
              id: variant === PRIMARY_VARIANT ? 'GpuErrors' : `GpuErrors-${variant}`,
              metric: traffic.gpuErrorPercentage(variant, minimum),
              threshold: 5,
              description: `${name}: requests fail on the GPU${variant === PRIMARY_VARIANT ? '' : `, with the variant ${variant}`}, in per cent`,
            }))),
        ...(model.gpuQueue === undefined
          ? []
          : [
              {
                id: 'GpuQueueErrors',
                metric: traffic.gpuQueueErrorPercentage(minimum),
                threshold: 5,
                description: `${name}: jobs fail or expire in the queue of the GPU, in per cent`,
              },
            ]),
      ];
    case 'drift':
      return traffic.inputStatistics.map((statistic, index) => ({
        id: `Drift${index}`,
        metric: traffic.drift(statistic, minimum),
        threshold: 0.25,
        description: `${name}: the ${statisticName(statistic)} is not distributed as when the model was built`,
      }));
  }
}

/** All alarms of a model, below `scope`. */
export function createAlarms(scope: Construct, model: MonitoredModel, alarms: MonitoringAlarms = {}): readonly Alarm[] {
  return ALARM_KINDS.flatMap((kind) => {
    const options: MonitoringShareAlarmOptions & MonitoringDriftAlarmOptions = alarms[kind] || {};
    if (alarms[kind] === false) return [];
    const traffic = new MonitoredTraffic(model, options.period ?? defaultPeriod(kind));
    const minimum = options.minRequests ?? options.minValues ?? defaultMinimum(kind);
    return watchedBy(kind, traffic, minimum).map((watched) => createAlarm(scope, watched, options, PATIENCE[kind]));
  });
}

function createAlarm(
  scope: Construct,
  { id, metric, threshold, description }: Watched,
  options: MonitoringAlarmOptions,
  patience: Patience,
): Alarm {
  const evaluationPeriods = options.evaluationPeriods ?? patience.evaluationPeriods;
  // Of fewer periods than the default wants bad ones, all.
  const datapointsToAlarm = options.datapointsToAlarm ?? Math.min(patience.datapointsToAlarm, evaluationPeriods);
  return (metric as Metric).createAlarm(scope, id, {
    alarmDescription: description,
    threshold: options.threshold ?? threshold,
    comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    evaluationPeriods,
    datapointsToAlarm,
    // Nobody asked anything.
    treatMissingData: TreatMissingData.NOT_BREACHING,
  });
}
