/** The dashboard and the alarms, as CloudWatch would read them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { App, Duration, Lazy, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FUNCTION_METRICS, ROUTER_METRICS } from '../../lib/artifact/function-metrics.js';
import {
  GpuEndpoint,
  InferenceEndpoint,
  InferenceFunction,
  type InferenceFunctionOptions,
  InferenceMonitoring,
  type InferenceMonitoringOptions,
  Model,
  type MonitoredModel,
  type ProvisionedConcurrency,
  type RealTimeGpuEndpointProps,
} from '../../lib/constructs/index.js';
import { PRICES } from '../../lib/cost/prices.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';
import { writeGpuArtifactFolder } from '../support/gpu-artifact.js';
import { evaluateMetricMath, idsOf } from '../support/metric-math.js';
import { alarmsOf, dashboardOf, routerIn, type Widget } from '../support/monitored-models.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-monitoring-'));
const outdir = join(folder, 'cdk.out');
const ENV = { account: '123456789012', region: 'eu-west-1' };
let faces: Model;
let onGpu: Model;
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  faces = Model.fromArtifact(writeArtifactFolder(folder));
  onGpu = Model.fromArtifact(writeGpuArtifactFolder(folder));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Parts {
  readonly router?: boolean;
  readonly gpu?: boolean;
  readonly gpuQueue?: boolean;
  readonly ready?: ProvisionedConcurrency;
  readonly options?: InferenceFunctionOptions;
}
/** A function and what stands beside it, watched. */
const watched = (parts: Parts = {}, options: InferenceMonitoringOptions = {}) => {
  const stack = new Stack(new App({ outdir }), 'Vision', { env: ENV });
  const predict = new InferenceFunction(stack, 'Faces', {
    model: faces,
    memorySize: 1769,
    ...(parts.ready === undefined ? {} : { provisionedConcurrency: parts.ready }),
    ...parts.options,
  });
  const model: MonitoredModel = {
    function: predict,
    ...(parts.router ? { router: routerIn(stack) } : {}),
    ...(parts.gpu ? { gpu: GpuEndpoint.realTime(stack, 'Gpu', { model: onGpu, instanceType: 'ml.g5.xlarge' }) } : {}),
    ...(parts.gpuQueue
      ? { gpuQueue: GpuEndpoint.asynchronous(stack, 'Queue', { model: onGpu, instanceType: 'ml.g4dn.xlarge' }) }
      : {}),
  };
  const monitoring = new InferenceMonitoring(stack, 'Monitoring', { models: [model], ...options });
  return { stack, monitoring, template: Template.fromStack(stack) };
};
const EVERYTHING: Parts = { router: true, gpu: true, gpuQueue: true, ready: { min: 2 } };
const widgetCalled = (widgets: readonly Widget[], title: string) => {
  const widget = widgets.find((each) => each.title === title);
  if (widget === undefined)
    throw new Error(`no widget '${title}' among ${widgets.map((each) => each.title).join(', ')}`);
  return widget;
};
/** The only expression that a widget or an alarm shows, and the metric's name of each of its ids. */
const shownExpression = ({ series }: Widget) => {
  const [shown] = series.filter(({ expression, visible }) => expression !== undefined && visible);
  return {
    expression: shown?.expression ?? '',
    names: Object.fromEntries(series.flatMap(({ id, name }) => (id === undefined ? [] : [[id, name]]))),
  };
};
const refusal = (make: () => unknown) => {
  try {
    make();
  } catch (error) {
    return error as { readonly code: string; readonly message: string };
  }
  throw new Error('it was accepted');
};

