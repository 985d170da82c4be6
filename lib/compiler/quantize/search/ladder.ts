/** The recipes that are worth trying for a goal, from the most careful to the smallest. */
import type { Recipe, Scheme } from '../../../artifact/recipe.js';
import { rewriteOf } from '../schemes/registry.js';
import type { Goal, Refusal } from './search-result.js';
import type { Unit } from './units.js';

const HALF: Recipe = { scheme: 'fp16-storage' };
const BYTES: Recipe = { scheme: 'int8-weight-only', perChannel: true };
const ROWS: Recipe = { scheme: 'int8-embedding' };
const DYNAMIC: Recipe = { scheme: 'int8-dynamic', weights: 'int8', perChannel: true, reduceRange: false };
/** Signed activations run several times as long on x64. */
const STATIC: Recipe = {
  scheme: 'int8-static',
  activations: 'uint8',
  weights: 'int8',
  perChannel: true,
  reduceRange: false,
};
/** Level 4 computes in int8; without it these products take longer than float32. */
const FOUR_BITS: Recipe = { scheme: 'matmul-nbits', bits: 4, blockSize: 32, symmetric: true, accuracyLevel: 4 };
const EIGHT_BITS: Recipe = { scheme: 'matmul-nbits', bits: 8, blockSize: 32, symmetric: true, accuracyLevel: 4 };

const LADDERS: Readonly<Record<Goal, readonly Recipe[]>> = {
  size: [HALF, BYTES, ROWS, DYNAMIC, FOUR_BITS],
  latency: [HALF, DYNAMIC, STATIC, EIGHT_BITS, FOUR_BITS],
  'cold-start': [HALF, BYTES, ROWS, DYNAMIC, STATIC, FOUR_BITS],
};

export function ladderFor(goal: Goal, schemes: readonly Scheme[] | undefined): readonly Recipe[] {
  return LADDERS[goal].filter(({ scheme }) => schemes === undefined || schemes.includes(scheme));
}

export function recipeName(recipe: Recipe): string {
  switch (recipe.scheme) {
    case 'fp32':
    case 'fp16-storage':
    case 'int8-embedding':
      return recipe.scheme;
    case 'int8-weight-only':
      return recipe.perChannel ? recipe.scheme : `${recipe.scheme} per tensor`;
    case 'int8-dynamic':
      return `${recipe.scheme} ${recipe.weights}`;
    case 'int8-static':
      return `${recipe.scheme} ${recipe.activations}`;
    case 'matmul-nbits':
      return `${recipe.scheme} ${recipe.bits}`;
  }
}

/** Which units could have a recipe; those that cannot are refused with the reason of their first node. */
export function eligibleUnits(
  units: readonly Unit[],
  recipe: Recipe,
): { readonly eligible: readonly Unit[]; readonly refused: readonly Refusal[] } {
  const rewrite = rewriteOf(recipe.scheme);
  if (rewrite === undefined) return { eligible: [], refused: [] };
  const refused: Refusal[] = [];
  const eligible = units.filter((unit) => {
    const reasons = unit.nodes.map((node) => rewrite.refusal(node, recipe));
    const reason = reasons.find((text) => text !== undefined);
    // A node with nothing to store is not refused anything.
    if (reason !== undefined && unit.weightBytes > 0) {
      refused.push({ subject: unit.keys[0]?.output ?? '', recipe, reason });
    }
    return reason === undefined;
  });
  return { eligible, refused };
}
