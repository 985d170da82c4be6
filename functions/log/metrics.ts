/**
 * Metrics as lines of the log in CloudWatch's embedded metric format: no call, no permission, no waiting.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
import {
  CODE_DIMENSION,
  DEFAULT_METRICS_NAMESPACE,
  FUNCTION_METRICS,
  type FunctionMetric,
  METRICS_DISABLED_VARIABLE,
  METRICS_NAMESPACE_VARIABLE,
  MODEL_DIMENSION,
  ROUTER_METRICS,
  type RouterMetric,
} from '../../lib/artifact/function-metrics.js';
import type { Log, LogDetails } from './log.js';

type Metric = FunctionMetric | RouterMetric;
export type MetricValues = Readonly<Partial<Record<Metric, number>>>;
const UNITS = { ...FUNCTION_METRICS, ...ROUTER_METRICS };

export interface MetricsLine {
  readonly message: string;
  readonly model: string;
  /** Counted for the model. */
  readonly values: MetricValues;
  /** Counted for the model, and for the model and the code: every pair that occurs is one more metric to pay for. */
  readonly errors?: { readonly code: string; readonly values: MetricValues };
  /** What else the line says. */
  readonly details: LogDetails;
}

/** Metrics go out whatever the level of the log; where they are turned off, the line is one like any other. */
export function writeMetrics(line: MetricsLine, log: Log): void {
  const { message, model, values, errors, details } = line;
  const members = {
    [MODEL_DIMENSION]: model,
    ...(errors === undefined ? {} : { [CODE_DIMENSION]: errors.code }),
    ...details,
    ...rounded(values),
    ...rounded(errors?.values ?? {}),
  };
  const directives = directivesOf(line);
  if (DISABLED || directives.length === 0) log('INFO', message, members);
  else log('INFO', message, { ...members, _aws: { Timestamp: Date.now(), CloudWatchMetrics: directives } }, true);
}

/** Counts under dimensions of their own beside the model, as a line of their own: which names there are is for who reads them. */
export function writeCounts(
  line: {
    readonly message: string;
    readonly model: string;
    readonly dimensions: Readonly<Record<string, string>>;
    readonly counts: Readonly<Record<string, number>>;
  },
  log: Log,
): void {
  const { message, model, dimensions, counts } = line;
  const names = Object.keys(counts);
  if (DISABLED || names.length === 0) return;
  const directive = {
    Namespace: NAMESPACE,
    Dimensions: [[MODEL_DIMENSION, ...Object.keys(dimensions)]],
    Metrics: names.map((name) => ({ Name: name, Unit: 'Count' })),
  };
  const _aws = { Timestamp: Date.now(), CloudWatchMetrics: [directive] };
  log('INFO', message, { [MODEL_DIMENSION]: model, ...dimensions, ...counts, _aws }, true);
}

const DISABLED = ['true', '1'].includes((process.env[METRICS_DISABLED_VARIABLE] ?? '').trim().toLowerCase());
const NAMESPACE = process.env[METRICS_NAMESPACE_VARIABLE]?.trim() || DEFAULT_METRICS_NAMESPACE;

function directivesOf({ values, errors }: MetricsLine): object[] {
  const directive = (dimensions: readonly (readonly string[])[], metrics: MetricValues) => {
    const names = Object.keys(metrics) as Metric[];
    if (names.length === 0) return [];
    const definitions = names.map((name) => ({ Name: name, Unit: UNITS[name] }));
    return [{ Namespace: NAMESPACE, Dimensions: dimensions, Metrics: definitions }];
  };
  return [
    ...directive([[MODEL_DIMENSION]], values),
    ...directive([[MODEL_DIMENSION], [MODEL_DIMENSION, CODE_DIMENSION]], errors?.values ?? {}),
  ];
}

/** To microseconds: more digits are noise that each line would carry. */
function rounded(values: MetricValues): MetricValues {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Math.round(value * 1000) / 1000]));
}