describe.each<[string, Parts]>([
  ['a function alone', {}],
  ['a function without metrics of its own', { options: { publishMetrics: false } }],
  ['a function with provisioned concurrency', { ready: { min: 2 } }],
  ['a function with provisioned concurrency that is scaled', { ready: { min: 1, max: 9 } }],
  ['a router', { router: true }],
  ['a router without metrics of its own', { router: true, options: { publishMetrics: false } }],
  ['a router and a GPU', { router: true, gpu: true }],
  ['a router and a queue', { router: true, gpuQueue: true }],
  ['everything', EVERYTHING],
  ['everything, in a namespace of its own', { ...EVERYTHING, options: { metricsNamespace: 'Vision/prod: faces' } }],
])('the dashboard of %s', (_, parts) => {
  const read = () => dashboardOf(watched(parts).template);

  test('has expressions that refer to metrics of their own widget, and no metric without use', () => {
    for (const { title, series } of read()) {
      const ids = series.flatMap(({ id }) => id ?? []);
      expect(new Set(ids).size, title).toBe(ids.length);
      for (const id of ids) expect(id).toMatch(/^[a-z][a-zA-Z0-9_]*$/);
      const used = series.flatMap(({ expression }) =>
        expression === undefined || expression.startsWith('SEARCH') ? [] : idsOf(expression),
      );
      for (const id of used) expect(ids, `${title} refers to ${id}`).toContain(id);
      for (const { id, visible } of series) if (!visible) expect(used, title).toContain(id);
      for (const { expression } of series) {
        if (expression === undefined || expression.startsWith('SEARCH')) continue;
        const values = Object.fromEntries(ids.map((id) => [id, 7]));
        expect(Number.isFinite(evaluateMetricMath(expression, values)), expression).toBe(true);
      }
    }
  });

  test('shows metrics that somebody writes', () => {
    const own = new Set<string>([...Object.keys(FUNCTION_METRICS), ...Object.keys(ROUTER_METRICS)]);
    const namespace = parts.options?.metricsNamespace ?? 'cdk-onnx';
    for (const { title, series } of read()) {
      for (const { namespace: written, name, dimensions } of series) {
        if (name === undefined) continue;
        if (!['cdk-onnx', namespace].includes(written ?? '')) {
          expect(['AWS/Lambda', 'AWS/SageMaker', '/aws/sagemaker/Endpoints'], title).toContain(written);
          continue;
        }
        expect(own, title).toContain(name);
        expect(dimensions, title).toEqual({ model: 'faces' });
      }
    }
  });

  test('searches for causes in the namespace where they are counted', () => {
    const searches = read().flatMap(({ series }) => series.flatMap(({ expression }) => expression ?? []));
    for (const search of searches.filter((expression) => expression.startsWith('SEARCH'))) {
      expect(search).toMatch(
        /^SEARCH\('\{"(cdk-onnx|Vision\/prod: faces)","code","model"\} MetricName="(ServerErrors|ClientErrors|Fallbacks|RouterErrors)" model="faces"', 'Sum', 300\)$/,
      );
    }
  });

  test('is within limits, and no widget lies on another', () => {
    const widgets = read();
    expect(widgets.length).toBeLessThanOrEqual(500);
    const taken = new Set<string>();
    for (const { x, y, width, height, series, title } of widgets) {
      expect(series.length).toBeLessThanOrEqual(500);
      expect(x + width).toBeLessThanOrEqual(24);
      for (let column = x; column < x + width; column += 1) {
        for (let row = y; row < y + height; row += 1) {
          expect(taken, title).not.toContain(`${column} ${row}`);
          taken.add(`${column} ${row}`);
        }
      }
    }
  });
});

describe('widgets', () => {
  const titles = (parts: Parts) => dashboardOf(watched(parts).template).flatMap(({ title }) => title ?? []);

  test('of router, GPU and queue are there only with them', () => {
    const alone = titles({});
    expect(alone).not.toEqual(expect.arrayContaining([expect.stringMatching(/router|circuit|GPU|Queue|Answered/)]));
    expect(titles({ router: true })).toEqual(expect.arrayContaining(['Answered by', 'Requests past an open circuit']));
    expect(titles({ router: true })).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(GPU|Queue)/)]));
    expect(titles({ router: true, gpu: true })).toEqual(expect.arrayContaining(['GPU: requests', 'GPU: use']));
    expect(titles({ gpuQueue: true })).toEqual(expect.arrayContaining(['Queue: jobs', 'Queue: backlog']));
  });

  test('of metrics that a function writes are there only if it does', () => {
    const quiet = titles({ options: { publishMetrics: false } });
    expect(quiet).not.toEqual(expect.arrayContaining([expect.stringMatching(/cause|Parts/)]));
    expect(quiet).toEqual(expect.arrayContaining(['Requests', 'Latency', 'Errors', 'Cost per million requests']));
  });

  test('of latency are percentiles of what callers wait for', () => {
    const latency = (parts: Parts) =>
      widgetCalled(dashboardOf(watched(parts).template), 'Latency').series.map(({ name, statistic }) => [
        name,
        statistic,
      ]);
    expect(latency({})).toEqual([
      ['Duration', 'p50'],
      ['Duration', 'p90'],
      ['Duration', 'p99'],
    ]);
    expect(latency({ router: true })).toEqual([
      ['RouterTime', 'p50'],
      ['RouterTime', 'p90'],
      ['RouterTime', 'p99'],
    ]);
  });
});

