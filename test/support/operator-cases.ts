/** For every operator with an evaluator: nodes with edge values, odd shapes, broadcasting, negative axes, empty axes, all element types. */
import { type Attribute, attribute } from '../../lib/compiler/ir/attribute.js';
import { type ElementType, elementTypeNumber } from '../../lib/compiler/ir/element-type.js';
import { elementCount, Tensor } from '../../lib/compiler/ir/tensor.js';
import { edgeTensor } from './edge-values.js';
import type { Choices } from './random-graph/choices.js';

export interface OperatorCase {
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly outputs: number;
}

type Generator = (choices: Choices, opset: number) => OperatorCase;

const FLOATS = ['float32', 'float64'] as const;
const SIGNED = ['int8', 'int16', 'int32', 'int64'] as const;
const INTEGERS = [...SIGNED, 'uint8', 'uint16', 'uint32', 'uint64'] as const;
const NUMBERS = [...FLOATS, ...INTEGERS] as const;
/** Those that onnxruntime-node takes as inputs. */
export const ALL_TYPES: readonly ElementType[] = [...NUMBERS, 'float16', 'bool', 'string'];

const one = (inputs: readonly (Tensor | undefined)[], attributes: Record<string, Attribute> = {}): OperatorCase => ({
  inputs,
  attributes,
  outputs: 1,
});

/** Shapes that broadcast to one another. */
function broadcastable(choices: Choices, count: number): number[][] {
  const dims = choices.shape(0, 3);
  return Array.from({ length: count }, () => {
    const own = dims.slice(choices.integer(0, dims.length));
    return own.map((size) => (choices.chance(0.3) ? 1 : size));
  });
}

const unary = (types: readonly ElementType[]): Generator => {
  return (choices) => one([edgeTensor(choices, choices.of(types), choices.shape(0, 3))]);
};

const binary = (types: readonly ElementType[]): Generator => {
  return (choices) => {
    const elementType = choices.of(types);
    return one(broadcastable(choices, 2).map((dims) => edgeTensor(choices, elementType, dims)));
  };
};

const variadic = (types: readonly ElementType[]): Generator => {
  return (choices) => {
    const elementType = choices.of(types);
    return one(broadcastable(choices, choices.integer(1, 4)).map((dims) => edgeTensor(choices, elementType, dims)));
  };
};

/** Any type, any shape of a rank. */
const any = (choices: Choices, minimumRank = 0, maximumRank = 3) => {
  return edgeTensor(choices, choices.of(ALL_TYPES), choices.shape(minimumRank, maximumRank));
};

const axisOf = (choices: Choices, rank: number) => choices.integer(-rank, rank - 1);

/** As the input that it is since `since`, or the attribute that it was before. */
function listed(
  opset: number,
  since: number,
  name: string,
  values: readonly number[],
): { input: Tensor | undefined; attributes: Record<string, Attribute> } {
  return opset >= since
    ? { input: Tensor.int64(values), attributes: {} }
    : { input: undefined, attributes: { [name]: attribute.ints(values) } };
}

const reduction = (since: number): Generator => {
  return (choices, opset) => {
    const tensor = edgeTensor(choices, choices.of(['int32', 'int64'] as const), choices.shape(0, 3));
    const rank = tensor.dims.length;
    const axes = choices.shuffled(tensor.dims.map((_, axis) => axis)).slice(0, choices.integer(0, rank));
    const keepdims = { keepdims: attribute.int(choices.integer(0, 1)) };
    if (axes.length === 0) return one([tensor], keepdims);
    const { input, attributes } = listed(
      opset,
      since,
      'axes',
      axes.map((axis) => (choices.chance(0.3) ? axis - rank : axis)),
    );
    return one(input === undefined ? [tensor] : [tensor, input], { ...attributes, ...keepdims });
  };
};

const reshape: Generator = (choices, opset) => {
  const tensor = any(choices);
  const target = choices.of([choices.shuffled(tensor.dims), [...tensor.dims, 1], [elementCount(tensor.dims)]]);
  const shape = target.map((size, axis) => (size === tensor.dims[axis] && choices.chance(0.3) ? 0 : size));
  if (shape.length > 0 && choices.chance(0.3)) shape[choices.integer(0, shape.length - 1)] = -1;
  const allowzero = opset >= 14 && choices.chance(0.2) ? { allowzero: attribute.int(1) } : {};
  return one([tensor, Tensor.int64(shape)], allowzero);
};

