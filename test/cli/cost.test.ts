/** The command as people run it: on options alone, on a model, and on an app's own templates. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Comparison } from '../../lib/cli/cost/comparison.js';
import { readDeployedModels } from '../../lib/cli/cost/read-app.js';
import { costCommand } from '../../lib/cli/cost.js';
import { main } from '../../lib/cli/main.js';
import { GpuEndpoint, InferenceEndpoint, Model } from '../../lib/constructs/index.js';
import { SECONDS_PER_MONTH } from '../../lib/cost/prices.js';
import { writeGpuArtifactFolder } from '../support/gpu-artifact.js';
import { refusalOf } from '../support/refusal.js';

const { signal } = new AbortController();
const MODELS = join(import.meta.dirname, '../../models');
let folder: string;
let model: Model;
beforeAll(() => {
  process.env.CDK_VALIDATION = 'false';
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-cost-'));
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  model = Model.fromArtifact(writeGpuArtifactFolder(folder));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the command writes to stdout. */
async function cost(options: Readonly<Record<string, string | boolean>>, positionals: readonly string[] = []) {
  return await stdoutOf(async () => expect(await costCommand.run({ positionals, options, signal })).toBe(0));
}

async function stdoutOf(run: () => Promise<void>): Promise<string> {
  const written: string[] = [];
  const { write } = process.stdout;
  process.stdout.write = ((text: string) => {
    written.push(text);
    return true;
  }) as typeof write;
  try {
    await run();
  } finally {
    process.stdout.write = write;
  }
  return written.join('');
}

async function costJson(options: Readonly<Record<string, string | boolean>>, positionals: readonly string[] = []) {
  return JSON.parse(await cost({ ...options, json: true }, positionals)) as {
    readonly prices: { readonly date: string; readonly region: string };
    readonly models: readonly Comparison[];
  };
}

function synthesize(build: (stack: Stack) => void): string {
  const outdir = mkdtempSync(join(folder, 'out-'));
  const app = new App({ outdir });
  build(new Stack(app, 'Vision', { env: { account: '123456789012', region: 'eu-west-1' } }));
  app.synth();
  return outdir;
}