describe('cost per million', () => {
  const cost = (parts: Parts, options: InferenceMonitoringOptions = {}) => {
    const widgets = dashboardOf(watched(parts, options).template);
    const { expression, names } = shownExpression(widgetCalled(widgets, 'Cost per million requests'));
    const note = widgets.find(({ type }) => type === 'text')?.markdown ?? '';
    return { expression, names, note };
  };
  const { lambda, sageMaker } = PRICES;
  const GIGABYTES = 1769 / 1024;

  test('of a function is that of its requests and its time', () => {
    const { expression, names } = cost({});
    expect(names).toEqual({ predictRequests: 'Invocations', predictTime: 'Duration' });
    const value = evaluateMetricMath(expression, { predictRequests: 500, predictTime: 20_000 });
    const expected = 1e6 * (lambda.perRequest + (20_000 / 500 / 1000) * GIGABYTES * lambda.perGigabyteSecond.arm64);
    expect(value).toBeCloseTo(expected, 6);
    expect(evaluateMetricMath(expression, { predictRequests: undefined, predictTime: undefined })).toBeUndefined();
  });

  test('of x86_64 is that of x86_64', () => {
    const { expression } = cost({ options: { architecture: Architecture.X86_64 } });
    const value = evaluateMetricMath(expression, { predictRequests: 1, predictTime: 1000 });
    expect(value).toBeCloseTo(1e6 * (lambda.perRequest + GIGABYTES * lambda.perGigabyteSecond.x86_64), 6);
  });

  test.each<[string, ProvisionedConcurrency]>([
    ['kept ready', { min: 3 }],
    ['kept ready and scaled', { min: 3, max: 9 }],
  ])('has environments that are %s, and their own price while they run', (_, ready) => {
    const { expression, names, note } = cost({ ready });
    expect(names.predictProvisioned).toBe('ProvisionedConcurrencyInvocations');
    const value = evaluateMetricMath(
      expression,
      { predictRequests: 400, predictTime: 60_000, predictProvisioned: 100 },
      300,
    );
    const onDemand = 0.75 * 60 * GIGABYTES * lambda.perGigabyteSecond.arm64;
    const provisioned = 0.25 * 60 * GIGABYTES * lambda.provisioned.runningPerGigabyteSecond.arm64;
    const waiting = 3 * 300 * GIGABYTES * lambda.provisioned.perGigabyteSecond.arm64;
    expect(value).toBeCloseTo((1e6 / 400) * (400 * lambda.perRequest + onDemand + provisioned + waiting), 5);
    expect(note).toContain('provisioned concurrency as deployed');
  });

  test('has the router and the minutes of each instance, for the requests of the router', () => {
    const { expression, names } = cost({ router: true, gpu: true, gpuQueue: true });
    expect(names).toMatchObject({
      routerRequests: 'Invocations',
      minutes0: 'CPUUtilization',
      minutes1: 'CPUUtilization',
    });
    const values = {
      predictRequests: 50,
      predictTime: 1000,
      routerRequests: 100,
      routerTime: 4000,
      minutes0: 10,
      minutes1: undefined,
    };
    const expected =
      150 * lambda.perRequest +
      1 * GIGABYTES * lambda.perGigabyteSecond.arm64 +
      4 * 1 * lambda.perGigabyteSecond.x86_64 +
      (10 / 60) * (sageMaker.perInstanceHour['ml.g5.xlarge'] ?? Number.NaN);
    expect(evaluateMetricMath(expression, values)).toBeCloseTo((1e6 / 100) * expected, 5);
  });

  test('is there where everything runs on the GPU', () => {
    const { expression } = cost({ router: true, gpu: true, ready: { min: 1 } });
    const values = {
      predictRequests: undefined,
      predictTime: undefined,
      predictProvisioned: undefined,
      routerRequests: 100,
      routerTime: 0,
      minutes0: 5,
    };
    const expected =
      100 * lambda.perRequest +
      300 * GIGABYTES * lambda.provisioned.perGigabyteSecond.arm64 +
      (5 / 60) * (sageMaker.perInstanceHour['ml.g5.xlarge'] ?? Number.NaN);
    expect(evaluateMetricMath(expression, values)).toBeCloseTo((1e6 / 100) * expected, 5);
  });

  test('says when and where its prices held, and what has none', () => {
    const prices = { ...PRICES, date: '2030-01', region: 'mars-1', sageMaker: { perInstanceHour: {} } };
    const { expression, note } = cost({ router: true, gpu: true }, { prices });
    expect(note).toContain('2030-01 in mars-1');
    expect(note).toMatch(/Not in it: .*ml\.g5\.xlarge/);
    expect(expression).not.toContain('minutes');
  });
});

