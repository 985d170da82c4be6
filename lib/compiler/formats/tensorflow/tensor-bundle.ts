/**
 * TensorBundle, TensorFlow's checkpoint format: `<prefix>.index`, a sorted table of names to places, and raw elements in
 * `<prefix>.data-00000-of-00001` and so on.
 * https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/tensor_bundle/tensor_bundle.h
 */
import { join } from 'node:path';
import { ModelFormatError } from '../../../errors.js';
import { readWholeFile } from '../file.js';
import { ExternalDataFolder } from '../onnx/external-data.js';
import { crc32c, unmasked } from './crc32c.js';
import { typeBytes, typeName } from './data-type.js';
import { decodeMessage } from './decode-graph-def.js';
import type { TensorFlowTensor } from './graph-def.js';
import { type BundleEntryProto, BundleEntryProtoSchema, BundleHeaderProtoSchema } from './protocol/tensorflow_pb.js';
import { readSortedTable } from './sorted-table.js';
import { constantDims, lazyTensor } from './tensor-proto.js';
import { copyPart, type PartOfTensor, partDims, partKey } from './tensor-slice.js';

/** An index holds a hundred bytes per variable. */
const MAXIMUM_INDEX_BYTES = 2 ** 28;
const MAXIMUM_SHARDS = 99_999;

export class TensorBundle {
  readonly #files: ExternalDataFolder;
  readonly #prefix: string;
  readonly #shards: number;
  /** Keys as one character per byte: those of parts are no text. */
  readonly #entries: ReadonlyMap<string, Uint8Array>;

  private constructor(
    files: ExternalDataFolder,
    prefix: string,
    shards: number,
    entries: ReadonlyMap<string, Uint8Array>,
  ) {
    this.#files = files;
    this.#prefix = prefix;
    this.#shards = shards;
    this.#entries = entries;
  }

  /**
   * @param prefix below `folder`, which no data file may leave: "variables/variables"
   * @throws ModelFormatError MODEL_NOT_FOUND and the like for the index, TABLE_…, PROTOBUF_…, BUNDLE_HEADER
   */
  static async open(folder: string, prefix: string): Promise<TensorBundle> {
    const bytes = await readWholeFile(join(folder, `${prefix}.index`), MAXIMUM_INDEX_BYTES);
    return TensorBundle.of(bytes, new ExternalDataFolder(folder), prefix);
  }

  /** @param index the bytes of the index file */
  static of(index: Uint8Array, files: ExternalDataFolder, prefix: string): TensorBundle {
    const entries = new Map<string, Uint8Array>();
    for (const { key, value } of readSortedTable(index, `${prefix}.index`)) entries.set(latin1(key), value);
    const header = entries.get('');
    if (header === undefined) throw headerError(prefix, 'it has no header');
    const { numShards, endianness } =
      header.byteLength === 0
        ? { numShards: 0, endianness: 0 }
        : decodeMessage(BundleHeaderProtoSchema, header, `header of ${prefix}.index`);
    if (numShards < 1 || numShards > MAXIMUM_SHARDS) throw headerError(prefix, `it claims ${numShards} data files`);
    if (endianness !== 0) throw headerError(prefix, 'it was written on a big-endian machine, which is not supported');
    entries.delete('');
    return new TensorBundle(files, prefix, numShards, entries);
  }

  /** Names of tensors; parts of tensors are not among them. */
  get keys(): string[] {
    // The code of a part's key starts with the number 0.
    return [...this.#entries.keys()].filter((key) => !key.startsWith('\0')).map(utf8);
  }

  has(key: string): boolean {
    return this.#entries.has(latin1(new TextEncoder().encode(key)));
  }

  /**
   * A tensor whose elements are read, and checked against their checksum, when someone asks for them; a partitioned one is put together then.
   * @throws ModelFormatError VARIABLE_MISSING, BUNDLE_ENTRY, BUNDLE_TEXTS, TENSOR_SHAPE, PROTOBUF_…; EXTERNAL_DATA_… for its data file, and
   * BUNDLE_CHECKSUM and EXTERNAL_DATA_RANGE when its elements are read
   */
  tensor(key: string): TensorFlowTensor {
    const entry = this.#entry(latin1(new TextEncoder().encode(key)), key);
    return entry.slices.length === 0 ? this.#stored(entry, key) : this.#assembled(entry, key);
  }

  /** A part of a tensor. @throws ModelFormatError as `tensor`, and BUNDLE_PART where the part is not one of it */
  part(key: string, part: PartOfTensor): TensorFlowTensor {
    const whole = this.#entry(latin1(new TextEncoder().encode(key)), key);
    const dims = partDims(part);
    const wholeDims = constantDims(whole.shape, key);
    if (dims === undefined || part.dims.join() !== wholeDims.join()) {
      throw new ModelFormatError({
        code: 'BUNDLE_PART',
        message: `${this.#prefix}.index has '${key}' with the shape [${wholeDims.join(', ')}]; the graph reads a part of [${part.dims.join(', ')}].`,
        advice: 'Graph and variables belong to different versions of the model: export it again.',
      });
    }
    const own = latin1(partKey(key, part.extents));
    if (this.#entries.has(own)) return this.#stored(this.#entry(own, key), key);
    const all = this.tensor(key);
    return lazyTensor(all.dataType, dims, () => {
      const size = typeBytes(all.dataType);
      const bytes = new Uint8Array(dims.reduce((product, each) => product * each, size));
      copyPart('take', all.bytes, bytes, part, size);
      return bytes;
    });
  }

  /** A scalar text, such as the checkpoint's graph of objects; undefined where there is none. */
  text(key: string): Uint8Array | undefined {
    if (!this.has(key)) return undefined;
    const entry = this.#entry(latin1(new TextEncoder().encode(key)), key);
    const size = entryNumber(entry.size, 'size', key);
    const bytes = this.#read(entry, size, key);
    // Its length as a varint, the checksum of the length, its bytes.
    let at = 0;
    while (at < 10 && (bytes[at] ?? 0) > 0x7f) at++;
    return bytes.subarray(at + 1 + 4);
  }

  #entry(stored: string, key: string): BundleEntryProto {
    const bytes = this.#entries.get(stored);
    if (bytes === undefined) {
      const few = this.keys.slice(0, 5).map((each) => `'${each}'`);
      throw new ModelFormatError({
        code: 'VARIABLE_MISSING',
        message: `${this.#prefix}.index has no tensor '${key}' (it has ${few.join(', ') || 'none'}${this.#entries.size > few.length ? ', …' : ''}).`,
        advice:
          'Graph and variables belong to different models: copy the whole folder again, or export the model again.',
      });
    }
    return decodeMessage(BundleEntryProtoSchema, bytes, `entry '${key}' of ${this.#prefix}.index`);
  }

  /** An entry whose elements lie in a data file. */
  #stored(entry: BundleEntryProto, key: string): TensorFlowTensor {
    const dataType = typeName(entry.dtype);
    const dims = constantDims(entry.shape, `'${key}' of ${this.#prefix}.index`);
    if (typeBytes(dataType) === 0) throw textsError(key, dataType);
    const bytes = dims.reduce((product, size) => product * size, typeBytes(dataType));
    const size = entryNumber(entry.size, 'size', key);
    if (size !== bytes) {
      throw entryError(key, `${dataType} [${dims.join(', ')}] needs ${bytes} bytes and has ${size}`);
    }
    // That the file is there and long enough is said at once; its elements wait.
    if (size > 0) this.#range(entry, size, key);
    return lazyTensor(dataType, dims, () => {
      const elements = size === 0 ? new Uint8Array() : this.#read(entry, size, key);
      if (size > 0 && crc32c(elements) !== unmasked(entry.crc32c)) {
        throw new ModelFormatError({
          code: 'BUNDLE_CHECKSUM',
          message: `The elements of '${key}' in ${this.#shard(entry, key)} do not have their checksum.`,
          advice: 'The file is damaged. Copy it again.',
        });
      }
      return elements;
    });
  }

