/** A model ready to answer: its session, warmed by one run, and its task. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { STATISTIC_DIMENSION } from '../../lib/artifact/function-metrics.js';
import { INPUT_PROFILE_FILE } from '../../lib/artifact/input-profile.js';
import { ASSETS_FOLDER, type DataType, type Signature } from '../../lib/artifact/manifest.js';
import { RuntimeError } from '../../lib/errors.js';
import { allocate } from '../../lib/protocol/data-types.js';
import { elementCount } from '../../lib/protocol/shape.js';
import type { NamedTensor, TensorData } from '../../lib/protocol/tensor.js';
import { createTaskPipeline, type TaskPipeline } from '../../lib/tasks/task-pipeline.js';
import { errorDetails, type Log, log as logOfProcess } from '../log/log.js';
import { type MetricValues, writeCounts } from '../log/metrics.js';
import type { Artifact } from './artifact.js';
import type { DriftCounts, InputDrift } from './drift/input-drift.js';
import { inferenceError } from './inference-error.js';
import { isStartedForRequest } from './loading.js';
import { loadOnnxRuntime, type OnnxRuntime, sessionOptions, threadsFor } from './onnxruntime.js';

export interface Model {
  /** How opening it went. */
  readonly opening: { readonly threads: number; readonly times: MetricValues };
  readonly artifact: Artifact;
  /** Undefined for a model that only takes tensors. */
  readonly pipeline: TaskPipeline | undefined;
  /**
   * @param outputs names; only these are computed
   * @throws RequestError `INFERENCE_FAILED`, `OUT_OF_MEMORY`
   */
  run(inputs: readonly NamedTensor[], outputs: readonly string[]): Promise<NamedTensor[]>;
}

/**
 * Loads the runtime and the model by its path, so that its weights are mapped. Where nobody waits yet, it runs once, so that no caller
 * waits for what onnxruntime does on a first run; an environment that was started for a request makes its first run with that.
 *
 * @throws RuntimeError `RUNTIME_NOT_LOADED`, `SESSION_NOT_CREATED`
 * @throws ConfigurationError when the task does not fit the signature
 */
export async function openModel(artifact: Artifact, environment: NodeJS.ProcessEnv, log: Log): Promise<Model> {
  const start = performance.now();
  const { manifest } = artifact;
  const readAsset = (path: string) => readFileSync(join(artifact.folder, ASSETS_FOLDER, path));
  const pipeline = createTaskPipeline(manifest.task, manifest.signature, { readAsset });
  const runtime = requireRuntime();
  const loaded = performance.now();
  const threads = threadsFor(environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE);
  const session = await createSession(runtime, artifact, threads);
  const created = performance.now();
  const runAlone = (inputs: readonly NamedTensor[], outputs: readonly string[]) =>
    runSession(runtime, session, inputs, outputs);
  const drift = await watchDrift(artifact, environment, log);
  const run: Model['run'] =
    drift === undefined
      ? runAlone
      : (inputs, outputs) => {
          // While the inputs' memory is theirs.
          drift.observe(inputs);
          return runAlone(inputs, outputs);
        };
  const times: MetricValues = { RuntimeLoadTime: loaded - start, SessionCreationTime: created - loaded };
  if (isStartedForRequest(environment)) return { artifact, pipeline, run, opening: { threads, times } };
  await warmUp(runAlone, manifest.signature, log);
  pipeline?.warm();
  return {
    artifact,
    pipeline,
    run,
    opening: { threads, times: { ...times, WarmUpTime: performance.now() - created } },
  };
}

/** Undefined where the build recorded nothing, nothing is to be looked at, or what it recorded cannot be read, which fails no request. */
async function watchDrift(
  { folder, manifest }: Artifact,
  environment: NodeJS.ProcessEnv,
  log: Log,
): Promise<InputDrift | undefined> {
  if (!manifest.files.some(({ path }) => path === INPUT_PROFILE_FILE)) return undefined;
  try {
    const { InputDrift: Drift, driftShare, parseInputProfile } = await import('./drift/input-drift.js');
    const share = driftShare(environment);
    if (share === 0) return undefined;
    const profile = parseInputProfile(readFileSync(join(folder, INPUT_PROFILE_FILE), 'utf8'));
    const { name: model, signature } = manifest;
    const write = (all: readonly DriftCounts[]) => {
      for (const { name, counts } of all) {
        writeCounts({ message: 'inputs', model, dimensions: { [STATISTIC_DIMENSION]: name }, counts }, logOfProcess);
      }
    };
    return new Drift({ profile, signature, share, write });
  } catch (error) {
    log('ERROR', 'the inputs of requests are not watched', errorDetails(error));
    return undefined;
  }
}

function requireRuntime(): OnnxRuntime {
  try {
    return loadOnnxRuntime();
  } catch (cause) {
    throw new RuntimeError({
      code: 'RUNTIME_NOT_LOADED',
      message: 'onnxruntime-node could not be loaded.',
      advice: "Add the OnnxRuntimeLayer of the function's architecture to the function.",
      cause,
    });
  }
}

async function createSession({ InferenceSession }: OnnxRuntime, { manifest, modelPath }: Artifact, threads: number) {
  try {
    return await InferenceSession.create(modelPath, sessionOptions(manifest.session, threads));
  } catch (cause) {
    throw new RuntimeError({
      code: 'SESSION_NOT_CREATED',
      message: `onnxruntime did not open the model ${manifest.name}.`,
      advice:
        'Look at the cause in the log; build the artifact again with `cdk-onnx build`, or give the function more memory.',
      cause,
    });
  }
}

async function warmUp(run: Model['run'], { inputs, outputs }: Signature, log: Log): Promise<void> {
  const zeros = inputs.map(({ name, dataType, shape }) => {
    const sizes = (shape ?? []).map((size) => (typeof size === 'number' ? size : 1));
    return { name, dataType, shape: sizes, data: zeroData(dataType, elementCount(sizes)) };
  });
  try {
    await run(
      zeros,
      outputs.map(({ name }) => name),
    );
  } catch (error) {
    // A model may refuse zeros, or the size 1 where any should do: the first caller then waits a little longer.
    log('WARN', 'the model refused its warm-up run', errorDetails(error));
  }
}

function zeroData(dataType: DataType, count: number): TensorData {
  return dataType === 'string' ? new Array<string>(count).fill('') : allocate(dataType, count);
}

async function runSession(
  { Tensor }: OnnxRuntime,
  session: InferenceSession,
  inputs: readonly NamedTensor[],
  outputs: readonly string[],
): Promise<NamedTensor[]> {
  // The constructor's overloads cannot be matched by a union of element types.
  const feeds = Object.fromEntries(
    inputs.map(({ name, dataType, shape, data }) => [
      name,
      new Tensor(dataType as 'float32', data as Float32Array, shape),
    ]),
  );
  let results: Awaited<ReturnType<InferenceSession['run']>>;
  try {
    results = await session.run(feeds, outputs);
  } catch (cause) {
    throw inferenceError(cause);
  }
  return outputs.map((name) => {
    // Asked for by name, so it is there; the build refuses models whose outputs are no tensors.
    const { type, dims, data } = results[name] as Tensor;
    return { name, dataType: type as DataType, shape: dims, data: data as TensorData };
  });
}