describe('alarms', () => {
  const idsWith = (parts: Parts, options: InferenceMonitoringOptions = {}) =>
    [...watched(parts, options).monitoring.alarms.keys()].map((key) => key.replace('faces/', ''));

  test.each<[Parts, readonly string[]]>([
    [{}, ['ErrorRate', 'LatencyP99', 'Throttles']],
    [{ options: { publishMetrics: false } }, ['ErrorRate', 'LatencyP99', 'Throttles']],
    [{ ready: { min: 1 } }, ['ErrorRate', 'LatencyP99', 'Throttles', 'Spillover']],
    [{ ready: { min: 1, max: 9 } }, ['ErrorRate', 'LatencyP99', 'Throttles', 'Spillover']],
    [{ router: true }, ['ErrorRate', 'LatencyP99', 'Throttles', 'CircuitOpen']],
    [{ router: true, gpu: true }, ['ErrorRate', 'LatencyP99', 'Throttles', 'CircuitOpen', 'GpuErrors']],
    [{ gpuQueue: true }, ['ErrorRate', 'LatencyP99', 'Throttles', 'GpuQueueErrors']],
  ])('of %j are %j', (parts, ids) => {
    expect(idsWith(parts)).toEqual(ids);
  });

  test('have the thresholds and the patience that their documentation says', () => {
    const { template } = watched(EVERYTHING);
    const byDescription = Object.values(alarmsOf(template)).map(
      ({ AlarmDescription, Threshold, EvaluationPeriods, DatapointsToAlarm }) => [
        String(AlarmDescription),
        Threshold,
        DatapointsToAlarm,
        EvaluationPeriods,
      ],
    );
    expect(byDescription.filter(([description]) => String(description).startsWith('faces: '))).toEqual([
      ['faces: requests fail, in per cent', 1, 2, 3],
      ['faces: one request in a hundred takes so many milliseconds', 15_000, 3, 3],
      ['faces: Lambda refuses requests for lack of concurrency', 1, 2, 3],
      ['faces: requests find no provisioned concurrency left, in per cent', 5, 3, 3],
      ['faces: the router leaves Lambda or SageMaker alone because it fails', 1, 1, 1],
      ['faces: requests fail on the GPU, in per cent', 5, 2, 3],
      ['faces: jobs fail or expire in the queue of the GPU, in per cent', 5, 2, 3],
    ]);
    for (const { TreatMissingData, ComparisonOperator, AlarmDescription } of Object.values(alarmsOf(template))) {
      if (!String(AlarmDescription).startsWith('faces: ')) continue;
      expect([TreatMissingData, ComparisonOperator]).toEqual(['notBreaching', 'GreaterThanOrEqualToThreshold']);
    }
  });

  test('have at most ten metrics, ids that are there, and one result', () => {
    for (const { Metrics } of Object.values(alarmsOf(watched(EVERYTHING).template))) {
      if (Metrics === undefined) continue;
      expect(Metrics.filter(({ MetricStat }) => MetricStat !== undefined).length).toBeLessThanOrEqual(10);
      expect(Metrics.filter(({ ReturnData }) => ReturnData !== false)).toHaveLength(1);
      const ids = Metrics.map(({ Id }) => Id);
      for (const { Expression } of Metrics) {
        if (Expression !== undefined) for (const id of idsOf(Expression)) expect(ids).toContain(id);
      }
    }
  });

  test('of errors count answers of 500 and requests without one, once there are enough requests', () => {
    const { expression, names } = shownExpression(widgetCalled(dashboardOf(watched({}).template), 'Errors'));
    expect(names).toEqual({ broken: 'Errors', answered: 'ServerErrors', requests: 'Invocations' });
    expect(evaluateMetricMath(expression, { broken: undefined, answered: undefined, requests: 50 })).toBe(0);
    expect(evaluateMetricMath(expression, { broken: 1, answered: 2, requests: 50 })).toBe(6);
    const alarm = Object.values(alarmsOf(watched({}).template)).find(({ AlarmDescription }) =>
      String(AlarmDescription).includes('requests fail'),
    );
    const watchedExpression = alarm?.Metrics?.find(({ Expression }) => Expression !== undefined)?.Expression ?? '';
    expect(evaluateMetricMath(watchedExpression, { broken: 1, answered: 2, requests: 19 })).toBe(0);
    expect(evaluateMetricMath(watchedExpression, { broken: 1, answered: 2, requests: 20 })).toBe(15);
  });

  test('of the GPU watch each model that answers, and no shadow', () => {
    const alarmsWith = (options: Partial<RealTimeGpuEndpointProps>) => {
      const stack = new Stack(new App({ outdir }), 'Vision', { env: ENV });
      const predict = new InferenceFunction(stack, 'Faces', { model: faces });
      const gpu = GpuEndpoint.realTime(stack, 'Gpu', { model: onGpu, ...options });
      const { alarms } = new InferenceMonitoring(stack, 'Monitoring', { models: [{ function: predict, gpu }] });
      const ids = [...alarms.keys()].filter((key) => key.includes('Gpu'));
      return { ids, text: JSON.stringify(alarmsOf(Template.fromStack(stack))) };
    };
    const variants = alarmsWith({ variants: [{ name: 'candidate', model: onGpu }] });
    expect(variants.ids).toEqual(['faces/GpuErrors', 'faces/GpuErrors-candidate']);
    expect(variants.text).toContain('"Value":"candidate"');
    expect(alarmsWith({ shadow: { model: onGpu } }).ids).toEqual(['faces/GpuErrors']);
  });

  test('of a queue go off where jobs only expire, because no instance ever came', () => {
    const alarm = Object.values(alarmsOf(watched({ gpuQueue: true }).template)).find(({ AlarmDescription }) =>
      String(AlarmDescription).includes('in the queue'),
    );
    const expression = alarm?.Metrics?.find(({ Expression }) => Expression !== undefined)?.Expression ?? '';
    const value = (processed: number | undefined, failed: number | undefined, expired: number | undefined) =>
      evaluateMetricMath(expression, { requests: processed, failed, expired });
    expect(value(undefined, undefined, undefined)).toBe(0);
    expect(value(undefined, undefined, 20)).toBe(100);
    expect(value(30, 1, 10)).toBe(27.5);
    expect(value(10, 1, 9)).toBe(0);
  });

  test('are changed and left out one by one', () => {
    const { template, monitoring } = watched(EVERYTHING, {
      alarms: {
        errorRate: { threshold: 0.1, minRequests: 1000, period: Duration.minutes(15), evaluationPeriods: 1 },
        latencyP99: { threshold: 250, datapointsToAlarm: 2 },
        throttles: false,
        spillover: false,
        circuitOpen: false,
        gpuErrors: false,
      },
    });
    expect([...monitoring.alarms.keys()]).toEqual(['faces/ErrorRate', 'faces/LatencyP99']);
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      Threshold: 0.1,
      EvaluationPeriods: 1,
      DatapointsToAlarm: 1,
      Metrics: Match.arrayWith([
        Match.objectLike({ Expression: Match.stringLikeRegexp('>= 1000') }),
        Match.objectLike({ MetricStat: Match.objectLike({ Period: 900 }) }),
      ]),
    });
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      Threshold: 250,
      DatapointsToAlarm: 2,
      EvaluationPeriods: 3,
      Metrics: [
        Match.objectLike({
          MetricStat: { Metric: Match.objectLike({ MetricName: 'RouterTime' }), Period: 300, Stat: 'p99' },
        }),
      ],
    });
  });

  test('tell those who are named', () => {
    const stack = new Stack(new App({ outdir }), 'Vision', { env: ENV });
    const [alarm, over] = ['Alarm', 'Over'].map((id) => new Topic(stack, id));
    new InferenceMonitoring(stack, 'Monitoring', {
      models: [{ function: new InferenceFunction(stack, 'Faces', { model: faces }) }],
      alarmActions: [new SnsAction(alarm as Topic)],
      okActions: [new SnsAction(over as Topic)],
      dashboard: false,
    });
    const template = Template.fromStack(stack);
    template.resourceCountIs('AWS::CloudWatch::Dashboard', 0);
    template.allResourcesProperties('AWS::CloudWatch::Alarm', {
      AlarmActions: [{ Ref: Match.stringLikeRegexp('^Alarm') }],
      OKActions: [{ Ref: Match.stringLikeRegexp('^Over') }],
    });
  });
});

