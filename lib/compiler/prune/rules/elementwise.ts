/** Operators that work on each element alone, with broadcasting: what meets at an index stays or goes together. */
import type { Node } from '../../ir/node.js';
import { joinAll, type Rule, type RuleScope, sizesOf } from './rule.js';

const UNARY =
  'Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cast Ceil Celu Clip Cos Cosh Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Tan Tanh ThresholdedRelu'.split(
    ' ',
  );
const BROADCASTING =
  'Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or PRelu Pow Sub Sum Where Xor'.split(
    ' ',
  );

const unary: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0));
  // Clip's bounds are scalars; whatever else comes in beside the data must not be labelled.
  if (labels === undefined || node.inputs.slice(1).some((value) => scope.labelsOf(value) !== undefined)) {
    return scope.block(node, 'channels come in where it takes a parameter');
  }
  for (const output of node.outputs) scope.setLabels(output, labels);
};

/** Also com.microsoft's Gelu and its relatives, of which FastGelu adds a bias. */
const broadcasting: Rule = (node, scope) => {
  const ranks = node.inputs.map((value) => scope.labelsOf(value)?.length ?? value?.rank);
  if (ranks.some((rank) => rank === undefined)) return scope.block(node, 'the rank of what it combines is not known');
  const rank = Math.max(...ranks.map((known) => known ?? 0));
  const labels = Array.from({ length: rank }, (_, axis) => combine(node, rank - axis, scope));
  scope.setLabels(node.output(), labels);
};

/** The units on an axis, counted from the end, of the result. */
function combine(node: Node, fromEnd: number, scope: RuleScope): Int32Array | undefined {
  const labelled = node.inputs.map((value) => scope.labelsOf(value)?.at(-fromEnd));
  const ids = labelled.find((found) => found !== undefined);
  if (ids === undefined) return undefined;
  for (const [index, value] of node.inputs.entries()) {
    const other = labelled[index];
    if (other !== undefined) {
      if (other !== ids) joinAll(scope, ids, other, `${node.describe()} combines axes of different sizes`);
      continue;
    }
    const sizes = sizesOf(value);
    const axis = (sizes?.length ?? 0) - fromEnd;
    const size = axis < 0 ? 1 : sizes?.[axis];
    if (size === 1) continue;
    if (node.constantInput(index) !== undefined && size === ids.length) scope.use(node, index, axis, ids, 'pass');
    else scope.units.block(ids, `${node.describe()} combines it with '${value?.name}', which cannot be pruned`);
  }
  return ids;
}

export const ELEMENTWISE_RULES: Readonly<Record<string, Rule>> = Object.fromEntries([
  ...UNARY.map((opType) => [opType, unary] as const),
  ...BROADCASTING.map((opType) => [opType, broadcasting] as const),
]);

export const CONTRIB_RULES: Readonly<Record<string, Rule>> = {
  BiasGelu: broadcasting,
  FastGelu: broadcasting,
  Gelu: unary,
  QuickGelu: unary,
};
