/** What a function writes about itself: options, the variables that tell its code, and its metrics. */
import { Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Token } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import {
  DEFAULT_METRICS_NAMESPACE,
  FUNCTION_METRICS,
  type FunctionMetric,
  LOG_LEVEL_VARIABLE,
  LOG_LEVELS,
  type LogLevel,
  METRICS_DISABLED_VARIABLE,
  METRICS_NAMESPACE_VARIABLE,
  MODEL_DIMENSION,
  ROUTER_METRICS,
  type RouterMetric,
  STATISTIC_DIMENSION,
} from '../artifact/function-metrics.js';
import { inputBinName, type ProfiledStatistic, statisticName } from '../artifact/input-profile.js';
import { SynthesisError } from '../errors.js';
import type { Problem } from './problems.js';

/** What a function's log holds, and whether CloudWatch makes metrics of it. */
export interface TelemetryOptions {
  /**
   * The least severe lines that the function writes; those that carry metrics are written at every level. The variable
   * `POWERTOOLS_LOG_LEVEL` says so to the function's code: Lambda's own application log level would drop metrics above INFO.
   * @default 'INFO'
   */
  readonly logLevel?: LogLevel;
  /**
   * The CloudWatch namespace of the function's own metrics. Give stacks of one account and region namespaces of their own where they
   * serve a model of the same name.
   * @default 'cdk-onnx'
   */
  readonly metricsNamespace?: string;
  /**
   * Whether the function's lines are metrics. CloudWatch bills each metric of each model, and each code of an error that occurs, for
   * the hours in which it gets values.
   * @default true
   */
  readonly publishMetrics?: boolean;
}

/** Each option with the variable that carries it, which `environment` has to leave alone. */
const VARIABLES: readonly (readonly [variable: string, option: keyof TelemetryOptions])[] = [
  [LOG_LEVEL_VARIABLE, 'logLevel'],
  [METRICS_NAMESPACE_VARIABLE, 'metricsNamespace'],
  [METRICS_DISABLED_VARIABLE, 'publishMetrics'],
];

/** Of a function's environment; nothing for what is not said. */
export function telemetryVariables(options: TelemetryOptions): Record<string, string> {
  const { logLevel, metricsNamespace, publishMetrics } = options;
  return {
    ...(logLevel === undefined ? {} : { [LOG_LEVEL_VARIABLE]: logLevel }),
    ...(metricsNamespace === undefined ? {} : { [METRICS_NAMESPACE_VARIABLE]: metricsNamespace }),
    ...(publishMetrics === false ? { [METRICS_DISABLED_VARIABLE]: 'true' } : {}),
  };
}

/** https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html */
const NAMESPACE = /^(?!AWS\/)[A-Za-z0-9._/#\- ][A-Za-z0-9._/#:\- ]{0,254}$/;

export function telemetryProblems(
  options: TelemetryOptions & { readonly environment?: Readonly<Record<string, string>> },
): Problem[] {
  const { logLevel, metricsNamespace, publishMetrics, environment = {} } = options;
  const problems: Problem[] = [];
  if (logLevel !== undefined && !Token.isUnresolved(logLevel) && !LOG_LEVELS.includes(logLevel)) {
    problems.push({
      code: 'LOG_LEVEL_INVALID',
      message: `logLevel is '${logLevel}'.`,
      advice: `Give one of ${LOG_LEVELS.join(', ')}.`,
    });
  }
  if (metricsNamespace !== undefined && !Token.isUnresolved(metricsNamespace) && !NAMESPACE.test(metricsNamespace)) {
    problems.push({
      code: 'METRICS_NAMESPACE_INVALID',
      message: `metricsNamespace is '${metricsNamespace}'.`,
      advice: "Give 1 to 255 letters, digits, spaces and ._-/#: that begin neither with a colon nor with 'AWS/'.",
    });
  }
  if (metricsNamespace !== undefined && publishMetrics === false) {
    problems.push({
      code: 'METRICS_NAMESPACE_WITHOUT_EFFECT',
      message: 'metricsNamespace is given, and publishMetrics is false.',
      advice: 'Leave one of them out.',
    });
  }
  for (const [variable, option] of VARIABLES) {
    if (environment[variable] === undefined) continue;
    problems.push({
      code: 'ENVIRONMENT_VARIABLE_TAKEN',
      message: `environment sets ${variable}.`,
      advice: `Use the option ${option}.`,
    });
  }
  return problems;
}

/**
 * A metric that the function of a model or its router writes: times as averages, counts as sums.
 *
 * @throws SynthesisError `METRICS_TURNED_OFF`
 */
export function functionMetric(
  scope: Construct,
  name: FunctionMetric | RouterMetric,
  modelName: string,
  telemetry: TelemetryOptions,
  options: MetricOptions = {},
): Metric {
  const statistic = { ...FUNCTION_METRICS, ...ROUTER_METRICS }[name] === 'Count' ? Stats.SUM : Stats.AVERAGE;
  return ownMetric(scope, name, modelName, telemetry, { statistic, ...options });
}

/** What fell into a bin of an input profile: a sum. @throws SynthesisError `METRICS_TURNED_OFF` */
export function inputBinMetric(
  scope: Construct,
  { bin, of }: { readonly bin: number; readonly of: Pick<ProfiledStatistic, 'input' | 'statistic'> },
  modelName: string,
  telemetry: TelemetryOptions,
  options: MetricOptions = {},
): Metric {
  const dimensionsMap = { ...options.dimensionsMap, [STATISTIC_DIMENSION]: statisticName(of) };
  return ownMetric(scope, inputBinName(bin), modelName, telemetry, { statistic: Stats.SUM, ...options, dimensionsMap });
}

function ownMetric(
  scope: Construct,
  metricName: string,
  modelName: string,
  { metricsNamespace, publishMetrics }: TelemetryOptions,
  options: MetricOptions,
): Metric {
  if (publishMetrics === false) {
    throw new SynthesisError({
      code: 'METRICS_TURNED_OFF',
      message: `${scope.node.path} does not publish the metric ${metricName}.`,
      advice: 'Leave publishMetrics out, or use the metrics of Lambda.',
    });
  }
  return new Metric({
    ...options,
    namespace: metricsNamespace ?? DEFAULT_METRICS_NAMESPACE,
    metricName,
    dimensionsMap: { ...options.dimensionsMap, [MODEL_DIMENSION]: modelName },
  }).attachTo(scope);
}
