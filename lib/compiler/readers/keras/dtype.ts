/** Keras's names of element types. */
import type { ElementType } from '../../ir/element-type.js';

const ELEMENT_TYPES: Readonly<Record<string, ElementType>> = {
  // Mixed precision is one of training, and float64 one of references: graphs compute in float32.
  bfloat16: 'float32',
  bool: 'bool',
  float: 'float32',
  float16: 'float32',
  float32: 'float32',
  float64: 'float32',
  int: 'int32',
  int16: 'int16',
  int32: 'int32',
  int64: 'int64',
  int8: 'int8',
  uint16: 'uint16',
  uint32: 'uint32',
  uint64: 'uint64',
  uint8: 'uint8',
};

/** What a graph computes with where Keras has this type; undefined for texts and what is not known. */
export function elementTypeNamed(name: string): ElementType | undefined {
  return Object.hasOwn(ELEMENT_TYPES, name) ? ELEMENT_TYPES[name] : undefined;
}
