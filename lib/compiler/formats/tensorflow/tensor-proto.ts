/** TensorProto to plain tensors: raw bytes as views on the file; lists of numbers written out when someone asks for them. */
import { ModelFormatError } from '../../../errors.js';
import { typeBytes, typeName } from './data-type.js';
import type { TensorFlowShape, TensorFlowTensor, TensorFlowType } from './graph-def.js';
import type { TensorProto, TensorShapeProto } from './protocol/tensorflow_pb.js';

/** What the repeated elements of a file's constants may take together: a short file can ask for much. */
const WRITTEN_OUT_BYTES = 2 ** 28;
/** Texts of one constant. */
const MAXIMUM_STRINGS = 2 ** 20;

/** Counts the bytes that constants of one file were written out to. */
export class WriteOutBudget {
  #left = WRITTEN_OUT_BYTES;

  /** @throws ModelFormatError TENSOR_SIZE */
  spend(bytes: number, where: string): void {
    this.#left -= bytes;
    if (this.#left >= 0) return;
    throw damaged(
      where,
      `constants that repeat an element would take more than ${WRITTEN_OUT_BYTES / 2 ** 20} MiB`,
      'No exporter writes constants this large as one repeated number: the file is damaged or hostile.',
    );
  }
}

/** Sizes of a constant. @throws ModelFormatError TENSOR_SHAPE */
export function constantDims(shape: TensorShapeProto | undefined, where: string): number[] {
  const dims = (shape?.dim ?? []).map(({ size }) => Number(size));
  const count = dims.reduce((product, size) => product * size, 1);
  if (shape?.unknownRank || dims.some((size) => size < 0) || !Number.isSafeInteger(count)) {
    throw new ModelFormatError({
      code: 'TENSOR_SHAPE',
      message: `${where}: the shape [${shape?.unknownRank ? 'unknown' : dims.join(', ')}] is not one of a constant.`,
      advice: 'The file is damaged; export the model again.',
    });
  }
  return dims;
}

/** A shape that may be open. */
export function openShape(shape: TensorShapeProto | undefined): TensorFlowShape {
  if (shape === undefined || shape.unknownRank) return undefined;
  return shape.dim.map(({ size }) => (size < 0n || size > BigInt(Number.MAX_SAFE_INTEGER) ? -1 : Number(size)));
}

/** @throws ModelFormatError TENSOR_SHAPE, TENSOR_SIZE */
export function tensorFromProto(proto: TensorProto, budget: WriteOutBudget, where: string): TensorFlowTensor {
  const dataType = typeName(proto.dtype);
  const dims = constantDims(proto.tensorShape, where);
  const count = dims.reduce((product, size) => product * size, 1);
  if (dataType === 'string') return { dataType, dims, bytes: NOTHING, strings: strings(proto, count, where) };
  const size = count * typeBytes(dataType);
  // float8_val has raw bytes as tensor_content has.
  const content = proto.tensorContent.byteLength > 0 ? proto.tensorContent : proto.float8Val;
  const isRepeated = content.byteLength > 0 && content === proto.float8Val && content.byteLength < size;
  if (content.byteLength > 0 && !isRepeated) {
    if (content.byteLength !== size) {
      throw damaged(where, `${dataType} [${dims.join(', ')}] needs ${size} bytes and has ${content.byteLength}`);
    }
    return { dataType, dims, bytes: content };
  }
  return lazyTensor(dataType, dims, () => {
    budget.spend(size, where);
    return writtenOut(dataType, proto, size);
  });
}

const NOTHING = new Uint8Array();

/** A tensor whose bytes are made at the first look. */
export function lazyTensor(
  dataType: TensorFlowType,
  dims: readonly number[],
  make: () => Uint8Array,
): TensorFlowTensor {
  let bytes: Uint8Array | undefined;
  return {
    dataType,
    dims,
    get bytes() {
      bytes ??= make();
      return bytes;
    },
  };
}

/** A constant that lists its first elements, of which the last is repeated; none is zeros. */
function writtenOut(type: TensorFlowType, proto: TensorProto, size: number): Uint8Array {
  const list = elementList(type, proto);
  const elementBytes = Math.max(1, typeBytes(type));
  // Whole elements: a complex one has two numbers.
  const length = list.byteLength - (list.byteLength % elementBytes);
  const listed = new Uint8Array(list.buffer, list.byteOffset, length);
  const bytes = new Uint8Array(size);
  bytes.set(listed.subarray(0, size));
  const last = listed.subarray(Math.max(0, length - elementBytes));
  if (length === 0 || length >= size || last.every((byte) => byte === 0)) return bytes;
  bytes.set(last, length);
  for (let filled = length + elementBytes; filled < size; ) {
    // Doubling: a million elements take twenty steps.
    const more = Math.min(filled - length, size - filled);
    bytes.copyWithin(filled, length, length + more);
    filled += more;
  }
  return bytes;
}

function elementList(type: TensorFlowType, proto: TensorProto): ArrayBufferView {
  switch (type) {
    case 'float':
      return Float32Array.from(proto.floatVal);
    case 'double':
      return Float64Array.from(proto.doubleVal);
    case 'complex64':
      return Float32Array.from(proto.scomplexVal);
    case 'complex128':
      return Float64Array.from(proto.dcomplexVal);
    case 'int64':
      return BigInt64Array.from(proto.int64Val);
    case 'uint64':
      return BigUint64Array.from(proto.uint64Val);
    case 'uint32':
      return Uint32Array.from(proto.uint32Val);
    case 'int32':
    case 'qint32':
      return Int32Array.from(proto.intVal);
    case 'half':
    case 'bfloat16':
      return Uint16Array.from(proto.halfVal);
    case 'int16':
    case 'uint16':
    case 'qint16':
    case 'quint16':
      return Uint16Array.from(proto.intVal);
    case 'bool':
      return Uint8Array.from(proto.boolVal, Number);
    default:
      return type.startsWith('float8') ? proto.float8Val : Uint8Array.from(proto.intVal);
  }
}

function strings(proto: TensorProto, count: number, where: string): Uint8Array[] {
  const listed = proto.stringVal;
  if (count <= listed.length) return listed.slice(0, count);
  if (count > MAXIMUM_STRINGS) throw damaged(where, `${listed.length} texts stand for ${count}`);
  const last = listed[listed.length - 1] ?? NOTHING;
  return Array.from({ length: count }, (_, index) => listed[index] ?? last);
}

function damaged(
  where: string,
  what: string,
  advice = 'The file is damaged; export the model again.',
): ModelFormatError {
  return new ModelFormatError({ code: 'TENSOR_SIZE', message: `${where}: ${what}.`, advice });
}
