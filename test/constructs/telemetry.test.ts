/** What a function's options say of its log and metrics, and whether they mean what the function's code does. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Alarm, type Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { App, Lazy, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CAPTURE_VARIABLE, type CaptureSettings } from '../../lib/artifact/capture.js';
import { FUNCTION_METRICS } from '../../lib/artifact/function-metrics.js';
import {
  InferenceEndpoint,
  InferenceFunction,
  type InferenceFunctionOptions,
  Model,
} from '../../lib/constructs/index.js';
import { writeArtifactFolder } from '../support/artifact-folder.js';
import { type MetricDatum, readEmbeddedMetrics } from '../support/embedded-metric-format.js';
import { logLines } from '../support/log-lines.js';
import { LOOPBACK_CREDENTIALS, LOOPBACK_REGION } from '../support/loopback-lambda.js';
import { LoopbackS3 } from '../support/loopback-s3.js';
import {
  httpEvent,
  type PreparedFunction,
  prepareFunction,
  type RunningFunction,
} from '../support/predict-function.js';
import { samplePhoto } from '../support/sample-photos.js';
import { writeFaceArtifact } from '../support/served-artifact.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-telemetry-'));
let prepared: PreparedFunction;
const started: RunningFunction[] = [];
beforeAll(async () => {
  process.env.CDK_VALIDATION = 'false';
  prepared = await prepareFunction();
});
afterAll(async () => {
  await Promise.all(started.map((each) => each.stop()));
  prepared.remove();
  rmSync(folder, { recursive: true, force: true });
});

const facesIn = (options: InferenceFunctionOptions = {}) => {
  const stack = new Stack(new App({ outdir: join(folder, 'cdk.out') }), 'Vision');
  const model = Model.fromArtifact(writeArtifactFolder(folder));
  return { stack, faces: new InferenceFunction(stack, 'Faces', { model, ...options }) };
};
const variablesOf = (stack: Stack): Record<string, string>[] =>
  Object.values(Template.fromStack(stack).findResources('AWS::Lambda::Function')).map(
    ({ Properties }) => Properties.Environment.Variables,
  );
/** Only the variables that telemetry has to do with. */
const telemetryOf = (options: InferenceFunctionOptions) =>
  Object.fromEntries(
    Object.entries(variablesOf(facesIn(options).stack)[0] ?? {}).filter(([name]) => name.startsWith('POWERTOOLS')),
  );

/** Every helper with the metric that it is for. */
const helpersOf = (faces: InferenceFunction): Readonly<Record<keyof typeof FUNCTION_METRICS, Metric>> => ({
  ColdStart: faces.metricColdStarts(),
  QueueTime: faces.metricQueueTime(),
  DecodeTime: faces.metricDecodeTime(),
  InferenceTime: faces.metricInferenceTime(),
  EncodeTime: faces.metricEncodeTime(),
  ClientErrors: faces.metricClientErrors(),
  ServerErrors: faces.metricServerErrors(),
  RuntimeLoadTime: faces.metricRuntimeLoadTime(),
  SessionCreationTime: faces.metricSessionCreationTime(),
  WarmUpTime: faces.metricWarmUpTime(),
  CapturedRequests: faces.metricCapturedRequests(),
  CaptureFailures: faces.metricCaptureFailures(),
});

describe('options', () => {
  test('are variables of Powertools, and nothing where they are left out', () => {
    expect(telemetryOf({})).toEqual({});
    expect(telemetryOf({ logLevel: 'WARN', metricsNamespace: 'Vision/prod' })).toEqual({
      POWERTOOLS_LOG_LEVEL: 'WARN',
      POWERTOOLS_METRICS_NAMESPACE: 'Vision/prod',
    });
    expect(telemetryOf({ publishMetrics: false })).toEqual({ POWERTOOLS_METRICS_DISABLED: 'true' });
    expect(telemetryOf({ publishMetrics: true })).toEqual({});
  });

  test.each<[string, InferenceFunctionOptions]>([
    ['LOG_LEVEL_INVALID', { logLevel: 'LOUD' as 'INFO' }],
    ['LOG_LEVEL_INVALID', { logLevel: 'toString' as 'INFO' }],
    ['METRICS_NAMESPACE_INVALID', { metricsNamespace: '' }],
    ['METRICS_NAMESPACE_INVALID', { metricsNamespace: 'AWS/Lambda' }],
    ['METRICS_NAMESPACE_INVALID', { metricsNamespace: ':vision' }],
    ['METRICS_NAMESPACE_INVALID', { metricsNamespace: 'a'.repeat(256) }],
    ['METRICS_NAMESPACE_INVALID', { metricsNamespace: 'vision?' }],
    ['METRICS_NAMESPACE_WITHOUT_EFFECT', { metricsNamespace: 'vision', publishMetrics: false }],
    ['ENVIRONMENT_VARIABLE_TAKEN', { environment: { POWERTOOLS_LOG_LEVEL: 'INFO' } }],
    ['ENVIRONMENT_VARIABLE_TAKEN', { environment: { POWERTOOLS_METRICS_NAMESPACE: 'vision' } }],
    ['ENVIRONMENT_VARIABLE_TAKEN', { environment: { POWERTOOLS_METRICS_DISABLED: 'true' } }],
  ])('are refused: %s %j', (code, options) => {
    expect(() => facesIn(options)).toThrow(expect.objectContaining({ code, name: 'SynthesisError' }));
  });

  test('of others of Powertools and tokens pass', () => {
    facesIn({ environment: { POWERTOOLS_SERVICE_NAME: 'vision' } });
    facesIn({ metricsNamespace: Lazy.string({ produce: () => 'vision' }) });
  });

  test('of a model replace those of its endpoint', () => {
    const stack = new Stack(new App({ outdir: join(folder, 'cdk.out') }), 'Vision');
    const model = (name: string) => Model.fromArtifact(writeArtifactFolder(folder, { name }));
    const endpoint = new InferenceEndpoint(stack, 'Vision', {
      models: [model('faces')],
      logLevel: 'ERROR',
      metricsNamespace: 'vision',
    });
    endpoint.addModel(model('quiet'), { publishMetrics: false });
    const telemetry = variablesOf(stack).map(({ POWERTOOLS_LOG_LEVEL, POWERTOOLS_METRICS_NAMESPACE, ...others }) => [
      others.CDK_ONNX_ARTIFACT,
      POWERTOOLS_LOG_LEVEL,
      POWERTOOLS_METRICS_NAMESPACE,
      others.POWERTOOLS_METRICS_DISABLED,
    ]);
    expect(telemetry).toEqual([
      ['/opt/models/faces', 'ERROR', 'vision', undefined],
      ['/opt/models/quiet', 'ERROR', undefined, 'true'],
    ]);
  });
});

