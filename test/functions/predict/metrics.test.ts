/** What the real function counts: one line of CloudWatch's embedded metric format per request, and one when its model is open. */
import { join } from 'node:path';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readEmbeddedMetrics, seriesOf } from '../../support/embedded-metric-format.js';
import { type LogLine, logLines, requestLines } from '../../support/log-lines.js';
import {
  httpEvent,
  type PreparedFunction,
  prepareFunction,
  type RunningFunction,
} from '../../support/predict-function.js';
import { samplePhoto } from '../../support/sample-photos.js';
import { type ServedArtifact, writeEchoArtifact, writeFaceArtifact } from '../../support/served-artifact.js';

let prepared: PreparedFunction;
const artifacts: ServedArtifact[] = [];
const started: RunningFunction[] = [];
let echo: ServedArtifact;

beforeAll(async () => {
  prepared = await prepareFunction();
  echo = writeEchoArtifact([{ name: 'x', dataType: 'float32', shape: ['N'] }]);
  artifacts.push(echo);
});
afterAll(async () => {
  await Promise.all(started.map((each) => each.stop()));
  for (const artifact of artifacts) artifact.remove();
  prepared.remove();
});

async function start(environment: Readonly<Record<string, string>> = {}, artifact = echo.folder) {
  const running = await prepared.start({ artifact, environment });
  started.push(running);
  return running;
}

const INFER = '/v2/models/echo/infer';
const one = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]}';
const TIMES = ['DecodeTime{model=echo}', 'InferenceTime{model=echo}', 'EncodeTime{model=echo}'];

/** The only line of a request to a fresh environment. */
async function lineOf(invoke: (running: RunningFunction) => Promise<unknown>, environment = {}): Promise<LogLine> {
  const running = await start(environment);
  await invoke(running);
  const lines = requestLines(await logLines(running));
  expect(lines).toHaveLength(1);
  return lines[0] ?? {};
}

describe('a request', () => {
  it('is one line with the times of its parts, which add up to no more than it took', async () => {
    const running = await start();
    const begin = performance.now();
    await running.post(INFER, one);
    const took = performance.now() - begin;
    const [line, ...others] = requestLines(await logLines(running));
    expect(others).toEqual([]);
    expect(seriesOf(line)).toEqual(TIMES);
    const data = readEmbeddedMetrics(line);
    expect(new Set(data.map(({ namespace, unit }) => `${namespace} ${unit}`))).toEqual(
      new Set(['cdk-onnx Milliseconds']),
    );
    for (const { value } of data) expect(value).toBeGreaterThan(0);
    expect(data.reduce((sum, { value }) => sum + Number(value), 0)).toBeLessThan(took);
    expect(line).toMatchObject({ level: 'INFO', model: 'echo', status: 200, cold_start: false });
  });

  it('of each protocol is timed', async () => {
    const faces = writeFaceArtifact();
    artifacts.push(faces);
    const running = await start({}, faces.folder);
    const zeros = JSON.stringify({ instances: [{ 'input:0': Array(256).fill(Array(256).fill([0, 0, 0])) }] });
    for (const [path, body] of [
      ['/predict/faces', samplePhoto('sample1.jpg')],
      ['/v1/models/faces:predict', zeros],
    ] as const) {
      expect((await running.post(path, body)).statusCode).toBe(200);
    }
    const lines = requestLines(await logLines(running));
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      expect(seriesOf(line)).toEqual(TIMES.map((name) => name.replace('echo', 'faces')));
      // A photo is decoded, a model of 256 × 256 pixels run: neither is done in no time.
      expect(line.DecodeTime).toBeGreaterThan(1);
      expect(line.InferenceTime).toBeGreaterThan(1);
    }
  });

  it('without an inference has no times', async () => {
    const line = await lineOf((running) => running.get('/v2/models/echo'));
    expect(line).not.toHaveProperty('_aws');
    expect(line).toMatchObject({ model: 'echo', status: 200 });
  });

  it('that the caller has to change is counted by its code, without times', async () => {
    const line = await lineOf((running) => running.post(INFER, '{"inputs":'));
    expect(seriesOf(line)).toEqual(['ClientErrors{model=echo}', 'ClientErrors{model=echo,code=JSON_INVALID}']);
    expect(line).toMatchObject({ ClientErrors: 1, code: 'JSON_INVALID', status: 400 });
  });

  it('that fails here is counted apart', async () => {
    const running = await start({}, join(prepared.folder, 'nowhere'));
    await running.post(INFER, one);
    const [line] = requestLines(await logLines(running));
    expect(seriesOf(line)).toEqual([
      'ServerErrors{model=nowhere}',
      'ServerErrors{model=nowhere,code=MANIFEST_UNREADABLE}',
    ]);
    expect(line).toMatchObject({ ServerErrors: 1, status: 503 });
  });

  it('that is no HTTP event is counted too', async () => {
    const line = await lineOf((running) => running.invoke({ canary: 1 }));
    expect(seriesOf(line)).toContain('ClientErrors{model=echo,code=EVENT_UNKNOWN}');
  });
});

