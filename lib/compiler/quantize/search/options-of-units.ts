/** All that a schedule is made of: for each unit its recipes, what they take and what noise they add. */
import type { Recipe } from '../../../artifact/recipe.js';
import type { QuantizationPlan } from '../plan.js';
import { rewriteOf } from '../schemes/registry.js';
import { blockGains } from './block-gains.js';
import { eligibleUnits, recipeName } from './ladder.js';
import { bytesWith, bytesWithout } from './option-bytes.js';
import { planOf } from './plan-builder.js';
import type { Option } from './schedule.js';
import type { Refusal } from './search-result.js';
import type { Unit } from './units.js';
import type { Workbench } from './workbench.js';

export interface UnitOption extends Option {
  /** undefined: float32. */
  readonly recipe: Recipe | undefined;
  readonly bytes: number;
  /** Σ noise / Σ signal at the unit's own output. */
  readonly localNoise: number;
}

export interface UnitOptions {
  readonly unit: Unit;
  /** Float32 first. */
  readonly options: readonly UnitOption[];
}

export interface MeasureOptions {
  readonly bench: Workbench;
  readonly units: readonly Unit[];
  readonly ladder: readonly Recipe[];
  /** Weights changed by preparations, ranges of activations. */
  readonly base: QuantizationPlan;
  readonly localIds: readonly string[];
  readonly gainIds: readonly string[];
}

export interface MeasuredUnits {
  readonly units: readonly UnitOptions[];
  readonly refused: readonly Refusal[];
}

/** Where a node's own output cannot be looked at (in a subgraph): about what each scheme adds elsewhere. */
const TYPICAL_NOISE: Readonly<Record<Recipe['scheme'], number>> = {
  fp32: 0,
  'fp16-storage': 1e-7,
  'int8-weight-only': 1e-4,
  'int8-embedding': 1e-4,
  'int8-dynamic': 1e-3,
  'int8-static': 1e-3,
  'matmul-nbits': 1e-2,
};

/** The cost of every option is its bytes; goals that are not about size replace it. */
export async function measureUnits(options: MeasureOptions): Promise<MeasuredUnits> {
  const { bench, units, ladder, base } = options;
  const refused: Refusal[] = [];
  const found = new Map<number, UnitOption[]>();
  for (const [index, recipe] of ladder.entries()) {
    bench.progress({ kind: 'step', name: `noise of ${recipeName(recipe)}`, done: index, of: ladder.length });
    const { eligible, refused: refusals } = eligibleUnits(units, recipe);
    refused.push(...refusals);
    const company = new Map(eligible.map((unit) => [unit.index, companyOf(unit, recipe)]));
    const isAlone = ({ index }: Unit) => company.get(index) === 'not-needed';
    const visible = eligible.filter((unit) => unit.isVisible && isAlone(unit));
    const { noise, declined } =
      visible.length === 0
        ? { noise: new Map<number, number>(), declined: new Map<number, string>() }
        : await bench.localNoise(visible, recipe, base, options.localIds);
    for (const unit of eligible) {
      const reason = declined.get(unit.index);
      const bytes =
        reason !== undefined
          ? undefined
          : isAlone(unit)
            ? bytesWith(bench.model, unit, recipe, base)
            : bytesWithout(bench.model, unit);
      if (bytes === undefined) {
        refused.push({ subject: unit.keys[0]?.output ?? '', recipe, reason: reason ?? 'it cannot follow the recipe' });
        continue;
      }
      const typical = company.get(unit.index) === 'exact' ? 0 : TYPICAL_NOISE[recipe.scheme];
      const local = noise.get(unit.index) ?? typical * unit.nodes.length;
      found.set(unit.index, [
        ...(found.get(unit.index) ?? []),
        { recipe, bytes, cost: bytes, localNoise: local, noise: local },
      ]);
    }
  }
  const candidates = units.flatMap((unit): UnitOptions[] => {
    const recipes = found.get(unit.index);
    if (recipes === undefined) return [];
    const bytes = bytesWithout(bench.model, unit);
    return [{ unit, options: [{ recipe: undefined, bytes, cost: bytes, localNoise: 0, noise: 0 }, ...recipes] }];
  });
  const gains = await gainsOf(candidates, options);
  return { units: candidates.map((candidate) => withGain(candidate, gains.get(candidate.unit.index) ?? 1)), refused };
}

/** Of all nodes of a unit: whether what they do among others can be seen at one of them by itself. */
function companyOf({ nodes }: Unit, recipe: Recipe): 'not-needed' | 'exact' | 'noisy' {
  const rewrite = rewriteOf(recipe.scheme);
  const kinds = nodes.map((node) => rewrite?.company?.(node, recipe) ?? 'not-needed');
  if (kinds.includes('noisy')) return 'noisy';
  return kinds.every((kind) => kind === 'exact') ? 'exact' : 'not-needed';
}

async function gainsOf(
  candidates: readonly UnitOptions[],
  { bench, base, gainIds }: MeasureOptions,
): Promise<ReadonlyMap<number, number>> {
  const probes = candidates.map((candidate) => ({ unit: candidate.unit, probe: probeOf(candidate) }));
  const recipes = new Map(probes.map(({ unit, probe }) => [unit.index, probe.recipe]));
  return await blockGains(
    probes.map(({ unit, probe }) => ({ unit, noise: probe.localNoise })),
    {
      planFor: (units) => planOf(base, units, (unit) => recipes.get(unit.index)),
      outputNoise: (plan) => bench.outputNoise(plan, gainIds),
      onBlock: (done, of) => bench.progress({ kind: 'step', name: 'noise of blocks', done, of }),
    },
  );
}

/** Noise that is well above rounding and not so large that nothing is linear any more: the one nearest to a thousandth. */
function probeOf({ options }: UnitOptions): UnitOption {
  const distance = ({ localNoise }: UnitOption) =>
    localNoise > 0 && Number.isFinite(localNoise) ? Math.abs(Math.log10(localNoise) + 3) : 100;
  const [first, ...others] = options.filter(({ recipe }) => recipe !== undefined);
  if (first === undefined) throw new TypeError('a unit without a recipe is no candidate');
  return others.reduce((best, option) => (distance(option) < distance(best) ? option : best), first);
}

function withGain({ unit, options }: UnitOptions, gain: number): UnitOptions {
  return { unit, options: options.map((option) => ({ ...option, noise: option.localNoise * gain })) };
}