  #assembled(entry: BundleEntryProto, key: string): TensorFlowTensor {
    const dataType = typeName(entry.dtype);
    const elementBytes = typeBytes(dataType);
    if (elementBytes === 0) throw textsError(key, dataType);
    const dims = constantDims(entry.shape, `'${key}' of ${this.#prefix}.index`);
    const seen = new Set<string>();
    const parts = entry.slices.map(({ extent }) => {
      const extents = extent.map(({ start, length }) => ({ start: Number(start), length: Number(length ?? -1n) }));
      const own = latin1(partKey(key, extents));
      const tensor = this.#stored(this.#entry(own, key), key);
      const sizes = partDims({ dims, extents });
      if (sizes?.join() !== tensor.dims.join() || tensor.dataType !== dataType || seen.has(own)) {
        throw entryError(key, 'one of its parts is not part of it');
      }
      seen.add(own);
      return { tensor, part: { dims, extents } };
    });
    const count = (each: readonly number[]) => each.reduce((product, size) => product * size, 1);
    const covered = parts.reduce((sum, { tensor }) => sum + count(tensor.dims), 0);
    if (covered !== count(dims)) throw entryError(key, `its parts have ${covered} of ${count(dims)} elements`);
    return lazyTensor(dataType, dims, () => {
      const whole = new Uint8Array(covered * elementBytes);
      for (const { tensor, part } of parts) copyPart('put', whole, tensor.bytes, part, elementBytes);
      return whole;
    });
  }

  #shard({ shardId }: BundleEntryProto, key: string): string {
    if (shardId < 0 || shardId >= this.#shards) {
      throw entryError(key, `it lies in data file ${shardId} of ${this.#shards}`);
    }
    const digits = (number: number) => String(number).padStart(5, '0');
    return `${this.#prefix}.data-${digits(shardId)}-of-${digits(this.#shards)}`;
  }

  #range(entry: BundleEntryProto, size: number, key: string) {
    const offset = entryNumber(entry.offset, 'offset', key);
    const location = [
      { key: 'location', value: this.#shard(entry, key) },
      { key: 'offset', value: String(offset) },
    ];
    return this.#files.resolve(location, size, `variable '${key}'`);
  }

  #read(entry: BundleEntryProto, size: number, key: string): Uint8Array {
    return this.#files.load(this.#range(entry, size, key));
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function utf8(key: string): string {
  return Buffer.from(key, 'latin1').toString('utf8');
}

function entryNumber(value: bigint, what: string, key: string): number {
  if (value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw entryError(key, `its ${what} is ${value}`);
}

function entryError(key: string, what: string): ModelFormatError {
  return new ModelFormatError({
    code: 'BUNDLE_ENTRY',
    message: `Variable '${key}' of the checkpoint: ${what}.`,
    advice: 'The index of the checkpoint is damaged. Copy it again.',
  });
}

function textsError(key: string, type: string): ModelFormatError {
  return new ModelFormatError({
    code: 'BUNDLE_TEXTS',
    message: `Variable '${key}' of the checkpoint has the type ${type}, whose elements are no numbers.`,
    advice:
      'ONNX models on this runtime take numbers: move what needs texts in front of the model, and export it without.',
  });
}

function headerError(prefix: string, what: string): ModelFormatError {
  return new ModelFormatError({
    code: 'BUNDLE_HEADER',
    message: `${prefix}.index is not the index of a checkpoint: ${what}.`,
    advice: 'The file is damaged. Copy it again, or save the model again.',
  });
}