describe('on options alone', () => {
  test('it is a table with what it assumes and the date of the prices', async () => {
    const stdout = await stdoutOf(() => main(['cost', '--memory', '1024', '--duration-ms', '100', '--rps', '1,50']));
    expect(process.exitCode).toBe(0);
    expect(stdout).toMatch(/a function: 1024 MB, arm64, HTTP API/);
    // A request a second: 2.628 million of $0.20, $1.00 and 0.1 GB-s.
    const month = (SECONDS_PER_MONTH * (1.2e-6 + 0.1 * 0.0000133334)).toFixed(2);
    expect(stdout).toMatch(new RegExp(`^  Lambda +\\$0\\.00 +\\$${month.replace('.', '\\.')} `, 'm'));
    expect(stdout).toMatch(
      /'Lambda, kept ready' is cheaper than 'Lambda' from [\d.]+\/s on with gaps, for good from [\d.]+\/s on/,
    );
    expect(stdout).toMatch(/a request takes 100 ms of the function: as given/);
    expect(stdout).toMatch(/prices of us-east-1, 2026-11/);
  });

  test('a GPU stands beside it, and the figures say what it is assumed to do', async () => {
    const options = { memory: '2048', 'duration-ms': '400', gpu: 'ml.g5.xlarge', rps: '10' };
    const [compared] = (await costJson(options)).models;
    expect(compared?.servings.map(({ id }) => id)).toEqual(['lambda', 'provisioned', 'fallback', 'gpu', 'queue']);
    expect(compared?.servings.some(({ deployed }) => deployed)).toBe(false);
    const idle = new Map(compared?.servings.map(({ id, idlePerMonth }) => [id, idlePerMonth]));
    expect([idle.get('lambda'), idle.get('gpu'), idle.get('queue')]).toEqual([0, expect.closeTo(1027.84, 6), 0]);
    expect(compared?.assumptions).toEqual(
      expect.arrayContaining([
        'an instance of ml.g5.xlarge answers 100 requests a second, each in 40 ms',
        'a router has 1024 MB, takes 4 ms itself, and is paid while it waits for what answers',
      ]),
    );
    const point = compared?.breakEven.find(({ first, second }) => first === 'lambda' && second === 'gpu');
    const [crossing] = point?.crossings ?? [];
    // On Lambda 0.8 GB-s a request; before the GPU a router that waits for 44 ms.
    const perRequest = 0.8 * 0.0000133334 - 0.044 * 0.0000133334;
    expect(crossing).toEqual({
      requestsPerSecond: expect.closeTo(1027.84 / (perRequest * SECONDS_PER_MONTH), 4),
      secondAbove: true,
    });
  });

  test('prices of one’s own count, with their date', async () => {
    const prices = join(folder, 'prices.json');
    writeFileSync(prices, JSON.stringify({ date: '2027-01', region: 'eu-west-1', api: { perRequest: { rest: 1 } } }));
    const report = await costJson({ memory: '1024', 'duration-ms': '100', api: 'rest', rps: '1', prices });
    expect(report.prices).toEqual({ date: '2027-01', region: 'eu-west-1' });
    expect(report.models[0]?.servings[0]?.at[0]?.perMonth).toBeGreaterThan(SECONDS_PER_MONTH);
  });

  test('the prices of the app count, unless a file says others', async () => {
    const project = mkdtempSync(join(folder, 'app-'));
    const options = { memory: '1024', 'duration-ms': '100', rps: '1' };
    const assembly = synthesize((stack) => new InferenceEndpoint(stack, 'Vision', { models: [model] }));
    const context = {
      'cdk-onnx:prices': { date: '2027-02', region: 'eu-central-1', api: { perRequest: { http: 1 } } },
    };
    writeFileSync(
      join(project, 'cdk.json'),
      JSON.stringify({ app: `mkdir -p "$CDK_OUTDIR" && cp -r ${assembly}/. "$CDK_OUTDIR"`, context }),
    );
    const file = join(project, 'prices.json');
    writeFileSync(file, '{"date": "2027-03", "region": "eu-west-1"}');
    const ofApp = { ...options, app: project };
    const report = await costJson(ofApp);
    expect(report.prices).toEqual({ date: '2027-02', region: 'eu-central-1' });
    expect(report.models[0]?.servings[0]?.at[0]?.perMonth).toBeGreaterThan(SECONDS_PER_MONTH);
    expect((await costJson({ ...ofApp, prices: file })).prices.date).toBe('2027-03');
    const here = process.cwd();
    try {
      process.chdir(project);
      expect((await costJson(options)).prices.date).toBe('2027-02');
      expect((await costJson({ ...options, assembly })).prices.date).toBe('2027-02');
      writeFileSync('cdk.json', JSON.stringify({ context: { 'cdk-onnx:prices': { lambada: {} } } }));
      const { code, message } = await refusalOf(() => cost(options));
      expect([code, message]).toEqual(['PRICES_INVALID', expect.stringContaining("the context 'cdk-onnx:prices'")]);
    } finally {
      process.chdir(here);
    }
  });

  test('what is wrong is refused, all at once', async () => {
    const wrong = {
      memory: '1',
      'duration-ms': 'x',
      architecture: 'mips',
      api: 'soap',
      provisioned: '5-2',
      gpu: 'p3',
      rps: '1,,2',
      'duty-cycle': '0',
    };
    const { code, message } = await refusalOf(() => cost(wrong));
    expect([code, message.split('\n').map((line) => line.split(' ')[0])]).toEqual([
      'COST_OPTIONS_INVALID',
      ['--gpu', '--rps', '--memory', '--duration-ms', '--architecture', '--provisioned', '--duty-cycle', '--api'].sort(
        (a, b) => message.indexOf(a) - message.indexOf(b),
      ),
    ]);
    expect(message.split('\n')).toHaveLength(8);
  });

  test.each<[string, Readonly<Record<string, string>>, readonly string[]]>([
    ['DURATION_UNKNOWN', { memory: '1024' }, []],
    ['DURATION_UNKNOWN', {}, [join(MODELS, 'nobody')]],
    ['USAGE', { app: '.', assembly: 'cdk.out' }, []],
    ['CDK_JSON_NOT_FOUND', { app: tmpdir() }, []],
    ['ASSEMBLY_NOT_FOUND', { assembly: join(tmpdir(), 'nowhere') }, []],
    ['PRICES_INVALID', { memory: '1024', 'duration-ms': '9', prices: join(tmpdir(), 'nowhere.json') }, []],
    ['PRICE_UNKNOWN', { memory: '1024', 'duration-ms': '9', gpu: 'ml.p5.48xlarge' }, []],
  ])('%s: %o %o', async (code, options, positionals) => {
    expect((await refusalOf(() => cost(options, positionals))).code).toBe(code);
  });
});

