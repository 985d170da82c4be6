/** What functions count of their inputs, from a build's profile to the alarm: hundreds of environments that see a few requests each. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { App, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputDrift } from '../../../../functions/predict/drift/input-drift.js';
import {
  DRIFT_SHARE_VARIABLE,
  INPUT_PROFILE_FILE,
  type InputProfile,
  type ProfiledStatistic,
  populationStabilityIndex,
} from '../../../../lib/artifact/input-profile.js';
import type { Manifest } from '../../../../lib/artifact/manifest.js';
import { buildArtifact } from '../../../../lib/compiler/build.js';
import { InferenceFunction, InferenceMonitoring, Model } from '../../../../lib/constructs/index.js';
import { readEmbeddedMetrics } from '../../../support/embedded-metric-format.js';
import { gaussians } from '../../../support/gaussian.js';
import { logLines } from '../../../support/log-lines.js';
import { evaluateMetricMath } from '../../../support/metric-math.js';
import { alarmsOf, dashboardOf } from '../../../support/monitored-models.js';
import { writeParityFile } from '../../../support/parity-file.js';
import { type PreparedFunction, prepareFunction, type RunningFunction } from '../../../support/predict-function.js';
import { randomFloats } from '../../../support/random-numbers.js';
import { echoModel } from '../../../support/served-artifact.js';

const root = mkdtempSync(join(tmpdir(), 'cdk-onnx-drift-'));
const SAMPLES = 400;
let artifact: string;
let manifest: Manifest;
let profile: InputProfile;
let prepared: PreparedFunction;
const started: RunningFunction[] = [];

/** A folder with a model of two numbers and a picture, and samples of them. */
function modelFolder(name: string, drift: object | undefined): string {
  const folder = join(root, name, 'echo');
  mkdirSync(join(folder, 'samples/evaluation'), { recursive: true });
  const { bytes } = echoModel([
    { name: 'numbers', dataType: 'float32', shape: ['N', 2] },
    { name: 'picture', dataType: 'float32', shape: ['N', 16, 16] },
  ]);
  writeFileSync(join(folder, 'model.onnx'), bytes);
  writeParityFile(join(folder, 'samples/evaluation/all.npz'), {
    numbers: { dims: [SAMPLES, 2], data: gaussians(SAMPLES * 2, 1) },
    picture: { dims: [SAMPLES, 16, 16], data: pictures(SAMPLES, 2) },
  });
  writeFileSync(
    join(folder, 'model.json'),
    JSON.stringify({ name: 'echo', source: 'model.onnx', ...(drift === undefined ? {} : { drift }) }),
  );
  return folder;
}

/** Each with a brightness of its own, and noise. */
function pictures(count: number, seed: number, darker = 1): Float32Array {
  const brightness = randomFloats(count, seed, 0.3, 0.7);
  const noise = gaussians(count * 256, seed + 1);
  return noise.map((value, index) => darker * ((brightness[Math.floor(index / 256)] ?? 0) + 0.1 * value));
}

beforeAll(async () => {
  process.env.CDK_VALIDATION = 'false';
  process.env.XDG_CACHE_HOME = join(root, 'cache');
  artifact = join(root, 'artifact/echo');
  mkdirSync(join(root, 'artifact'));
  const modelDirectory = modelFolder('with', { samples: 'samples/evaluation' });
  ({ manifest } = await buildArtifact({ modelDirectory, outputDirectory: artifact, architecture: 'arm64' }));
  profile = JSON.parse(readFileSync(join(artifact, INPUT_PROFILE_FILE), 'utf8'));
  prepared = await prepareFunction();
}, 120_000);
afterAll(async () => {
  await Promise.all(started.map((each) => each.stop()));
  prepared.remove();
  rmSync(root, { recursive: true, force: true });
});

const profiled = (input: string, statistic: string): ProfiledStatistic => {
  const found = profile.statistics.find((each) => each.input === input && each.statistic === statistic);
  if (found === undefined) throw new Error(`no ${statistic} of ${input}`);
  return found;
};

