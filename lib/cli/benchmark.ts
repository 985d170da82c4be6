/** `cdk-onnx benchmark`: latencies here, or of a deployed function on the CPU that it really has. */
import { basename, dirname, join } from 'node:path';
import { formatBytes, formatLatency } from '../artifact/units.js';
import { MODEL_JSON, readModelJson } from '../compiler/build/configuration.js';
import type { Percentiles } from '../compiler/comparison/timing.js';
import { ConfigurationError } from '../errors.js';
import { benchmarkFunction, type FunctionBenchmark, type RequestTimes } from './benchmark/benchmark-function.js';
import { type BenchmarkData, benchmarkHere, type HereBenchmark } from './benchmark/benchmark-here.js';
import type { Command } from './command.js';
import { ARCHITECTURES, given, oneOf, wholeNumber } from './option-values.js';
import { createProgress } from './progress.js';
import { textTable } from './text-table.js';

export const benchmarkCommand: Command = {
  name: 'benchmark',
  summary: 'Measures latencies of a model on this machine, or of a deployed function.',
  positionals: '[model]',
  options: {
    function: {
      type: 'string',
      placeholder: 'ARN|NAME',
      description: 'a deployed function, with its alias if it has one; invoking it costs money',
    },
    model: {
      type: 'string',
      placeholder: 'NAME',
      description: 'with --function: which of its models (default: the first)',
    },
    requests: { type: 'string', placeholder: 'N', description: 'with --function: how many (default 100)' },
    concurrency: { type: 'string', placeholder: 'N', description: 'with --function: how many at a time (default 1)' },
    data: { type: 'string', placeholder: 'DIR', description: 'samples to send or run (default: made-up tensors)' },
    'model-json': { type: 'string', placeholder: 'PATH', description: 'whose task says how data becomes tensors' },
    runs: { type: 'string', placeholder: 'N', description: 'here: timed runs (default 200)' },
    opens: { type: 'string', placeholder: 'N', description: 'here: how often it is opened anew (default 5)' },
    threads: { type: 'string', placeholder: 'N', description: 'here: threads of onnxruntime (default 1)' },
    architecture: {
      type: 'string',
      placeholder: 'arm64|x86_64',
      description: "here: whose lock a model's folder is built by (default: this machine's)",
    },
    json: { type: 'boolean', description: 'print one JSON object on stdout' },
  },
  async run({ positionals: [model], options, signal }) {
    const { data, function: name } = options;
    if ((model === undefined) === (name === undefined)) {
      throw new ConfigurationError({
        code: 'USAGE',
        message: 'cdk-onnx benchmark: name either a model or --function.',
        advice: 'For example `cdk-onnx benchmark models/faces`, or `cdk-onnx benchmark --function my-function:live`.',
      });
    }
    const source = typeof data === 'string' ? { path: data, ...taskOf(options['model-json'], model) } : undefined;
    const progress = createProgress();
    const counted = (option: string, fallback: number, max: number) =>
      wholeNumber(`--${option}`, options[option] ?? fallback, { min: 1, max });
    const here = process.arch === 'arm64' ? 'arm64' : 'x86_64';
    try {
      if (typeof name === 'string') {
        progress.step(`invoking ${name}`);
        const benchmark = await benchmarkFunction({
          function: name,
          requests: counted('requests', 100, 100_000),
          concurrency: counted('concurrency', 1, 1000),
          signal,
          onProgress: (done, of) => progress.detail(`${done} of ${of}`),
          ...given({ data: source, model: typeof options.model === 'string' ? options.model : undefined }),
        });
        progress.done();
        print(benchmark, options.json === true, functionText);
        // Measured is measured; but a run of nothing but failures is no measurement.
        return benchmark.answered > 0 ? 0 : 1;
      }
      const benchmark = await benchmarkHere({
        model: String(model),
        architecture: oneOf('--architecture', options.architecture ?? here, ARCHITECTURES),
        runs: counted('runs', 200, 1_000_000),
        opens: counted('opens', 5, 1000),
        threads: counted('threads', 1, 256),
        signal,
        onStep: (step) => progress.step(step),
        ...given({ data: source }),
      });
      progress.done();
      print(benchmark, options.json === true, hereText);
      return 0;
    } finally {
      progress.done();
    }
  },
};

