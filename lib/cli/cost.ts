/** `cdk-onnx cost`: what a month costs on Lambda, with provisioned concurrency and on a GPU, and from which rate on which is cheaper. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { Architecture } from '../artifact/manifest.js';
import { contextPrices, overridePrices, PRICES_CONTEXT } from '../cost/price-overrides.js';
import { PRICES, type Prices } from '../cost/prices.js';
import { ConfigurationError } from '../errors.js';
import type { Command } from './command.js';
import { ASSUMED_ROUTER, type Comparison, compareServings } from './cost/comparison.js';
import { type CostOptions, readCostOptions } from './cost/cost-options.js';
import { costText } from './cost/cost-text.js';
import { type Duration, durationOfArtifact, durationOfModel } from './cost/measured-duration.js';
import { type DeployedModel, readDeployedModels } from './cost/read-app.js';
import type { Instances, Subject } from './cost/subject.js';
import { createProgress } from './progress.js';
import { readContext, synthesizeApp } from './synthesize-app.js';

const DEFAULT_MEMORY_MB = 1769;
const DEFAULT_ARCHITECTURE: Architecture = 'arm64';
/** Where nobody limits them: as many as it takes. */
const MANY_INSTANCES = 1000;

export const costCommand: Command = {
  name: 'cost',
  summary: 'Estimates a month on Lambda, with provisioned concurrency and on a GPU, and where they break even.',
  positionals: '[model directory]',
  options: {
    rps: { type: 'string', placeholder: 'N,…', description: 'requests per second (default 1,10,100)' },
    app: {
      type: 'string',
      placeholder: 'DIR',
      description: 'read memory, architecture, environments and GPU of this CDK app (default: the one here)',
    },
    assembly: { type: 'string', placeholder: 'DIR', description: 'read them from this cloud assembly' },
    memory: { type: 'string', placeholder: 'MB', description: `of the function (default ${DEFAULT_MEMORY_MB})` },
    'duration-ms': {
      type: 'string',
      placeholder: 'MS',
      description: 'of a request in the function (default: by what the model’s lock measured)',
    },
    architecture: {
      type: 'string',
      placeholder: 'arm64|x86_64',
      description: `of the function (default ${DEFAULT_ARCHITECTURE})`,
    },
    api: { type: 'string', placeholder: 'http|rest|none', description: 'in front of it (default http)' },
    provisioned: {
      type: 'string',
      placeholder: 'N|N-M',
      description: 'environments that are kept ready (default 1-1000, 70 % of them at work)',
    },
    gpu: { type: 'string', placeholder: 'TYPE', description: 'also on this instance of SageMaker, as in ml.g5.xlarge' },
    'gpu-rps': { type: 'string', placeholder: 'N', description: 'requests per second that one does (assumed: 100)' },
    'gpu-ms': { type: 'string', placeholder: 'MS', description: 'of a request there (assumed: 4 at once)' },
    'gpu-share': {
      type: 'string',
      placeholder: 'SHARE',
      description: 'of the requests, where it stands by for Lambda, 0 to 1 (default 0)',
    },
    'duty-cycle': {
      type: 'string',
      placeholder: 'SHARE',
      description: 'of the month, in which a queue gets its requests (assumed: 0.333)',
    },
    prices: {
      type: 'string',
      placeholder: 'FILE',
      description: `JSON with prices in place of ours (default: the context ${PRICES_CONTEXT} of cdk.json)`,
    },
    json: { type: 'boolean', description: 'print one JSON object on stdout' },
  },
  async run({ positionals: [model], options, signal }) {
    const costOptions = readCostOptions(options);
    const prices = pricesOf(textOf(options.prices), textOf(options.app) ?? '.');
    const subjects = await subjectsOf(costOptions, {
      model,
      app: textOf(options.app),
      assembly: textOf(options.assembly),
      signal,
    });
    const comparisons = subjects.map((subject) => compareServings(subject, { ...costOptions, prices }));
    process.stdout.write(
      options.json === true ? `${JSON.stringify(reportOf(comparisons, prices))}\n` : costText(comparisons, prices),
    );
    return 0;
  },
};

interface Source {
  readonly model: string | undefined;
  readonly app: string | undefined;
  readonly assembly: string | undefined;
  readonly signal: AbortSignal;
}

async function subjectsOf(options: CostOptions, { model, app, assembly, signal }: Source): Promise<Subject[]> {
  if ([model, app, assembly].filter((source) => source !== undefined).length > 1) {
    throw new ConfigurationError({
      code: 'USAGE',
      message: 'cdk-onnx cost: a model directory, --app and --assembly exclude each other.',
      advice: 'Give one of them.',
    });
  }
  if (assembly !== undefined) return deployedSubjects(resolve(assembly), '.', options);
  if (app !== undefined) return deployedSubjects(await synthesize(resolve(app), signal), app, options);
  if (model !== undefined) return [modelSubject(resolve(model), options)];
  if (options.memorySize !== undefined) return [bareSubject(options)];
  if (existsSync('cdk.json')) return deployedSubjects(await synthesize(resolve('.'), signal), '.', options);
  throw new ConfigurationError({
    code: 'COST_SUBJECT_MISSING',
    message: 'There is no cdk.json here, and nothing else says what to estimate.',
    advice:
      'Run it in the folder of your CDK app, name a model directory, or give --memory and --duration-ms: `cdk-onnx cost --memory 1769 --duration-ms 80`.',
  });
}

