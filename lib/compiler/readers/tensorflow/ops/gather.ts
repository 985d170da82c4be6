/** Elements by computed positions, put to them, and summed over segments of them. */
import { attribute } from '../../../ir/attribute.js';
import type { Value } from '../../../ir/value.js';
import { expandBy, fill } from '../../../lowering/computed-shape.js';
import { cast, unary } from '../../../lowering/elementwise.js';
import { batchedGather, gatherNd } from '../../../lowering/gather.js';
import { elementTypeOf } from '../../../lowering/graph-builder.js';
import { gather, reshape, shapeVector, slice } from '../../../lowering/rearrange.js';
import {
  type ScatterReduction,
  type SegmentReduction,
  scatterIntoZeros,
  scatterNd,
  segmentReduce,
} from '../../../lowering/scatter.js';
import { rankOf, shapeOf } from '../../../lowering/shape.js';
import type { OpCall, OpLowering, OpTable } from '../op-call.js';
import { perPart } from './per-part.js';

const scatter = (reduction: ScatterReduction): OpLowering => {
  return (call) => scatterNd(call.builder, call.input(0), call.input(1), call.input(2), reduction);
};

/** Sorted ids; segments without rows hold `empty`. */
const segment = (reduction: SegmentReduction, empty?: number): OpLowering => {
  return (call) =>
    segmentReduce(call.builder, call.input(0), call.input(1), { reduction, ...(empty === undefined ? {} : { empty }) });
};

const unsorted = (reduction: SegmentReduction): OpLowering => {
  return (call) => segmentReduce(call.builder, call.input(0), call.input(1), { reduction, segments: call.input(2) });
};

/** Rows `input 1` of `input 0`, in segments `input 2`; with `NumSegments`, as many as input 3 says. */
const sparse = (reduction: SegmentReduction): OpLowering => {
  return (call) => {
    const rows = gather(call.builder, call.input(0), call.input(1), 0);
    const segments = call.operands.length > 3 ? { segments: call.input(3) } : {};
    return segmentReduce(call.builder, rows, call.input(2), { reduction, ...segments });
  };
};

export const GATHER_OPS: OpTable = {
  Gather: perPart((call) => gather(call.builder, call.input(0), call.input(1), 0)),
  GatherNd: perPart((call) => gatherNd(call.builder, call.input(0), call.input(1))),
  GatherV2: perPart((call) => {
    const axis = call.number(2, 'axis');
    return batchedGather(call.builder, call.input(0), call.input(1), axis, call.attributes.int('batch_dims', 0));
  }),
  ScatterNd: (call) => scatterIntoZeros(call.builder, call.input(0), call.input(1), call.input(2)),
  SegmentMax: segment('max', 0),
  SegmentMean: segment('mean'),
  SegmentMin: segment('min', 0),
  SegmentProd: segment('prod'),
  SegmentSum: segment('sum'),
  SparseSegmentMean: sparse('mean'),
  SparseSegmentMeanWithNumSegments: sparse('mean'),
  SparseSegmentSqrtN: sparse('sqrt-n'),
  SparseSegmentSqrtNWithNumSegments: sparse('sqrt-n'),
  SparseSegmentSum: sparse('sum'),
  SparseSegmentSumWithNumSegments: sparse('sum'),
  /** Elements at positions, which are a vector, or rows of coordinates; all others are the default. */
  SparseToDense: (call) => {
    const { builder } = call;
    const all = fill(builder, call.input(1), call.input(3));
    const rank = rankOf(all);
    const rows =
      rankOf(call.input(0)) === 2 ? call.input(0) : reshape(builder, call.input(0), rank === 1 ? [-1, 1] : [1, -1]);
    // One value stands for all.
    const length = slice(builder, shapeVector(builder, rows), [{ axis: 0, start: 0, end: 1 }]);
    const values = rankOf(call.input(2)) === 1 ? call.input(2) : expandBy(builder, call.input(2), length);
    return scatterNd(builder, all, rows, values);
  },
  TensorScatterAdd: scatter('add'),
  TensorScatterMax: scatter('max'),
  TensorScatterMin: scatter('min'),
  TensorScatterSub: (call) => {
    return scatterNd(call.builder, call.input(0), call.input(1), unary(call.builder, 'Neg', call.input(2)), 'add');
  },
  TensorScatterUpdate: scatter('none'),
  Unique: (call) => unique(call),
  UniqueV2: (call) => unique(call),
  UnsortedSegmentMax: unsorted('max'),
  UnsortedSegmentMean: unsorted('mean'),
  UnsortedSegmentMin: unsorted('min'),
  UnsortedSegmentProd: unsorted('prod'),
  UnsortedSegmentSum: unsorted('sum'),
};

/** The elements of a vector, each once, in the order of their first appearance; and which of them each element is. */
function unique(call: OpCall): readonly Value[] {
  const elementType = elementTypeOf(call.input(0));
  // onnxruntime has it for int64, not for int32.
  const x = elementType === 'int32' ? cast(call.builder, call.input(0), 'int64') : call.input(0);
  const types = [
    { elementType: elementTypeOf(x), shape: [undefined] },
    undefined,
    { elementType: 'int64', shape: shapeOf(x) },
  ] as const;
  const [values, , positions] = call.builder.nodes('Unique', [x], types, { attributes: { sorted: attribute.int(0) } });
  const type = call.attributes.elementType('out_idx', 'int32');
  return values === undefined || positions === undefined
    ? []
    : [cast(call.builder, values, elementType), cast(call.builder, positions, type)];
}
