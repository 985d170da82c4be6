/** The search, top to bottom: which node gets which recipe, so that the goal is met and the budget holds. */
import type { Json } from '../../../artifact/digest.js';
import { sha256 } from '../../../artifact/digest.js';
import type { Signature } from '../../../artifact/manifest.js';
import { toolVersion } from '../../../artifact/package-root.js';
import { ConfigurationError } from '../../../errors.js';
import type { DataSet, Feeds } from '../../data/data-set.js';
import type { Model } from '../../ir/model.js';
import { printModel } from '../../ir/print.js';
import { metricFor } from '../../metrics/metric-for.js';
import { asModelFile } from '../../metrics/model-file.js';
import { RecordedSet } from '../../metrics/recorded-set.js';
import { halvesOf, shuffle } from '../../metrics/subset.js';
import { cpuName } from '../../runtime/host.js';
import { openSession } from '../../runtime/session.js';
import { writeCandidate } from './candidate-file.js';
import { findPlan } from './find-plan.js';
import { defaultCheckpointFolder, Journal } from './journal.js';
import { judgeFile } from './judge-file.js';
import { measureFinalists } from './measure-finalists.js';
import { prepareSearch } from './prepare-search.js';
import { resultOf } from './result-of.js';
import type { SearchOptions } from './search-options.js';
import type { SearchResult } from './search-result.js';
import { unitsOf } from './units.js';
import { Workbench } from './workbench.js';

/** Samples that the noise of single nodes is measured on, and of blocks. */
const LOCAL_SAMPLES = 8;
const GAIN_SAMPLES = 16;
/** From here on nothing new is tried: what is left to do takes its time. */
const LATE_SECONDS = 200;

/**
 * Chooses a recipe for every node. Works on copies; sessions run in child processes. An interrupted search goes on where it was when it is
 * called again with the same model, data and options.
 * @throws ConfigurationError METRIC_…, LABEL_… where the budget cannot be judged on this data, DATA_… from reading it
 * @throws RuntimeError where onnxruntime refuses the model
 * @throws the signal's reason when it fires
 */
export async function searchRecipes(options: SearchOptions): Promise<SearchResult> {
  const started = performance.now();
  const signal = options.signal ?? new AbortController().signal;
  const seed = options.seed ?? 1;
  const { model } = options;
  const [evaluationData, holdoutData] = judgesOf(options.data, seed);
  const metric = metricFor(options.budget.metric, options.task, await signatureOf(model, signal));
  const journal = new Journal({
    folder: options.checkpointFolder === undefined ? defaultCheckpointFolder() : options.checkpointFolder,
    identity: identityOf(options, [options.data.calibration, evaluationData, holdoutData]),
  });

  options.onProgress?.({ kind: 'stage', name: 'recording what the original answers' });
  const recording = {
    signal,
    onProgress: (done: number, of: number) => options.onProgress?.({ kind: 'step', name: 'samples', done, of }),
  };
  await using evaluation = await RecordedSet.record(model, evaluationData, recording);
  const holdoutSamples = holdoutData.ids.length;
  const bench = new Workbench({ search: options, signal, metric, evaluation, holdoutSamples, journal });
  const units = unitsOf(model);
  const ids = shuffle(evaluation.ids, seed);
  const feeds = await firstFeeds(evaluation);
  const prepared = await prepareSearch({
    bench,
    search: options,
    units,
    localIds: ids.slice(0, LOCAL_SAMPLES),
    gainIds: ids.slice(0, GAIN_SAMPLES),
    calibration: options.data.calibration,
    feeds,
  });
  const found = await findPlan(prepared, () => performance.now() - started > LATE_SECONDS * 1000);
  const finalists = await measureFinalists({ bench, search: options, found, feeds });

  bench.stage('reading the holdout, once');
  await using chosen = await writeCandidate(model, finalists.chosen.plan, { stripNames: options.stripNames ?? false });
  const judged = await judgeFile(chosen.path, {
    original: model,
    data: holdoutData,
    metric,
    budget: options.budget,
    settings: finalists.session,
    seed,
    signal,
  });
  journal.forget();
  return resultOf({
    search: options,
    bench,
    measured: prepared.units,
    refused: [...prepared.refused, ...found.refused],
    finalists,
    units,
    metric,
    ...judged,
    untouchedBytes: finalists.untouchedBytes,
    isSynthetic: [options.data.calibration, evaluationData, holdoutData].some((data) => data.isSynthetic),
    effort: {
      evaluations: bench.evaluations,
      samples: bench.samples,
      seconds: (performance.now() - started) / 1000,
      resumed: journal.resumed,
    },
  });
}

function judgesOf({ evaluation, holdout }: SearchOptions['data'], seed: number): readonly [DataSet, DataSet] {
  return holdout === undefined ? halvesOf(evaluation, seed) : [evaluation, holdout];
}

async function signatureOf(model: Model, signal: AbortSignal): Promise<Signature> {
  await using file = await asModelFile(model);
  await using session = await openSession(file.path, { settings: { graphOptimizationLevel: 'disabled' }, signal });
  const tensors = (values: typeof session.inputs) =>
    values.flatMap((value) => (value.dataType === null ? [] : [value]));
  return { inputs: tensors(session.inputs), outputs: tensors(session.outputs) };
}

async function firstFeeds(set: RecordedSet): Promise<Feeds> {
  for await (const { sample } of set.read(set.ids.slice(0, 1))) {
    const [feeds] = sample.steps;
    if (feeds !== undefined) return feeds;
  }
  throw new ConfigurationError({
    code: 'DATA_EMPTY',
    message: 'The evaluation data has no sample that runs the model.',
    advice: 'Put samples into the folder that `optimize.evaluation` names.',
  });
}

/** All that the steps of a search depend on: what differs in any of it is another search. */
function identityOf(options: SearchOptions, data: readonly DataSet[]): Json {
  const { goal, budget, schemes = null, preparations = [], architecture, session = null, stripNames = false } = options;
  const facts = {
    tool: toolVersion(),
    cpu: cpuName(),
    model: sha256(printModel(options.model)),
    task: options.task,
    data: data.map(({ digest }) => digest),
    goal,
    budget,
    schemes,
    preparations: preparations.map(({ name }) => name),
    architecture,
    session,
    stripNames,
    seed: options.seed ?? 1,
  };
  return facts as unknown as Json;
}
