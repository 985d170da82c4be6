import type { IAlarmAction, Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { Alias, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Duration } from 'aws-cdk-lib/core';
import type { RouterMetric } from '../artifact/function-metrics.js';
import type { Prices } from '../cost/prices.js';
import type { AsynchronousGpuEndpoint } from './asynchronous-gpu-endpoint.js';
import type { InferenceEndpoint } from './inference-endpoint.js';
import type { InferenceFunction } from './inference-function.js';
import type { ProvisionedConcurrency } from './provisioned-concurrency.js';
import type { RealTimeGpuEndpoint } from './real-time-gpu-endpoint.js';

/** What monitoring reads of a router. */
export interface MonitoredRouter {
  /** Its function. */
  readonly function: LambdaFunction;
  /** What callers invoke. */
  readonly alias: Alias;
  /**
   * Environments of the alias that are started ahead of requests.
   * @default - none
   */
  readonly provisionedConcurrency?: ProvisionedConcurrency | undefined;
  /**
   * Whether the router writes metrics.
   * @default - if the function does
   */
  readonly publishesMetrics?: boolean;
  /** A metric that the router itself writes. */
  metricRouter(metricName: RouterMetric, options?: MetricOptions): Metric;
}

/** One model, and what stands beside its function. */
export interface MonitoredModel {
  /** What predicts on Lambda. */
  readonly function: InferenceFunction;
  /**
   * What stands in front of it.
   * @default - none: callers invoke the function
   */
  readonly router?: MonitoredRouter;
  /**
   * The model on a GPU that answers at once.
   * @default - none
   */
  readonly gpu?: RealTimeGpuEndpoint;
  /**
   * The model on a GPU behind a queue.
   * @default - none
   */
  readonly gpuQueue?: AsynchronousGpuEndpoint;
}

/** When an alarm goes off; what is left out is as the alarm's own default says. */
export interface MonitoringAlarmOptions {
  /** In the alarm's own unit: a value at or above it is a bad one. */
  readonly threshold?: number;
  /**
   * Of one value: 1 minute to 1 day.
   * @default Duration.minutes(5)
   */
  readonly period?: Duration;
  /** How many values are looked at, the newest ones. */
  readonly evaluationPeriods?: number;
  /** How many of these have to be bad. */
  readonly datapointsToAlarm?: number;
}

/** As `MonitoringAlarmOptions`, for a share of requests. */
export interface MonitoringShareAlarmOptions extends MonitoringAlarmOptions {
  /**
   * Below so many requests in a period their share says nothing and counts as 0.
   * @default 20
   */
  readonly minRequests?: number;
}

/** As `MonitoringAlarmOptions`, for the drift of inputs. */
export interface MonitoringDriftAlarmOptions extends MonitoringAlarmOptions {
  /**
   * With fewer values in a period their distribution says nothing and counts as that of the build.
   * @default 200 - with ten bins chance alone makes an index of 0.05
   */
  readonly minValues?: number;
}

/** Each alarm of each model: `false` leaves it out, options change it. */
export interface MonitoringAlarms {
  /**
   * Per cent of requests that callers were answered with a status of 500 and more, or not at all; of the router where there is one.
   * @default - 1 per cent in 2 of 3 periods of 5 minutes: one bad minute of a deployment passes, and callers retry less than 1 in 100 unseen
   */
  readonly errorRate?: MonitoringShareAlarmOptions | false;
  /**
   * Milliseconds of the 99th percentile, without API Gateway; of the router where there is one.
   * @default - half of the function's timeout, in 3 of 3 periods of 5 minutes: what is twice as slow is cut off
   */
  readonly latencyP99?: MonitoringAlarmOptions | false;
  /**
   * Requests that Lambda refused for lack of concurrency, the function's and the router's.
   * @default - 1 in 2 of 3 periods of 5 minutes: a burst passes, a limit that is too low does not
   */
  readonly throttles?: MonitoringAlarmOptions | false;
  /**
   * Per cent of requests that found no provisioned concurrency left.
   * @default - 5 per cent in 3 of 3 periods of 5 minutes, longer than target tracking takes to follow; none without provisioned concurrency
   */
  readonly spillover?: MonitoringShareAlarmOptions | false;
  /**
   * Requests for which the router left Lambda or SageMaker alone because it had failed.
   * @default - 1 in one period of 5 minutes: the breaker has counted failures already; none without a router
   */
  readonly circuitOpen?: MonitoringAlarmOptions | false;
  /**
   * Per cent of requests to SageMaker that failed there, of each variant; of a queue those that failed or expired.
   * @default - 5 per cent in 2 of 3 periods of 5 minutes: a scale-in breaks some; none without a GPU
   */
  readonly gpuErrors?: MonitoringShareAlarmOptions | false;
  /**
   * Population stability index of each statistic in the model's input profile, over what all environments counted.
   * @default - 0.25, which by custom is a large shift, in 2 of 2 periods of 6 hours: what is asked changes over a day; none without a profile
   */
  readonly drift?: MonitoringDriftAlarmOptions | false;
}

/** Of an `InferenceMonitoring`, whatever it watches. */
export interface InferenceMonitoringOptions {
  /**
   * Whether there is a dashboard. CloudWatch bills each for itself, and alarms too.
   * @default true
   */
  readonly dashboard?: boolean;
  /**
   * What the dashboard is called in its account, in letters, digits, - and _.
   * @default - a name that CloudFormation makes
   */
  readonly dashboardName?: string;
  /**
   * Which alarms there are, and when they go off.
   * @default - all that the models have a metric for
   */
  readonly alarms?: MonitoringAlarms;
  /**
   * Who is told when an alarm goes off, at most 5: `new SnsAction(topic)`.
   * @default - nobody: alarms only change their state
   */
  readonly alarmActions?: readonly IAlarmAction[];
  /**
   * Who is told when it is over, at most 5.
   * @default - nobody
   */
  readonly okActions?: readonly IAlarmAction[];
  /**
   * What the cost per million requests is computed with.
   * @default - those of the context `cdk-onnx:prices`, else `PRICES` of us-east-1; their date is on the dashboard
   */
  readonly prices?: Prices;
}

/** Properties of an `InferenceMonitoring`: an endpoint with all its models, or models one by one. */
export type InferenceMonitoringProps = InferenceMonitoringOptions &
  (
    | {
        /** All its models; add them before. */
        readonly endpoint: InferenceEndpoint;
        readonly models?: undefined;
      }
    | {
        readonly endpoint?: undefined;
        /** At least one, each with what stands beside it. */
        readonly models: readonly MonitoredModel[];
      }
  );
