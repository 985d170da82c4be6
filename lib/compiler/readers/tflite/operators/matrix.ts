/** Products of matrices. */
import type { Value } from '../../../ir/value.js';
import { dense, gemm, matmul } from '../../../lowering/matrix.js';
import { reshape, transpose } from '../../../lowering/rearrange.js';
import { rankOf, requiredSize, shapeOf } from '../../../lowering/shape.js';
import type { OperatorCall } from '../operator-call.js';
import { computing, type OperatorTable } from '../operator-table.js';
import { biasOf, weightOf } from '../weights.js';

export const matrix: OperatorTable = {
  BATCH_MATMUL: computing((call) => {
    const { adjointX, adjointY } = call.options('BatchMatMulOptions');
    return matmul(call.builder, turned(call, 0, adjointX), turned(call, 1, adjointY));
  }),
  FULLY_CONNECTED: computing(fullyConnected),
};

function turned(call: OperatorCall, index: number, isAdjoint: boolean): Value {
  const x = call.input(index);
  const rank = rankOf(x);
  if (!isAdjoint || rank < 2) return x;
  const outer = Array.from({ length: rank - 2 }, (_, axis) => axis);
  return transpose(call.builder, x, [...outer, rank - 1, rank - 2]);
}

/** x · Wᵀ + bias, W [units, inputs]. Unless dimensions are kept, x becomes [rows, inputs] first, whatever its shape. */
function fullyConnected(call: OperatorCall): Value {
  const { builder } = call;
  const options = call.options('FullyConnectedOptions');
  if (options.weightsFormat !== 0) {
    throw call.error('OPTIONS_INVALID', `has weights in the format ${options.weightsFormat}, which is not read`);
  }
  const weight = weightOf(call, 1, [1, 0]);
  const inputs = requiredSize(weight, 0, call.place);
  const x = options.keepDimensions ? call.input(0) : asRows(call, call.input(0), inputs);
  const bias = biasOf(call, { input: 0, weight: 1, bias: 2 });
  // As one operator where runtimes look for it between quantized tensors.
  const isGemm = call.quantizedOutput !== undefined && rankOf(x) === 2;
  const result = isGemm ? gemm(builder, x, weight, bias) : dense(builder, x, weight, bias);
  return call.activated(result, options.activation);
}

function asRows(call: OperatorCall, x: Value, inputs: number): Value {
  const shape = shapeOf(x);
  if (shape.length === 2 && shape[1] === inputs) return x;
  return reshape(call.builder, x, [-1, inputs]);
}
