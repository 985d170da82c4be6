/** Cases of operators that compute. */
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { elementTypeNumber } from '../../../lib/compiler/ir/element-type.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { edgeTensor } from '../edge-values.js';
import { ALL_TYPES, binary, FLOATS, type Generator, INTEGERS, listed, NUMBERS, one } from './operator-case.js';

export const reduction = (since: number): Generator => {
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

export const clip: Generator = (choices, opset) => {
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

export const range: Generator = (choices) => {
  const elementType = choices.of(['int16', 'int32', 'int64', ...FLOATS] as const);
  const isFloat = elementType.startsWith('float');
  const [start, delta] = [choices.integer(-9, 9), choices.of([1, 2, 3, -1, -2])].map((number) =>
    isFloat ? number * choices.of([1, 0.1, 0.3]) : number,
  );
  const limit = choices.integer(-12, 12);
  return one([start ?? 0, limit, delta ?? 1].map((number) => Tensor.fromNumbers(elementType, [], [number])));
};

export const cast: Generator = (choices) => {
  const types = ALL_TYPES.filter((elementType) => elementType !== 'string');
  const tensor = edgeTensor(choices, choices.of(types), [choices.of([0, 1, 1, 3])]);
  return one([tensor], { to: attribute.int(elementTypeNumber(choices.of(types))) });
};

export const modulo: Generator = (choices) => {
  const fmod = choices.integer(0, 1);
  const { inputs } = binary(fmod === 1 ? NUMBERS : INTEGERS)(choices, 0);
  return one(inputs, { fmod: attribute.int(fmod) });
};