const squeeze: Generator = (choices, opset) => {
  const tensor = any(choices);
  const ones = tensor.dims.flatMap((size, axis) =>
    size === 1 ? [choices.chance(0.5) ? axis : axis - tensor.dims.length] : [],
  );
  if (ones.length === 0 || choices.chance(0.2)) return one([tensor]);
  const { input, attributes } = listed(opset, 13, 'axes', ones.slice(0, choices.integer(1, ones.length)));
  return one(input === undefined ? [tensor] : [tensor, input], attributes);
};

const unsqueeze: Generator = (choices, opset) => {
  const tensor = any(choices, 0, 2);
  const count = choices.integer(1, 2);
  const rank = tensor.dims.length + count;
  const axes = choices.shuffled(Array.from({ length: rank }, (_, axis) => axis)).slice(0, count);
  const { input, attributes } = listed(
    opset,
    13,
    'axes',
    axes.map((axis) => (choices.chance(0.3) ? axis - rank : axis)),
  );
  return one(input === undefined ? [tensor] : [tensor, input], attributes);
};

const slice: Generator = (choices) => {
  const tensor = any(choices, 1);
  const rank = tensor.dims.length;
  const axes = choices.shuffled(tensor.dims.map((_, axis) => axis)).slice(0, choices.integer(1, rank));
  const bound = () => choices.of([0, 1, 2, 5, -1, -2, -9, 9, 2 ** 31 - 1, -(2 ** 31)]);
  const tensors = [
    axes.map(bound),
    axes.map(bound),
    axes.map((axis) => (choices.chance(0.3) ? axis - rank : axis)),
    axes.map(() => choices.of([1, 1, 2, -1, -2, 7])),
  ];
  const types = choices.of(['int64', 'int32'] as const);
  return one([tensor, ...tensors.map((list) => Tensor.fromNumbers(types, [list.length], list))]);
};

const split: Generator = (choices, opset) => {
  const tensor = any(choices, 1);
  const axis = axisOf(choices, tensor.dims.length);
  const size = tensor.dims.at(axis) ?? 0;
  const first = choices.integer(0, size);
  if (opset >= 18 && choices.chance(0.3)) {
    const parts = choices.integer(1, Math.max(1, size));
    return {
      inputs: [tensor],
      attributes: { axis: attribute.int(axis), num_outputs: attribute.int(parts) },
      outputs: parts,
    };
  }
  const { input, attributes } = listed(opset, 13, 'split', [first, size - first]);
  return {
    inputs: input === undefined ? [tensor] : [tensor, input],
    attributes: { ...attributes, axis: attribute.int(axis) },
    outputs: 2,
  };
};

const concat: Generator = (choices) => {
  const elementType = choices.of(ALL_TYPES);
  const dims = choices.shape(1, 3);
  const axis = choices.integer(0, dims.length - 1);
  const parts = Array.from({ length: choices.integer(1, 3) }, () =>
    edgeTensor(
      choices,
      elementType,
      dims.map((size, index) => (index === axis ? choices.integer(0, 3) : size)),
    ),
  );
  return one(parts, { axis: attribute.int(choices.chance(0.3) ? axis - dims.length : axis) });
};

const gather: Generator = (choices) => {
  const dims = choices.shape(1, 3).map((size) => Math.max(1, size));
  const axis = choices.integer(0, dims.length - 1);
  const size = dims[axis] ?? 1;
  const shape = choices.shape(0, 2);
  const indices = Array.from({ length: elementCount(shape) }, () => choices.integer(-size, size - 1));
  const data = edgeTensor(choices, choices.of(ALL_TYPES), dims);
  return one([data, Tensor.fromNumbers(choices.of(['int64', 'int32'] as const), shape, indices)], {
    axis: attribute.int(axis),
  });
};

const gatherElements: Generator = (choices) => {
  const dims = choices.shape(1, 3).map((size) => Math.max(1, size));
  const axis = choices.integer(0, dims.length - 1);
  const size = dims[axis] ?? 1;
  const shape = dims.map((whole, index) => (index === axis ? choices.integer(0, 3) : choices.integer(1, whole)));
  const indices = Array.from({ length: elementCount(shape) }, () => choices.integer(-size, size - 1));
  return one([edgeTensor(choices, choices.of(ALL_TYPES), dims), Tensor.int64(indices, shape)], {
    axis: attribute.int(axis),
  });
};

