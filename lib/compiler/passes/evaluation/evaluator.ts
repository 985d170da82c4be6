/** What evaluators of operators are given, and how they decline. */

import { type ElementType, elementBits } from '../../ir/element-type.js';
import type { Node } from '../../ir/node.js';
import type { Tensor } from '../../ir/tensor.js';

export interface EvaluationContext {
  /** Version of the standard operators. */
  readonly opset: number;
  /** Bytes that the outputs of one node may take; checked before they are allocated. */
  readonly maximumBytes: number;
}

/** One operator: the outputs for constant inputs. Throws NotEvaluated for what it leaves to onnxruntime. */
export type Evaluator = (node: Node, inputs: readonly (Tensor | undefined)[], context: EvaluationContext) => Tensor[];

/** A node is left as it is, for a reason; never seen outside evaluate-node. */
export class NotEvaluated extends Error {}

/** An input that the operator cannot do without. */
export function required(inputs: readonly (Tensor | undefined)[], index: number): Tensor {
  const tensor = inputs[index];
  if (tensor === undefined) throw new NotEvaluated(`input ${index} is missing`);
  return tensor;
}

/** The number of elements of an output. @throws NotEvaluated if it would take more than the context allows */
export function admit(elementType: ElementType, dims: readonly number[], context: EvaluationContext): number {
  if (dims.some((dim) => !Number.isSafeInteger(dim) || dim < 0))
    throw new NotEvaluated(`no tensor has the shape [${dims}]`);
  const count = dims.reduce((product, dim) => product * dim, 1);
  const bytes = (count * Math.max(8, elementBits(elementType))) / 8;
  if (bytes > context.maximumBytes) throw new NotEvaluated(`its output takes ${bytes} bytes`);
  return count;
}

/** An axis counted from the front. */
export function frontAxis(axis: number, rank: number): number {
  const front = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(front) || front < 0 || front >= rank) throw new NotEvaluated(`axis ${axis} of ${rank}`);
  return front;
}

/** `frontAxis` for operators whose versions before 11 do not count from the back, and do whatever they are given then. */
export function frontAxisSince11(axis: number, rank: number, context: EvaluationContext): number {
  if (axis < 0 && context.opset < 11) throw new NotEvaluated(`axis ${axis} before version 11`);
  return frontAxis(axis, rank);
}