describe('a build', () => {
  it('with a drift section records deciles of its samples, and the manifest vouches for them', () => {
    expect(profile.statistics.map(({ input, statistic }) => `${statistic} of ${input}`)).toEqual([
      'value of numbers',
      'mean of picture',
      'deviation of picture',
    ]);
    expect(manifest.files.map(({ path }) => path)).toContain(INPUT_PROFILE_FILE);
    const { edges, counts } = profiled('numbers', 'value');
    expect(counts).toHaveLength(10);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(SAMPLES * 2);
    for (const count of counts) expect(Math.abs(count - SAMPLES / 5)).toBeLessThanOrEqual(1);
    // Deciles of the normal distribution.
    expect(edges[4]).toBeCloseTo(0, 0);
    expect(edges[8]).toBeGreaterThan(1.1);
    expect(edges[8]).toBeLessThan(1.5);
  });

  it('gives the same bytes each time, and without the section no other than before', async () => {
    const build = async (folder: string, name: string) => {
      const outputDirectory = join(root, name);
      await buildArtifact({ modelDirectory: folder, outputDirectory, architecture: 'arm64' });
      return JSON.parse(readFileSync(join(outputDirectory, 'manifest.json'), 'utf8')) as Manifest;
    };
    const again = await build(modelFolder('again', { samples: 'samples/evaluation' }), 'again-out');
    expect(again.contentHash).toBe(manifest.contentHash);
    const without = await build(modelFolder('without', undefined), 'without-out');
    expect(without.files).toEqual(manifest.files.filter(({ path }) => path !== INPUT_PROFILE_FILE));
  }, 120_000);

  it.each([
    ['DRIFT_INPUT_UNKNOWN', { samples: 'samples/evaluation', inputs: { nmbers: ['value'] } }],
    ['DRIFT_SAMPLES_TOO_FEW', { samples: 'few' }],
    ['MODEL_JSON_INVALID', { samples: 'samples/evaluation', inputs: { numbers: ['median'] } }],
  ])(
    'is refused: %s',
    async (code, drift) => {
      const folder = modelFolder(code, drift);
      mkdirSync(join(folder, 'few'));
      writeParityFile(join(folder, 'few/all.npz'), {
        numbers: { dims: [20, 2], data: gaussians(40, 1) },
        picture: { dims: [20, 16, 16], data: pictures(20, 2) },
      });
      const outputDirectory = join(root, 'refused');
      await expect(
        buildArtifact({ modelDirectory: folder, outputDirectory, architecture: 'arm64' }),
      ).rejects.toMatchObject({ code });
    },
    60_000,
  );
});

