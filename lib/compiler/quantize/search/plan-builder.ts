/** Plans from choices, and their identity. */
import { createHash } from 'node:crypto';
import { canonicalJson, type Json } from '../../../artifact/digest.js';
import type { NodeRecipe, Recipe } from '../../../artifact/recipe.js';
import { nodeKeyOf, tensorDigest } from '../node-key.js';
import type { QuantizationPlan } from '../plan.js';
import type { Unit } from './units.js';

/** `base` with a recipe for each unit; undefined leaves a unit in float32. Clamps are quantized with what they follow. */
export function planOf(
  base: QuantizationPlan,
  units: readonly Unit[],
  recipeOf: (unit: Unit) => Recipe | undefined,
): QuantizationPlan {
  const recipes = units.flatMap((unit): NodeRecipe[] => {
    const recipe = recipeOf(unit);
    if (recipe === undefined || recipe.scheme === 'fp32') return [];
    const followers = recipe.scheme === 'int8-static' ? unit.clamps.filter((clamp) => clamp !== undefined) : [];
    return [...unit.keys, ...followers.map(nodeKeyOf)].map((node) => ({ node, recipe }));
  });
  return { ...base, recipes };
}

/** The same for plans that make the same model of one graph. */
export function planDigest({ recipes, activations, weights, quantizedWeights }: QuantizationPlan): string {
  const tensors = [...weights].map(([name, tensor]) => [name, tensorDigest(tensor)]);
  const integers = [...quantizedWeights].map(([name, { integers: tensor, parameters }]) => [
    name,
    tensorDigest(tensor),
    parameters,
  ]);
  const facts = [recipes, activations, tensors, integers] as unknown as Json;
  return createHash('sha256').update(canonicalJson(facts)).digest('hex');
}

export function countSchemes({ recipes }: QuantizationPlan): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { recipe } of recipes) counts[recipe.scheme] = (counts[recipe.scheme] ?? 0) + 1;
  return counts;
}
