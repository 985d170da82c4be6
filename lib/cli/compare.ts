/** `cdk-onnx compare`: how far one model strays from another, on data of yours. */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readArtifact } from '../artifact/artifact-folder.js';
import { ASSETS_FOLDER, MANIFEST_FILE, type Manifest, type Signature, type Task } from '../artifact/manifest.js';
import { formatBytes, formatLatency } from '../artifact/units.js';
import { MODEL_JSON, readModelJson } from '../compiler/build/configuration.js';
import { signatureOf } from '../compiler/build/signature.js';
import { type ComparableModel, comparableModel } from '../compiler/comparison/comparable-model.js';
import { type Comparison, compareModels } from '../compiler/comparison/compare-models.js';
import { openDataSet } from '../compiler/data/open-data-set.js';
import { metricFor } from '../compiler/metrics/metric-for.js';
import { openSession } from '../compiler/runtime/session.js';
import type { Command } from './command.js';
import { given, wholeNumber } from './option-values.js';
import { createProgress } from './progress.js';
import { textTable } from './text-table.js';

const DEFAULT_RUNS = 100;

export const compareCommand: Command = {
  name: 'compare',
  summary: 'Compares two models on the same data: outputs, a metric, sizes, latencies.',
  positionals: '<reference> <model>',
  options: {
    data: {
      type: 'string',
      placeholder: 'DIR',
      required: true,
      description: 'samples: pictures, sounds or texts of the task, or arrays (.npz, .npy); no labels needed',
    },
    'model-json': {
      type: 'string',
      placeholder: 'PATH',
      description: 'a model.json (or its folder) whose task and metric they are judged by',
    },
    metric: { type: 'string', placeholder: 'NAME', description: 'another metric than that of model.json' },
    samples: { type: 'string', placeholder: 'N', description: 'the first N samples (default: all)' },
    runs: { type: 'string', placeholder: 'N', description: `timed runs of each (default ${DEFAULT_RUNS}; 0: none)` },
    json: { type: 'boolean', description: 'print one JSON object on stdout' },
  },
  async run({ positionals: [first = '', second = ''], options, signal }) {
    await using reference = await comparableModel(first);
    await using candidate = await comparableModel(second);
    const about = await aboutTask(options['model-json'], [first, second]);
    const signature = await signatureFrom(reference, signal);
    const data = await openDataSet(String(options.data), { ...about.source, signature, signal });
    const name = options.metric ?? about.metric;
    const limit = options.samples;
    const progress = createProgress();
    const comparison = await compareModels(reference, candidate, {
      data,
      signal,
      runs: wholeNumber('--runs', options.runs ?? DEFAULT_RUNS, { min: 0, max: 100_000 }),
      ...given({
        metric: typeof name === 'string' ? metricFor(name, about.source.task, signature) : undefined,
        samples: limit === undefined ? undefined : wholeNumber('--samples', limit, { min: 1, max: 1e9 }),
      }),
      onProgress: stageProgress(progress),
    }).finally(() => progress.done());
    process.stdout.write(options.json === true ? `${JSON.stringify(comparison)}\n` : comparisonText(comparison));
    return 0;
  },
};

/** A task and the folder of the files that it names. */
interface TaskSource {
  readonly task: Task;
  readonly assets?: string;
}

/** The task that data is read for: that of model.json, else of an artifact among the models, else plain tensors. */
async function aboutTask(
  modelJson: string | boolean | undefined,
  models: readonly string[],
): Promise<{ readonly source: TaskSource; readonly metric?: string }> {
  if (typeof modelJson === 'string') {
    const path = basename(modelJson) === MODEL_JSON ? modelJson : join(modelJson, MODEL_JSON);
    const { task, optimize } = readModelJson(path);
    return { source: { task, assets: dirname(path) }, ...given({ metric: optimize?.budget.metric }) };
  }
  for (const path of models) {
    if (!existsSync(join(path, MANIFEST_FILE))) continue;
    const manifest: Manifest = await readArtifact(path);
    return { source: { task: manifest.task, assets: join(path, ASSETS_FOLDER) } };
  }
  return { source: { task: { type: 'tensor' } } };
}

async function signatureFrom(model: ComparableModel, signal: AbortSignal): Promise<Signature> {
  await using session = await openSession(model.path, { settings: model.settings, signal });
  return signatureOf(session);
}

function stageProgress(progress: ReturnType<typeof createProgress>) {
  let current = '';
  return (stage: 'samples' | 'latency', done: number, of: number) => {
    if (stage !== current) progress.step(stage === 'samples' ? 'running both models' : 'timing both in turn');
    current = stage;
    progress.detail(`${done} of ${of}`);
  };
}

export function comparisonText({ models, outputs, missing, metric, samples, cpu, isSynthetic }: Comparison): string {
  const [reference, candidate] = models;
  const ratio = (after: number, before: number) => `${(after / before).toFixed(2)} ×`;
  const rows = [
    ['', 'reference', 'model', ''],
    ['', clipped(reference.model), clipped(candidate.model), ''],
    ['size', formatBytes(reference.bytes), formatBytes(candidate.bytes), ratio(candidate.bytes, reference.bytes)],
  ];
  if (metric !== null) {
    const [before, after] = metric.values;
    rows.push([metric.name, short(before), short(after), metric.unit]);
  }
  const [before, after] = [reference.latency, candidate.latency];
  if (before !== null && after !== null) {
    for (const [title, key] of [
      ['one run', 'run'],
      ['opening', 'open'],
      ['first run', 'firstRun'],
    ] as const) {
      rows.push([title, formatLatency(before[key]), formatLatency(after[key]), ratio(after[key], before[key])]);
    }
  }
  const differences = outputs.map((output) => [
    output.output,
    `${output.snr.toFixed(1)} dB`,
    `${output.worstSnr.value.toFixed(1)} dB (${output.worstSnr.sample})`,
    short(output.cosine),
    short(output.maxAbs),
    output.kl === null ? '–' : short(output.kl),
    output.agreement === null ? '–' : short(output.agreement),
  ]);
  return [
    textTable(rows),
    '',
    `${samples} samples${isSynthetic ? ', made up' : ''}`,
    textTable([['output', 'SNR', 'worst sample', 'cosine', 'max-abs', 'KL, nats', 'agreement'], ...differences]),
    ...(missing.length === 0 ? [] : [`Only one of them has: ${missing.join(', ')}`]),
    ...(before === null ? [] : [`Latencies: medians, one thread, ${cpu}`]),
    '',
  ].join('\n');
}

/** Of a path its end tells most. */
function clipped(path: string): string {
  return path.length <= 40 ? path : `…${path.slice(-39)}`;
}

function short(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(5))) : String(value);
}
