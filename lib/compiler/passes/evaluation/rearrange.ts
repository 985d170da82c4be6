/** Operators that move elements. */
import { isFloatingPoint } from '../../ir/element-type.js';
import { Tensor } from '../../ir/tensor.js';
import { broadcastDims, broadcastIndices } from './broadcast.js';
import { admit, type Evaluator, frontAxis, NotEvaluated, required } from './evaluator.js';
import { integers, listOf } from './integers.js';
import { transposedWords } from './transposed-words.js';
import { allocateUnits, moveUnit, stridedIndices, stridesOf, take, tensorOfUnits, unitsOf } from './units.js';

const product = (dims: readonly number[]) => dims.reduce((count, dim) => count * dim, 1);

export const transpose: Evaluator = (node, inputs, context) => {
  const tensor = required(inputs, 0);
  const rank = tensor.dims.length;
  const order = node.ints('perm') ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  if (order.length !== rank || new Set(order).size !== rank)
    throw new NotEvaluated(`[${order}] is no order of ${rank} axes`);
  const axes = order.map((axis) => frontAxis(axis, rank));
  const dims = axes.map((axis) => tensor.dims[axis] ?? 1);
  admit(tensor.elementType, dims, context);
  const units = unitsOf(tensor);
  if (units instanceof Uint32Array) {
    return [tensorOfUnits(tensor.elementType, dims, transposedWords(units, tensor.dims, axes))];
  }
  const strides = stridesOf(tensor.dims);
  return [
    take(
      tensor,
      dims,
      stridedIndices(
        dims,
        axes.map((axis) => strides[axis] ?? 1),
      ),
    ),
  ];
};

export const slice: Evaluator = (node, inputs, context) => {
  const tensor = required(inputs, 0);
  const rank = tensor.dims.length;
  const starts = listOf(node, inputs, 'starts', 1);
  const ends = listOf(node, inputs, 'ends', 2);
  if (starts === undefined || ends === undefined) throw new NotEvaluated('it has no bounds');
  const axes = listOf(node, inputs, 'axes', 3) ?? starts.map((_, axis) => axis);
  const steps = inputs[4] === undefined ? starts.map(() => 1) : integers(inputs[4]);
  const dims = [...tensor.dims];
  const strides = stridesOf(tensor.dims);
  let offset = 0;
  const seen = new Set<number>();
  for (const [index, start] of starts.entries()) {
    const axis = frontAxis(axes[index] ?? 0, rank);
    const [end, step, size, stride] = [ends[index], steps[index], tensor.dims[axis] ?? 1, strides[axis] ?? 1];
    if (end === undefined || step === undefined || step === 0 || seen.has(axis))
      throw new NotEvaluated('its bounds do not fit');
    // onnxruntime takes the largest integers for the front of the axis when it goes backwards, the specification for its end.
    if (step < 0 && end >= 2 ** 31 - 1) throw new NotEvaluated('it goes backwards from the front');
    seen.add(axis);
    const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
    const clamp = (bound: number) => Math.min(high, Math.max(low, bound < 0 ? bound + size : bound));
    const first = step > 0 ? clamp(start) : Math.max(0, clamp(start));
    dims[axis] = size === 0 ? 0 : Math.max(0, Math.ceil((clamp(end) - first) / step));
    offset += first * stride;
    strides[axis] = stride * step;
  }
  admit(tensor.elementType, dims, context);
  return [take(tensor, dims, product(dims) === 0 ? [] : stridedIndices(dims, strides, offset))];
};

export const concat: Evaluator = (node, inputs, context) => {
  const tensors = inputs.map((_, index) => required(inputs, index));
  const first = required(inputs, 0);
  const rank = first.dims.length;
  const axis = frontAxis(node.int('axis', 1), rank);
  const dims = first.dims.map((size, index) =>
    index === axis ? tensors.reduce((sum, tensor) => sum + (tensor.dims[axis] ?? 0), 0) : size,
  );
  for (const { dims: own, elementType } of tensors) {
    const fits = own.length === rank && own.every((size, index) => index === axis || size === dims[index]);
    if (!fits || elementType !== first.elementType) throw new NotEvaluated('its inputs do not fit together');
  }
  const result = allocateUnits(first.elementType, admit(first.elementType, dims, context));
  const outer = product(dims.slice(0, axis));
  const inner = product(dims.slice(axis + 1));
  let start = 0;
  for (const tensor of tensors) {
    const units = unitsOf(tensor);
    const block = (tensor.dims[axis] ?? 0) * inner;
    for (let row = 0; row < outer; row++) {
      const to = row * (dims[axis] ?? 0) * inner + start;
      for (let index = 0; index < block; index++) moveUnit(units, row * block + index, result, to + index);
    }
    start += block;
  }
  return [tensorOfUnits(first.elementType, dims, result)];
};

