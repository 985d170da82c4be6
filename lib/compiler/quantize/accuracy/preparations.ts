/** The techniques of this folder as the search tries them, one after the other. */
import type { Architecture } from '../../../artifact/manifest.js';
import type { Recipe } from '../../../artifact/recipe.js';
import type { Model } from '../../ir/model.js';
import type { Tensor } from '../../ir/tensor.js';
import { findNodes, keyText, nodeKeyOf, tensorDigest } from '../node-key.js';
import type { QuantizationPlan, QuantizedWeight } from '../plan.js';
import type { Assignment } from '../scheme.js';
import type { Preparation } from '../search/preparation.js';
import { correctBiases } from './bias-correction.js';
import { equalize } from './equalization.js';
import { reconstructWeights } from './reconstruct-weights.js';
import { guardSaturation } from './saturation-guard.js';
import { smooth } from './smoothing.js';
import { weightMatricesOf } from './weight-matrix.js';

export interface AccuracyPreparationOptions {
  /** x86_64 may be without VNNI: there, integers that saturate are never chosen. */
  readonly architecture: Architecture;
  /** Calibration samples that each technique looks at. Default 64. */
  readonly samples?: number;
}

/** In the order in which they go well together. */
export function accuracyPreparations(options: AccuracyPreparationOptions): Preparation[] {
  return [
    equalization(),
    smoothing(options),
    ...(options.architecture === 'x86_64' ? [saturationGuard()] : []),
    rounding(options),
    biasCorrection(options),
  ];
}

export function equalization(): Preparation {
  return {
    name: 'equalization',
    stage: 'before',
    async apply({ model, plan }) {
      const { weights, equalized } = equalize(model, { weights: plan.weights });
      return equalized.length === 0 ? undefined : { ...plan, weights };
    },
  };
}

export function smoothing({ samples = 64 }: Pick<AccuracyPreparationOptions, 'samples'> = {}): Preparation {
  return {
    name: 'smoothing',
    stage: 'before',
    async apply({ model, plan, calibration, signal }) {
      const { weights, smoothed } = await smooth(model, calibration, { weights: plan.weights, samples, signal });
      return smoothed.length === 0 ? undefined : { ...plan, weights };
    },
  };
}

export function saturationGuard(): Preparation {
  return {
    name: 'saturation-guard',
    stage: 'always',
    async apply({ model, plan }) {
      const { weights, quantizedWeights: before } = plan;
      const { quantizedWeights, guarded } = guardSaturation(assignmentsOf(model, plan), {
        weights,
        quantizedWeights: before,
      });
      return guarded.length === 0 ? undefined : { ...plan, quantizedWeights };
    },
  };
}

/** Remembers the layers that it has rounded: a search asks for the same ones again and again. */
export function rounding({ architecture, samples = 64 }: AccuracyPreparationOptions): Preparation {
  const known = new Map<string, ReadonlyMap<string, QuantizedWeight>>();
  return {
    name: 'rounding',
    stage: 'after',
    async apply({ model, plan, calibration, signal }) {
      const { weights } = plan;
      const context = `${calibration.digest} ${digestOf(weights)}`;
      const wanted = assignmentsOf(model, plan)
        .filter(({ recipe }) => hasIntegers(recipe))
        .map((assignment) => ({ assignment, key: `${context} ${keyOf(assignment)}` }));
      const missing = wanted.filter(({ key }) => !known.has(key));
      if (missing.length > 0) {
        const { quantizedWeights } = await reconstructWeights(
          model,
          missing.map(({ assignment }) => assignment),
          calibration,
          { weights, samples, signal, guardsSaturation: architecture === 'x86_64' },
        );
        for (const { assignment, key } of missing) {
          const names = weightMatricesOf(assignment.node, weights).map(({ name }) => name);
          const own = [...quantizedWeights].filter(([name]) => names.includes(name));
          known.set(key, new Map(own));
        }
      }
      const chosen = wanted.flatMap(({ key }) => [...(known.get(key) ?? [])]);
      if (chosen.length === 0) return undefined;
      return { ...plan, quantizedWeights: new Map([...plan.quantizedWeights, ...chosen]) };
    },
  };
}

export function biasCorrection({ samples = 64 }: Pick<AccuracyPreparationOptions, 'samples'> = {}): Preparation {
  return {
    name: 'bias-correction',
    stage: 'after',
    async apply({ model, plan, calibration, signal }) {
      const { weights, corrected } = await correctBiases(model, plan, calibration, { samples, signal });
      return corrected.length === 0 ? undefined : { ...plan, weights };
    },
  };
}

/** The plan's nodes in the model, with their recipes. */
export function assignmentsOf(model: Model, plan: QuantizationPlan): Assignment[] {
  const nodes = findNodes(
    model,
    plan.recipes.map(({ node }) => node),
  );
  return plan.recipes.flatMap(({ recipe }, index) => {
    const node = nodes[index];
    return node === undefined ? [] : [{ node, recipe }];
  });
}

function hasIntegers({ scheme }: Recipe): boolean {
  return ['int8-static', 'int8-dynamic', 'int8-weight-only', 'matmul-nbits'].includes(scheme);
}

function keyOf({ node, recipe }: Assignment): string {
  return `${keyText(nodeKeyOf(node))} ${JSON.stringify(recipe)}`;
}

function digestOf(weights: ReadonlyMap<string, Tensor>): string {
  return JSON.stringify([...weights].map(([name, tensor]) => [name, tensorDigest(tensor)]));
}
