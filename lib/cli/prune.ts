/** `cdk-onnx prune`: takes out what a model does not need, or what it can do without. */
import { sourceBytes } from '../artifact/source-content.js';
import { formatBytes } from '../artifact/units.js';
import type { DataSet } from '../compiler/data/data-set.js';
import { openDataSet } from '../compiler/data/open-data-set.js';
import { printable } from '../compiler/ir/print.js';
import { type ModelData, openModelData, preparedSignature } from '../compiler/optimize/model-data.js';
import { type BudgetJudge, budgetJudge } from '../compiler/optimize/prune-to-budget.js';
import { prepareAnything } from '../compiler/optimize/quantize-model.js';
import { type ChangedModel, writeChanged } from '../compiler/optimize/write-changed.js';
import {
  PRUNING_METHODS,
  type PruneOptions,
  type PruneResult,
  type PruningProgress,
  pruneModel,
} from '../compiler/prune/prune-model.js';
import { EMPTY_PLAN } from '../compiler/quantize/plan.js';
import { ConfigurationError } from '../errors.js';
import type { Command, CommandArguments } from './command.js';
import { given, oneOf } from './option-values.js';
import { createProgress, type Progress } from './progress.js';
import { reasons } from './quantize.js';

export const pruneCommand: Command = {
  name: 'prune',
  summary: 'Takes channels, heads and widths out of a model, or sets weights to zero.',
  positionals: '<model or model directory>',
  options: {
    out: {
      type: 'string',
      placeholder: 'PATH',
      required: true,
      description: 'a file that ends with .onnx, or a folder that becomes an artifact (of a model directory)',
    },
    method: {
      type: 'string',
      placeholder: 'NAME',
      description: `${PRUNING_METHODS.join(', ')} (default lossless: what is dead or twice there)`,
    },
    ratio: {
      type: 'string',
      placeholder: '0.3',
      description:
        'structured, magnitude: how much is to go (structured, without it: as much as the budget of model.json allows)',
    },
    pattern: { type: 'string', placeholder: 'N:M', description: 'n:m: of every M weights N stay (default 2:4)' },
    objective: {
      type: 'string',
      placeholder: 'latency|size',
      description: 'structured: what the ratio is a part of, multiplications or weights (default latency)',
    },
    calibration: {
      type: 'string',
      placeholder: 'DIR',
      description:
        'structured: samples that channels are judged and weights are refitted by (default: those of model.json)',
    },
    'no-recovery': { type: 'boolean', description: 'structured: leave the weights that stay as they are' },
    json: { type: 'boolean', description: 'print one JSON object on stdout' },
  },
  async run({ positionals: [path = ''], options, signal }) {
    const method = oneOf('--method', options.method ?? 'lossless', PRUNING_METHODS);
    const chosen = pruneOptionsOf(method, options);
    const progress = createProgress();
    const onStep = (name: string) => progress.step(name);
    let judge: BudgetJudge | undefined;
    let data: ModelData | undefined;
    try {
      await using prepared = await prepareAnything(path, { signal, onStep });
      const hasBudget = prepared.configuration.optimize !== undefined;
      const seeksRatio = method === 'structured' && options.ratio === undefined && hasBudget;
      if (seeksRatio) {
        onStep('recording what the original answers');
        data = await openModelData(prepared, await preparedSignature(prepared, signal), signal);
        judge = await budgetJudge(prepared, data.evaluation, { signal });
      }
      const accepts = judge?.accepts.bind(judge);
      const result = await pruneModel(prepared.model, {
        ...chosen,
        ...given({
          data:
            method === 'structured'
              ? (data?.calibration ?? (await calibrationOf(prepared, options, signal)))
              : undefined,
          accept: accepts,
        }),
        signal,
        seed: prepared.configuration.optimize?.seed ?? 1,
        onProgress: showProgress(progress),
      });
      const plan = { ...EMPTY_PLAN, weights: result.weights };
      const written = await writeChanged({ prepared, plan, out: String(options.out), signal, onStep });
      progress.done();
      const before = sourceBytes(prepared.source);
      process.stdout.write(
        options.json === true ? jsonLine(result, written, before) : prunedText(result, written, before),
      );
      return 0;
    } finally {
      progress.done();
      await judge?.[Symbol.asyncDispose]();
    }
  },
};