/** Of a model.json that is named, or of the model's own folder; else plain tensors. */
function taskOf(modelJson: string | boolean | undefined, model: string | undefined): Omit<BenchmarkData, 'path'> {
  if (typeof modelJson === 'string') {
    return taskIn(basename(modelJson) === MODEL_JSON ? modelJson : join(modelJson, MODEL_JSON));
  }
  try {
    return model === undefined ? { task: { type: 'tensor' } } : taskIn(join(model, MODEL_JSON));
  } catch (error) {
    if (error instanceof ConfigurationError && error.code === 'MODEL_JSON_MISSING') return { task: { type: 'tensor' } };
    throw error;
  }
}

function taskIn(path: string): Omit<BenchmarkData, 'path'> {
  return { task: readModelJson(path).task, assets: dirname(path) };
}

function print<T>(benchmark: T, asJson: boolean, text: (benchmark: T) => string): void {
  process.stdout.write(asJson ? `${JSON.stringify(benchmark)}\n` : text(benchmark));
}

const HEADER = ['', 'p50', 'p90', 'p99', 'max', ''];

function row(title: string, { p50, p90, p99, greatest, count }: Percentiles): string[] {
  return [title, ...[p50, p90, p99, greatest].map(formatLatency), `of ${count}`];
}

function hereText({ model, bytes, cpu, threads, isSynthetic, shapes, run, open, firstRun }: HereBenchmark): string {
  const inputs = Object.entries(shapes).map(([name, dims]) => `${name} [${dims.join(', ')}]`);
  return [
    `${model}  ${formatBytes(bytes)}`,
    textTable([HEADER, row('run', run), row('opening', open), row('first run', firstRun)]),
    `  on ${cpu}, ${threads} ${threads === 1 ? 'thread' : 'threads'}; ${inputs.join(', ')}${isSynthetic ? ', made up' : ''}`,
    '',
  ].join('\n');
}

function functionText(benchmark: FunctionBenchmark): string {
  const { warm, cold, cost, failed, throttled, architecture, memorySize } = benchmark;
  const rows = [HEADER];
  const add = (title: string, times: RequestTimes | null) => {
    if (times === null) return;
    rows.push(row(`${title}, from here and back`, times.roundTrip));
    if (times.duration !== null) rows.push(row(`${title}, handler`, times.duration));
  };
  add('warm', warm);
  add('cold', cold);
  if (cold?.init != null) rows.push(row('cold, init phase', cold.init));
  const machine = [architecture ?? 'architecture unknown', memorySize === null ? 'memory unknown' : `${memorySize} MB`];
  const dollars = (value: number) => `$${value.toFixed(2)}`;
  return [
    `${benchmark.function}, model ${benchmark.model}: ${machine.join(', ')}`,
    `  ${benchmark.answered} of ${benchmark.requests} answered, ${benchmark.throughput.toFixed(1)} a second at ${benchmark.concurrency} at a time${benchmark.isSynthetic ? ', made-up tensors' : ''}`,
    textTable(rows),
    ...(cost.warm === null && cost.cold === null
      ? ['  cost unknown: no REPORT came with the answers']
      : [
          `  a million requests: ${[
            ...(cost.warm === null ? [] : [`${dollars(cost.warm)} warm`]),
            ...(cost.cold === null ? [] : [`${dollars(cost.cold)} cold`]),
          ].join(
            ', ',
          )} (${architecture === null ? 'as on arm64, ' : ''}${cost.region}, ${cost.date}, without API and transfer)`,
        ]),
    ...(throttled > 0 ? [`  ${throttled} throttled`] : []),
    ...Object.entries(failed).map(([reason, count]) => `  ${count} failed: ${reason}`),
    '',
  ].join('\n');
}
