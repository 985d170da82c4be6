/** Where a search tries things: plans become models, run over samples, and are remembered with what came of them. */
import { availableParallelism } from 'node:os';
import type { Json } from '../../../artifact/digest.js';
import type { Recipe } from '../../../artifact/recipe.js';
import type { Model } from '../../ir/model.js';
import type { Certificate } from '../../metrics/certificate.js';
import { certify } from '../../metrics/certify.js';
import { snr } from '../../metrics/differences.js';
import { type Evaluation, evaluate, evaluateOriginal } from '../../metrics/evaluate.js';
import type { Metric } from '../../metrics/metric.js';
import { asModelFile } from '../../metrics/model-file.js';
import type { RecordedSet } from '../../metrics/recorded-set.js';
import { runSample } from '../../metrics/run-sample.js';
import { openSession } from '../../runtime/session.js';
import type { QuantizationPlan } from '../plan.js';
import { writeCandidate } from './candidate-file.js';
import { type Journal, numbersToText, textToNumbers } from './journal.js';
import { instrument, NoiseSums } from './local-noise.js';
import { countSchemes, planDigest } from './plan-builder.js';
import type { SearchOptions } from './search-options.js';
import type { CandidateResult, SearchProgress } from './search-result.js';
import type { Unit } from './units.js';

export interface Candidate {
  readonly plan: QuantizationPlan;
  readonly digest: string;
  readonly result: CandidateResult;
  readonly certificate: Certificate;
  /** What the goal minimizes, as predicted: bytes or milliseconds. */
  readonly cost: number;
  /** Nodes that did not follow their recipe, and why. */
  readonly declined: readonly { readonly node: string; readonly reason: string }[];
}

export interface WorkbenchOptions {
  readonly search: SearchOptions;
  readonly signal: AbortSignal;
  readonly metric: Metric;
  readonly evaluation: RecordedSet;
  /** How many samples the holdout has: a candidate must be good enough for its bound to hold there. */
  readonly holdoutSamples: number;
  readonly journal: Journal;
}

/**
 * How much of the budget a candidate may spend on the samples that it is chosen by: of those that just keep it there, as many break it on
 * others.
 */
const SPENT = 0.9;

/** Bound by the decoding of samples, not by sessions, before that. */
const FEWEST_SAMPLES_PER_SESSION = 8;

export class Workbench {
  readonly model: Model;
  readonly signal: AbortSignal;
  readonly journal: Journal;
  readonly candidates = new Map<string, Candidate>();
  readonly #options: WorkbenchOptions;
  readonly #metrics: readonly Metric[];
  readonly #names = new Set<string>();
  #original: Evaluation | undefined;
  #canCertify = false;
  #best: Candidate | undefined;
  evaluations = 0;
  samples = 0;

  constructor(options: WorkbenchOptions) {
    this.#options = options;
    this.model = options.search.model;
    this.signal = options.signal;
    this.journal = options.journal;
    this.#metrics = [options.metric, ...(options.metric.name === 'snr' ? [] : [snr()])];
  }

  progress(progress: SearchProgress): void {
    this.signal.throwIfAborted();
    this.#options.search.onProgress?.(progress);
  }

  stage(name: string): void {
    this.progress({ kind: 'stage', name });
  }

  /** What the metric observes of the original, once. */
  async original(): Promise<Evaluation> {
    if (this.#original === undefined) {
      this.#original = await evaluateOriginal(this.#options.evaluation, this.#metrics);
      const own = this.#observations(this.#original);
      this.#canCertify = this.#certify(own, own, this.#options.holdoutSamples).status === 'certified';
    }
    return this.#original;
  }