describe('an endpoint', () => {
  const endpointIn = (stack: Stack) => new InferenceEndpoint(stack, 'Vision', { models: [faces] });
  const other = () => Model.fromArtifact(writeArtifactFolder(folder, { name: 'voices' }));

  test('is watched with all its models', () => {
    const stack = new Stack(new App({ outdir }), 'Vision', { env: ENV });
    const endpoint = endpointIn(stack);
    endpoint.addModel(other());
    const monitoring = new InferenceMonitoring(stack, 'Monitoring', { endpoint, dashboardName: 'vision' });
    expect([...monitoring.alarms.keys()].map((key) => key.split('/')[0])).toEqual([
      ...Array.from({ length: 3 }, () => 'faces'),
      ...Array.from({ length: 3 }, () => 'voices'),
    ]);
    const template = Template.fromStack(stack);
    template.hasResourceProperties('AWS::CloudWatch::Dashboard', { DashboardName: 'vision' });
    const headings = dashboardOf(template).flatMap(({ markdown }) => markdown?.split('\n')[0] ?? []);
    expect(headings).toEqual(['# faces', '# voices']);
  });

  test('with a GPU is watched with its router', () => {
    const stack = new Stack(new App({ outdir }), 'Vision', { env: ENV });
    const endpoint = new InferenceEndpoint(stack, 'Vision', { models: [onGpu], gpu: { instanceType: 'ml.g5.xlarge' } });
    const monitoring = new InferenceMonitoring(stack, 'Monitoring', { endpoint });
    expect([...monitoring.alarms.keys()].map((alarm) => alarm.split('/')[1])).toEqual(
      expect.arrayContaining(['ErrorRate', 'LatencyP99', 'CircuitOpen', 'GpuErrors']),
    );
    const titles = dashboardOf(Template.fromStack(stack)).map(({ title }) => title);
    expect(titles).toEqual(expect.arrayContaining(['Answered by', 'GPU: requests']));
  });

  test.each<[string, InferenceFunctionOptions, boolean]>([
    ['without metrics', { publishMetrics: true }, false],
    ['with metrics, before a function without', { publishMetrics: false }, true],
  ])('with a router %s is watched by those that there are', (_, options, isPublished) => {
    const stack = new Stack(new App({ outdir }), 'Vision', { env: ENV });
    const endpoint = new InferenceEndpoint(stack, 'Vision', {
      models: [onGpu],
      gpu: { router: { publishMetrics: isPublished } },
      ...options,
    });
    const monitoring = new InferenceMonitoring(stack, 'Monitoring', { endpoint });
    expect(monitoring.alarms.has('faces/CircuitOpen')).toBe(isPublished);
    const errors = shownExpression(widgetCalled(dashboardOf(Template.fromStack(stack)), 'Errors'));
    // What the function answers with 500 and more the router has not answered with.
    expect(errors.names.answered).toBe(isPublished ? 'RouterErrors' : undefined);
  });

  test('that gets a model afterwards is refused at synth', () => {
    const app = new App({ outdir });
    const stack = new Stack(app, 'Vision', { env: ENV });
    const endpoint = endpointIn(stack);
    new InferenceMonitoring(stack, 'Monitoring', { endpoint });
    endpoint.addModel(other());
    expect(() => app.synth()).toThrow(/'voices' was added behind the InferenceMonitoring/);
  });
});

