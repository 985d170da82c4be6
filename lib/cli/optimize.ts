/** `cdk-onnx optimize`: the smallest or fastest recipe that keeps the accuracy you asked for, written as a lock. */
import { join, relative } from 'node:path';
import { LOCK_FILE, LOCK_WEIGHTS_FILE } from '../artifact/lock.js';
import type { Architecture } from '../artifact/manifest.js';
import { formatBytes, formatDuration, formatLatency } from '../artifact/units.js';
import { printable } from '../compiler/ir/print.js';
import { type Optimized, optimizeModel } from '../compiler/optimize/optimize-model.js';
import type { LatencyResult, Timing } from '../compiler/quantize/search/search-result.js';
import { budgetText, formatMetric } from '../compiler/report/figures.js';
import { ConfigurationError } from '../errors.js';
import type { Command } from './command.js';
import { ARCHITECTURES, given, oneOf } from './option-values.js';
import { searchDisplay } from './search-progress.js';

export const optimizeCommand: Command = {
  name: 'optimize',
  summary: 'Searches a recipe per node that keeps the budget of model.json, and writes it as a lock.',
  positionals: '<model directory>',
  options: {
    architecture: {
      type: 'string',
      placeholder: 'arm64|x86_64',
      description: 'write the lock for this one alone (default: for both)',
    },
    revalidate: { type: 'boolean', description: 'measure the recipes of the lock anew; search nothing' },
    resume: { type: 'boolean', description: 'go on where an interrupted search stopped (what happens anyway)' },
    fresh: { type: 'boolean', description: 'forget what an interrupted search had found out' },
    report: {
      type: 'string',
      placeholder: 'DIR',
      description: 'where report.html goes (default: the model directory)',
    },
    json: {
      type: 'boolean',
      description: 'print the report as one JSON object on stdout, progress as JSON lines on stderr',
    },
  },
  async run({ positionals: [directory = ''], options, signal }) {
    if (options.fresh === true && options.resume === true) {
      throw new ConfigurationError({
        code: 'USAGE',
        message: 'cdk-onnx optimize: --fresh and --resume contradict each other.',
        advice: 'Give one of them; an interrupted search is resumed without either.',
      });
    }
    const json = options.json === true;
    const display = searchDisplay({ json });
    const optimized = await optimizeModel({
      modelDirectory: directory,
      architectures: architecturesOf(options.architecture),
      mode: options.revalidate === true ? 'revalidate' : 'search',
      fresh: options.fresh === true,
      signal,
      onStep: (name) => display.step(name),
      onProgress: (progress) => display.show(progress),
      ...given({ reportDirectory: typeof options.report === 'string' ? options.report : undefined }),
    })
      .catch((error: unknown) => {
        if (signal.aborted && options.revalidate !== true) {
          process.stderr.write('The same command goes on from here; --fresh begins anew.\n');
        }
        throw error;
      })
      .finally(() => display.done());
    process.stdout.write(json ? `${JSON.stringify(optimized.report)}\n` : optimizedText(optimized, directory));
    return optimized.lock === undefined ? 1 : 0;
  },
};

function architecturesOf(option: string | boolean | undefined): readonly Architecture[] {
  return option === undefined ? ARCHITECTURES : [oneOf('--architecture', option, ARCHITECTURES)];
}

const VERDICTS = {
  held: 'the budget holds, certified',
  'not-certified': 'the budget holds on the samples, NOT CERTIFIED',
  'not-held': 'THE BUDGET DOES NOT HOLD; this is the best that was found',
} as const;
/** Named on the terminal; the report has all of them. */
const SHOWN_NODES = 10;

export function optimizedText({ result, lock, dropped, reportFile }: Optimized, directory: string): string {
  const { certificate, bytes, latency, breaking, notes, effort } = result;
  const { original, value, unit, budget } = certificate;
  const files = [LOCK_FILE, ...(lock?.digests.weights === undefined ? [] : [LOCK_WEIGHTS_FILE])];
  return [
    VERDICTS[result.outcome],
    `  ${budgetText(budget)}`,
    `  ${budget.metric} ${formatMetric(original, unit)} → ${formatMetric(value, unit)} on the holdout: ${certificate.reason}`,
    `  size ${formatBytes(bytes.original)} → ${formatBytes(bytes.chosen)} (${ratio(bytes.chosen, bytes.original)})`,
    ...latencyLines(latency),
    ...(breaking.length === 0 ? [] : ['  nodes that broke it, worst first:']),
    ...breaking.slice(0, SHOWN_NODES).map(({ opType, output }) => `    ${opType} ${printable(output)}`),
    // The metric's line has said it.
    ...notes.filter((note) => !note.includes(certificate.reason)).map((note) => `  ${printable(note)}`),
    ...dropped.map((name) => `  the lock of ${name} was made of something else and is gone: optimize for it too`),
    `  ${effort.evaluations} evaluations of ${effort.samples} samples in ${formatDuration(effort.seconds * 1000)}`,
    ...(lock === undefined ? [] : [`  ${files.map((file) => shown(join(directory, file))).join(', ')}: commit them`]),
    `  ${shown(reportFile)}`,
    '',
  ].join('\n');
}

function latencyLines(latency: LatencyResult): string[] {
  const line = (title: string, of: (timing: Timing) => number, times: { original: Timing; chosen: Timing }) =>
    `${title} ${formatLatency(of(times.original))} → ${formatLatency(of(times.chosen))} (${ratio(of(times.chosen), of(times.original))})`;
  const lines = (times: { cpu: string; original: Timing; chosen: Timing }) => [
    `  ${line('run', ({ run }) => run, times)}, ${line('open and first run', ({ open, firstRun }) => open + firstRun, times)}`,
    `  on ${times.cpu}, one thread`,
  ];
  if (latency.kind === 'measured') return lines(latency);
  const { here } = latency;
  return [`  latency not measured: ${latency.reason}`, ...(here === undefined ? [] : lines(here))];
}

function ratio(after: number, before: number): string {
  return `${(after / before).toFixed(2)} ×`;
}

function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}
