/** Times what is left to choose from, against the original, and decides. */
import type { Json } from '../../../artifact/digest.js';
import type { SessionSettings } from '../../../artifact/manifest.js';
import { RuntimeError } from '../../../errors.js';
import type { Feeds } from '../../data/data-set.js';
import { asModelFile } from '../../metrics/model-file.js';
import { openSession } from '../../runtime/session.js';
import { EMPTY_PLAN } from '../plan.js';
import { type CandidateFile, writeCandidate } from './candidate-file.js';
import type { FoundPlan } from './find-plan.js';
import type { SearchOptions } from './search-options.js';
import type { Refusal, Timing } from './search-result.js';
import { chooseSession, costOf, SESSION_CHOICES } from './session-choices.js';
import { type TimedModel, timeModels } from './timing.js';
import type { Candidate, Workbench } from './workbench.js';

export interface FinalistsOptions {
  readonly bench: Workbench;
  readonly search: SearchOptions;
  readonly found: FoundPlan;
  /** What a run is timed on. */
  readonly feeds: Feeds;
}

export interface Finalists {
  readonly chosen: Candidate;
  /** Whether it keeps the budget on the evaluation data. */
  readonly holds: boolean;
  readonly session: SessionSettings;
  readonly original: Timing;
  readonly untouchedBytes: number;
  readonly timing: Timing;
  /** By the plan's digest, with default session options. */
  readonly timings: ReadonlyMap<string, Timing>;
  readonly refused: readonly Refusal[];
  readonly notes: readonly string[];
}

const MOST_FINALISTS = 5;
/** Slower than this against the original is slower. */
const SLOWER = 1.03;
/** As fast as the fastest: a difference that the next measurement may turn round. */
const AS_FAST = 1.02;
const DEFAULT_SETTINGS: SessionSettings = { graphOptimizationLevel: 'all' };

export async function measureFinalists(options: FinalistsOptions): Promise<Finalists> {
  const { bench, search } = options;
  const untouched = await bench.check(EMPTY_PLAN, 'untouched');
  const untouchedBytes = untouched.result.bytes;
  const finalists = finalistsOf(options, untouched);
  const notes: string[] = [];
  await using files = new CandidateFiles(options);
  const { feeds } = options;
  const settings = search.session ?? DEFAULT_SETTINGS;

  bench.stage('timing the finalists');
  await using original = await originalModel(options, feeds, notes);
  const models = await Promise.all(
    finalists.map(async (candidate) => ({ path: await files.pathOf(candidate), settings, feeds })),
  );
  const digests = finalists.map(({ digest }) => digest);
  const [first, ...others] = await timed(options, { finalists: digests }, [original, ...models]);
  if (first === undefined) throw new TypeError('the original was timed');
  const timings = new Map(finalists.map(({ digest }, index) => [digest, others[index] ?? first]));
  const { chosen, refused } = choose(options, finalists, timings, first, untouched);

  if (search.session !== undefined) {
    const timing = timings.get(chosen.digest) ?? first;
    return {
      chosen,
      holds: chosen.result.holds,
      session: search.session,
      original: first,
      untouchedBytes,
      timing,
      timings,
      refused,
      notes,
    };
  }
  bench.stage('choosing session options');
  const path = await files.pathOf(chosen);
  // With the original among them once more: times of another minute are not to be compared.
  const [again, ...choices] = await timed(options, { sessions: chosen.digest }, [
    original,
    ...SESSION_CHOICES.map((choice) => ({ path, settings: choice, feeds })),
  ]);
  const index = chooseSession(choices, search.goal);
  return {
    chosen,
    holds: chosen.result.holds,
    session: SESSION_CHOICES[index] ?? DEFAULT_SETTINGS,
    original: again ?? first,
    untouchedBytes,
    timing: choices[index] ?? first,
    timings,
    refused,
    notes,
  };
}