export const split: Evaluator = (node, inputs) => {
  const tensor = required(inputs, 0);
  const axis = frontAxis(node.int('axis', 0), tensor.dims.length);
  const size = tensor.dims[axis] ?? 0;
  const parts = node.outputs.length;
  // Equal parts; from version 18 on the last one may be smaller.
  const each = Math.ceil(size / parts);
  if (node.attributes.has('num_outputs') && (size <= each * (parts - 1) || node.int('num_outputs') !== parts)) {
    throw new NotEvaluated(`it makes ${node.int('num_outputs')} parts of ${size}`);
  }
  const equal = Array.from({ length: parts }, (_, part) => (part < parts - 1 ? each : size - each * (parts - 1)));
  const sizes = listOf(node, inputs, 'split', 1) ?? equal;
  if (sizes.length !== parts || sizes.some((part) => part < 0) || sizes.reduce((sum, part) => sum + part, 0) !== size) {
    throw new NotEvaluated(`[${sizes}] are not the sizes of ${parts} parts of ${size}`);
  }
  const strides = stridesOf(tensor.dims);
  let start = 0;
  return sizes.map((part) => {
    const dims = tensor.dims.map((whole, index) => (index === axis ? part : whole));
    const indices = product(dims) === 0 ? [] : stridedIndices(dims, strides, start * (strides[axis] ?? 1));
    start += part;
    return take(tensor, dims, indices);
  });
};

export const expand: Evaluator = (_, inputs, context) => {
  const tensor = required(inputs, 0);
  const dims = broadcastDims(tensor.dims, integers(required(inputs, 1)));
  admit(tensor.elementType, dims, context);
  return [take(tensor, dims, broadcastIndices(tensor.dims, dims))];
};

export const tile: Evaluator = (_, inputs, context) => {
  const tensor = required(inputs, 0);
  const repeats = integers(required(inputs, 1));
  if (repeats.length !== tensor.dims.length) throw new NotEvaluated('it does not say how often each axis repeats');
  const dims = tensor.dims.map((size, axis) => size * (repeats[axis] ?? 1));
  const count = admit(tensor.elementType, dims, context);
  // Each axis as two: which repetition, and where in it.
  const pairs = tensor.dims.flatMap((size, axis) => [repeats[axis] ?? 1, size]);
  const strides = stridesOf(tensor.dims).flatMap((stride) => [0, stride]);
  return [take(tensor, dims, count === 0 ? [] : stridedIndices(pairs, strides))];
};

export const where: Evaluator = (_, inputs, context) => {
  const [condition, yes, no] = [required(inputs, 0), required(inputs, 1), required(inputs, 2)];
  if (condition.elementType !== 'bool' || yes.elementType !== no.elementType)
    throw new NotEvaluated('its types do not fit');
  const dims = broadcastDims(condition.dims, yes.dims, no.dims);
  const result = allocateUnits(yes.elementType, admit(yes.elementType, dims, context));
  if (hasNegativeZero(yes) || hasNegativeZero(no)) throw new NotEvaluated('onnxruntime drops the sign of a zero');
  const [chosen, yesUnits, noUnits] = [condition.bytes(), unitsOf(yes), unitsOf(no)];
  const [at, yesAt, noAt] = [condition, yes, no].map((tensor) => broadcastIndices(tensor.dims, dims));
  for (let index = 0; index < result.length; index++) {
    const isYes = chosen[at?.[index] ?? 0] !== 0;
    if (isYes) moveUnit(yesUnits, yesAt?.[index] ?? 0, result, index);
    else moveUnit(noUnits, noAt?.[index] ?? 0, result, index);
  }
  return [tensorOfUnits(yes.elementType, dims, result)];
};

function hasNegativeZero(tensor: Tensor): boolean {
  if (tensor.elementType === 'float16' || tensor.elementType === 'bfloat16')
    return tensor.typed().some((bits) => bits === 0x8000);
  return isFloatingPoint(tensor.elementType) && tensor.typed().some((element) => Object.is(element, -0));
}

/** `constant` mode only. */
export const pad: Evaluator = (node, inputs, context) => {
  const tensor = required(inputs, 0);
  if (node.string('mode', 'constant') !== 'constant') throw new NotEvaluated('it does not pad with a constant');
  const rank = tensor.dims.length;
  const widths = listOf(node, inputs, 'pads', 1);
  const axes =
    inputs[3] === undefined
      ? tensor.dims.map((_, axis) => axis)
      : integers(inputs[3]).map((axis) => frontAxis(axis, rank));
  if (widths?.length !== 2 * axes.length || widths.some((width) => width < 0))
    throw new NotEvaluated('its pads do not fit');
  const before = tensor.dims.map(() => 0);
  const dims = [...tensor.dims];
  for (const [index, axis] of axes.entries()) {
    const [low, high] = [widths[index] ?? 0, widths[index + axes.length] ?? 0];
    before[axis] = low;
    dims[axis] = (dims[axis] ?? 0) + low + high;
  }
  const count = admit(tensor.elementType, dims, context);
  const value = inputs[2] ?? Tensor.scalar(tensor.elementType, node.float('value', 0));
  if (value.elementType !== tensor.elementType) throw new NotEvaluated('its value has another type');
  const result = allocateUnits(tensor.elementType, count);
  const fill = unitsOf(value);
  for (let index = 0; index < count; index++) moveUnit(fill, 0, result, index);
  const strides = stridesOf(dims);
  const offset = before.reduce((sum, width, axis) => sum + width * (strides[axis] ?? 1), 0);
  const units = unitsOf(tensor);
  for (const [from, to] of stridedIndices(tensor.dims, strides, offset).entries()) moveUnit(units, from, result, to);
  return [tensorOfUnits(tensor.elementType, dims, result)];
};
