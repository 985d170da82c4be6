/** Parts of tensors, by positions that are fixed or computed, and choices between tensors. */
import type { Value } from '../../../ir/value.js';
import { binary, where } from '../../../lowering/elementwise.js';
import { batchedGather, gatherNd, nonZeroCoordinates } from '../../../lowering/gather.js';
import { scatterIntoZeros } from '../../../lowering/scatter.js';
import { oneHot, selectRows, topK } from '../../../lowering/select.js';
import { sliceSizes, stridedSlice } from '../../../lowering/slice.js';
import type { OperatorCall } from '../operator-call.js';
import { computing, moving, type OperatorTable } from '../operator-table.js';

export const choose: OperatorTable = {
  EMBEDDING_LOOKUP: computing((call) => {
    const table = call.scope.realConstant(call.inputTensor(1));
    return batchedGather(call.builder, table, call.integers(0), 0, 0);
  }),
  GATHER: moving((call) => {
    const { axis, batchDimensions } = call.options('GatherOptions');
    return batchedGather(call.builder, call.input(0), call.integers(1), axis, batchDimensions);
  }),
  GATHER_ND: moving((call) => gatherNd(call.builder, call.input(0), call.integers(1))),
  ONE_HOT: computing((call) => {
    const [on, off] = [call.input(2), call.input(3)];
    const { axis } = call.options('OneHotOptions');
    return oneHot(call.builder, call.integers(0), call.integers(1), on, off, axis);
  }),
  SCATTER_ND: computing((call) => scatterIntoZeros(call.builder, call.integers(0), call.input(1), call.integers(2))),
  SELECT: computing((call) => selectRows(call.builder, call.input(0), call.input(1), call.input(2))),
  SELECT_V2: computing((call) => where(call.builder, call.input(0), call.input(1), call.input(2))),
  SLICE: moving((call) => sliceSizes(call.builder, call.input(0), call.integers(1), call.integers(2))),
  STRIDED_SLICE: moving(strided),
  TOPK_V2: computing((call) => {
    const { values, indices } = topK(call.builder, call.input(0), call.integers(1), 'int32');
    return [values, indices];
  }),
  WHERE: computing((call) => nonZeroCoordinates(call.builder, call.input(0))),
};

function strided(call: OperatorCall): Value {
  const options = call.options('StridedSliceOptions');
  const begin = call.integers(1);
  const end = options.offset ? binary(call.builder, 'Add', begin, call.integers(2)) : call.integers(2);
  return stridedSlice(call.builder, call.input(0), begin, end, call.integers(3), {
    begin: options.beginMask,
    end: options.endMask,
    ellipsis: options.ellipsisMask,
    newAxis: options.newAxisMask,
    shrinkAxis: options.shrinkAxisMask,
  });
}
