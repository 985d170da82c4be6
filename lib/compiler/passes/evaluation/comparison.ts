/** Element-wise comparisons and logic: outputs of type bool. */

import { bfloat16ToNumber, float16ToNumber } from '../../ir/float16.js';
import { Tensor } from '../../ir/tensor.js';
import { broadcastDims, broadcastIndices } from './broadcast.js';
import { admit, type EvaluationContext, type Evaluator, NotEvaluated, required } from './evaluator.js';

type Comparable = ArrayLike<number> | ArrayLike<bigint> | ArrayLike<string>;

/** Elements that JavaScript's own operators compare as ONNX does. */
function comparables(tensor: Tensor): Comparable {
  if (tensor.storage.kind === 'strings')
    return tensor.storage.strings.map((string) => Buffer.from(string).toString('latin1'));
  switch (tensor.elementType) {
    case 'float16':
      return Array.from(tensor.typed() as Uint16Array, float16ToNumber);
    case 'bfloat16':
      return Array.from(tensor.typed() as Uint16Array, bfloat16ToNumber);
    case 'float32':
    case 'float64':
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'uint64':
    case 'bool':
      return tensor.typed();
    default:
      throw new NotEvaluated(`${tensor.elementType} is not compared`);
  }
}

type Relation = (a: number | bigint | string, b: number | bigint | string) => boolean;

function compare(a: Tensor, b: Tensor, relation: Relation, context: EvaluationContext): Tensor {
  if (a.elementType !== b.elementType) throw new NotEvaluated('its inputs have different types');
  const dims = broadcastDims(a.dims, b.dims);
  const result = new Uint8Array(admit('bool', dims, context));
  const [x, y] = [comparables(a), comparables(b)];
  const [xAt, yAt] = [broadcastIndices(a.dims, dims), broadcastIndices(b.dims, dims)];
  for (let index = 0; index < result.length; index++) {
    const [left, right] = [x[xAt[index] ?? 0], y[yAt[index] ?? 0]];
    if (left !== undefined && right !== undefined) result[index] = Number(relation(left, right));
  }
  return Tensor.fromTyped('bool', dims, result);
}

const comparison = (relation: Relation): Evaluator => {
  return (_, inputs, context) => [compare(required(inputs, 0), required(inputs, 1), relation, context)];
};

const logic = (relation: (a: boolean, b: boolean) => boolean): Evaluator => {
  const onBytes: Relation = (a, b) => relation(a !== 0, b !== 0);
  return (_, inputs, context) => {
    if (required(inputs, 0).elementType !== 'bool') throw new NotEvaluated('its inputs are not of type bool');
    return [compare(required(inputs, 0), required(inputs, 1), onBytes, context)];
  };
};

/** From each element alone. */
const predicate = (accepts: (tensor: Tensor) => boolean, holds: (element: number) => boolean): Evaluator => {
  return (_, inputs, context) => {
    const tensor = required(inputs, 0);
    if (!accepts(tensor)) throw new NotEvaluated(`it is not defined on ${tensor.elementType}`);
    admit('bool', tensor.dims, context);
    return [
      Tensor.fromTyped(
        'bool',
        tensor.dims,
        Uint8Array.from(comparables(tensor) as ArrayLike<number>, (x) => Number(holds(x))),
      ),
    ];
  };
};

const isBool = (tensor: Tensor) => tensor.elementType === 'bool';
const isFloat = (tensor: Tensor) => ['float32', 'float64', 'float16', 'bfloat16'].includes(tensor.elementType);

export const equal = comparison((a, b) => a === b);
export const less = comparison((a, b) => a < b);
export const lessOrEqual = comparison((a, b) => a <= b);
export const greater = comparison((a, b) => a > b);
export const greaterOrEqual = comparison((a, b) => a >= b);
export const and = logic((a, b) => a && b);
export const or = logic((a, b) => a || b);
export const xor = logic((a, b) => a !== b);
export const not = predicate(isBool, (x) => x === 0);
export const isNan = predicate(isFloat, Number.isNaN);

export const isInf: Evaluator = (node, inputs, context) => {
  const [negative, positive] = [node.int('detect_negative', 1) === 1, node.int('detect_positive', 1) === 1];
  const detects = (x: number) =>
    (negative && x === Number.NEGATIVE_INFINITY) || (positive && x === Number.POSITIVE_INFINITY);
  return predicate(isFloat, detects)(node, inputs, context);
};