/** Points into the first axes of `dims`, all different. */
function pointers(choices: Choices, dims: readonly number[]): Tensor {
  const depth = choices.integer(1, dims.length);
  const total = elementCount(dims.slice(0, depth));
  const chosen = choices
    .shuffled(Array.from({ length: total }, (_, index) => index))
    .slice(0, choices.integer(1, total));
  const rows = chosen.flatMap((index) => {
    let rest = index;
    const coordinates = dims
      .slice(0, depth)
      .toReversed()
      .map((size) => {
        const coordinate = rest % size;
        rest = Math.floor(rest / size);
        return choices.chance(0.2) ? coordinate - size : coordinate;
      });
    return coordinates.toReversed();
  });
  return Tensor.int64(rows, [chosen.length, depth]);
}

const gatherNd: Generator = (choices) => {
  const dims = choices.shape(1, 3).map((size) => Math.max(1, size));
  return one([edgeTensor(choices, choices.of(ALL_TYPES), dims), pointers(choices, dims)]);
};

const scatterNd: Generator = (choices) => {
  const dims = choices.shape(1, 3).map((size) => Math.max(1, size));
  const elementType = choices.of(ALL_TYPES);
  const indices = pointers(choices, dims);
  const updates = [...indices.dims.slice(0, -1), ...dims.slice(indices.dims.at(-1))];
  return one([edgeTensor(choices, elementType, dims), indices, edgeTensor(choices, elementType, updates)]);
};

const pad: Generator = (choices, opset) => {
  const elementType = opset >= 13 ? choices.of([...NUMBERS, 'bool'] as const) : 'float32';
  const tensor = edgeTensor(choices, elementType, choices.shape(1, 3));
  const widths = Array.from({ length: 2 * tensor.dims.length }, () => choices.integer(0, 2));
  if (opset < 11) return one([tensor], { pads: attribute.ints(widths), value: attribute.float(1.5) });
  const value = choices.chance(0.7) ? [edgeTensor(choices, elementType, [])] : [];
  return one([tensor, Tensor.int64(widths), ...value]);
};

const clip: Generator = (choices, opset) => {
  const elementType =
    opset >= 12 ? choices.of([...FLOATS, 'int8', 'uint8', 'int32', 'uint32', 'int64', 'uint64'] as const) : 'float32';
  const tensor = edgeTensor(choices, elementType, choices.shape(0, 3));
  if (opset < 11) return one([tensor], { min: attribute.float(-1.5), max: attribute.float(2.5) });
  return one([
    tensor,
    choices.chance(0.8) ? edgeTensor(choices, elementType, []) : undefined,
    choices.chance(0.8) ? edgeTensor(choices, elementType, []) : undefined,
  ]);
};

const range: Generator = (choices) => {
  const elementType = choices.of(['int16', 'int32', 'int64', ...FLOATS] as const);
  const isFloat = elementType.startsWith('float');
  const [start, delta] = [choices.integer(-9, 9), choices.of([1, 2, 3, -1, -2])].map((number) =>
    isFloat ? number * choices.of([1, 0.1, 0.3]) : number,
  );
  const limit = choices.integer(-12, 12);
  return one([start ?? 0, limit, delta ?? 1].map((number) => Tensor.fromNumbers(elementType, [], [number])));
};

const where: Generator = (choices) => {
  const [condition = [], yes = [], no = []] = broadcastable(choices, 3);
  const elementType = choices.of(ALL_TYPES);
  return one([
    edgeTensor(choices, 'bool', condition),
    edgeTensor(choices, elementType, yes),
    edgeTensor(choices, elementType, no),
  ]);
};

const cast: Generator = (choices) => {
  const types = ALL_TYPES.filter((elementType) => elementType !== 'string');
  const tensor = edgeTensor(choices, choices.of(types), [choices.of([0, 1, 1, 3])]);
  return one([tensor], { to: attribute.int(elementTypeNumber(choices.of(types))) });
};

const modulo: Generator = (choices) => {
  const fmod = choices.integer(0, 1);
  const { inputs } = binary(fmod === 1 ? NUMBERS : INTEGERS)(choices, 0);
  return one(inputs, { fmod: attribute.int(fmod) });
};

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
  Concat: concat,
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
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
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
  Pad: pad,
  Range: range,
  ReduceMax: reduction(18),
  ReduceMin: reduction(18),
  ReduceProd: reduction(18),
  ReduceSum: reduction(13),
  Reshape: reshape,
  Round: unary(FLOATS),
  ScatterND: scatterNd,
  Sign: unary(NUMBERS),
  Slice: slice,
  Split: split,
  Sqrt: unary(FLOATS),
  Squeeze: squeeze,
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
  Unsqueeze: unsqueeze,
  Where: where,
  Xor: binary(['bool']),
};