describe('the alarm', () => {
  const ENVIRONMENTS = 300;
  const REQUESTS = 8;
  const watched = () => {
    const stack = new Stack(new App({ outdir: join(root, 'cdk.out') }), 'Echo');
    const predict = new InferenceFunction(stack, 'Predict', { model: Model.fromArtifact(artifact) });
    new InferenceMonitoring(stack, 'Monitoring', { models: [{ function: predict }] });
    return Template.fromStack(stack);
  };
  /** What each environment counts of its few requests. */
  const environments = (shift: number, seed: number) => {
    const values = gaussians(ENVIRONMENTS * REQUESTS * 2, seed).map((value) => value + shift);
    return Array.from({ length: ENVIRONMENTS }, (_, environment) => {
      const counted: Record<string, number> = {};
      let time = environment * 1_000;
      const drift = new InputDrift({
        profile: { ...profile, statistics: [profiled('numbers', 'value')] },
        signature: manifest.signature,
        share: 1,
        now: () => time,
        write: (all) => {
          for (const { counts } of all) {
            for (const [name, count] of Object.entries(counts)) counted[name] = (counted[name] ?? 0) + count;
          }
        },
      });
      for (let request = 0; request < REQUESTS; request += 1) {
        const start = (environment * REQUESTS + request) * 2;
        drift.observe([{ name: 'numbers', dataType: 'float32', shape: [1, 2], data: values.slice(start, start + 2) }]);
        time += 30_000;
      }
      return counted;
    });
  };
  const bins = (counted: Readonly<Record<string, number>>) =>
    profiled('numbers', 'value').counts.map((_, bin) => counted[`InputBin${bin}`] ?? 0);
  const summed = (all: readonly Readonly<Record<string, number>>[]) =>
    all.map(bins).reduce((sum, each) => sum.map((count, bin) => count + (each[bin] ?? 0)));
  /** The alarm's expression over these counts, in which CloudWatch has no value for what nobody counted. */
  const alarmValue = (counts: readonly number[]) => {
    const { Metrics = [] } =
      Object.values(alarmsOf(watched())).find(({ AlarmDescription }) =>
        String(AlarmDescription).includes('the value of numbers'),
      ) ?? {};
    const values: Record<string, number | undefined> = {};
    for (const { Id, MetricStat } of Metrics) {
      const [, bin] = /^InputBin(\d)$/.exec(MetricStat?.Metric.MetricName ?? '') ?? [];
      if (bin !== undefined) values[Id] = counts[Number(bin)] || undefined;
    }
    const expressions = Metrics.filter(({ Expression }) => Expression !== undefined);
    for (const { Id, Expression = '' } of [...expressions].reverse())
      values[Id] = evaluateMetricMath(Expression, values);
    return {
      value: values[expressions.find(({ ReturnData }) => ReturnData !== false)?.Id ?? ''],
      metrics: Metrics.length - expressions.length,
      longest: Math.max(...expressions.map(({ Expression = '' }) => Expression.length)),
    };
  };

  it('has ten metrics, which is what CloudWatch takes, in expressions that are not too long', () => {
    const { metrics, longest } = alarmValue(bins({}));
    expect(metrics).toBe(10);
    // https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html
    expect(longest).toBeLessThanOrEqual(2048);
  });

  it('stays quiet while requests are like the samples, where each environment alone would cry', () => {
    const all = environments(0, 7);
    const counts = summed(all);
    const { value } = alarmValue(counts);
    expect(value).toBeCloseTo(populationStabilityIndex(profiled('numbers', 'value').counts, counts), 4);
    expect(value).toBeLessThan(0.1);
    const alone = all.map((each) => populationStabilityIndex(profiled('numbers', 'value').counts, bins(each)));
    const crying = alone.filter((index) => index > 0.25).length;
    expect(crying).toBeGreaterThan(ENVIRONMENTS / 2);
  });

  it('goes off when they are not', () => {
    const { value } = alarmValue(summed(environments(0.75, 8)));
    expect(value).toBeGreaterThan(0.25);
  });

  it('says nothing of fewer than 200 values', () => {
    expect(alarmValue(bins({ InputBin9: 199 })).value).toBe(0);
    expect(alarmValue(bins({ InputBin9: 200 })).value).toBeGreaterThan(1);
    expect(alarmValue(bins({})).value).toBe(0);
  });

  it('is one for each statistic, with a widget beside it', () => {
    const template = watched();
    const titles = dashboardOf(template).flatMap(({ title }) => title ?? []);
    const statistics = ['value of numbers', 'mean of picture', 'deviation of picture'];
    expect(titles.filter((title) => title.startsWith('Drift'))).toEqual(statistics.map((name) => `Drift: ${name}`));
    const drifts = Object.values(alarmsOf(template)).filter(({ AlarmDescription }) =>
      String(AlarmDescription).includes('is not distributed'),
    );
    expect(drifts.map(({ Threshold, EvaluationPeriods }) => [Threshold, EvaluationPeriods])).toEqual(
      statistics.map(() => [0.25, 2]),
    );
  });
});