describe('properties are refused', () => {
  test.each<[string, string, InferenceMonitoringOptions]>([
    ['DASHBOARD_NAME_INVALID', 'vision prod', { dashboardName: 'vision prod' }],
    ['DASHBOARD_NAME_WITHOUT_EFFECT', 'false', { dashboard: false, dashboardName: 'vision' }],
    ['ALARM_INVALID', 'errorRate.threshold is 0', { alarms: { errorRate: { threshold: 0 } } }],
    ['ALARM_INVALID', 'threshold is NaN', { alarms: { throttles: { threshold: Number.NaN } } }],
    ['ALARM_INVALID', 'period is 30 s', { alarms: { throttles: { period: Duration.seconds(30) } } }],
    ['ALARM_INVALID', 'period is 172800 s', { alarms: { throttles: { period: Duration.days(2) } } }],
    [
      'ALARM_INVALID',
      'looks at 169 hours',
      { alarms: { throttles: { period: Duration.hours(1), evaluationPeriods: 169 } } },
    ],
    [
      'ALARM_INVALID',
      'looks at 24.5 hours',
      { alarms: { throttles: { period: Duration.minutes(30), evaluationPeriods: 49 } } },
    ],
    ['ALARM_INVALID', 'evaluationPeriods is 0', { alarms: { throttles: { evaluationPeriods: 0 } } }],
    ['ALARM_INVALID', '3 bad values of 2', { alarms: { throttles: { evaluationPeriods: 2, datapointsToAlarm: 3 } } }],
    ['ALARM_INVALID', 'minRequests is 0', { alarms: { errorRate: { minRequests: 0 } } }],
    ['ALARM_WITHOUT_EFFECT', 'spillover', { alarms: { spillover: {} } }],
    ['ALARM_WITHOUT_EFFECT', 'circuitOpen', { alarms: { circuitOpen: { threshold: 2 } } }],
    ['ALARM_WITHOUT_EFFECT', 'gpuErrors', { alarms: { gpuErrors: {} } }],
    [
      'ALARM_ACTIONS_TOO_MANY',
      '6 actions',
      { alarmActions: Array.from({ length: 6 }, () => ({ bind: () => ({ alarmActionArn: 'arn' }) })) },
    ],
  ])('%s: %s', (code, text, options) => {
    const error = refusal(() => watched({}, options));
    expect(error.code).toBe(code);
    expect(error.message).toContain(text);
  });

  test('all at once', () => {
    const error = refusal(() =>
      watched({}, { dashboardName: '?', alarms: { errorRate: { threshold: -1 }, gpuErrors: {} } }),
    );
    expect(error.code).toBe('SEVERAL_PROBLEMS');
    for (const code of ['DASHBOARD_NAME_INVALID', 'ALARM_INVALID', 'ALARM_WITHOUT_EFFECT']) {
      expect(error.message).toContain(code);
    }
  });

  test('without a model, or with one twice', () => {
    const stack = new Stack(new App({ outdir }), 'Vision', { env: ENV });
    const predict = new InferenceFunction(stack, 'Faces', { model: faces });
    expect(refusal(() => new InferenceMonitoring(stack, 'None', { models: [] })).code).toBe('MODELS_MISSING');
    const twice = [{ function: predict }, { function: predict }];
    expect(refusal(() => new InferenceMonitoring(stack, 'Twice', { models: twice })).code).toBe('MODEL_NAME_TWICE');
  });

  test('for more models than a dashboard holds', () => {
    // Nothing is built.
    const context = { 'aws:cdk:bundling-stacks': [] };
    const stack = new Stack(new App({ outdir, context }), 'Vision', { env: ENV });
    const models = Array.from({ length: 60 }, (_, index) => ({
      function: new InferenceFunction(stack, `Model${index}`, {
        model: Model.fromArtifact(writeArtifactFolder(folder, { name: `model${index}` })),
      }),
    }));
    const error = refusal(() => new InferenceMonitoring(stack, 'Monitoring', { models }));
    expect(error.code).toBe('DASHBOARD_TOO_LARGE');
    new InferenceMonitoring(stack, 'Alarms', { models, dashboard: false });
  });

  test('but not a week of hours, nor defaults over a day', () => {
    watched(
      {},
      {
        alarms: {
          errorRate: { period: Duration.hours(1), evaluationPeriods: 168 },
          throttles: { period: Duration.days(1) },
        },
      },
    );
  });

  test('but not tokens', () => {
    watched({}, { dashboardName: Lazy.string({ produce: () => 'vision' }) });
  });
});
