/** From measured units to the plan that meets the goal best among those that keep the budget. */
import type { DataSet } from '../../data/data-set.js';
import type { QuantizationPlan } from '../plan.js';
import { bisect, repair } from './descend.js';
import { ladderFor } from './ladder.js';
import { measureUnits, type UnitOptions } from './options-of-units.js';
import { planDigest, planOf } from './plan-builder.js';
import type { Preparation } from './preparation.js';
import { prepared, tryPreparations } from './preparations.js';
import { optionsAfter, type Schedule, scheduleOf } from './schedule.js';
import type { SearchOptions } from './search-options.js';
import type { Refusal } from './search-result.js';
import type { Unit } from './units.js';
import type { Candidate, Workbench } from './workbench.js';

export interface FindPlanOptions {
  readonly bench: Workbench;
  readonly search: SearchOptions;
  readonly units: readonly Unit[];
  readonly localIds: readonly string[];
  readonly gainIds: readonly string[];
  readonly calibration: DataSet;
  /** Ranges of activations, and weights changed before. */
  readonly base: QuantizationPlan;
  /** True when there is no time left to look for more. */
  readonly isLate: () => boolean;
}

export interface FoundPlan {
  /** The cheapest that holds; undefined if none does. */
  readonly best: Candidate | undefined;
  readonly units: readonly UnitOptions[];
  readonly refused: readonly Refusal[];
  /** The finalists for timing: candidates that hold, the cheapest first. */
  readonly holding: readonly Candidate[];
}

const BISECTION_CHECKS = 8;
const PREPARED_CHECKS = 4;
const REPAIR_CHECKS = 16;

export async function findPlan(options: FindPlanOptions): Promise<FoundPlan> {
  const { bench, search, gainIds } = options;
  const seed = search.seed ?? 1;
  const preparing = { model: bench.model, calibration: options.calibration, seed, signal: bench.signal };
  const outputNoise = (plan: QuantizationPlan) => bench.outputNoise(plan, gainIds);
  const onTrial = (name: string) => bench.stage(`trying ${name}`);
  const { before, after, always } = byStage(search.preparations ?? []);
  const refused: Refusal[] = [];

  const base = await improvedBase(options, before, refused);
  bench.stage('measuring the noise of every recipe at every node');
  const ladder = ladderFor(search.goal, search.schemes);
  const measured = await measureUnits({ ...options, ladder, base });
  refused.push(...measured.refused);
  const units = allowed(measured.units, search.schemes);
  const schedule = scheduleOf(units.map((unit) => unit.options));

  let kept: readonly Preparation[] = always;
  const checked = new Map<string, Candidate>();
  const check = async (chosen: readonly number[], name: string): Promise<Candidate> => {
    const plan = planWith(base, units, chosen);
    const key = `${planDigest(plan)} ${kept.map((preparation) => preparation.name).join(' ')}`;
    const known = checked.get(key);
    if (known !== undefined) return known;
    const candidate = await bench.check(await prepared(plan, kept, preparing), name);
    checked.set(key, candidate);
    return candidate;
  };
  const holdsAfter = async (count: number) =>
    (await check(optionsAfter(schedule, count), stepsName(schedule, count, kept))).result.holds;

  bench.stage('looking for how far the budget reaches');
  let reached = await bisect(schedule, holdsAfter, { from: 0, checks: BISECTION_CHECKS });
  if (reached.breaking !== undefined && after.length > 0) {
    const broken = planWith(base, units, optionsAfter(schedule, reached.breaking));
    const trial = await tryPreparations(await prepared(broken, kept, preparing), after, {
      ...preparing,
      outputNoise,
      onTrial,
    });
    refused.push(...unhelpful(trial.trials));
    if (trial.kept.length > 0) {
      const plain = { reached, kept };
      kept = [...always, ...trial.kept];
      bench.stage('looking further with what helped');
      const from = reached.holding ?? 0;
      const further = await bisect(schedule, holdsAfter, { from, checks: PREPARED_CHECKS });
      const isFurther = further.holding !== undefined && (await holdsAfter(further.holding));
      // What helps against noise may still not help the metric.
      if (isFurther) reached = further;
      else ({ reached, kept } = plain);
    }
  }
  if (reached.holding !== undefined && reached.breaking !== undefined) {
    bench.stage('trying the steps beyond one by one');
    const rest = schedule.steps.slice(reached.holding).filter(({ saving }) => saving > 0);
    const start = optionsAfter(schedule, reached.holding);
    let attempt = 0;
    const holds = async (chosen: readonly number[]) =>
      (await check(chosen, `${stepsName(schedule, reached.holding ?? 0, kept)} and more, ${++attempt}`)).result.holds;
    await repair(start, rest, holds, { checks: REPAIR_CHECKS, isLate: options.isLate });
  }
  const holding = [...bench.candidates.values()].filter(({ result }) => result.holds).sort(byCost);
  refused.push(...declinedOf(holding[0]));
  return { best: holding[0], units, refused, holding };
}

