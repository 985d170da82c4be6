/** Operators that make tensors from sizes and bounds. */
import type { ElementType } from '../../ir/element-type.js';
import { elementTypeOf } from '../../ir/element-type.js';
import { Tensor } from '../../ir/tensor.js';
import { admit, type Evaluator, NotEvaluated, required } from './evaluator.js';
import { integers } from './integers.js';
import { allocateUnits, filled, moveUnit, stridesOf, tensorOfUnits, unitsOf } from './units.js';

export const constantOfShape: Evaluator = (node, inputs, context) => {
  const value = node.tensor('value') ?? Tensor.scalar('float32', 0);
  if (value.count !== 1) throw new NotEvaluated('its value has more than one element');
  return [filled(value, integers(required(inputs, 0)), context)];
};

/** Adds up, as onnxruntime does, which differs from multiplying where it rounds. */
export const range: Evaluator = (_, inputs, context) => {
  const bounds = [0, 1, 2].map((index) => required(inputs, index));
  const [first] = bounds;
  if (first === undefined || bounds.some((bound) => bound.count !== 1 || bound.elementType !== first.elementType)) {
    throw new NotEvaluated('its bounds are not three numbers of one type');
  }
  const { elementType } = first;
  if (!['int16', 'int32', 'int64', 'float32', 'float64'].includes(elementType))
    throw new NotEvaluated(`it counts in ${elementType}`);
  const [start, limit, delta] = bounds.flatMap((bound) => bound.numbers());
  if (start === undefined || limit === undefined || delta === undefined || delta === 0)
    throw new NotEvaluated('its step is zero');
  const length = Math.max(0, Math.ceil((limit - start) / delta));
  if (!Number.isSafeInteger(length)) throw new NotEvaluated('it has no end');
  const count = admit(elementType, [length], context);
  return [Tensor.fromNumbers(elementType, [length], rangeElements(elementType, start, delta, count))];
};

function rangeElements(elementType: ElementType, start: number, delta: number, count: number): number[] {
  const rounded = elementType === 'float32' ? Math.fround : (value: number) => value;
  let next = start;
  return Array.from({ length: count }, () => {
    const element = next;
    next = rounded(next + delta);
    return element;
  });
}

export const eyeLike: Evaluator = (node, inputs, context) => {
  const like = required(inputs, 0);
  const elementType = elementTypeOf(node.int('dtype', 0)) ?? like.elementType;
  const [rows, columns] = like.dims;
  if (like.dims.length !== 2 || rows === undefined || columns === undefined)
    throw new NotEvaluated('its input is no matrix');
  const numbers = new Array<number>(admit(elementType, like.dims, context)).fill(0);
  const shift = node.int('k', 0);
  for (let row = 0; row < rows; row++) {
    const column = row + shift;
    if (column >= 0 && column < columns) numbers[row * columns + column] = 1;
  }
  return [numeric(elementType, like.dims, numbers)];
};

function numeric(elementType: ElementType, dims: readonly number[], numbers: readonly number[]): Tensor {
  try {
    return Tensor.fromNumbers(elementType, dims, numbers);
  } catch (error) {
    throw new NotEvaluated(error instanceof Error ? error.message : elementType);
  }
}

/** Elements on the other side of a diagonal become zero. */
export const trilu: Evaluator = (node, inputs, context) => {
  const tensor = required(inputs, 0);
  const [rows, columns] = tensor.dims.slice(-2);
  if (tensor.dims.length < 2 || rows === undefined || columns === undefined)
    throw new NotEvaluated('its input is no matrix');
  const shift = inputs[1] === undefined ? 0 : (integers(inputs[1])[0] ?? 0);
  const upper = node.int('upper', 1) === 1;
  const result = allocateUnits(tensor.elementType, admit(tensor.elementType, tensor.dims, context));
  const units = unitsOf(tensor);
  for (let index = 0; index < units.length; index++) {
    const column = index % columns;
    const row = Math.floor(index / columns) % rows;
    const kept = upper ? column - row >= shift : column - row <= shift;
    if (kept) moveUnit(units, index, result, index);
  }
  return [tensorOfUnits(tensor.elementType, tensor.dims, result)];
};

/** Coordinates of the elements that are not zero, one column each. */
export const nonZero: Evaluator = (_, inputs, context) => {
  const tensor = required(inputs, 0);
  if (!['bool', 'float32', 'int32', 'int64', 'uint8'].includes(tensor.elementType) || tensor.dims.length === 0) {
    throw new NotEvaluated(`it looks through a ${tensor.elementType} tensor of shape [${tensor.dims}]`);
  }
  const strides = stridesOf(tensor.dims);
  const found: number[] = [];
  for (const [index, element] of tensor.typed().entries()) if (element !== 0 && element !== 0n) found.push(index);
  admit('int64', [tensor.dims.length, found.length], context);
  const coordinates = tensor.dims.flatMap((size, axis) => {
    return found.map((index) => Math.floor(index / (strides[axis] ?? 1)) % size);
  });
  return [Tensor.int64(coordinates, [tensor.dims.length, found.length])];
};
