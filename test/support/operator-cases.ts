/** For every operator with an evaluator: nodes with edge values, odd shapes, broadcasting, negative axes, empty axes, all element types. */
import { attribute } from '../../lib/compiler/ir/attribute.js';
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import { edgeTensor } from './edge-values.js';
import { cast, clip, modulo, range, reduction } from './operator-cases/arithmetic-cases.js';
import * as movement from './operator-cases/movement-cases.js';
import {
  ALL_TYPES,
  any,
  binary,
  broadcastable,
  FLOATS,
  type Generator,
  NUMBERS,
  one,
  SIGNED,
  unary,
  variadic,
} from './operator-cases/operator-case.js';

export type { OperatorCase } from './operator-cases/operator-case.js';

const COMPARED = [
  'float32',
  'float64',
  'int32',
  'int64',
  'int8',
  'int16',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'float16',
] as const;

export const OPERATOR_CASES: Readonly<Record<string, Generator>> = {
  Abs: unary(NUMBERS),
  Add: binary(NUMBERS),
  And: binary(['bool']),
  Cast: cast,
  CastLike: (choices, opset) => {
    const { inputs } = cast(choices, opset);
    return one([...inputs, edgeTensor(choices, choices.of(NUMBERS), [1])]);
  },
  Ceil: unary(FLOATS),
  Clip: clip,
  Concat: movement.concat,
  ConstantOfShape: (choices) => {
    const value = edgeTensor(choices, choices.of([...NUMBERS, 'bool'] as const), [1]);
    return one([Tensor.int64(choices.shape())], choices.chance(0.2) ? {} : { value: attribute.tensor(value) });
  },
  Div: binary(NUMBERS),
  Equal: (choices, opset) =>
    binary(opset >= 19 ? [...COMPARED, 'bool', 'string'] : [...COMPARED, 'bool'])(choices, opset),
  Expand: (choices) => {
    const [dims = [], target = []] = broadcastable(choices, 2);
    return one([edgeTensor(choices, choices.of(ALL_TYPES), dims), Tensor.int64(target)]);
  },
  EyeLike: (choices) => {
    const tensor = edgeTensor(
      choices,
      choices.of(['float32', 'int64', 'int32', 'float64'] as const),
      choices.shape(2, 2),
    );
    return one([tensor], {
      k: attribute.int(choices.integer(-3, 3)),
      ...(choices.chance(0.5) ? { dtype: attribute.int(choices.of([1, 6, 7, 11])) } : {}),
    });
  },
  Flatten: (choices) => {
    const tensor = any(choices, 0);
    return one([tensor], { axis: attribute.int(choices.integer(-tensor.dims.length, tensor.dims.length)) });
  },
  Floor: unary(FLOATS),
  Gather: movement.gather,
  GatherElements: movement.gatherElements,
  GatherND: movement.gatherNd,
  Greater: binary(COMPARED),
  GreaterOrEqual: binary(COMPARED),
  Identity: (choices) => one([any(choices)]),
  IsInf: (choices) =>
    one([edgeTensor(choices, choices.of(FLOATS), choices.shape(0, 3))], {
      detect_negative: attribute.int(choices.integer(0, 1)),
      detect_positive: attribute.int(choices.integer(0, 1)),
    }),
  IsNaN: unary([...FLOATS, 'float16']),
  Less: binary(COMPARED),
  LessOrEqual: binary(COMPARED),
  Max: variadic(NUMBERS),
  Min: variadic(NUMBERS),
  Mod: modulo,
  Mul: binary(NUMBERS),
  Neg: unary([...FLOATS, ...SIGNED]),
  NonZero: (choices) =>
    one([
      edgeTensor(choices, choices.of(['bool', 'float32', 'int32', 'int64', 'uint8'] as const), choices.shape(0, 3)),
    ]),
  Not: unary(['bool']),
  Or: binary(['bool']),
  Pad: movement.pad,
  Range: range,
  Reciprocal: unary(FLOATS),
  ReduceMax: reduction(18),
  ReduceMin: reduction(18),
  ReduceProd: reduction(18),
  ReduceSum: reduction(13),
  Reshape: movement.reshape,
  Round: unary(FLOATS),
  ScatterND: movement.scatterNd,
  Sign: unary(NUMBERS),
  Slice: movement.slice,
  Split: movement.split,
  Sqrt: unary(FLOATS),
  Squeeze: movement.squeeze,
  Sub: binary(NUMBERS),
  Sum: variadic(FLOATS),
  Tile: (choices) => {
    const tensor = any(choices, 1);
    return one([tensor, Tensor.int64(tensor.dims.map(() => choices.integer(0, 3)))]);
  },
  Transpose: (choices) => {
    const tensor = any(choices, 0, 4);
    const order = choices.shuffled(tensor.dims.map((_, axis) => axis));
    return one([tensor], choices.chance(0.2) ? {} : { perm: attribute.ints(order) });
  },
  Trilu: (choices) => {
    const tensor = edgeTensor(
      choices,
      choices.of(['float32', 'float64', 'int64', 'bool'] as const),
      choices.shape(2, 3),
    );
    return one([tensor, choices.chance(0.6) ? Tensor.int64([choices.integer(-3, 3)], []) : undefined], {
      upper: attribute.int(choices.integer(0, 1)),
    });
  },
  Unsqueeze: movement.unsqueeze,
  Where: movement.where,
  Xor: binary(['bool']),
};