const environmentOf = ({ service }: LoopbackS3) => ({
  ...LOOPBACK_CREDENTIALS,
  AWS_REGION: LOOPBACK_REGION,
  AWS_ENDPOINT_URL_S3: service.url,
});

describe('the metrics of a function', () => {
  test('are where its code puts them: each that it writes has a helper, and each helper is one that it writes', async () => {
    const { stack, faces } = facesIn({ metricsNamespace: 'Vision/prod' });
    const [variables = {}] = variablesOf(stack);
    const artifact = writeFaceArtifact();
    const data: MetricDatum[] = [];
    const s3 = await LoopbackS3.start({ bucket: 'captures', allows: { put: ['captures/'], get: [] } });
    const settings: CaptureSettings = {
      bucket: 'captures',
      prefix: 'captures/',
      share: 1,
      maxBodyBytes: 1_000_000,
      headers: [],
      inputs: {},
      outputs: {},
      wait: true,
    };
    const environments = [
      { initializationType: 'on-demand', withRuntime: true, capture: settings },
      // One that makes its first run before anybody asks.
      { initializationType: 'provisioned-concurrency', withRuntime: true },
      // One that cannot answer.
      { initializationType: 'on-demand', withRuntime: false },
      // One that may not put anything where it should.
      { initializationType: 'on-demand', withRuntime: true, capture: { ...settings, prefix: 'elsewhere/' } },
    ];
    for (const { initializationType, withRuntime, capture } of environments) {
      const running = await prepared.start({
        artifact: artifact.folder,
        environment: {
          AWS_LAMBDA_INITIALIZATION_TYPE: initializationType,
          POWERTOOLS_METRICS_NAMESPACE: variables.POWERTOOLS_METRICS_NAMESPACE ?? '',
          ...(capture === undefined ? {} : { [CAPTURE_VARIABLE]: JSON.stringify(capture), ...environmentOf(s3) }),
        },
        withRuntime,
      });
      started.push(running);
      for (const body of [samplePhoto('sample1.jpg'), Buffer.from('no photo')]) {
        const event = { method: 'POST', path: '/predict/faces', body };
        await running.invoke(httpEvent({ ...event, requestContext: { timeEpoch: Date.now() } }));
      }
      const lines = await logLines(running);
      data.push(...lines.filter(({ _aws }) => _aws !== undefined).flatMap(readEmbeddedMetrics));
    }
    artifact.remove();
    await s3.service.close();
    const written = new Map(
      data.filter(({ dimensions }) => !('code' in dimensions)).map((datum) => [datum.name, datum] as const),
    );
    const helpers = helpersOf(faces);
    expect([...written.keys()].sort()).toEqual(Object.keys(helpers).sort());
    expect(Object.keys(FUNCTION_METRICS).sort()).toEqual(Object.keys(helpers).sort());
    for (const [name, metric] of Object.entries(helpers)) {
      const { namespace, dimensions, unit } = written.get(name) ?? {};
      expect(metric).toMatchObject({ metricName: name, namespace, dimensions });
      expect(metric.statistic).toBe(unit === 'Count' ? 'Sum' : 'Average');
    }
    const byCode = faces.metricServerErrors({ dimensionsMap: { code: 'RUNTIME_NOT_LOADED' } });
    expect(data).toContainEqual(
      expect.objectContaining({ name: byCode.metricName, dimensions: { ...byCode.dimensions } }),
    );
  });

  test('can be watched', () => {
    const { stack, faces } = facesIn();
    new Alarm(stack, 'Slow', {
      metric: faces.metricInferenceTime({ statistic: 'p99' }),
      threshold: 500,
      evaluationPeriods: 1,
    });
    Template.fromStack(stack).hasResourceProperties('AWS::CloudWatch::Alarm', {
      Namespace: 'cdk-onnx',
      MetricName: 'InferenceTime',
      Dimensions: [{ Name: 'model', Value: 'faces' }],
      ExtendedStatistic: 'p99',
      Threshold: 500,
      Period: Match.anyValue(),
    });
  });

  test('are none where they are turned off', () => {
    const { faces } = facesIn({ publishMetrics: false });
    expect(() => faces.metricColdStarts()).toThrow(expect.objectContaining({ code: 'METRICS_TURNED_OFF' }));
    expect(faces.metricInvocations().namespace).toBe('AWS/Lambda');
  });
});