/** For size the smallest is chosen already, and only timed. */
function finalistsOf({ search, found, bench }: FinalistsOptions, untouched: Candidate): readonly Candidate[] {
  const [smallest] = search.goal === 'size' ? found.holding.filter((one) => one !== untouched) : found.holding;
  // For size, a model that nothing was changed in is no answer.
  if (smallest === undefined) return [closestOf(bench, untouched)];
  if (search.goal === 'size') return [smallest];
  // What computes as before stays in, for where every prediction was wrong.
  const asBefore = [found.storage, untouched].filter((one) => one?.result.holds === true) as readonly Candidate[];
  const others = found.holding.filter((candidate) => !asBefore.includes(candidate));
  return [...others.slice(0, MOST_FINALISTS - asBefore.length), ...asBefore];
}

/** Nothing holds: what loses least, other than what was not touched. */
function closestOf(bench: Workbench, untouched: Candidate): Candidate {
  const tried = [...bench.candidates.values()].filter((candidate) => candidate !== untouched);
  return tried.sort((one, other) => one.result.loss - other.result.loss)[0] ?? untouched;
}

function choose(
  { search }: FinalistsOptions,
  finalists: readonly Candidate[],
  timings: ReadonlyMap<string, Timing>,
  original: Timing,
  untouched: Candidate,
): { readonly chosen: Candidate; readonly refused: readonly Refusal[] } {
  const [first = untouched] = finalists;
  if (search.goal === 'size' || finalists.length <= 1) return { chosen: first, refused: [] };
  const refused: Refusal[] = [];
  const fast = finalists.filter((candidate) => {
    const timing = timings.get(candidate.digest) ?? original;
    if (candidate === untouched || timing.run <= original.run * SLOWER) return true;
    const ratio = (timing.run / original.run).toFixed(2);
    refused.push({ subject: candidate.result.name, reason: `it runs ${ratio} times as long as the original` });
    return false;
  });
  const cost = (candidate: Candidate) => costOf(timings.get(candidate.digest) ?? original, search.goal);
  const least = Math.min(...fast.map(cost));
  const [smallest = untouched] = fast
    .filter((candidate) => cost(candidate) <= least * AS_FAST)
    .sort((one, other) => one.result.bytes - other.result.bytes || cost(one) - cost(other));
  return { chosen: smallest, refused };
}

/** The source file, if it runs on the same inputs; else the model before any recipe. */
async function originalModel(
  { search, bench }: FinalistsOptions,
  feeds: Feeds,
  notes: string[],
): Promise<TimedModel & AsyncDisposable> {
  if (search.source !== undefined) {
    try {
      await using session = await openSession(search.source, { settings: DEFAULT_SETTINGS, signal: bench.signal });
      await session.run(feeds);
      return { path: search.source, settings: DEFAULT_SETTINGS, feeds, [Symbol.asyncDispose]: async () => undefined };
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      notes.push('the source takes other inputs: times are compared with its normalized graph in float32');
    }
  }
  const file = await asModelFile(bench.model);
  return {
    path: file.path,
    settings: DEFAULT_SETTINGS,
    feeds,
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

function timed({ bench, search }: FinalistsOptions, step: Json, models: readonly TimedModel[]): Promise<Timing[]> {
  return bench.journal.remember(step, async () => {
    const timings = await timeModels(models, {
      ...(search.timingRounds === undefined ? {} : { rounds: search.timingRounds }),
      signal: bench.signal,
      onRound: (done, of) => bench.progress({ kind: 'step', name: 'rounds', done, of }),
    });
    return timings.map(({ open, firstRun, run }) => ({ open, firstRun, run }));
  });
}

class CandidateFiles implements AsyncDisposable {
  readonly #options: FinalistsOptions;
  readonly #files = new Map<string, Promise<CandidateFile>>();

  constructor(options: FinalistsOptions) {
    this.#options = options;
  }

  async pathOf({ plan, digest }: Candidate): Promise<string> {
    const { bench, search } = this.#options;
    const file =
      this.#files.get(digest) ?? writeCandidate(bench.model, plan, { stripNames: search.stripNames ?? false });
    this.#files.set(digest, file);
    return (await file).path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of await Promise.allSettled(this.#files.values())) {
      if (file.status === 'fulfilled') await file.value[Symbol.asyncDispose]();
    }
  }
}