function byCost(one: Candidate, other: Candidate): number {
  return one.result.bytes - other.result.bytes || one.result.loss - other.result.loss;
}

function byStage(preparations: readonly Preparation[]) {
  const of = (stage: Preparation['stage']) => preparations.filter((preparation) => preparation.stage === stage);
  return { before: of('before'), after: of('after'), always: of('always') };
}

/** Weights changed for the better before any recipe is chosen: judged with the smallest recipe everywhere. */
async function improvedBase(
  { bench, search, units, gainIds, calibration, base }: FindPlanOptions,
  preparations: readonly Preparation[],
  refused: Refusal[],
): Promise<QuantizationPlan> {
  if (preparations.length === 0) return base;
  const options = { model: bench.model, calibration, seed: search.seed ?? 1, signal: bench.signal };
  const probe = ladderFor(search.goal, search.schemes).find(({ scheme }) => scheme !== 'fp16-storage');
  const withProbe = (plan: QuantizationPlan) => planOf(plan, units, () => probe);
  const { kept, trials } = await tryPreparations(base, preparations, {
    ...options,
    outputNoise: (plan) => bench.outputNoise(withProbe(plan), gainIds),
    onTrial: (name) => bench.stage(`trying ${name}`),
  });
  refused.push(...unhelpful(trials));
  return await prepared(base, kept, options);
}

function unhelpful(trials: Awaited<ReturnType<typeof tryPreparations>>['trials']): Refusal[] {
  const decibels = (noise: number) => `${(-10 * Math.log10(noise)).toFixed(1)} dB`;
  return trials
    .filter(({ helps }) => !helps)
    .map(({ name, before, after }) => ({
      subject: name,
      reason: `it does not help: ${decibels(before)} without it, ${decibels(after)} with it`,
    }));
}

/** Float32 only where model.json allows it, or nothing else is possible. */
function allowed(units: readonly UnitOptions[], schemes: SearchOptions['schemes']): readonly UnitOptions[] {
  if (schemes === undefined || schemes.includes('fp32')) return units;
  return units.map(({ unit, options }) => ({
    unit,
    options: options.filter(({ recipe }) => recipe !== undefined),
  }));
}

function planWith(base: QuantizationPlan, units: readonly UnitOptions[], chosen: readonly number[]): QuantizationPlan {
  const recipes = new Map(units.map(({ unit, options }, at) => [unit.index, options[chosen[at] ?? 0]?.recipe]));
  return planOf(
    base,
    units.map(({ unit }) => unit),
    (unit) => recipes.get(unit.index),
  );
}

function stepsName({ steps }: Schedule, count: number, kept: readonly Preparation[]): string {
  const name =
    count === 0 ? 'the least noise' : count === steps.length ? 'the least cost' : `${count} of ${steps.length} steps`;
  return [name, ...kept.map((preparation) => preparation.name)].join(', ');
}

function declinedOf(candidate: Candidate | undefined): Refusal[] {
  const recipes = new Map(candidate?.plan.recipes.map(({ node, recipe }) => [node.output, recipe]));
  return (candidate?.declined ?? []).map(({ node, reason }) => {
    const recipe = recipes.get(node);
    return { subject: node, ...(recipe === undefined ? {} : { recipe }), reason };
  });
}
