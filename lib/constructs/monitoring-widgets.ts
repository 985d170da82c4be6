/** What the dashboard shows of one model, row by row. */
import { GraphWidget, type IMetric, type IWidget, Stats, TextWidget } from 'aws-cdk-lib/aws-cloudwatch';
import { Duration } from 'aws-cdk-lib/core';
import type { FunctionMetric } from '../artifact/function-metrics.js';
import { statisticName } from '../artifact/input-profile.js';
import type { Prices } from '../cost/prices.js';
import { monitoredCost } from './monitored-cost.js';
import { MonitoredTraffic, required } from './monitored-traffic.js';

const PERCENTILES = ['p50', 'p90', 'p99'];
/** Of the dashboard's 24 columns. */
const WIDTH = 8;
const HEIGHT = 6;

/** https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html */
export const DASHBOARD_LIMITS = { widgets: 500, metricsPerWidget: 500, metrics: 2500 } as const;

export function modelWidgets(traffic: MonitoredTraffic, prices: Prices): readonly IWidget[] {
  const { model, hasOwnMetrics } = traffic;
  const cost = monitoredCost(traffic, prices);
  return [
    new TextWidget({ markdown: `# ${traffic.name}\n${cost.note}`, width: 3 * WIDTH, height: 2 }),
    trafficWidget(traffic),
    latencyWidget(traffic),
    graph('Errors', [traffic.errorPercentage(1)], '%'),
    ...(hasOwnMetrics ? [partsWidget(traffic), ...causeWidgets(traffic)] : []),
    startsWidget(traffic),
    graph('Concurrency', [
      traffic.lambda('ConcurrentExecutions', { statistic: Stats.MAXIMUM, label: 'At once' }),
      traffic.lambda('ProvisionedConcurrentExecutions', { statistic: Stats.MAXIMUM, label: 'On provisioned' }),
      traffic.lambda('ProvisionedConcurrencySpilloverInvocations', { label: 'Spillover' }),
    ]),
    ...(traffic.hasRouterMetrics ? routerWidgets(traffic) : []),
    ...(model.gpu === undefined ? [] : gpuWidgets(traffic)),
    ...(model.gpuQueue === undefined ? [] : queueWidgets(traffic)),
    ...driftWidgets(traffic),
    graph('Cost per million requests', [cost.perMillion], 'US$'),
  ];
}

function trafficWidget(traffic: MonitoredTraffic): IWidget {
  return graph('Requests', [
    traffic.front('Invocations', { label: 'Requests' }),
    traffic.throttles(),
    ...(traffic.hasOwnMetrics ? [traffic.own('ClientErrors', { label: 'Refused as wrong' })] : []),
  ]);
}

function latencyWidget(traffic: MonitoredTraffic): IWidget {
  return graph(
    'Latency',
    PERCENTILES.map((percentile) => traffic.latency(percentile)),
    'ms',
  );
}

/** Where a request's time goes; the sum of the medians is not the median of the sum. */
function partsWidget(traffic: MonitoredTraffic): IWidget {
  const parts: readonly FunctionMetric[] = ['QueueTime', 'DecodeTime', 'InferenceTime', 'EncodeTime'];
  return graph(
    'Parts of a request, medians',
    parts.map((name) => traffic.own(name, { statistic: 'p50', label: name })),
    'ms',
  );
}

function startsWidget(traffic: MonitoredTraffic): IWidget {
  const { hasOwnMetrics } = traffic;
  const times: readonly FunctionMetric[] = ['RuntimeLoadTime', 'SessionCreationTime', 'WarmUpTime'];
  return new GraphWidget({
    title: 'Cold starts',
    width: WIDTH,
    height: HEIGHT,
    left: [
      ...(hasOwnMetrics ? [traffic.own('ColdStart', { label: 'Cold starts' })] : []),
      ...(traffic.hasRouterMetrics ? [traffic.router('RouterColdStart', { label: 'Of the router' })] : []),
    ],
    right: hasOwnMetrics ? times.map((name) => traffic.own(name, { statistic: 'p90', label: `${name} p90` })) : [],
    leftYAxis: { min: 0 },
    rightYAxis: { min: 0, label: 'ms', showUnits: false },
  });
}

