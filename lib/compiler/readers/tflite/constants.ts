/** Constants of a TensorFlow Lite file as tensors. */
import { densify } from '../../formats/tflite/densify.js';
import type { TfliteTensor, TfliteType } from '../../formats/tflite/model.js';
import { type ElementType, elementBits } from '../../ir/element-type.js';
import { float16ToNumber } from '../../ir/float16.js';
import { elementCount, Tensor } from '../../ir/tensor.js';
import { ReaderError } from '../reader-error.js';

/** What holds the elements here. Types under 8 bits are unpacked into bytes. */
const ELEMENT_TYPES: Partial<Readonly<Record<TfliteType, ElementType>>> = {
  FLOAT32: 'float32',
  FLOAT16: 'float16',
  FLOAT64: 'float64',
  BFLOAT16: 'bfloat16',
  BOOL: 'bool',
  INT4: 'int8',
  UINT4: 'uint8',
  INT8: 'int8',
  UINT8: 'uint8',
  INT16: 'int16',
  UINT16: 'uint16',
  INT32: 'int32',
  UINT32: 'uint32',
  INT64: 'int64',
  UINT64: 'uint64',
};

/** @throws ReaderError TENSOR_TYPE_UNSUPPORTED for texts, complex numbers, resources and variants */
export function elementTypeOf({ type, name }: TfliteTensor): ElementType {
  const elementType = ELEMENT_TYPES[type];
  if (elementType !== undefined) return elementType;
  throw new ReaderError({
    code: 'TENSOR_TYPE_UNSUPPORTED',
    message: `Tensor '${name}' is of type ${type}, which cannot be converted.`,
    advice:
      type === 'STRING'
        ? 'Leave the texts to the caller: export the part of the model that takes numbers (tokens).'
        : 'Export the model without it.',
  });
}

/**
 * A constant's elements as they are stored, a view on the file where they are neither sparse nor packed; undefined where the file has none.
 * @throws GraphError TENSOR_SIZE, ModelFormatError TFLITE_SPARSITY
 */
export function constantOf(tensor: TfliteTensor): Tensor | undefined {
  const { data, sparsity, shape, type } = tensor;
  // Writers leave nothing as the elements of a tensor without any.
  if (data === undefined && (elementCount(shape) > 0 || tensor.isVariable)) return undefined;
  const elementType = elementTypeOf(tensor);
  let bytes = data ?? new Uint8Array();
  if (type === 'INT4' || type === 'UINT4') bytes = unpackNibbles(bytes, elementCount(shape), type === 'INT4');
  else if (sparsity !== undefined) {
    bytes = densify(bytes, elementBits(elementType) / 8, shape, sparsity, tensor.name);
  }
  return new Tensor(elementType, shape, { kind: 'bytes', bytes });
}

let halves: Float32Array | undefined;

/** A float16 constant in float32. Weights are millions: from a table of all values, rather than one by one. */
export function float32Constant(half: Tensor): Tensor {
  halves ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => float16ToNumber(bits));
  const stored = half.typed() as Uint16Array;
  const result = new Float32Array(stored.length);
  for (let index = 0; index < result.length; index++) result[index] = halves[stored[index] ?? 0] ?? 0;
  return Tensor.fromTyped('float32', half.dims, result);
}

/** Two elements a byte, the low half first. As many as are there: the tensor checks the count. */
function unpackNibbles(bytes: Uint8Array, count: number, isSigned: boolean): Uint8Array {
  const result = new Uint8Array(Math.min(count, bytes.byteLength * 2));
  for (let index = 0; index < result.length; index++) {
    const nibble = ((bytes[index >> 1] ?? 0) >> ((index & 1) * 4)) & 15;
    result[index] = isSigned && nibble > 7 ? nibble - 16 : nibble;
  }
  return result;
}
