/**
 * CloudWatch's embedded metric format as its specification has it: the schema, and what its text asks for beyond.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
import { z } from 'zod';

const UNITS = ['Count', 'Milliseconds'];
/** PutMetricData's rule for namespaces. */
const NAMESPACE = /^(?!AWS\/)[^:][A-Za-z0-9._/#:\- ]*$/;

const metricDefinition = z.strictObject({
  Name: z.string().min(1).max(1024),
  Unit: z.enum(UNITS).optional(),
  StorageResolution: z.union([z.literal(1), z.literal(60)]).optional(),
});

const metricDirective = z.strictObject({
  Namespace: z.string().min(1).max(255).regex(NAMESPACE),
  Dimensions: z.array(z.array(z.string().min(1).max(250)).min(1).max(30)).min(1),
  Metrics: z.array(metricDefinition).min(1).max(100),
});

const document = z.looseObject({
  _aws: z.strictObject({ Timestamp: z.int().positive(), CloudWatchMetrics: z.array(metricDirective).min(1) }),
});

export type EmbeddedMetrics = z.infer<typeof document>;

/** One value that CloudWatch would store. */
export interface MetricDatum {
  readonly namespace: string;
  readonly name: string;
  readonly unit: string | undefined;
  readonly dimensions: Readonly<Record<string, unknown>>;
  readonly value: unknown;
}

/** Checks a line and extracts what it counts, one datum per set of dimensions and metric. */
export function readEmbeddedMetrics(line: unknown): readonly MetricDatum[] {
  const root = document.parse(line);
  const timestamp = root._aws.Timestamp;
  if (Math.abs(Date.now() - timestamp) > 3_600_000) throw new Error(`the timestamp ${timestamp} is not of this hour`);
  return root._aws.CloudWatchMetrics.flatMap(({ Namespace, Dimensions, Metrics }) =>
    Dimensions.flatMap((names) =>
      Metrics.map(({ Name, Unit }) => ({
        namespace: Namespace,
        name: Name,
        unit: Unit,
        dimensions: Object.fromEntries(names.map((name) => [name, z.string().min(1).max(1024).parse(root[name])])),
        value: z.number().parse(root[Name]),
      })),
    ),
  );
}

/** `DecodeTime{model=echo}` and so on, to compare what is counted without its values. */
export function seriesOf(line: unknown): readonly string[] {
  return readEmbeddedMetrics(line).map(({ name, dimensions }) => {
    const pairs = Object.entries(dimensions).map(([key, value]) => `${key}=${value}`);
    return `${name}{${pairs.join(',')}}`;
  });
}
