/** From measured units to the plan that meets the goal best among those that keep the budget. */
import { bisect, repair } from './descend.js';
import { planDigest, planOf } from './plan-builder.js';
import type { Preparation } from './preparation.js';
import { prepared, tryPreparations, unhelpful } from './preparations.js';
import type { PreparedSearch } from './prepare-search.js';
import { neededActivations } from './ranges.js';
import { optionsAfter, scheduleOf } from './schedule.js';
import type { Refusal } from './search-result.js';
import type { Candidate } from './workbench.js';

export interface FoundPlan {
  /** Candidates that hold, the cheapest first; none where nothing does. */
  readonly holding: readonly Candidate[];
  /** For latency: smaller weights, and nothing computed otherwise. It takes as long as float32, whatever was predicted. */
  readonly storage?: Candidate | undefined;
  readonly refused: readonly Refusal[];
}

const BISECTION_CHECKS = 8;
const PREPARED_CHECKS = 4;
const REPAIR_CHECKS = 16;

export async function findPlan(search: PreparedSearch, isLate: () => boolean): Promise<FoundPlan> {
  const { bench, units, preparing } = search;
  const schedule = scheduleOf(units.map(({ options }) => options));
  const checks = new PlanChecks(search);
  const holdsAfter = async (count: number) =>
    (await checks.check(optionsAfter(schedule, count), nameOf(count, schedule.steps.length))).result.holds;
  const refused: Refusal[] = [];

  bench.stage('looking for how far the budget reaches');
  let reached = await bisect(schedule, holdsAfter, { from: 0, checks: BISECTION_CHECKS });
  const { breaking } = reached;
  if (breaking !== undefined && search.after.length > 0) {
    const broken = checks.planFor(optionsAfter(schedule, breaking));
    const trial = await tryPreparations(await prepared(broken, checks.kept, preparing), search.after, {
      ...preparing,
      outputNoise: search.outputNoise,
      onTrial: (name) => bench.stage(`trying ${name}`),
    });
    refused.push(...unhelpful(trial.trials));
    if (trial.kept.length > 0) {
      bench.stage('looking further with what helped');
      checks.keep(trial.kept);
      const from = reached.holding ?? 0;
      const further = await bisect(schedule, holdsAfter, { from, checks: PREPARED_CHECKS });
      // What helps against noise may still not help the metric.
      const isFurther = further.holding !== undefined && (await holdsAfter(further.holding));
      if (isFurther) reached = further;
      else checks.keep([]);
    }
  }
  const { holding } = reached;
  if (holding !== undefined && reached.breaking !== undefined) {
    bench.stage('trying the rest unit by unit');
    const rest = schedule.steps.slice(holding).filter(({ saving }) => saving > 0);
    let attempt = 0;
    const holds = async (chosen: readonly number[]) =>
      (await checks.check(chosen, `${nameOf(holding, schedule.steps.length)} and more, ${++attempt}`)).result.holds;
    await repair(optionsAfter(schedule, holding), rest, holds, { checks: REPAIR_CHECKS, isLate });
  }
  const storage = search.search.goal === 'latency' ? await checks.storageAlone() : undefined;
  const holders = [...bench.candidates.values()].filter(({ result }) => result.holds);
  return {
    storage,
    holding: holders.sort((one, other) => one.cost - other.cost || one.result.loss - other.result.loss),
    refused,
  };
}

/** Whole models from options, prepared and checked; the same is not prepared twice. */
class PlanChecks {
  readonly #search: PreparedSearch;
  readonly #checked = new Map<string, Candidate>();
  kept: readonly Preparation[];

  constructor(search: PreparedSearch) {
    this.#search = search;
    this.kept = search.always;
  }

  /** Those that are never left out stay, in the order that all were given in. */
  keep(helpful: readonly Preparation[]): void {
    const { always, after, order } = this.#search;
    this.kept = order.filter((one) => always.includes(one) || (after.includes(one) && helpful.includes(one)));
  }

  planFor(chosen: readonly number[]) {
    const { units, base } = this.#search;
    const recipes = new Map(units.map(({ unit, options }, at) => [unit.index, options[chosen[at] ?? 0]?.recipe]));
    const all = units.map(({ unit }) => unit);
    return neededActivations(
      planOf(base, all, (unit) => recipes.get(unit.index)),
      all,
    );
  }

  /** Float32 weights as float16, which onnxruntime widens when it loads them. */
  async storageAlone(): Promise<Candidate | undefined> {
    const { bench, units } = this.#search;
    const chosen = units.map(({ options }) => options.findIndex(({ recipe }) => recipe?.scheme === 'fp16-storage'));
    if (chosen.every((option) => option < 0)) return undefined;
    bench.stage('trying smaller weights alone');
    const options = chosen.map((option) => Math.max(0, option));
    return await this.check(options, 'weights in half precision alone');
  }

  async check(chosen: readonly number[], name: string): Promise<Candidate> {
    const { bench, units, preparing, search } = this.#search;
    const plan = this.planFor(chosen);
    const names = this.kept.map((preparation) => preparation.name);
    const key = [planDigest(plan), ...names].join(' ');
    const known = this.#checked.get(key);
    if (known !== undefined) return known;
    const cost = units.reduce((sum, { options }, at) => sum + (options[chosen[at] ?? 0]?.cost ?? 0), 0);
    const candidate = await bench.check(
      await prepared(plan, this.kept, preparing),
      [name, ...names].join(', '),
      search.goal === 'size' ? undefined : cost,
    );
    this.#checked.set(key, candidate);
    return candidate;
  }
}

function nameOf(count: number, steps: number): string {
  if (count === steps) return 'the least cost';
  return count === 0 ? 'the least noise' : `${count} of ${steps} steps`;
}
