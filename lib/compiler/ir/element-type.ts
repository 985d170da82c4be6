/** Element types of ONNX tensors: names as in onnx.proto (lower case, onnxruntime's spelling where it has one) and their storage. */
export type ElementType =
  | 'float32'
  | 'uint8'
  | 'int8'
  | 'uint16'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'string'
  | 'bool'
  | 'float16'
  | 'float64'
  | 'uint32'
  | 'uint64'
  | 'complex64'
  | 'complex128'
  | 'bfloat16'
  | 'float8e4m3fn'
  | 'float8e4m3fnuz'
  | 'float8e5m2'
  | 'float8e5m2fnuz'
  | 'uint4'
  | 'int4'
  | 'float4e2m1'
  | 'float8e8m0'
  | 'uint2'
  | 'int2';

/** [number in TensorProto.DataType, bits per element; 0 for strings]. */
const TABLE: Readonly<Record<ElementType, readonly [number, number]>> = {
  float32: [1, 32],
  uint8: [2, 8],
  int8: [3, 8],
  uint16: [4, 16],
  int16: [5, 16],
  int32: [6, 32],
  int64: [7, 64],
  string: [8, 0],
  bool: [9, 8],
  float16: [10, 16],
  float64: [11, 64],
  uint32: [12, 32],
  uint64: [13, 64],
  complex64: [14, 64],
  complex128: [15, 128],
  bfloat16: [16, 16],
  float8e4m3fn: [17, 8],
  float8e4m3fnuz: [18, 8],
  float8e5m2: [19, 8],
  float8e5m2fnuz: [20, 8],
  uint4: [21, 4],
  int4: [22, 4],
  float4e2m1: [23, 4],
  float8e8m0: [24, 8],
  uint2: [25, 2],
  int2: [26, 2],
};

const BY_NUMBER = new Map<number, ElementType>(
  (Object.keys(TABLE) as ElementType[]).map((elementType) => [TABLE[elementType][0], elementType]),
);

/** The number that onnx.proto gives to an element type. */
export function elementTypeNumber(elementType: ElementType): number {
  return TABLE[elementType][0];
}

/** The element type of a number in onnx.proto, or undefined for one that this version does not know (0, UNDEFINED, included). */
export function elementTypeOf(number: number): ElementType | undefined {
  return BY_NUMBER.get(number);
}

/** Bits of one element; 0 for strings. Elements under 8 bits are packed, low bits first. */
export function elementBits(elementType: ElementType): number {
  return TABLE[elementType][1];
}

/** Bytes of `count` elements in raw little-endian storage. Strings have none. */
export function storageBytes(elementType: ElementType, count: number): number {
  return Math.ceil((count * elementBits(elementType)) / 8);
}

export function isFloatingPoint(elementType: ElementType): boolean {
  return elementType.startsWith('float') || elementType === 'bfloat16';
}
