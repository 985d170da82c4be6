/** Cases of operators that move elements or give them another shape. */
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { elementCount, Tensor } from '../../../lib/compiler/ir/tensor.js';
import { edgeTensor } from '../edge-values.js';
import type { Choices } from '../random-graph/choices.js';
import { ALL_TYPES, any, axisOf, broadcastable, type Generator, listed, NUMBERS, one } from './operator-case.js';

export const reshape: Generator = (choices, opset) => {
  const tensor = any(choices);
  const target = choices.of([choices.shuffled(tensor.dims), [...tensor.dims, 1], [elementCount(tensor.dims)]]);
  const shape = target.map((size, axis) => (size === tensor.dims[axis] && choices.chance(0.3) ? 0 : size));
  if (shape.length > 0 && choices.chance(0.3)) shape[choices.integer(0, shape.length - 1)] = -1;
  const allowzero = opset >= 14 && choices.chance(0.2) ? { allowzero: attribute.int(1) } : {};
  return one([tensor, Tensor.int64(shape)], allowzero);
};

export const squeeze: Generator = (choices, opset) => {
  const tensor = any(choices);
  const ones = tensor.dims.flatMap((size, axis) =>
    size === 1 ? [choices.chance(0.5) ? axis : axis - tensor.dims.length] : [],
  );
  if (ones.length === 0 || choices.chance(0.2)) return one([tensor]);
  const { input, attributes } = listed(opset, 13, 'axes', ones.slice(0, choices.integer(1, ones.length)));
  return one(input === undefined ? [tensor] : [tensor, input], attributes);
};

export const unsqueeze: Generator = (choices, opset) => {
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

export const slice: Generator = (choices) => {
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

export const split: Generator = (choices, opset) => {
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

export const concat: Generator = (choices) => {
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

export const gather: Generator = (choices) => {
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

export const gatherElements: Generator = (choices) => {
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
export function pointers(choices: Choices, dims: readonly number[]): Tensor {
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

export const gatherNd: Generator = (choices) => {
  const dims = choices.shape(1, 3).map((size) => Math.max(1, size));
  return one([edgeTensor(choices, choices.of(ALL_TYPES), dims), pointers(choices, dims)]);
};

export const scatterNd: Generator = (choices) => {
  const dims = choices.shape(1, 3).map((size) => Math.max(1, size));
  const elementType = choices.of(ALL_TYPES);
  const indices = pointers(choices, dims);
  const updates = [...indices.dims.slice(0, -1), ...dims.slice(indices.dims.at(-1))];
  return one([edgeTensor(choices, elementType, dims), indices, edgeTensor(choices, elementType, updates)]);
};

export const pad: Generator = (choices, opset) => {
  const elementType = opset >= 13 ? choices.of([...NUMBERS, 'bool'] as const) : 'float32';
  const tensor = edgeTensor(choices, elementType, choices.shape(1, 3));
  const widths = Array.from({ length: 2 * tensor.dims.length }, () => choices.integer(0, 2));
  if (opset < 11) return one([tensor], { pads: attribute.ints(widths), value: attribute.float(1.5) });
  const value = choices.chance(0.7) ? [edgeTensor(choices, elementType, [])] : [];
  return one([tensor, Tensor.int64(widths), ...value]);
};

export const where: Generator = (choices) => {
  const [condition = [], yes = [], no = []] = broadcastable(choices, 3);
  const elementType = choices.of(ALL_TYPES);
  return one([
    edgeTensor(choices, 'bool', condition),
    edgeTensor(choices, elementType, yes),
    edgeTensor(choices, elementType, no),
  ]);
};
