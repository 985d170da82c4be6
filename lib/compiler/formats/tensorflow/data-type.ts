/** TensorFlow's element types: numbers of DataType in types.proto, names, and bytes per element in raw storage. */
import type { TensorFlowType } from './graph-def.js';

/** [name, bytes per element; 0 for what has no raw storage]. Sub-byte integers take a byte each in TensorFlow's files. */
const TYPES: ReadonlyMap<number, readonly [name: TensorFlowType, bytes: number]> = new Map([
  [1, ['float', 4]],
  [2, ['double', 8]],
  [3, ['int32', 4]],
  [4, ['uint8', 1]],
  [5, ['int16', 2]],
  [6, ['int8', 1]],
  [7, ['string', 0]],
  [8, ['complex64', 8]],
  [9, ['int64', 8]],
  [10, ['bool', 1]],
  [11, ['qint8', 1]],
  [12, ['quint8', 1]],
  [13, ['qint32', 4]],
  [14, ['bfloat16', 2]],
  [15, ['qint16', 2]],
  [16, ['quint16', 2]],
  [17, ['uint16', 2]],
  [18, ['complex128', 16]],
  [19, ['half', 2]],
  [20, ['resource', 0]],
  [21, ['variant', 0]],
  [22, ['uint32', 4]],
  [23, ['uint64', 8]],
  [24, ['float8_e5m2', 1]],
  [25, ['float8_e4m3fn', 1]],
  [26, ['float8_e4m3fnuz', 1]],
  [27, ['float8_e4m3b11fnuz', 1]],
  [28, ['float8_e5m2fnuz', 1]],
  [29, ['int4', 1]],
  [30, ['uint4', 1]],
  [31, ['int2', 1]],
  [32, ['uint2', 1]],
]);

const BYTES: ReadonlyMap<TensorFlowType, number> = new Map(TYPES.values());

/** Types of references (TF1's variables) are those of values plus this. */
const REFERENCE = 100;

/** The name of a number in types.proto: 'float_ref' for a reference, 'type_77' for one that this version does not know. */
export function typeName(number: number): TensorFlowType {
  const known = TYPES.get(number)?.[0];
  if (known !== undefined) return known;
  const referred = TYPES.get(number - REFERENCE)?.[0];
  return referred === undefined ? `type_${number}` : `${referred}_ref`;
}

/** The type that a reference refers to; other types as they are. */
export function valueType(type: TensorFlowType): TensorFlowType {
  return type.endsWith('_ref') ? type.slice(0, -'_ref'.length) : type;
}

/** Bytes of one element in raw storage; 0 for texts, resources, variants and unknown types. */
export function typeBytes(type: TensorFlowType): number {
  return BYTES.get(type) ?? 0;
}
