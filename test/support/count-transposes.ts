import type { Model } from '../../lib/compiler/ir/model.js';
import { nodesOf } from '../../lib/compiler/ir/traversal.js';

/** Subgraphs and functions included. */
export function countTransposes(model: Model): number {
  return [...nodesOf(model)].filter((node) => node.is('Transpose')).length;
}
