/** Bytes of a TensorFlow Lite file to plain data, everything in it that points somewhere checked. */
import { FlatTable } from '../flatbuffers/flat-table.js';
import { builtinOperatorName } from './builtin-operators.js';
import { decodeQuantization } from './decode-quantization.js';
import { decodeSparsity } from './decode-sparsity.js';
import {
  TENSOR_TYPES,
  type TfliteModel,
  type TfliteOperator,
  type TfliteSignature,
  type TfliteSubgraph,
  type TfliteTensor,
} from './model.js';
import { decodeOptions } from './options.js';

export const TFLITE_FORMAT = 'TensorFlow Lite';

const SCHEMA_VERSION = 3;
const MAXIMUM_RANK = 16;

/**
 * @param bytes a whole file; constants are views on it, so it must not change
 * @throws ModelFormatError FLATBUFFER_… for offsets and lengths that lie, TFLITE_VERSION, TFLITE_EMPTY, TFLITE_INDEX (a number that
 * names nothing), TFLITE_BUFFER (bytes outside of the file, or named too often), TFLITE_SHAPE, TFLITE_TYPE, TFLITE_QUANTIZATION, TFLITE_SPARSITY
 */
export function decodeTflite(bytes: Uint8Array): TfliteModel {
  const root = FlatTable.root(bytes, TFLITE_FORMAT, 'Model');
  const version = root.uint32(0);
  if (version !== SCHEMA_VERSION) {
    throw root.error('TFLITE_VERSION', `its schema has version ${version}, not ${SCHEMA_VERSION}`);
  }
  const codes = root.tables(1, 'operator_codes').map(decodeCode);
  const buffers = root.tables(4, 'buffers').map((table) => decodeBuffer(table, bytes));
  const subgraphs = root.tables(2, 'subgraphs').map((table) => decodeSubgraph(table, codes, buffers, bytes));
  if (subgraphs.length === 0) throw root.error('TFLITE_EMPTY', 'it holds no graph');
  checkSharing(root, subgraphs, bytes.byteLength);
  return {
    description: root.text(3, 'description') ?? '',
    subgraphs,
    signatures: root.tables(7, 'signature_defs').map((table) => decodeSignature(table, subgraphs)),
  };
}

/** Tensors of equal constants share a buffer, and graphs of several signatures their weights. */
const MAXIMUM_SHARING = 16;
const ALWAYS_ALLOWED_BYTES = 2 ** 26;

/** A small file could name one large buffer ten thousand times; what is written has it as often. */
function checkSharing(root: FlatTable, subgraphs: readonly TfliteSubgraph[], fileBytes: number): void {
  const tensors = subgraphs.flatMap((subgraph) => subgraph.tensors);
  const constantBytes = tensors.reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0);
  if (constantBytes <= Math.max(ALWAYS_ALLOWED_BYTES, MAXIMUM_SHARING * fileBytes)) return;
  throw root.error('TFLITE_BUFFER', `its constants take ${constantBytes} bytes in a file of ${fileBytes}`);
}

interface OperatorCode {
  readonly code: string;
  readonly customCode: string;
}

/** Numbers above 127 came later, in a field of their own; writers fill both for the older ones. */
function decodeCode(table: FlatTable): OperatorCode {
  const number = Math.max(table.int8(0), table.int32(3));
  return { code: builtinOperatorName(number), customCode: table.text(1, 'custom_code') ?? '' };
}

/** Bytes of a constant, inside the flatbuffer or behind it; undefined where there are none. */
function decodeBuffer(table: FlatTable, file: Uint8Array): Uint8Array | undefined {
  const offset = table.uint64(1);
  // 1 marks a writer's placeholder.
  const data = offset > 1 ? outside(table, offset, table.uint64(2), file) : table.bytes(0, 'data');
  return data === undefined || data.byteLength === 0 ? undefined : data;
}

/** A range of the file behind the flatbuffer: offsets in one are 32-bit, so models beyond 2 GiB keep their weights there. */
function outside(table: FlatTable, offset: number, size: number, file: Uint8Array): Uint8Array {
  if (offset + size > file.byteLength) {
    throw table.error(
      'TFLITE_BUFFER',
      `${table.place} lies at bytes ${offset} to ${offset + size}, outside of the file's ${file.byteLength}`,
    );
  }
  return file.subarray(offset, offset + size);
}

