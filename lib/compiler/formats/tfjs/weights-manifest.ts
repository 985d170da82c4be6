/** The weights of a TensorFlow.js model: groups of named tensors, each group one run of bytes that is cut into shards. */
import { ModelFormatError } from '../../../errors.js';
import type { JsonField } from '../json-field.js';
import type { ExternalDataFolder, ExternalRange } from '../onnx/external-data.js';
import { dequantize, type Quantization } from './dequantize.js';

export type TfjsDataType = 'float32' | 'int32' | 'bool' | 'complex64' | 'string';

export interface TfjsWeight {
  readonly name: string;
  readonly dataType: TfjsDataType;
  readonly dims: readonly number[];
  /** Little-endian elements, dequantized; bool a byte each. Empty for strings. */
  readonly bytes: Uint8Array;
  /** Elements of a `string` weight. */
  readonly strings?: readonly Uint8Array[];
}

export type TfjsWeights = ReadonlyMap<string, TfjsWeight>;

interface Entry {
  readonly name: string;
  readonly dataType: TfjsDataType;
  readonly dims: readonly number[];
  readonly count: number;
  readonly quantization: Quantization | undefined;
  readonly field: JsonField;
}

const ELEMENT_BYTES: Readonly<Record<string, number>> = {
  float32: 4,
  int32: 4,
  bool: 1,
  complex64: 8,
  uint8: 1,
  uint16: 2,
  float16: 2,
};

const damaged = 'The file is damaged, or belongs to other shards; download or export the model again.';

/**
 * @param manifest `weightsManifest`: [{ paths, weights: [{ name, shape, dtype, quantization }] }]
 * @throws ModelFormatError JSON_FIELD, TFJS_WEIGHT_TYPE, TFJS_QUANTIZATION, TFJS_WEIGHT_DUPLICATE, TFJS_SHARDS_SIZE (the shards hold
 * fewer or more bytes than the weights need), and EXTERNAL_DATA_… for shards that are missing or may not be read
 */
export function readWeights(manifest: JsonField, folder: ExternalDataFolder): TfjsWeights {
  const weights = new Map<string, TfjsWeight>();
  for (const group of manifest.list()) {
    const entries = group.field('weights').list().map(readEntry);
    const bytes = readShards(group, folder, entries);
    let offset = 0;
    for (const entry of entries) {
      if (weights.has(entry.name)) {
        throw new ModelFormatError({
          code: 'TFJS_WEIGHT_DUPLICATE',
          message: `${entry.field.path}: there are two weights named '${entry.name}'.`,
          advice: damaged,
        });
      }
      const { weight, end } = readWeight(entry, bytes, offset);
      weights.set(entry.name, weight);
      offset = end;
    }
    if (offset !== bytes.byteLength) throw wrongSize(group, bytes.byteLength, `${offset}`);
  }
  return weights;
}

function readEntry(field: JsonField): Entry {
  const dims = field
    .field('shape')
    .list()
    .map((dim) => dim.size());
  const count = dims.reduce((product, dim) => product * dim, 1);
  const dataType = field.field('dtype').string();
  if (!Number.isSafeInteger(count)) throw field.field('shape').wrong('the shape of a tensor');
  const known = dataType === 'string' || (dataType !== 'uint8' && ELEMENT_BYTES[dataType] !== undefined);
  if (!known || dataType === 'uint16' || dataType === 'float16') {
    throw new ModelFormatError({
      code: 'TFJS_WEIGHT_TYPE',
      message: `${field.path}: TensorFlow.js has no weights of type '${dataType}'.`,
      advice: damaged,
    });
  }
  const name = field.field('name').string();
  const quantization = readQuantization(field.field('quantization'), dataType);
  return { name, dataType: dataType as TfjsDataType, dims, count, quantization, field };
}

function readQuantization(field: JsonField, dataType: string): Quantization | undefined {
  if (!field.exists) return undefined;
  const dtype = field.field('dtype').string();
  if ((dtype === 'uint8' || dtype === 'uint16') && (dataType === 'float32' || dataType === 'int32')) {
    return { dataType: dtype, scale: field.field('scale').number(), minimum: field.field('min').number() };
  }
  if (dtype === 'float16' && dataType === 'float32') return { dataType: dtype };
  throw new ModelFormatError({
    code: 'TFJS_QUANTIZATION',
    message: `${field.path}: ${dataType} weights cannot be stored as '${dtype}'.`,
    advice: damaged,
  });
}

/** The group's bytes in one piece. Sizes are compared before anything is read. */
function readShards(group: JsonField, folder: ExternalDataFolder, entries: readonly Entry[]): Uint8Array {
  const ranges: ExternalRange[] = [];
  for (const path of group.field('paths').list()) ranges.push(folder.whole(path.string(), `shard '${path.string()}'`));
  const size = ranges.reduce((sum, { length }) => sum + length, 0);
  const needed = entries.reduce((sum, entry) => sum + smallestBytes(entry), 0);
  const isExact = entries.every(({ dataType }) => dataType !== 'string');
  if (size < needed || (isExact && size !== needed))
    throw wrongSize(group, size, isExact ? `${needed}` : `at least ${needed}`);
  const [only] = ranges;
  if (ranges.length === 1 && only !== undefined) return folder.load(only);
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const range of ranges) {
    bytes.set(folder.load(range), offset);
    offset += range.length;
  }
  return bytes;
}

/** Of a string, the four bytes of its length are sure. */
function smallestBytes({ dataType, count, quantization }: Entry): number {
  return count * (dataType === 'string' ? 4 : (ELEMENT_BYTES[quantization?.dataType ?? dataType] ?? 0));
}

function readWeight(
  entry: Entry,
  bytes: Uint8Array,
  offset: number,
): { readonly weight: TfjsWeight; readonly end: number } {
  const { name, dataType, dims, count, quantization } = entry;
  if (dataType === 'string') {
    const { strings, end } = readStrings(entry, bytes, offset);
    return { weight: { name, dataType, dims, bytes: new Uint8Array(), strings }, end };
  }
  const end = offset + smallestBytes(entry);
  const stored = bytes.subarray(offset, end);
  if (stored.byteLength !== end - offset) throw wrongSize(entry.field, bytes.byteLength, `at least ${end}`);
  const elements = quantization === undefined ? stored : dequantize(stored, count, quantization, dataType === 'int32');
  return { weight: { name, dataType, dims, bytes: elements }, end };
}

/** Each a length of four bytes, and the text. */
function readStrings(entry: Entry, bytes: Uint8Array, offset: number) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const strings: Uint8Array[] = [];
  let end = offset;
  for (let index = 0; index < entry.count; index++) {
    const start = end + 4;
    if (start > bytes.byteLength) throw wrongSize(entry.field, bytes.byteLength, `at least ${start}`);
    end = start + view.getUint32(end, true);
    if (end > bytes.byteLength) throw wrongSize(entry.field, bytes.byteLength, `at least ${end}`);
    strings.push(bytes.subarray(start, end));
  }
  return { strings, end };
}

function wrongSize(field: JsonField, actual: number, needed: string): ModelFormatError {
  return new ModelFormatError({
    code: 'TFJS_SHARDS_SIZE',
    message: `${field.path}: the shards hold ${actual} bytes, and the weights need ${needed}.`,
    advice: damaged,
  });
}
