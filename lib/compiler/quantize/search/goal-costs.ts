/** What every option costs for the goal: bytes, or milliseconds as profiled. */
import type { Json } from '../../../artifact/digest.js';
import type { Recipe } from '../../../artifact/recipe.js';
import type { QuantizationPlan } from '../plan.js';
import type { Journal } from './journal.js';
import type { UnitOption, UnitOptions } from './options-of-units.js';
import { planDigest, planOf } from './plan-builder.js';
import type { Profile } from './profile.js';
import type { Goal } from './search-result.js';

export interface GoalCostsOptions {
  readonly goal: Goal;
  readonly base: QuantizationPlan;
  readonly journal: Journal;
  readonly profile: (plan: QuantizationPlan) => Promise<Profile>;
  readonly onRecipe: (recipe: Recipe | undefined) => void;
}

/** Of two recipes that take as long, the smaller is better: all of the weights are worth this share of a run. */
const SIZE_SHARE = 0.01;

/**
 * For latency the time of the unit's operators; for a cold start that, and the unit's share (by bytes of weights) of opening the model.
 * One profile for each recipe, with all units that can have it.
 */
export async function withGoalCosts(
  units: readonly UnitOptions[],
  options: GoalCostsOptions,
): Promise<readonly UnitOptions[]> {
  const { goal, base } = options;
  if (goal === 'size') return units;
  const recipes = new Map<string, Recipe | undefined>([[keyOf(undefined), undefined]]);
  for (const { options: choices } of units) for (const { recipe } of choices) recipes.set(keyOf(recipe), recipe);
  const profiles = new Map<string, StoredProfile>();
  for (const [key, recipe] of recipes) {
    options.onRecipe(recipe);
    const having = units.filter((unit) => unit.options.some((option) => keyOf(option.recipe) === key));
    const plan = planOf(base, recipe === undefined ? [] : having.map(({ unit }) => unit), () => recipe);
    profiles.set(key, await profileOf(plan, options));
  }
  const bytes = units.reduce((sum, { options: choices }) => sum + (choices[0]?.bytes ?? 0), 0);
  const float32 = profiles.get(keyOf(undefined));
  return units.map(({ unit, options: choices }) => ({
    unit,
    options: choices.map((option): UnitOption => {
      const profile = profiles.get(keyOf(option.recipe));
      const run = profile?.run.get(unit.index) ?? 0;
      const share = bytes === 0 ? 0 : (choices[0]?.bytes ?? 0) / bytes;
      const open = goal === 'cold-start' ? share * Math.max(0, (profile?.cold ?? 0) - (profile?.total ?? 0)) : 0;
      const size = bytes === 0 ? 0 : (SIZE_SHARE * (float32?.total ?? 0) * option.bytes) / bytes;
      return { ...option, cost: run + open + size };
    }),
  }));
}

interface StoredProfile {
  readonly run: ReadonlyMap<number, number>;
  readonly total: number;
  readonly cold: number;
}

async function profileOf(plan: QuantizationPlan, { journal, profile }: GoalCostsOptions): Promise<StoredProfile> {
  const step = { profile: planDigest(plan) };
  const stored = await journal.remember(step as Json, async () => {
    const { run, total, cold } = await profile(plan);
    return { run: [...run] as (readonly [number, number])[], total, cold };
  });
  return { ...stored, run: new Map(stored.run) };
}

const keyOf = (recipe: Recipe | undefined) => JSON.stringify(recipe ?? null);
