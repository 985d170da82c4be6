/** Ranges of activations for static recipes: calibrated once, and of each value the one that adds the least noise where it is used. */
import type { QuantizationParameters, StaticRecipe } from '../../../artifact/recipe.js';
import type { DataSet } from '../../data/data-set.js';
import type { Model } from '../../ir/model.js';
import { withWeights } from '../accuracy/weight-slots.js';
import { calibrate } from '../calibration/calibrate.js';
import type { Calibration } from '../calibration/calibration.js';
import type { RangeMethod } from '../calibration/range.js';
import { activationParameters } from '../parameters/scale-and-zero-point.js';
import type { QuantizationPlan } from '../plan.js';
import { rewriteOf } from '../schemes/registry.js';
import { eligibleUnits } from './ladder.js';
import type { Refusal } from './search-result.js';
import { nodesWithClamps, type Unit } from './units.js';

/** In the order of preference, where they add as much noise. */
const METHODS: readonly RangeMethod[] = [
  { kind: 'min-max' },
  { kind: 'percentile', percentile: 99.99 },
  { kind: 'entropy' },
  { kind: 'mse' },
];

/** Ranges settle long before; calibration reads every sample it is given. */
const MOST_SAMPLES = 128;

export interface RangesOptions {
  readonly model: Model;
  readonly units: readonly Unit[];
  readonly recipe: StaticRecipe;
  /** Weights that preparations changed. */
  readonly base: QuantizationPlan;
  readonly calibration: DataSet;
  /** Default: several, and for each value the best of them. */
  readonly methods?: readonly RangeMethod[];
  readonly signal: AbortSignal;
  /** Σ noise / Σ signal at each unit's own output, with these ranges. */
  readonly localNoise: (base: QuantizationPlan) => Promise<ReadonlyMap<number, number>>;
  readonly onProgress: (done: number, of: number) => void;
}

export interface Ranges {
  readonly activations: readonly QuantizationParameters[];
  readonly refused: readonly Refusal[];
}

export async function chooseRanges(options: RangesOptions): Promise<Ranges> {
  const { units, recipe, base, methods = METHODS } = options;
  const { eligible } = eligibleUnits(units, recipe);
  const values = valuesOf(eligible, recipe);
  if (values.length === 0) return { activations: [], refused: [] };
  const model = withWeights(options.model, base.weights);
  const calibration = await calibrate(model, options.calibration, {
    values,
    methods: methods.map(({ kind }) => kind),
    ids: spread(options.calibration.ids, MOST_SAMPLES),
    signal: options.signal,
    onProgress: options.onProgress,
  });
  const refused = calibration.refused.map(({ value, reason }) => ({ subject: value, recipe, reason }));
  const [first] = methods;
  if (methods.length === 1) return { activations: parametersOf(values, calibration, recipe, () => first), refused };
  const tried: { readonly method: RangeMethod; readonly noise: ReadonlyMap<number, number> }[] = [];
  for (const method of methods) {
    const activations = parametersOf(values, calibration, recipe, () => method);
    tried.push({ method, noise: await options.localNoise({ ...base, activations }) });
  }
  const touching = unitsTouching(eligible, new Set(values));
  const chosen = new Map(
    values.map((value) => {
      let best: { method: RangeMethod | undefined; noise: number } = { method: first, noise: Number.POSITIVE_INFINITY };
      for (const { method, noise } of tried) {
        const sum = (touching.get(value) ?? []).reduce((total, unit) => total + (noise.get(unit) ?? 0), 0);
        if (sum < best.noise) best = { method, noise: sum };
      }
      return [value, best.method] as const;
    }),
  );
  return {
    activations: parametersOf(values, calibration, recipe, (value) => chosen.get(value)),
    refused,
  };
}

/** At most so many, from all over a list: folders put samples of one class side by side. */
function spread(ids: readonly string[], most: number): readonly string[] {
  if (ids.length <= most) return ids;
  return Array.from({ length: most }, (_, index) => ids[Math.floor((index * ids.length) / most)] as string);
}

/** Values whose ranges a plan needs; others do not belong into a lock. */
export function neededActivations(plan: QuantizationPlan, units: readonly Unit[]): QuantizationPlan {
  if (plan.activations.length === 0) return plan;
  const recipes = new Map(plan.recipes.map(({ node, recipe }) => [node, recipe]));
  const assignments = units.flatMap((unit) => {
    const recipe = unit.keys.map((key) => recipes.get(key)).find((found) => found?.scheme === 'int8-static');
    return recipe?.scheme === 'int8-static' ? nodesWithClamps(unit).map((node) => ({ node, recipe })) : [];
  });
  const needed = new Set(assignments.length === 0 ? [] : rewriteOf('int8-static')?.activations(assignments));
  return { ...plan, activations: plan.activations.filter(({ tensor }) => needed.has(tensor)) };
}

function valuesOf(units: readonly Unit[], recipe: StaticRecipe): readonly string[] {
  const assignments = units
    .filter(({ isVisible }) => isVisible)
    .flatMap((unit) => nodesWithClamps(unit).map((node) => ({ node, recipe })));
  return assignments.length === 0 ? [] : (rewriteOf('int8-static')?.activations(assignments) ?? []);
}

function parametersOf(
  values: readonly string[],
  calibration: Calibration,
  { activations: dataType }: StaticRecipe,
  methodOf: (value: string) => RangeMethod | undefined,
): QuantizationParameters[] {
  return values.flatMap((value) => {
    const method = methodOf(value);
    const range = method === undefined ? undefined : calibration.range(value, method, dataType);
    return range === undefined ? [] : [activationParameters(value, range, { dataType })];
  });
}

function unitsTouching(units: readonly Unit[], values: ReadonlySet<string>): ReadonlyMap<string, readonly number[]> {
  const touching = new Map<string, number[]>();
  for (const unit of units) {
    const names = new Set(
      nodesWithClamps(unit).flatMap(({ inputs, outputs }) => [...inputs, ...outputs].map((value) => value?.name)),
    );
    for (const name of names) {
      if (name !== undefined && values.has(name)) touching.set(name, [...(touching.get(name) ?? []), unit.index]);
    }
  }
  return touching;
}
