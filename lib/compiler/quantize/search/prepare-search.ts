/** All that is measured before plans are tried: ranges, weights changed for the better, and each unit's recipes with cost and noise. */
import type { Recipe, StaticRecipe } from '../../../artifact/recipe.js';
import type { DataSet, Feeds } from '../../data/data-set.js';
import type { RangeMethod } from '../calibration/range.js';
import { EMPTY_PLAN, type QuantizationPlan } from '../plan.js';
import { withGoalCosts } from './goal-costs.js';
import { ladderFor, recipeName } from './ladder.js';
import { measureUnits, type UnitOptions } from './options-of-units.js';
import { planOf } from './plan-builder.js';
import type { Preparation } from './preparation.js';
import { type PrepareOptions, prepared, tryPreparations, unhelpful } from './preparations.js';
import { profilePlan } from './profile.js';
import { chooseRanges, neededActivations } from './ranges.js';
import type { SearchOptions } from './search-options.js';
import type { Refusal } from './search-result.js';
import type { Unit } from './units.js';
import type { Workbench } from './workbench.js';

export interface PrepareSearchOptions {
  readonly bench: Workbench;
  readonly search: SearchOptions;
  readonly units: readonly Unit[];
  /** Samples that single nodes are measured on, and blocks. */
  readonly localIds: readonly string[];
  readonly gainIds: readonly string[];
  readonly calibration: DataSet;
  /** What profiles run on. */
  readonly feeds: Feeds;
}

export interface PreparedSearch {
  readonly bench: Workbench;
  readonly search: SearchOptions;
  /** Weights changed before, and all ranges. */
  readonly base: QuantizationPlan;
  readonly units: readonly UnitOptions[];
  readonly refused: readonly Refusal[];
  readonly preparing: PrepareOptions;
  readonly outputNoise: (plan: QuantizationPlan) => Promise<number>;
  readonly after: readonly Preparation[];
  readonly always: readonly Preparation[];
  /** All of them as they were given. */
  readonly order: readonly Preparation[];
}

export async function prepareSearch(options: PrepareSearchOptions): Promise<PreparedSearch> {
  const { bench, search, units, gainIds, calibration } = options;
  const preparing = { model: bench.model, calibration, seed: search.seed ?? 1, signal: bench.signal };
  const order = search.preparations ?? [];
  const of = (stage: Preparation['stage']) => order.filter((preparation) => preparation.stage === stage);
  const refused: Refusal[] = [];
  const ladder = ladderFor(search.goal, search.schemes);

  const weights = await improvedWeights(options, ladder, of('before'), preparing, refused);
  const base = await withRanges(options, ladder, weights, refused);
  bench.stage('measuring the noise of every recipe at every node');
  const measured = await measureUnits({ ...options, ladder, base });
  refused.push(...measured.refused);
  if (search.goal !== 'size') bench.stage('profiling every recipe');
  const costed = await withGoalCosts(measured.units, {
    goal: search.goal,
    base,
    journal: bench.journal,
    profile: (plan) =>
      profilePlan(neededActivations(plan, units), {
        model: bench.model,
        units,
        feeds: options.feeds,
        settings: search.session ?? { graphOptimizationLevel: 'all' },
        signal: bench.signal,
      }),
    onRecipe: (recipe) => bench.stage(`profiling ${recipe === undefined ? 'fp32' : recipeName(recipe)}`),
  });
  return {
    bench,
    search,
    base,
    units: allowed(costed, search.schemes),
    refused,
    preparing,
    outputNoise: (plan) => bench.outputNoise(plan, gainIds),
    after: of('after'),
    always: of('always'),
    order,
  };
}

/** Good enough to compare weights by. */
const ROUGHLY: readonly RangeMethod[] = [{ kind: 'mse' }];

/** Judged with the recipe that gains most by it on all nodes that can have it: static if there is one. */
async function improvedWeights(
  options: PrepareSearchOptions,
  ladder: readonly Recipe[],
  preparations: readonly Preparation[],
  preparing: PrepareOptions,
  refused: Refusal[],
): Promise<QuantizationPlan> {
  const { bench, units, gainIds } = options;
  const probe = staticOf(ladder) ?? ladder.find(({ scheme }) => scheme !== 'fp16-storage') ?? ladder[0];
  if (probe === undefined || preparations.length === 0) return EMPTY_PLAN;
  const outputNoise = async (plan: QuantizationPlan) => {
    const ranged = await withRanges(options, [probe], plan, [], ROUGHLY);
    return await bench.outputNoise(
      neededActivations(
        planOf(ranged, units, () => probe),
        units,
      ),
      gainIds,
    );
  };
  const onTrial = (name: string) => bench.stage(`trying ${name}`);
  const { kept, trials } = await tryPreparations(EMPTY_PLAN, preparations, { ...preparing, outputNoise, onTrial });
  refused.push(...unhelpful(trials));
  return await prepared(EMPTY_PLAN, kept, preparing);
}

async function withRanges(
  { bench, units, calibration, localIds }: PrepareSearchOptions,
  ladder: readonly Recipe[],
  base: QuantizationPlan,
  refused: Refusal[],
  methods?: readonly RangeMethod[],
): Promise<QuantizationPlan> {
  const recipe = staticOf(ladder);
  if (recipe === undefined) return base;
  bench.stage('calibrating activations');
  const ranges = await chooseRanges({
    model: bench.model,
    units,
    recipe,
    base,
    calibration,
    ...(methods === undefined ? {} : { methods }),
    signal: bench.signal,
    localNoise: async (plan) =>
      (
        await bench.localNoise(
          units.filter(({ isVisible }) => isVisible),
          recipe,
          plan,
          localIds,
        )
      ).noise,
    onProgress: (done, of) => bench.progress({ kind: 'step', name: 'calibration', done, of }),
  });
  refused.push(...ranges.refused);
  return { ...base, activations: ranges.activations };
}

function staticOf(ladder: readonly Recipe[]): StaticRecipe | undefined {
  return ladder.find((recipe): recipe is StaticRecipe => recipe.scheme === 'int8-static');
}

/** Float32 only where model.json allows it, or nothing else is possible. */
function allowed(units: readonly UnitOptions[], schemes: SearchOptions['schemes']): readonly UnitOptions[] {
  if (schemes === undefined || schemes.includes('fp32')) return units;
  return units.map(({ unit, options }) => ({ unit, options: options.filter(({ recipe }) => recipe !== undefined) }));
}
