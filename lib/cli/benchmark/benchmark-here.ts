/** Latencies of a model on this machine. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Architecture, Task, TensorSignature } from '../../artifact/manifest.js';
import { isModelFolder } from '../../compiler/build/configuration.js';
import { signatureOf } from '../../compiler/build/signature.js';
import { buildArtifact } from '../../compiler/build.js';
import { type ComparableModel, comparableModel } from '../../compiler/comparison/comparable-model.js';
import { type Percentiles, percentiles, timeModels } from '../../compiler/comparison/timing.js';
import type { Feeds } from '../../compiler/data/data-set.js';
import { openDataSet } from '../../compiler/data/open-data-set.js';
import { cpuName } from '../../compiler/runtime/host.js';
import { sampleInputs } from '../../compiler/runtime/sample-inputs.js';
import { openSession, type RuntimeSession } from '../../compiler/runtime/session.js';
import { ConfigurationError, RuntimeError } from '../../errors.js';
import { given } from '../option-values.js';

/** Samples in place of made-up inputs. */
export interface BenchmarkData {
  readonly path: string;
  readonly task: Task;
  /** Where the files lie that the task names. */
  readonly assets?: string;
}

export interface BenchmarkHereOptions {
  /** A model file, an artifact, or a model's folder, which is built first. */
  readonly model: string;
  /** Whose lock a model's folder is built by. */
  readonly architecture: Architecture;
  readonly runs: number;
  readonly opens: number;
  readonly threads: number;
  /** Its first sample is what is run; without it, made-up tensors. */
  readonly data?: BenchmarkData;
  readonly signal: AbortSignal;
  readonly onStep?: (name: string) => void;
}

export interface HereBenchmark {
  readonly model: string;
  readonly bytes: number;
  readonly cpu: string;
  readonly threads: number;
  readonly isSynthetic: boolean;
  /** Shapes that were run, by input. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** ms. */
  readonly run: Percentiles;
  readonly open: Percentiles;
  readonly firstRun: Percentiles;
}

/** Sizes for dimensions that are not fixed, tried in turn: models refuse some. */
const SIZES = [1, 2, 8, 64];

/** @throws ConfigurationError BENCHMARK_INPUTS for a model that refuses made-up inputs; errors of a build and of sessions */
export async function benchmarkHere(options: BenchmarkHereOptions): Promise<HereBenchmark> {
  const { model: path, architecture, runs, opens, threads, signal, onStep } = options;
  const temporary = await mkdtemp(join(tmpdir(), 'cdk-onnx-benchmark-'));
  try {
    let runnable = path;
    if (isModelFolder(path)) {
      runnable = join(temporary, 'artifact');
      await buildArtifact({
        modelDirectory: path,
        outputDirectory: runnable,
        architecture,
        signal,
        ...given({ onStep }),
      });
    }
    await using model = await comparableModel(runnable);
    onStep?.('looking for inputs');
    const feeds = await inputsFor(model, options);
    onStep?.(`timing ${runs} runs after ${opens} openings`);
    const [times] = await timeModels([model], [feeds], { runs, opens, threads, signal });
    if (times === undefined) throw new TypeError('one model, one set of times');
    return {
      model: path,
      bytes: model.bytes,
      cpu: cpuName(),
      threads,
      isSynthetic: options.data === undefined,
      shapes: Object.fromEntries(Object.entries(feeds).map(([name, { dims }]) => [name, dims])),
      run: percentiles(times.run),
      open: percentiles(times.open),
      firstRun: percentiles(times.firstRun),
    };
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function inputsFor(model: ComparableModel, { data, signal }: BenchmarkHereOptions): Promise<Feeds> {
  await using session = await openSession(model.path, { signal });
  const signature = signatureOf(session);
  if (data === undefined) return await madeUpInputs(session, withPictureSize(signature.inputs, model.task));
  const set = await openDataSet(data.path, { ...data, signature, signal });
  const names = new Set(signature.inputs.map(({ name }) => name));
  for await (const { steps } of set.read(set.ids.slice(0, 1))) {
    return Object.fromEntries(Object.entries(steps[0] ?? {}).filter(([name]) => names.has(name)));
  }
  throw new TypeError('a data set is never empty');
}

/** A model that takes pictures of any size is timed with those that its task makes. */
function withPictureSize(inputs: readonly TensorSignature[], task: Task | undefined): readonly TensorSignature[] {
  if (task === undefined || !('image' in task)) return inputs;
  const { input, width, height, layout } = task.image;
  const sizes = layout === 'NCHW' ? [1, null, height, width] : [1, height, width, null];
  return inputs.map((signature) => {
    if (signature.name !== input || signature.shape?.length !== sizes.length) return signature;
    return {
      ...signature,
      shape: signature.shape.map((size, axis) => (typeof size === 'number' ? size : (sizes[axis] ?? size))),
    };
  });
}

async function madeUpInputs(session: RuntimeSession, inputs: readonly TensorSignature[]): Promise<Feeds> {
  let refusal = '';
  for (const dynamicSize of SIZES) {
    const feeds = sampleInputs(inputs, { dynamicSize });
    try {
      await session.run(feeds);
      return feeds;
    } catch (error) {
      if (!(error instanceof RuntimeError) || error.code !== 'RUNTIME_RUN') throw error;
      refusal = error.message;
    }
  }
  throw new ConfigurationError({
    code: 'BENCHMARK_INPUTS',
    message: `The model refuses made-up inputs: ${refusal}`,
    advice: 'Give samples with --data (arrays, or what the task of --model-json reads).',
  });
}
