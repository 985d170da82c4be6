/** Pools over [N, H, W, C]. */
import type { Value } from '../../../ir/value.js';
import { binary, unary } from '../../../lowering/elementwise.js';
import { type PoolKind, pool } from '../../../lowering/pooling.js';
import type { OperatorCall } from '../operator-call.js';
import { computing, movingBytes, type OperatorTable } from '../operator-table.js';
import { paddingOf } from './convolution.js';

function pooled(call: OperatorCall, kind: PoolKind, x: Value): Value {
  const options = call.options('Pool2DOptions');
  return pool(call.builder, kind, x, [options.filterHeight, options.filterWidth], {
    padding: paddingOf(call, options.padding),
    strides: [options.strideHeight, options.strideWidth],
  });
}

const activated = (call: OperatorCall, result: Value) =>
  call.activated(result, call.options('Pool2DOptions').activation);

export const pooling: OperatorTable = {
  AVERAGE_POOL_2D: computing((call) => activated(call, pooled(call, 'average', call.input(0)))),
  /** The root of the mean of squares, of what lies inside. */
  L2_POOL_2D: computing((call) => {
    const x = call.input(0);
    const squares = binary(call.builder, 'Mul', x, x);
    return activated(call, unary(call.builder, 'Sqrt', pooled(call, 'average', squares)));
  }),
  MAX_POOL_2D: movingBytes((call) => activated(call, pooled(call, 'max', call.input(0)))),
};