describe('the queue time', () => {
  const wait = (timeEpoch: unknown) => httpEvent({ method: 'GET', path: '/v2', requestContext: { timeEpoch } });

  it('is what passed since API Gateway had the request', async () => {
    const line = await lineOf((running) => running.invoke(wait(Date.now() - 700)));
    expect(seriesOf(line)).toEqual(['QueueTime{model=echo}']);
    expect(line.QueueTime).toBeGreaterThanOrEqual(700);
    expect(line.QueueTime).toBeLessThan(5000);
  });

  it('is never negative, and absent where the event does not say', async () => {
    expect(await lineOf((running) => running.invoke(wait(Date.now() + 60_000)))).toMatchObject({ QueueTime: 0 });
    for (const time of [undefined, null, 'soon', '1795520000000']) {
      expect(await lineOf((running) => running.invoke(wait(time)))).not.toHaveProperty('QueueTime');
    }
  });

  it("is read from a REST API's event as well", async () => {
    const event = {
      path: '/v2',
      httpMethod: 'GET',
      headers: null,
      requestContext: { requestTimeEpoch: Date.now() - 700 },
    };
    expect((await lineOf((running) => running.invoke(event))).QueueTime).toBeGreaterThanOrEqual(700);
  });
});

describe('a cold start', () => {
  it('is the first request of an environment that was started for it', async () => {
    const running = await start({ AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand' });
    await running.post(INFER, 'x');
    await running.post(INFER, one);
    const [first, second] = requestLines(await logLines(running));
    expect(seriesOf(first)).toEqual([
      'ColdStart{model=echo}',
      'ClientErrors{model=echo}',
      'ClientErrors{model=echo,code=JSON_INVALID}',
    ]);
    expect(first).toMatchObject({ ColdStart: 1, cold_start: true });
    expect(seriesOf(second)).toEqual(TIMES);
    expect(second).toMatchObject({ cold_start: false });
  });

  it('is none with provisioned concurrency', async () => {
    const environment = { AWS_LAMBDA_INITIALIZATION_TYPE: 'provisioned-concurrency' };
    expect(seriesOf(await lineOf((running) => running.post(INFER, one), environment))).toEqual(TIMES);
  });
});

describe('opening the model', () => {
  it('is timed once', async () => {
    const running = await start();
    await running.post(INFER, one);
    await running.get('/v2/health/ready');
    const opened = (await logLines(running)).filter(({ message }) => message === 'model ready');
    expect(opened).toHaveLength(1);
    expect(seriesOf(opened[0])).toEqual([
      'RuntimeLoadTime{model=echo}',
      'SessionCreationTime{model=echo}',
      'WarmUpTime{model=echo}',
    ]);
    expect(opened[0]).toMatchObject({ contentHash: '0'.repeat(64), threads: 1 });
  });

  it('leaves the first run to the request that started the environment', async () => {
    const running = await start({ AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand' });
    await running.post(INFER, one);
    const [opened] = (await logLines(running)).filter(({ message }) => message === 'model ready');
    expect(seriesOf(opened)).toEqual(['RuntimeLoadTime{model=echo}', 'SessionCreationTime{model=echo}']);
  });
});

describe('metrics', () => {
  it('go to the namespace that the environment names', async () => {
    const environment = { POWERTOOLS_METRICS_NAMESPACE: 'Vision/prod' };
    const [datum] = readEmbeddedMetrics(await lineOf((running) => running.post(INFER, one), environment));
    expect(datum?.namespace).toBe('Vision/prod');
  });

  it('that are turned off leave the same lines in the log, for CloudWatch to count nothing', async () => {
    const running = await start({ POWERTOOLS_METRICS_DISABLED: 'true' });
    await running.post(INFER, one);
    const lines = await logLines(running);
    expect(lines.map(({ message }) => message)).toEqual(['model ready', 'request']);
    for (const line of lines) expect(line).not.toHaveProperty('_aws');
    expect(lines[1]).toHaveProperty('InferenceTime');
  });

  it('are written whatever the level of the log', async () => {
    const running = await start({ POWERTOOLS_LOG_LEVEL: 'SILENT' });
    await running.post(INFER, one);
    await running.post(INFER, 'x');
    expect((await logLines(running)).map(({ message, _aws }) => [message, _aws !== undefined])).toEqual([
      ['model ready', true],
      ['request', true],
      ['request', true],
    ]);
  });

  it("are what Powertools' Metrics writes for the same values", async () => {
    const line = await lineOf((running) => running.post(INFER, one));
    const powertools = new Metrics({ namespace: 'cdk-onnx' });
    powertools.clearDefaultDimensions();
    powertools.setDefaultDimensions({ model: 'echo' });
    for (const { name, value } of readEmbeddedMetrics(line)) powertools.addMetric(name, 'Milliseconds', Number(value));
    const expected = powertools.serializeMetrics();
    expect(line).toMatchObject({
      ...expected,
      _aws: { ...expected._aws, Timestamp: expect.any(Number) },
    });
    expect(Object.keys(line._aws as object).sort()).toEqual(Object.keys(expected._aws).sort());
  });
});
