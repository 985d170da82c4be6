/** Models with all that monitoring can watch, in stacks of their own, and what their dashboards and alarms say. */
import type { Template } from 'aws-cdk-lib/assertions';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { Alias, Code, type IVersion, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { Duration, type Stack } from 'aws-cdk-lib/core';
import { ROUTER_METRICS, type RouterMetric } from '../../lib/artifact/function-metrics.js';
import type { MonitoredRouter } from '../../lib/constructs/index.js';

/** What monitoring reads of a router, around a function without code. */
export function routerIn(stack: Stack, modelName = 'faces'): MonitoredRouter {
  const router = new LambdaFunction(stack, `Router-${modelName}`, {
    runtime: Runtime.NODEJS_24_X,
    handler: 'index.handler',
    code: Code.fromInline('exports.handler = () => {}'),
    memorySize: 1024,
    timeout: Duration.seconds(30),
  });
  const alias = new Alias(stack, `RouterAlias-${modelName}`, {
    aliasName: 'live',
    version: router.currentVersion as IVersion,
  });
  return {
    function: router,
    alias,
    metricRouter: (metricName: RouterMetric, options) =>
      new Metric({
        statistic: ROUTER_METRICS[metricName] === 'Count' ? 'Sum' : 'Average',
        ...options,
        namespace: 'cdk-onnx',
        metricName,
        dimensionsMap: { model: modelName },
      }),
  };
}

/** One series or expression of a widget or an alarm. */
export interface Series {
  readonly id: string | undefined;
  readonly expression: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly statistic: string | undefined;
  readonly period: number | undefined;
  readonly visible: boolean;
  readonly label: string | undefined;
}

export interface Widget {
  readonly type: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly title: string | undefined;
  readonly markdown: string | undefined;
  readonly series: readonly Series[];
}

/** Every widget of the only dashboard of a template; values that a deployment knows are their logical ids. */
export function dashboardOf(template: Template): readonly Widget[] {
  const [dashboard] = Object.values(template.findResources('AWS::CloudWatch::Dashboard'));
  const body = JSON.parse(textOf(dashboard?.Properties.DashboardBody)) as { readonly widgets: readonly RawWidget[] };
  return body.widgets.map(({ type, x, y, width, height, properties }) => ({
    type,
    x,
    y,
    width,
    height,
    title: properties.title,
    markdown: properties.markdown,
    series: (properties.metrics ?? []).map(readSeries),
  }));
}

interface RawWidget extends Omit<Widget, 'title' | 'markdown' | 'series'> {
  readonly properties: {
    readonly title?: string;
    readonly markdown?: string;
    readonly metrics?: readonly (readonly unknown[])[];
  };
}

function readSeries(row: readonly unknown[]): Series {
  const options = (typeof row.at(-1) === 'object' ? row.at(-1) : {}) as Record<string, unknown>;
  const names = row.filter((part): part is string => typeof part === 'string');
  const [namespace, name, ...pairs] = names;
  const dimensions = Object.fromEntries(
    pairs.flatMap((key, index) => (index % 2 === 0 ? [[key, pairs[index + 1] ?? '']] : [])),
  );
  return {
    id: options.id as string | undefined,
    expression: options.expression as string | undefined,
    namespace,
    name,
    dimensions,
    statistic: options.stat as string | undefined,
    period: options.period as number | undefined,
    visible: options.visible !== false,
    label: options.label as string | undefined,
  };
}

/** A text of a template. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const { Ref, 'Fn::Join': join, 'Fn::GetAtt': attribute } = value as Readonly<Record<string, unknown>>;
  if (typeof Ref === 'string') return Ref;
  if (Array.isArray(attribute)) return attribute.join('.');
  if (Array.isArray(join)) return (join[1] as unknown[]).map(textOf).join(String(join[0]));
  throw new Error(`no text: ${JSON.stringify(value)}`);
}

/** The alarms of a template by their description's beginning, `faces: …`, and what they watch. */
export function alarmsOf(template: Template) {
  return Object.fromEntries(
    Object.entries(template.findResources('AWS::CloudWatch::Alarm')).map(([id, { Properties }]) => [
      id,
      Properties as Record<string, unknown> & { readonly Metrics?: readonly AlarmQuery[] },
    ]),
  );
}

export interface AlarmQuery {
  readonly Id: string;
  readonly Expression?: string;
  readonly MetricStat?: {
    readonly Metric: { readonly MetricName: string };
    readonly Stat: string;
    readonly Period: number;
  };
  readonly ReturnData?: boolean;
}