function causeWidgets(traffic: MonitoredTraffic): readonly IWidget[] {
  return [
    graph('Errors of the function by cause', [
      traffic.byCode(traffic.own('ServerErrors')),
      traffic.lambda('Errors', { label: 'Without an answer' }),
    ]),
    graph('Refused requests by cause', [traffic.byCode(traffic.own('ClientErrors'))]),
  ];
}

function routerWidgets(traffic: MonitoredTraffic): readonly IWidget[] {
  return [
    graph('Answered by', [
      traffic.router('LambdaAnswers', { label: 'Lambda' }),
      traffic.router('GpuAnswers', { label: 'GPU' }),
      traffic.router('Hedges', { label: 'Hedges' }),
      traffic.router('ExtraLoad', { label: 'Executed twice' }),
      traffic.router('JobsQueued', { label: 'Jobs' }),
    ]),
    graph('Fallbacks to the GPU by cause', [traffic.byCode(traffic.router('Fallbacks'))]),
    graph('Errors of the router by cause', [
      traffic.byCode(traffic.router('RouterErrors')),
      traffic.front('Errors', { label: 'Without an answer' }),
    ]),
    graph('Requests past an open circuit', [
      traffic.router('LambdaCircuitOpen', { label: 'Lambda' }),
      traffic.router('GpuCircuitOpen', { label: 'GPU' }),
    ]),
    graph(
      'Latency by target',
      ['p50', 'p99'].flatMap((statistic) => [
        traffic.router('LambdaTime', { statistic, label: `Lambda ${statistic}` }),
        traffic.router('GpuTime', { statistic, label: `GPU ${statistic}` }),
      ]),
      'ms',
    ),
  ];
}

function gpuWidgets(traffic: MonitoredTraffic): readonly IWidget[] {
  const { period, model } = traffic;
  const gpu = required(model.gpu);
  return [
    graph('GPU: requests', [
      gpu.metricInvocations({ period, label: 'Requests' }),
      gpu.metricClientErrors({ period, label: '4xx' }),
      gpu.metricServerErrors({ period, label: '5xx' }),
      gpu.metricModelErrors({ period, label: 'Of Triton' }),
    ]),
    graph('GPU: use', [
      gpu.metricGpuUtilization({ period, label: 'GPU, %' }),
      gpu.metricGpuMemoryUtilization({ period, label: 'Memory, %' }),
      gpu.metricInstanceMinutes({ period, label: 'Minutes of instances' }),
    ]),
  ];
}

function queueWidgets(traffic: MonitoredTraffic): readonly IWidget[] {
  const { period, model } = traffic;
  const queue = required(model.gpuQueue);
  return [
    graph('Queue: jobs', [
      queue.metricProcessed({ period, label: 'Worked on' }),
      queue.metricFailures({ period, label: 'Failed' }),
      queue.metricExpiredRequests({ period, label: 'Expired' }),
    ]),
    graph('Queue: backlog', [
      queue.metricBacklogSize({ period, label: 'Waiting' }),
      queue.metricHasBacklogWithoutCapacity({ period, label: 'Waiting without an instance' }),
      queue.metricInstanceMinutes({ period, label: 'Minutes of instances' }),
    ]),
  ];
}

/** A widget each: their bins have the same ids. */
function driftWidgets(traffic: MonitoredTraffic): readonly IWidget[] {
  const hourly = new MonitoredTraffic(traffic.model, Duration.hours(1));
  return traffic.inputStatistics.map((statistic) =>
    graph(`Drift: ${statisticName(statistic)}`, [hourly.drift(statistic, 1)], 'PSI'),
  );
}

function graph(title: string, left: readonly IMetric[], label?: string): GraphWidget {
  return new GraphWidget({
    title,
    width: WIDTH,
    height: HEIGHT,
    left: [...left],
    leftYAxis: { min: 0, ...(label === undefined ? {} : { label, showUnits: false }) },
  });
}

/** How much a dashboard holds, as CloudWatch counts: the inputs of expressions too. */
export function sizeOf(widgets: readonly IWidget[]): { readonly widgets: number; readonly metrics: number } {
  const documents = widgets.flatMap((widget) => widget.toJson() as { properties: { metrics?: unknown[] } }[]);
  return {
    widgets: documents.length,
    metrics: documents.reduce((sum, { properties }) => sum + (properties.metrics?.length ?? 0), 0),
  };
}
