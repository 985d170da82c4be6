/** TensorFlow's types and constants in terms of the IR. */

import { valueType } from '../../formats/tensorflow/data-type.js';
import type { TensorFlowTensor, TensorFlowType } from '../../formats/tensorflow/graph-def.js';
import type { ElementType } from '../../ir/element-type.js';
import { Tensor } from '../../ir/tensor.js';
import { ReaderError } from '../reader-error.js';

const TYPES: ReadonlyMap<TensorFlowType, ElementType> = new Map<TensorFlowType, ElementType>([
  ['bfloat16', 'bfloat16'],
  ['bool', 'bool'],
  ['double', 'float64'],
  ['float', 'float32'],
  ['half', 'float16'],
  ['int16', 'int16'],
  ['int32', 'int32'],
  ['int64', 'int64'],
  ['int8', 'int8'],
  ['qint32', 'int32'],
  ['qint8', 'int8'],
  ['quint8', 'uint8'],
  ['string', 'string'],
  ['uint16', 'uint16'],
  ['uint32', 'uint32'],
  ['uint64', 'uint64'],
  ['uint8', 'uint8'],
]);

/** @param place what has the type, for the message. @throws ReaderError OP_TYPE */
export function elementTypeFrom(type: TensorFlowType, place: string): ElementType {
  const elementType = TYPES.get(valueType(type));
  if (elementType !== undefined) return elementType;
  throw new ReaderError({
    code: 'OP_TYPE',
    message: `${place}: tensors of TensorFlow's type '${type}' have no counterpart in ONNX.`,
    advice:
      type === 'resource' || type === 'variant'
        ? 'Freeze variables before exporting; tables and iterators cannot be part of a converted model.'
        : 'Let the model compute in float32 there, and export it again.',
  });
}

/** A constant; its elements are a view on the file's. @throws ReaderError OP_TYPE */
export function tensorFrom(tensor: TensorFlowTensor, place: string): Tensor {
  const elementType = elementTypeFrom(tensor.dataType, place);
  if (elementType === 'string')
    return new Tensor('string', tensor.dims, { kind: 'strings', strings: tensor.strings ?? [] });
  return new Tensor(elementType, tensor.dims, { kind: 'bytes', bytes: tensor.bytes });
}
