/** Nested JSON arrays as tensors. */
import type { DataType, TensorSignature } from '../../artifact/manifest.js';
import { numberToFloat16 } from '../ir/float16.js';
import type { RuntimeTensor } from '../runtime/session.js';
import { dataError } from './data-error.js';
import { fromIntegers, integerLimits } from './numpy-elements.js';

const MAX_RANK = 32;

/**
 * One sample's tensor; a leading axis of 1 may be left out.
 * @throws ConfigurationError DATA_INPUT_SHAPE, DATA_INPUT_TYPE
 */
export function tensorFromJson(value: unknown, { dataType, shape }: TensorSignature, where: string): RuntimeTensor {
  const written = dimsOf(value, where);
  const elements: unknown[] = [];
  flatten(value, written, 0, elements, where);
  const fits = (dims: readonly number[]) =>
    shape === null ||
    (dims.length === shape.length && shape.every((dim, axis) => typeof dim !== 'number' || dim === dims[axis]));
  const dims = [written, [1, ...written]].find(fits);
  if (dims === undefined) {
    throw shapeError(
      `${where} has shape [${written.join(', ')}]; the model takes [${(shape ?? []).map((dim) => dim ?? '?').join(', ')}].`,
    );
  }
  return { dataType, dims, data: elementsOf(elements, dataType, where) };
}

function dimsOf(value: unknown, where: string): number[] {
  const dims: number[] = [];
  for (let at = value; Array.isArray(at); at = at[0]) {
    dims.push(at.length);
    if (dims.length > MAX_RANK) throw shapeError(`${where} is nested more than ${MAX_RANK} levels deep.`);
  }
  return dims;
}

function flatten(value: unknown, dims: readonly number[], axis: number, into: unknown[], where: string): void {
  if (axis === dims.length) {
    if (Array.isArray(value)) throw shapeError(`${where} has rows of different depths.`);
    into.push(value);
    return;
  }
  if (!Array.isArray(value) || value.length !== dims[axis]) throw shapeError(`${where} has rows of different lengths.`);
  for (const inner of value) flatten(inner, dims, axis + 1, into, where);
}

function elementsOf(elements: readonly unknown[], dataType: DataType, where: string): RuntimeTensor['data'] {
  if (dataType === 'string') {
    return elements.map((element) => {
      if (typeof element === 'string') return element;
      throw typeError(where, element, dataType);
    });
  }
  const numberAt = (index: number): number => {
    const element = elements[index];
    if (typeof element === 'number') return element;
    if (typeof element === 'boolean' && dataType === 'bool') return Number(element);
    throw typeError(where, element, dataType);
  };
  const at = (_: unknown, index: number) => numberAt(index);
  const { length } = elements;
  if (dataType === 'float32') return Float32Array.from({ length }, at);
  if (dataType === 'float64') return Float64Array.from({ length }, at);
  if (dataType === 'float16') return Uint16Array.from({ length }, (_, index) => numberToFloat16(numberAt(index)));
  const [lowest, highest] = integerLimits(dataType);
  return fromIntegers(dataType, length, (index) => {
    const number = numberAt(index);
    if (Number.isInteger(number) && number >= lowest && number <= highest) return number;
    throw typeError(where, number, dataType);
  });
}

function shapeError(message: string) {
  return dataError('DATA_INPUT_SHAPE', message, 'Write one sample as nested arrays of equal lengths.');
}

function typeError(where: string, element: unknown, dataType: DataType) {
  const shown = JSON.stringify(element)?.slice(0, 40);
  return dataError(
    'DATA_INPUT_TYPE',
    `${where} holds ${shown}, which is no ${dataType}.`,
    `Write elements of ${dataType}.`,
  );
}
