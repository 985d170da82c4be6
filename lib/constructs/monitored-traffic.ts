/** What is watched of one model, as metrics and expressions over them: dashboard and alarms read the same. */
import { type IMetric, MathExpression, type Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { CfnEndpointConfig } from 'aws-cdk-lib/aws-sagemaker';
import type { Duration } from 'aws-cdk-lib/core';
import {
  CODE_DIMENSION,
  type FunctionMetric,
  MODEL_DIMENSION,
  type RouterMetric,
} from '../artifact/function-metrics.js';
import { type ProfiledStatistic, SMOOTHING, sharesOf, statisticName } from '../artifact/input-profile.js';
import type { MonitoredModel } from './inference-monitoring-options.js';

export class MonitoredTraffic {
  readonly name: string;
  /** Whether there are more metrics than AWS's own. */
  readonly hasOwnMetrics: boolean;
  /** Whether a router writes some, too. */
  readonly hasRouterMetrics: boolean;

  constructor(
    readonly model: MonitoredModel,
    readonly period: Duration,
  ) {
    this.name = model.function.modelName;
    this.hasOwnMetrics = model.function.publishesMetrics;
    this.hasRouterMetrics = model.router !== undefined && (model.router.publishesMetrics ?? this.hasOwnMetrics);
  }

  /** A metric of the function in the namespace AWS/Lambda. */
  lambda(metricName: string, options: MetricOptions = {}): Metric {
    return this.model.function.metric(metricName, { period: this.period, statistic: Stats.SUM, ...options });
  }

  /** The same of the router, else of the function: of what callers invoke. */
  front(metricName: string, options: MetricOptions = {}): Metric {
    const { router } = this.model;
    if (router === undefined) return this.lambda(metricName, options);
    return router.alias.metric(metricName, { period: this.period, statistic: Stats.SUM, ...options });
  }

  /** A metric that the function writes; only where it does. */
  own(name: FunctionMetric, options: MetricOptions = {}): Metric {
    return this.model.function.metricOwn(name, { period: this.period, ...options });
  }

  /** A metric that the router writes. */
  router(name: RouterMetric, options: MetricOptions = {}): Metric {
    return required(this.model.router).metricRouter(name, { period: this.period, ...options });
  }

  /** Answers of 500 and more that were written down; Lambda counts what ends without an answer: timeouts, crashes, no memory. */
  serverErrors(): Metric | undefined {
    if (this.hasRouterMetrics) return this.router('RouterErrors');
    // What a function behind a router fails at, callers may have from the GPU.
    return this.hasOwnMetrics && this.model.router === undefined ? this.own('ServerErrors') : undefined;
  }

  /** Of the GPU that answers at once. */
  gpu(metricName: string, options: MetricOptions = {}): Metric {
    return required(this.model.gpu).metric(metricName, { period: this.period, statistic: Stats.SUM, ...options });
  }

  /** Answers of 500 and more and requests without one, in per cent of all; 0 below `minRequests`. */
  errorPercentage(minRequests: number): MathExpression {
    const answered = this.serverErrors();
    return this.share(
      answered === undefined ? 'FILL(broken, 0)' : 'FILL(broken, 0) + FILL(answered, 0)',
      { broken: this.front('Errors'), ...(answered === undefined ? {} : { answered }) },
      { metric: this.front('Invocations'), minRequests },
      'Errors, %',
    );
  }

  spilloverPercentage(minRequests: number): MathExpression {
    return this.share(
      'FILL(spilled, 0)',
      { spilled: this.lambda('ProvisionedConcurrencySpilloverInvocations') },
      { metric: this.lambda('Invocations'), minRequests },
      'Spillover, %',
    );
  }

  /** Of the endpoint that answers at once: those of its variants whose answers somebody gets. */
  get gpuVariants(): readonly string[] {
    const { productionVariants } = required(this.model.gpu).endpointConfig;
    return (productionVariants as readonly CfnEndpointConfig.ProductionVariantProperty[]).map(
      ({ variantName }) => variantName,
    );
  }

  /** What failed in SageMaker or in the container of a variant. */
  gpuErrorPercentage(VariantName: string, minRequests: number): MathExpression {
    const dimensionsMap = { VariantName };
    return this.share(
      'FILL(failed, 0)',
      { failed: this.gpu('Invocation5XXErrors', { dimensionsMap }) },
      { metric: this.gpu('Invocations', { dimensionsMap }), minRequests },
      'Failed on the GPU, %',
    );
  }

  gpuQueueErrorPercentage(minRequests: number): MathExpression {
    const queue = required(this.model.gpuQueue);
    const options = { period: this.period, statistic: Stats.SUM };
    return this.share(
      'FILL(failed, 0) + FILL(expired, 0)',
      { failed: queue.metricFailures(options), expired: queue.metricExpiredRequests(options) },
      // What expires was never worked on.
      { metric: queue.metricProcessed(options), minRequests, all: 'FILL(requests, 0) + FILL(expired, 0)' },
      'Failed or expired in the queue, %',
    );
  }

  /** Requests that Lambda refused: in front of the model and, behind a router, at the function. */
  throttles(): IMetric {
    if (this.model.router === undefined) return this.lambda('Throttles');
    return new MathExpression({
      expression: 'FILL(front, 0) + FILL(behind, 0)',
      usingMetrics: { front: this.front('Throttles'), behind: this.lambda('Throttles') },
      period: this.period,
      label: 'Throttled',
    });
  }

  openCircuits(): MathExpression {
    return new MathExpression({
      expression: 'FILL(lambda, 0) + FILL(gpu, 0)',
      usingMetrics: { lambda: this.router('LambdaCircuitOpen'), gpu: this.router('GpuCircuitOpen') },
      period: this.period,
      label: 'Requests past an open circuit',
    });
  }

  /** A percentile of what callers wait for, API Gateway not counted. */
  latency(statistic: string): Metric {
    return this.hasRouterMetrics
      ? this.router('RouterTime', { statistic, label: statistic })
      : this.front('Duration', { statistic, label: statistic });
  }

  /** What is watched of the model's inputs. */
  get inputStatistics(): readonly ProfiledStatistic[] {
    return this.hasOwnMetrics ? (this.model.function.modelLayer.inputProfile?.statistics ?? []) : [];
  }

  /**
   * The population stability index of `lib/artifact/input-profile.ts` over what all environments counted together; 0 below `minValues` counts.
   * LOG is the natural logarithm: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
   */
  drift(of: ProfiledStatistic, minValues: number): MathExpression {
    const { period } = this;
    const ids = of.counts.map((_, bin) => `b${bin}`);
    const shares = sharesOf(of.counts).map((share) => Number(share.toFixed(6)));
    const count = (id: string) => `(FILL(${id},0)+${SMOOTHING})`;
    const ratios = ids.map((id, bin) => `LOG(${count(id)}/${shares[bin]})`);
    const all = ids.map((id) => `FILL(${id},0)`).join('+');
    // Σ (c/n − e) · ln(c/n/e) is (Σ c · ln(c/e)) / n − Σ e · ln(c/e), because the shares add up to 1 on both sides: n is written once.
    const weighted = ids.map((id, bin) => `${count(id)}*${ratios[bin]}`).join('+');
    const expected = ratios.map((ratio, bin) => `${shares[bin]}*${ratio}`).join('+');
    return new MathExpression({
      expression: `IF(${all}>=${minValues},(${weighted})/(${all}+${SMOOTHING * ids.length})-(${expected}),0)`,
      usingMetrics: Object.fromEntries(
        ids.map((id, bin) => [id, this.model.function.metricInputBin(bin, of, { period })]),
      ),
      period,
      label: statisticName(of),
    });
  }

  /** Every series of a metric that is counted by code, those that nobody has seen yet among them. */
  byCode(metric: Metric): MathExpression {
    const schema = [metric.namespace, CODE_DIMENSION, MODEL_DIMENSION].map((part) => `"${part}"`).join(',');
    const query = `{${schema}} MetricName="${metric.metricName}" ${MODEL_DIMENSION}="${this.name}"`;
    return new MathExpression({
      expression: `SEARCH('${query}', 'Sum', ${this.period.toSeconds()})`,
      usingMetrics: {},
      period: this.period,
      label: '',
    });
  }

  private share(
    part: string,
    metrics: Readonly<Record<string, IMetric>>,
    { metric, minRequests, all = 'FILL(requests, 0)' }: Whole,
    label: string,
  ): MathExpression {
    return new MathExpression({
      expression: `IF(${all} >= ${Math.max(1, minRequests)}, 100 * (${part}) / (${all}), 0)`,
      usingMetrics: { ...metrics, requests: metric },
      period: this.period,
      label,
    });
  }
}

/** What a share is a share of. */
interface Whole {
  readonly metric: IMetric;
  readonly minRequests: number;
  /** Expression over `requests`, which is the metric, and the part's own metrics. */
  readonly all?: string;
}

/** A model's dashboard and alarms ask for what it has. */
export function required<Part>(part: Part | undefined): Part {
  if (part === undefined) throw new TypeError('the model has no such part');
  return part;
}
