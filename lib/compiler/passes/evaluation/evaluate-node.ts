/** Evaluates a node whose inputs are constants, in TypeScript: the same bytes on every machine. */
import type { Node } from '../../ir/node.js';
import type { Tensor } from '../../ir/tensor.js';
import * as arithmetic from './arithmetic.js';
import { cast, castLike } from './cast.js';
import * as comparison from './comparison.js';
import { constantOfShape, eyeLike, nonZero, range, trilu } from './constants.js';
import { type EvaluationContext, type Evaluator, NotEvaluated } from './evaluator.js';
import { gather, gatherElements, gatherNd, scatterNd } from './gather.js';
import * as rearrange from './rearrange.js';
import { reduceMax, reduceMin, reduceProd, reduceSum } from './reduce.js';
import { flatten, identity, reshape, squeeze, unsqueeze } from './reshape.js';

export const EVALUATORS: Readonly<Record<string, Evaluator>> = {
  Abs: arithmetic.absolute,
  Add: arithmetic.add,
  And: comparison.and,
  Cast: cast,
  CastLike: castLike,
  Ceil: arithmetic.ceil,
  Clip: arithmetic.clip,
  Concat: rearrange.concat,
  ConstantOfShape: constantOfShape,
  Div: arithmetic.divide,
  Equal: comparison.equal,
  Expand: rearrange.expand,
  EyeLike: eyeLike,
  Flatten: flatten,
  Floor: arithmetic.floor,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  Greater: comparison.greater,
  GreaterOrEqual: comparison.greaterOrEqual,
  Identity: identity,
  IsInf: comparison.isInf,
  IsNaN: comparison.isNan,
  Less: comparison.less,
  LessOrEqual: comparison.lessOrEqual,
  Max: arithmetic.maximum,
  Min: arithmetic.minimum,
  Mod: arithmetic.modulo,
  Mul: arithmetic.multiply,
  Neg: arithmetic.negate,
  NonZero: nonZero,
  Not: comparison.not,
  Or: comparison.or,
  Pad: rearrange.pad,
  Range: range,
  Reciprocal: arithmetic.reciprocal,
  ReduceMax: reduceMax,
  ReduceMin: reduceMin,
  ReduceProd: reduceProd,
  ReduceSum: reduceSum,
  Reshape: reshape,
  Round: arithmetic.round,
  ScatterND: scatterNd,
  Sign: arithmetic.sign,
  Slice: rearrange.slice,
  Split: rearrange.split,
  Sqrt: arithmetic.squareRoot,
  Squeeze: squeeze,
  Sub: arithmetic.subtract,
  Sum: arithmetic.sum,
  Tile: rearrange.tile,
  Transpose: rearrange.transpose,
  Trilu: trilu,
  Unsqueeze: unsqueeze,
  Where: rearrange.where,
  Xor: comparison.xor,
};

export type Evaluation =
  | { readonly kind: 'evaluated'; readonly outputs: readonly Tensor[] }
  | { readonly kind: 'declined'; readonly reason: string };

/** Whether a node is of an operator that has an evaluator. */
export function isEvaluable(node: Node): boolean {
  return node.domain === '' && Object.hasOwn(EVALUATORS, node.opType);
}

/** @param inputs constants by position; undefined where the node leaves one out */
export function evaluateNode(
  node: Node,
  inputs: readonly (Tensor | undefined)[],
  context: EvaluationContext,
): Evaluation {
  const evaluator = isEvaluable(node) ? EVALUATORS[node.opType] : undefined;
  if (evaluator === undefined) return { kind: 'declined', reason: 'it has no evaluator' };
  try {
    return { kind: 'evaluated', outputs: evaluator(node, inputs, context) };
  } catch (error) {
    if (!(error instanceof NotEvaluated)) throw error;
    return { kind: 'declined', reason: error.message };
  }
}