  /**
   * The whole model on all evaluation samples; a plan that was checked before is not run again.
   * @param cost what the goal minimizes, as predicted. Default: bytes
   */
  async check(plan: QuantizationPlan, name: string, cost?: number): Promise<Candidate> {
    const digest = planDigest(plan);
    const known = this.candidates.get(digest);
    if (known !== undefined) return known;
    const { evaluation, metric, search } = this.#options;
    const original = this.#observations(await this.original());
    await using file = await writeCandidate(this.model, plan, { stripNames: search.stripNames ?? false });
    const observations = await this.#evaluated({ check: digest, samples: evaluation.data.digest }, async () => {
      const found = await evaluate(file.path, evaluation, {
        metrics: [metric],
        ...this.#running(evaluation.ids.length),
      });
      return found.observations.get(metric.name) ?? [];
    });
    const certificate = this.#certify(original, observations);
    const holds = this.#holds(certificate, original, observations);
    const result: CandidateResult = {
      name: this.#unique(name),
      value: certificate.value,
      loss: certificate.loss,
      holds,
      bytes: file.bytes,
      schemes: countSchemes(plan),
      chosen: false,
    };
    const candidate = { plan, digest, result, certificate, cost: cost ?? file.bytes, declined: file.declined };
    this.candidates.set(digest, candidate);
    if (holds && (this.#best === undefined || candidate.cost < this.#best.cost)) this.#best = candidate;
    this.progress({ kind: 'candidate', candidate: result, best: this.#best?.result });
    return candidate;
  }

  /** Σ noise / Σ signal of the worst output, on some samples. */
  async outputNoise(plan: QuantizationPlan, ids: readonly string[]): Promise<number> {
    const { evaluation } = this.#options;
    const [sums] = await this.#evaluated({ noise: planDigest(plan), ids }, async () => {
      await using file = await writeCandidate(this.model, plan, { stripNames: false });
      const metric = snr();
      const found = await evaluate(file.path, evaluation, { metrics: [metric], ids, ...this.#running(ids.length) });
      return [summed(found.observations.get(metric.name) ?? [])];
    });
    let worst = 0;
    for (let at = 0; at < (sums?.length ?? 0); at += 2) {
      const [signal = 0, noise = 0] = sums?.subarray(at, at + 2) ?? [];
      worst = Math.max(worst, noise === 0 ? 0 : noise / signal);
    }
    return Number.isNaN(worst) ? Number.POSITIVE_INFINITY : worst;
  }

  /** Σ noise / Σ signal at the output of each unit by itself, and why units declined. */
  async localNoise(
    units: readonly Unit[],
    recipe: Recipe,
    base: QuantizationPlan,
    ids: readonly string[],
  ): Promise<{ readonly noise: ReadonlyMap<number, number>; readonly declined: ReadonlyMap<number, string> }> {
    const { evaluation } = this.#options;
    const { journal } = this;
    const step = {
      local: recipe,
      units: units.map(({ index }) => index),
      base: planDigest(base),
      ids,
    } as unknown as Json;
    const answer = await journal.remember(step, async () => {
      const kept = Object.values(evaluation.data.carried);
      const instrumented = instrument(this.model, units, recipe, { base, kept });
      const sums = new NoiseSums();
      await using file = await asModelFile(instrumented.model);
      await using session = await openSession(file.path, {
        ...this.#running(1),
        settings: { graphOptimizationLevel: 'basic' },
      });
      for await (const { sample } of evaluation.read(ids)) {
        const { outputs } = await runSample(session, sample, evaluation.data.carried);
        for (const step of outputs) sums.add(instrumented, step);
      }
      this.#count(ids.length);
      const noise = [...sums.ratios()].map(([unit, ratio]) => [unit, numbersToText(Float64Array.of(ratio))] as const);
      return { noise, declined: [...instrumented.declined] };
    });
    return {
      noise: new Map(answer.noise.map(([unit, text]) => [unit, textToNumbers(text)[0] ?? 0])),
      declined: new Map(answer.declined),
    };
  }

  #running(samples: number) {
    const sessions = Math.min(2, availableParallelism(), Math.ceil(samples / FEWEST_SAMPLES_PER_SESSION));
    return { sessions, signal: this.signal };
  }

  async #evaluated(step: Json, run: () => Promise<readonly Float64Array[]>): Promise<readonly Float64Array[]> {
    const texts = await this.journal.remember(step, async () => {
      const observations = await run();
      this.#count(observations.length);
      return observations.map(numbersToText);
    });
    return texts.map(textToNumbers);
  }

  #count(samples: number): void {
    this.evaluations++;
    this.samples += samples;
  }

  #observations(evaluation: Evaluation): readonly Float64Array[] {
    return evaluation.observations.get(this.#options.metric.name) ?? [];
  }

  /** @param samples as if there were that many like these; default as many as there are */
  #certify(original: readonly Float64Array[], candidate: readonly Float64Array[], samples?: number): Certificate {
    const { metric, search } = this.#options;
    const repeated = (list: readonly Float64Array[]) =>
      samples === undefined || list.length === 0
        ? list
        : Array.from({ length: samples }, (_, index) => list[index % list.length] ?? new Float64Array());
    return certify(metric, search.budget, repeated(original), repeated(candidate), { seed: search.seed ?? 1 });
  }

  /**
   * Whether the holdout would certify it if its samples were like these; where it is too small to certify anything, whether these samples
   * keep the budget.
   */
  #holds(certificate: Certificate, original: readonly Float64Array[], observations: readonly Float64Array[]): boolean {
    if (certificate.status === 'broken') return false;
    if (certificate.loss > 0 && certificate.loss > certificate.allowedLoss * SPENT) return false;
    if (!this.#canCertify) return true;
    return this.#certify(original, observations, this.#options.holdoutSamples).status === 'certified';
  }

  #unique(name: string): string {
    let unique = name;
    for (let count = 2; this.#names.has(unique); count++) unique = `${name} (${count})`;
    this.#names.add(unique);
    return unique;
  }
}

function summed(observations: readonly Float64Array[]): Float64Array {
  const sums = new Float64Array(Math.max(0, ...observations.map(({ length }) => length)));
  for (const energies of observations)
    for (const [index, value] of energies.entries()) sums[index] = (sums[index] ?? 0) + value;
  return sums;
}
