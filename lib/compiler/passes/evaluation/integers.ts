/** Integer inputs that say where or how much: axes, sizes, indices. */
import type { Node } from '../../ir/node.js';
import type { Tensor } from '../../ir/tensor.js';
import { NotEvaluated } from './evaluator.js';

/** An int32 or int64 tensor as numbers; int64 beyond 2^53 (the ends of slices) to the nearest one. */
export function integers(tensor: Tensor): number[] {
  if (tensor.elementType === 'int64') return Array.from(tensor.typed() as BigInt64Array, Number);
  if (tensor.elementType === 'int32') return Array.from(tensor.typed() as Int32Array);
  throw new NotEvaluated(`a ${tensor.elementType} tensor is no list of integers`);
}

/** What older versions of an operator have as attribute `name` and newer ones as input `index`. */
export function listOf(
  node: Node,
  inputs: readonly (Tensor | undefined)[],
  name: string,
  index: number,
): number[] | undefined {
  const tensor = inputs[index];
  return node.ints(name) ?? (tensor === undefined ? undefined : integers(tensor));
}
