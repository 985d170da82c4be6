/** Pools. */
import type { Value } from '../../../ir/value.js';
import { type PoolKind, pool } from '../../../lowering/pooling.js';
import type { OpCall, OpTable } from '../op-call.js';
import { dataFormatOf, paddingOf, spatialEntries } from './windows.js';

export const POOLING_OPS: OpTable = {
  AvgPool: (call) => pooled(call, 'average'),
  AvgPool3D: (call) => pooled(call, 'average'),
  MaxPool: (call) => pooled(call, 'max'),
  MaxPool3D: (call) => pooled(call, 'max'),
};

function pooled(call: OpCall, kind: PoolKind): Value {
  return pool(call.builder, kind, call.input(0), spatialEntries(call, 'ksize'), {
    strides: spatialEntries(call, 'strides'),
    padding: paddingOf(call),
    dataFormat: dataFormatOf(call),
  });
}