describe('an environment', () => {
  const drift = (options: Partial<ConstructorParameters<typeof InputDrift>[0]>) => {
    const lines: string[] = [];
    const watching = new InputDrift({
      profile: { ...profile, statistics: [profiled('numbers', 'value')] },
      signature: manifest.signature,
      share: 1,
      write: (all) => lines.push(...all.map(({ name, counts }) => `${name} ${JSON.stringify(counts)}`)),
      ...options,
    });
    return {
      lines,
      observe: (...data: number[]) =>
        watching.observe([
          { name: 'numbers', dataType: 'float32', shape: [data.length / 2, 2], data: Float32Array.from(data) },
        ]),
    };
  };

  it('writes what it sees first at once, and what follows once a minute', () => {
    let time = 0;
    const { lines, observe } = drift({ now: () => time });
    observe(-9, 9);
    expect(lines).toEqual(['value of numbers {"InputBin0":1,"InputBin9":1}']);
    for (time = 1_000; time < 60_000; time += 1_000) observe(9, 9);
    expect(lines).toHaveLength(1);
    observe(9, Number.NaN);
    expect(lines[1]).toBe('value of numbers {"InputBin0":1,"InputBin9":119}');
  });

  it('looks at its share of requests', () => {
    const chances = [0.05, 0.5, 0.09, 0.1, 0.99];
    let time = 0;
    const { lines, observe } = drift({
      share: 0.1,
      random: () => chances.shift() ?? 1,
      now: () => (time += 100_000),
    });
    for (let request = 0; request < 5; request += 1) observe(9, 9);
    expect(lines).toHaveLength(2);
  });

  it('passes over inputs that are missing', () => {
    const watching = new InputDrift({ profile, signature: manifest.signature, share: 1, write: () => undefined });
    expect(() => watching.observe([])).not.toThrow();
  });
});

describe('the real function', () => {
  const start = async (environment: Readonly<Record<string, string>>) => {
    const running = await prepared.start({ artifact, environment });
    started.push(running);
    return running;
  };
  const infer = JSON.stringify({
    inputs: [
      { name: 'numbers', datatype: 'FP32', shape: [2, 2], data: [-9, 9, 9, 9] },
      { name: 'picture', datatype: 'FP32', shape: [2, 16, 16], data: [...pictures(2, 9, 0.1)] },
    ],
  });
  const counted = async (running: RunningFunction) =>
    (await logLines(running))
      .filter(({ message }) => message === 'inputs')
      .flatMap(readEmbeddedMetrics)
      .map(({ name, dimensions, value }) => [name, dimensions, value]);

  it('counts inputs, its warm-up not among them, under names that the alarm reads', async () => {
    const running = await start({
      [DRIFT_SHARE_VARIABLE]: '1',
      AWS_LAMBDA_INITIALIZATION_TYPE: 'provisioned-concurrency',
    });
    const answer = await running.post('/v2/models/echo/infer', infer);
    expect(answer.statusCode).toBe(200);
    const of = (statistic: string) => ({ model: 'echo', statistic });
    expect(await counted(running)).toEqual([
      ['InputBin0', of('value of numbers'), 1],
      ['InputBin9', of('value of numbers'), 3],
      // Ten times darker than any picture of the samples.
      ['InputBin0', of('mean of picture'), 2],
      ['InputBin0', of('deviation of picture'), 2],
    ]);
  });

  it('looks at a tenth of requests unless it is told another share, and at none of 0', async () => {
    const none = await start({ [DRIFT_SHARE_VARIABLE]: '0' });
    await none.post('/v2/models/echo/infer', infer);
    expect(await counted(none)).toEqual([]);
  });

  it('answers where the profile cannot be read, and says so', async () => {
    const text = readFileSync(join(artifact, INPUT_PROFILE_FILE), 'utf8');
    writeFileSync(join(artifact, INPUT_PROFILE_FILE), '{"schemaVersion":2}');
    try {
      const running = await start({ [DRIFT_SHARE_VARIABLE]: '1' });
      expect((await running.post('/v2/models/echo/infer', infer)).statusCode).toBe(200);
      expect(running.output).toContain('INPUT_PROFILE_UNREADABLE');
    } finally {
      writeFileSync(join(artifact, INPUT_PROFILE_FILE), text);
    }
  });
});