async function synthesize(project: string, signal: AbortSignal): Promise<string> {
  const outputDirectory = join(project, 'cdk.out', 'cost');
  const progress = createProgress({ slow: 0 });
  progress.step('Synthesizing the app');
  await synthesizeApp({ project, outputDirectory, signal, note: (line) => progress.note(`  ${line}`) });
  progress.done();
  return outputDirectory;
}

function deployedSubjects(assembly: string, project: string, options: CostOptions): Subject[] {
  const models = readDeployedModels(assembly);
  const subjects = models.map((model) => ({ model, duration: durationOfDeployed(model, project, options) }));
  const unknown = subjects.filter(({ duration }) => duration === undefined).map(({ model }) => model.name);
  if (unknown.length > 0) throw durationUnknown(unknown.join(', '));
  return subjects.flatMap(({ model, duration }) =>
    duration === undefined ? [] : [deployedSubject(model, duration, options)],
  );
}

function durationOfDeployed(model: DeployedModel, project: string, options: CostOptions): Duration | undefined {
  const machine = machineOf(options, model);
  if (options.milliseconds !== undefined) return givenDuration(options.milliseconds);
  return model.contentHash === undefined ? undefined : durationOfArtifact(project, model.contentHash, machine);
}

function deployedSubject(model: DeployedModel, duration: Duration, options: CostOptions): Subject {
  const { router } = model;
  const changed = [options.memorySize, options.architecture, options.api, options.provisioned, options.gpuInstance];
  return {
    name: model.name,
    ...machineOf(options, model),
    duration,
    api: options.api === undefined ? model.api : (options.api ?? undefined),
    provisioned: options.provisioned ?? model.provisioned,
    router: router === undefined ? undefined : { ...router, milliseconds: ASSUMED_ROUTER.milliseconds },
    gpu: instancesOf(options) ?? model.gpu,
    queue: options.gpuInstance === undefined ? model.queue : undefined,
    isDeployed: changed.every((option) => option === undefined),
    notes: model.notes,
  };
}

function modelSubject(folder: string, options: CostOptions): Subject {
  const machine = machineOf(options);
  const duration =
    options.milliseconds === undefined ? durationOfModel(folder, machine) : givenDuration(options.milliseconds);
  if (duration === undefined) throw durationUnknown(folder);
  return { ...bare(options), name: basename(folder), duration };
}

function bareSubject(options: CostOptions): Subject {
  if (options.milliseconds === undefined) throw durationUnknown('the function');
  return { ...bare(options), name: 'a function', duration: givenDuration(options.milliseconds) };
}

function bare(options: CostOptions): Omit<Subject, 'name' | 'duration'> {
  return {
    ...machineOf(options),
    api: options.api === undefined ? 'http' : (options.api ?? undefined),
    provisioned: options.provisioned,
    router: undefined,
    gpu: instancesOf(options),
    queue: undefined,
    isDeployed: false,
    notes: [],
  };
}

function machineOf(
  options: CostOptions,
  deployed: { readonly architecture: Architecture; readonly memorySize: number } = {
    architecture: DEFAULT_ARCHITECTURE,
    memorySize: DEFAULT_MEMORY_MB,
  },
) {
  return {
    architecture: options.architecture ?? deployed.architecture,
    memorySize: options.memorySize ?? deployed.memorySize,
  };
}

function instancesOf({ gpuInstance }: CostOptions): Instances | undefined {
  if (gpuInstance === undefined) return undefined;
  return { instanceType: gpuInstance, minInstances: 1, maxInstances: MANY_INSTANCES };
}

function givenDuration(milliseconds: number): Duration {
  return { milliseconds, basis: 'as given' };
}

function durationUnknown(what: string): ConfigurationError {
  return new ConfigurationError({
    code: 'DURATION_UNKNOWN',
    message: `How long a request takes is not known of ${what}: no lock of ours measured it.`,
    advice:
      'Give --duration-ms; `cdk-onnx benchmark --function` says it of a deployed function, `cdk-onnx benchmark` of a model on this machine.',
  });
}

/** Of the file, else as the app's own note counts. */
function pricesOf(file: string | undefined, project: string): Prices {
  return file === undefined ? contextPrices(readContext(resolve(project))[PRICES_CONTEXT]) : readPrices(file);
}

function readPrices(file: string): Prices {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new ConfigurationError({
      code: 'PRICES_INVALID',
      message: `${file} cannot be read as JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      advice:
        'Give a file of prices: {"region": "eu-west-1", "date": "2027-01", "sageMaker": {"perInstanceHour": {…}}}.',
      cause,
    });
  }
  return overridePrices(PRICES, json, file);
}

function reportOf(models: readonly Comparison[], prices: Prices) {
  return { prices: { date: prices.date, region: prices.region }, models };
}

function textOf(value: string | boolean | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
