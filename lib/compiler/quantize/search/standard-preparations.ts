/** The project's own accuracy techniques, as a search tries them. */
import type { Architecture } from '../../../artifact/manifest.js';
import type { DataSet } from '../../data/data-set.js';
import type { Model } from '../../ir/model.js';
import { subsetOf } from '../../metrics/subset.js';
import { correctBiases } from '../accuracy/bias-correction.js';
import { equalize } from '../accuracy/equalization.js';
import { reconstructWeights } from '../accuracy/reconstruct-weights.js';
import { guardSaturation } from '../accuracy/saturation-guard.js';
import { withWeights } from '../accuracy/weight-slots.js';
import { findNodes } from '../node-key.js';
import { EMPTY_PLAN, type QuantizationPlan, type QuantizedWeight } from '../plan.js';
import type { Assignment } from '../scheme.js';
import { planDigest } from './plan-builder.js';
import type { Preparation } from './preparation.js';

export interface StandardPreparationsOptions {
  /** What plans are for: x64 may saturate. */
  readonly architectures: readonly Architecture[];
}

/** Sums over more samples change no rounding that matters. */
const MOST_SAMPLES = 64;

/** In the order in which they build on each other. */
export function standardPreparations({ architectures }: StandardPreparationsOptions): readonly Preparation[] {
  const guardsSaturation = architectures.includes('x86_64');
  return [EQUALIZATION, rounding(guardsSaturation), ...(guardsSaturation ? [SATURATION_GUARD] : []), BIAS_CORRECTION];
}

const EQUALIZATION: Preparation = {
  name: 'equalization',
  stage: 'before',
  apply: async ({ model, plan }) => {
    const { weights, equalized } = equalize(model, { weights: plan.weights });
    return equalized.length === 0 ? undefined : { ...plan, weights };
  },
};

/** What is chosen for a layer depends on its own recipe alone: a search asks again and again with the other layers changed. */
function rounding(guardsSaturation: boolean): Preparation {
  const known = new Map<string, QuantizedWeight | undefined>();
  return {
    name: 'rounding',
    stage: 'after',
    apply: async ({ model, plan, calibration, signal }) => {
      const weights = digestOf(plan);
      const keyOf = ({ node, recipe }: Assignment) => JSON.stringify([node.outputs[0]?.name, recipe, weights]);
      const prepared = withWeights(model, plan.weights);
      const assignments = assignmentsOf(model, prepared, plan);
      const missing = assignments.filter((assignment) => !known.has(keyOf(assignment)));
      if (missing.length > 0) {
        const options = { weights: plan.weights, guardsSaturation, signal };
        const found = await reconstructWeights(prepared, missing, few(calibration), options);
        for (const assignment of missing) {
          const names = assignment.node.inputs.map((value) => value?.name ?? '');
          const name = names.find((input) => found.quantizedWeights.has(input)) ?? '';
          known.set(keyOf(assignment), found.quantizedWeights.get(name));
        }
      }
      const quantizedWeights = new Map(plan.quantizedWeights);
      for (const assignment of assignments) {
        const weight = known.get(keyOf(assignment));
        if (weight !== undefined) quantizedWeights.set(weight.parameters.tensor, weight);
      }
      return quantizedWeights.size === plan.quantizedWeights.size ? undefined : { ...plan, quantizedWeights };
    },
  };
}

function digestOf({ weights }: QuantizationPlan): string {
  return planDigest({ ...EMPTY_PLAN, weights });
}

const SATURATION_GUARD: Preparation = {
  name: 'saturation-guard',
  stage: 'always',
  apply: async ({ model, plan }) => {
    const { weights, quantizedWeights: before } = plan;
    const { quantizedWeights, guarded } = guardSaturation(assignmentsOf(model, model, plan), {
      weights,
      quantizedWeights: before,
    });
    return guarded.length === 0 ? undefined : { ...plan, quantizedWeights };
  },
};

const BIAS_CORRECTION: Preparation = {
  name: 'bias-correction',
  stage: 'after',
  apply: async ({ model, plan, calibration, signal }) => {
    const { weights, corrected } = await correctBiases(model, plan, few(calibration), { signal });
    return corrected.length === 0 ? undefined : { ...plan, weights };
  },
};

/** Keys name nodes by their original weights; the nodes are those of a model that may have others. */
function assignmentsOf(original: Model, model: Model, { recipes }: QuantizationPlan): Assignment[] {
  const keys = recipes.map(({ node }) => node);
  const byOutput = new Map(model.graph.nodes.map((node) => [node.outputs[0]?.name ?? '', node]));
  return findNodes(original, keys).flatMap((found, index) => {
    const recipe = recipes[index]?.recipe;
    const node = found === undefined ? undefined : byOutput.get(found.outputs[0]?.name ?? '');
    return node === undefined || recipe === undefined ? [] : [{ node, recipe }];
  });
}

function few(data: DataSet): DataSet {
  return data.ids.length <= MOST_SAMPLES ? data : subsetOf(data, data.ids.slice(0, MOST_SAMPLES));
}