describe('on a model', () => {
  test('the duration is what its lock measured, on a slower part of a vCPU where there is less memory', async () => {
    const durationOf = async (memory: string) =>
      (await costJson({ memory }, [join(MODELS, 'faces')])).models[0]?.duration.milliseconds ?? 0;
    const whole = await durationOf('1769');
    expect(whole).toBeGreaterThan(3);
    expect(await durationOf('8845')).toBe(whole);
    expect((await durationOf('884.5')) - 3).toBeCloseTo(2 * (whole - 3), 6);
  });
});

describe('on an app', () => {
  test('memory, API, environments, router and GPUs are those of its templates', () => {
    const assembly = synthesize((stack) => {
      new InferenceEndpoint(stack, 'Endpoint', {
        models: [model],
        memorySize: 2048,
        provisionedConcurrency: { min: 2, max: 9, targetUtilization: 0.6 },
        gpu: { queue: true, instanceType: 'ml.g4dn.xlarge', realTime: { scaling: { minInstances: 2 } } },
      });
    });
    const provisioned = { min: 2, max: 9, utilization: 0.6 };
    expect(readDeployedModels(assembly)).toEqual([
      {
        name: model.name,
        contentHash: expect.stringMatching(/^[0-9a-f]{64}$/),
        architecture: 'arm64',
        memorySize: 2048,
        api: 'http',
        provisioned,
        router: { architecture: 'arm64', memorySize: 1024, provisioned },
        gpu: { instanceType: 'ml.g4dn.xlarge', minInstances: 2, maxInstances: 4, beside: [] },
        queue: { instanceType: 'ml.g4dn.xlarge', minInstances: 0, maxInstances: 1, beside: [] },
        notes: [],
      },
    ]);
  });

  test('without a router a GPU belongs to the model that it serves', () => {
    const assembly = synthesize((stack) => {
      new InferenceEndpoint(stack, 'Endpoint', {
        models: [model],
        provisionedConcurrency: { min: 3 },
        apiType: 'rest',
      });
      GpuEndpoint.realTime(stack, 'Gpu', { model, shadow: { model, instances: 2 } });
    });
    expect(readDeployedModels(assembly)).toMatchObject([
      {
        api: 'rest',
        provisioned: { min: 3, max: 3 },
        router: undefined,
        gpu: { minInstances: 1, beside: [{ instanceType: 'ml.g5.xlarge', instances: 2 }] },
        queue: undefined,
      },
    ]);
  });

  test('what it deploys is marked, until an option changes it', async () => {
    const assembly = synthesize((stack) => {
      new InferenceEndpoint(stack, 'Endpoint', { models: [model], gpu: {} });
    });
    const deployed = async (options: Readonly<Record<string, string>>) =>
      (await costJson({ assembly, 'duration-ms': '50', ...options })).models[0]?.servings.flatMap((serving) =>
        serving.deployed ? [serving.id] : [],
      );
    expect(await deployed({})).toEqual(['fallback']);
    expect(await deployed({ memory: '3008' })).toEqual([]);
    expect(await cost({ assembly, 'duration-ms': '50' })).toMatch(
      /Lambda, router, GPU stands by \(this app\) +\$1,027\.84/,
    );
    expect((await refusalOf(() => cost({ assembly }))).code).toBe('DURATION_UNKNOWN');
  });

  test('without a model of ours it says so', async () => {
    const assembly = synthesize((stack) => {
      stack.exportValue('nothing', { name: 'nothing' });
    });
    expect((await refusalOf(() => cost({ assembly, 'duration-ms': '50' }))).code).toBe('COST_NO_MODELS');
  });
});