function decodeSubgraph(
  table: FlatTable,
  codes: readonly OperatorCode[],
  buffers: readonly (Uint8Array | undefined)[],
  file: Uint8Array,
): TfliteSubgraph {
  const tensors = table.tables(0, 'tensors').map((tensor, index) => decodeTensor(tensor, index, buffers));
  const indices = (numbers: readonly number[] | undefined, place: string) =>
    (numbers ?? []).map((number) => checkedIndex(table, number, tensors.length, place));
  return {
    name: table.text(4, 'name') ?? '',
    tensors,
    inputs: indices(table.numbers(1, 'inputs', 'int32'), `${table.place}.inputs`),
    outputs: indices(table.numbers(2, 'outputs', 'int32'), `${table.place}.outputs`),
    operators: table
      .tables(3, 'operators')
      .map((operator, index) => decodeOperator(operator, index, codes, tensors.length, file)),
  };
}

function checkedIndex(table: FlatTable, number: number, count: number, place: string): number {
  if (number >= 0 && number < count) return number;
  throw table.error('TFLITE_INDEX', `${place} names number ${number} of ${count}`);
}

function decodeOperator(
  table: FlatTable,
  index: number,
  codes: readonly OperatorCode[],
  tensorCount: number,
  file: Uint8Array,
): TfliteOperator {
  const { code, customCode } = codes[
    checkedIndex(table, table.uint32(0), codes.length, `${table.place}.opcode_index`)
  ] as OperatorCode;
  const inputs = (table.numbers(1, 'inputs', 'int32') ?? []).map((number) =>
    number === -1 ? undefined : checkedIndex(table, number, tensorCount, `${table.place}.inputs`),
  );
  const outputs = (table.numbers(2, 'outputs', 'int32') ?? []).map((number) =>
    checkedIndex(table, number, tensorCount, `${table.place}.outputs`),
  );
  const [largeOffset, largeSize] = [table.uint64(9), table.uint64(10)];
  return {
    index,
    code,
    customCode,
    inputs,
    outputs,
    options: decodeOptions(table.uint8(3), table.table(4, 'builtin_options')),
    customOptions: largeOffset > 1 ? outside(table, largeOffset, largeSize, file) : table.bytes(5, 'custom_options'),
  };
}

function decodeTensor(table: FlatTable, index: number, buffers: readonly (Uint8Array | undefined)[]): TfliteTensor {
  const type = TENSOR_TYPES[table.int8(1)];
  if (type === undefined) throw table.error('TFLITE_TYPE', `${table.place} has the unknown type ${table.int8(1)}`);
  const shape = checkedShape(table, table.numbers(0, 'shape', 'int32') ?? [], 0);
  const signature = table.numbers(7, 'shape_signature', 'int32');
  if (signature !== undefined && signature.length > 0) {
    checkedShape(table, signature, -1);
    if (signature.length !== shape.length) {
      throw table.error(
        'TFLITE_SHAPE',
        `${table.place} has ${shape.length} dimensions and ${signature.length} in its signature`,
      );
    }
  }
  // Absent and number 0 are the buffer that is always empty.
  const buffer =
    buffers.length === 0 ? 0 : checkedIndex(table, table.uint32(2), buffers.length, `${table.place}.buffer`);
  const quantization = table.table(4, 'quantization');
  const sparsity = table.table(6, 'sparsity');
  return {
    index,
    name: table.text(3, 'name') ?? '',
    type,
    shape,
    shapeSignature: signature?.some((size) => size === -1) ? signature : undefined,
    isVariable: table.bool(5),
    data: buffers[buffer],
    quantization: quantization === undefined ? undefined : decodeQuantization(quantization, shape),
    sparsity: sparsity === undefined ? undefined : decodeSparsity(sparsity, shape),
  };
}

function checkedShape(table: FlatTable, shape: readonly number[], least: number): readonly number[] {
  const count = shape.reduce((product, size) => product * Math.max(1, size), 1);
  if (shape.length <= MAXIMUM_RANK && shape.every((size) => size >= least) && Number.isSafeInteger(count)) return shape;
  throw table.error('TFLITE_SHAPE', `${table.place} has the shape [${shape.slice(0, MAXIMUM_RANK + 1).join(', ')}]`);
}

function decodeSignature(table: FlatTable, subgraphs: readonly TfliteSubgraph[]): TfliteSignature {
  const subgraph = checkedIndex(table, table.uint32(4), subgraphs.length, `${table.place}.subgraph_index`);
  const count = subgraphs[subgraph]?.tensors.length ?? 0;
  const names = (field: number, name: string) =>
    new Map(
      table.tables(field, name).map((entry) => {
        return [
          entry.text(0, 'name') ?? '',
          checkedIndex(entry, entry.uint32(1), count, `${entry.place}.tensor_index`),
        ];
      }),
    );
  return {
    key: table.text(2, 'signature_key') ?? '',
    subgraph,
    inputs: names(0, 'inputs'),
    outputs: names(1, 'outputs'),
  };
}