/** @throws ConfigurationError USAGE */
function pruneOptionsOf(
  method: PruneOptions['method'],
  options: CommandArguments['options'],
): Pick<PruneOptions, 'method' | 'ratio' | 'pattern' | 'objective' | 'recover'> {
  const pattern = options.pattern === undefined ? undefined : patternOf(String(options.pattern));
  const ratio = options.ratio === undefined ? undefined : Number(options.ratio);
  return {
    method,
    ratio,
    pattern,
    objective: oneOf('--objective', options.objective ?? 'latency', ['latency', 'size']),
    recover: options['no-recovery'] !== true,
  };
}

function patternOf(text: string): { readonly n: number; readonly m: number } {
  const [, n, m] = /^(\d+):(\d+)$/.exec(text) ?? [];
  if (n !== undefined && m !== undefined) return { n: Number(n), m: Number(m) };
  throw new ConfigurationError({
    code: 'USAGE',
    message: `--pattern is '${text}'.`,
    advice: 'Give two numbers: 2:4 keeps two of every four weights.',
  });
}

/** Without any, channels are judged by their weights alone. */
async function calibrationOf(
  prepared: Awaited<ReturnType<typeof prepareAnything>>,
  options: CommandArguments['options'],
  signal: AbortSignal,
): Promise<DataSet | undefined> {
  const { configuration, directory, frozen } = prepared;
  const own = configuration.optimize?.calibration;
  const path = options.calibration ?? (own === undefined ? undefined : `${directory}/${own}`);
  if (typeof path !== 'string') return undefined;
  const signature = await preparedSignature(prepared, signal);
  const frozenInputs = frozen.map(({ name }) => name);
  return await openDataSet(path, { task: configuration.task, signature, frozenInputs, assets: directory, signal });
}

function showProgress(progress: Progress): (event: PruningProgress) => void {
  return (event) => {
    switch (event.kind) {
      case 'step':
        return progress.step(event.name);
      case 'recovered':
        return progress.detail(`${event.done} of ${event.of} nodes refitted`);
      case 'ratio':
        return progress.note(`  ${Math.round(event.ratio * 100)} %: ${event.holds ? 'holds the budget' : 'breaks it'}`);
    }
  };
}

function jsonLine(
  { removed, report }: PruneResult,
  { path, bytes, equivalence }: ChangedModel,
  source: number,
): string {
  return `${JSON.stringify({ path, bytes: { source, written: bytes }, removed, ...report, equivalence })}\n`;
}

function prunedText(
  { removed, report }: PruneResult,
  { path, bytes, equivalence }: ChangedModel,
  source: number,
): string {
  const { numbers, multiplications, lossless, sparsity, kept, recovery } = report;
  const percent = (after: number, before: number) => `${Math.round((1 - after / Math.max(1, before)) * 100)} % less`;
  const units = removed.reduce((sum, group) => sum + group.removed, 0);
  const groups = kept.map(({ name, reason }) => ({ node: name, reason }));
  return [
    `${path}  ${formatBytes(bytes)} (source ${formatBytes(source)}, ${(bytes / source).toFixed(2)} ×)`,
    `  ${numbers.before.toLocaleString('en-US')} → ${numbers.after.toLocaleString('en-US')} numbers in weights (${percent(numbers.after, numbers.before)})`,
    ...(multiplications === undefined
      ? []
      : [`  ${percent(multiplications.after, multiplications.before)} multiplications in what can be pruned`]),
    ...(lossless.length === 0
      ? []
      : [
          `  ${lossless.reduce((sum, { dead, duplicate }) => sum + dead + duplicate, 0)} channels said nothing, or what others say`,
        ]),
    ...(units === 0 ? [] : [`  ${units} channels, heads or columns of ${removed.length} groups taken out`]),
    ...(recovery.recovered.length === 0
      ? []
      : [`  ${recovery.recovered.length} nodes refitted to what the original computes`]),
    ...(sparsity === undefined
      ? []
      : [
          `  ${Math.round((sparsity.zerosAfter / Math.max(1, sparsity.numbers)) * 100)} % of ${sparsity.numbers.toLocaleString('en-US')} weights are zero: the file is as large and as fast as before,`,
          `  compressed (a layer's zip) ${formatBytes(sparsity.compressed.before)} → ${formatBytes(sparsity.compressed.after)}`,
        ]),
    ...reasons(groups).map(printable),
    `  ${equivalence}`,
    '',
  ].join('\n');
}
