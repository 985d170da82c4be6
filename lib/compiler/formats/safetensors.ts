/**
 * The safetensors format: eight bytes of length, a JSON header, then the tensors' bytes without a gap.
 * https://github.com/huggingface/safetensors#format. Files are hostile: every number is checked before it is used.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { ModelFormatError } from '../../errors.js';

/** Bytes per element of the types that this project stores. */
const ELEMENT_BYTES = { F32: 4, F16: 2, I8: 1, U8: 1, I16: 2, U16: 2, I32: 4, I64: 8 } as const;

export type SafetensorsType = keyof typeof ELEMENT_BYTES;

export interface SafetensorsEntry {
  readonly dataType: SafetensorsType;
  readonly shape: readonly number[];
  /** Of the elements, in the file: little-endian, row by row. */
  readonly offset: number;
  readonly bytes: number;
}

export interface SafetensorsTensor {
  readonly dataType: SafetensorsType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

const LENGTH_BYTES = 8;
/** A header of so many bytes describes a hundred thousand tensors. */
const MAX_HEADER_BYTES = 16_000_000;
const MAX_RANK = 32;
/** The data begins at a multiple of it, which the header is filled up to with spaces. */
const ALIGNMENT = 8;

/**
 * A file's bytes. The same tensors in the same order give the same bytes.
 * @throws RangeError for a tensor whose bytes are not what its shape asks for
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  // The reference implementation puts wide types first, so that each tensor is aligned.
  const entries = [...tensors].sort(
    ([a, x], [b, y]) => ELEMENT_BYTES[y.dataType] - ELEMENT_BYTES[x.dataType] || (a < b ? -1 : 1),
  );
  let end = 0;
  const described = entries.map(([name, { dataType, shape, bytes }]): [string, unknown] => {
    if (name === METADATA) throw new RangeError(`a tensor cannot be called ${METADATA}`);
    if (bytes.byteLength !== byteCount(dataType, shape)) {
      throw new RangeError(`'${name}' has ${bytes.byteLength} bytes, which ${dataType} [${shape.join(', ')}] has not`);
    }
    const start = end;
    end += bytes.byteLength;
    return [name, { dtype: dataType, shape, data_offsets: [start, end] }];
  });
  const header = [...(Object.keys(metadata).length === 0 ? [] : [[METADATA, metadata] as const]), ...described];
  // Not by way of an object, which would put names that are numbers first.
  const members = header.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const json = new TextEncoder().encode(`{${members.join(',')}}`);
  const headerBytes = Math.ceil(json.byteLength / ALIGNMENT) * ALIGNMENT;
  const file = new Uint8Array(LENGTH_BYTES + headerBytes + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.fill(0x20, LENGTH_BYTES, LENGTH_BYTES + headerBytes);
  file.set(json, LENGTH_BYTES);
  let position = LENGTH_BYTES + headerBytes;
  for (const [, { bytes }] of entries) {
    file.set(bytes, position);
    position += bytes.byteLength;
  }
  return file;
}

/** An open file; its tensors are read when they are asked for. */
export class SafetensorsFile {
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #path: string;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle, header: Header) {
    this.#path = path;
    this.#file = file;
    this.entries = header.entries;
    this.metadata = header.metadata;
  }

  /** @throws ModelFormatError SAFETENSORS_INVALID; the system's error for a file that cannot be opened */
  static async open(path: string): Promise<SafetensorsFile> {
    const file = await open(path, 'r');
    try {
      const stats = await file.stat();
      if (!stats.isFile()) throw invalid(path, 'it is not a regular file');
      if (stats.size < LENGTH_BYTES) throw invalid(path, `it has ${stats.size} bytes`);
      const start = await readExactly(file, 0, LENGTH_BYTES, path);
      const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
      const most = Math.min(MAX_HEADER_BYTES, stats.size - LENGTH_BYTES);
      if (length > BigInt(most)) throw invalid(path, `its header claims ${length} bytes, at most ${most} are possible`);
      const header = await readExactly(file, LENGTH_BYTES, Number(length), path);
      const dataStart = LENGTH_BYTES + Number(length);
      return new SafetensorsFile(path, file, readHeader(header, dataStart, stats.size, path));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The elements of a tensor of `entries`. */
  async read({ offset, bytes }: SafetensorsEntry): Promise<Uint8Array> {
    return await readExactly(this.#file, offset, bytes, this.#path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

const METADATA = '__metadata__';

interface Header {
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Refuses overlaps and gaps too, in which a file could hide something, as the reference implementation does. */
function readHeader(bytes: Uint8Array, dataStart: number, fileSize: number, path: string): Header {
  const json = parseJson(bytes, path);
  const entries = new Map<string, SafetensorsEntry>();
  let metadata: Readonly<Record<string, string>> = {};
  for (const [name, value] of Object.entries(json)) {
    if (name === METADATA) metadata = readMetadata(value, path);
    else entries.set(name, readEntry(name, value, dataStart, path));
  }
  let end = dataStart;
  for (const [name, { offset, bytes: length }] of [...entries].sort(
    ([, a], [, b]) => a.offset - b.offset || a.bytes - b.bytes,
  )) {
    if (offset !== end) throw invalid(path, `the bytes of ${quoted(name)} do not follow those before them`);
    end = offset + length;
  }
  if (end !== fileSize) throw invalid(path, `it has ${fileSize} bytes, its header accounts for ${end}`);
  return { entries, metadata };
}

function parseJson(bytes: Uint8Array, path: string): Record<string, unknown> {
  // Before JSON.parse, which takes nesting and white space as it comes.
  if (bytes[0] !== 0x7b) throw invalid(path, 'its header is no JSON object');
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (isRecord(json)) return json;
  } catch (cause) {
    throw invalid(path, 'its header is no JSON', cause);
  }
  throw invalid(path, 'its header is no JSON object');
}

function readEntry(name: string, value: unknown, dataStart: number, path: string): SafetensorsEntry {
  const { dtype, shape, data_offsets: offsets, ...rest } = isRecord(value) ? value : {};
  if (Object.keys(rest).length > 0) throw invalid(path, `${quoted(name)} has unknown keys`);
  if (!isType(dtype)) throw invalid(path, `${quoted(name)} is of no known type`);
  if (!isSizes(shape) || shape.length > MAX_RANK) throw invalid(path, `${quoted(name)} has no valid shape`);
  if (!isSizes(offsets)) throw invalid(path, `${quoted(name)} has no valid offsets`);
  const [start = 0, end = 0] = offsets;
  const bytes = byteCount(dtype, shape);
  if (offsets.length !== 2 || end - start !== bytes) {
    throw invalid(path, `${quoted(name)} does not lie where ${bytes} bytes fit`);
  }
  return { dataType: dtype, shape, offset: dataStart + start, bytes };
}

function readMetadata(value: unknown, path: string): Readonly<Record<string, string>> {
  if (isRecord(value) && Object.values(value).every((text) => typeof text === 'string')) {
    return value as Readonly<Record<string, string>>;
  }
  throw invalid(path, 'its metadata is not an object of texts');
}

/** Not a safe integer where the product is beyond what any file holds; then it equals no length either. */
function byteCount(dataType: SafetensorsType, shape: readonly number[]): number {
  const count = shape.reduce((product, size) => product * size, ELEMENT_BYTES[dataType]);
  return Number.isSafeInteger(count) ? count : Number.NaN;
}

function isType(value: unknown): value is SafetensorsType {
  return typeof value === 'string' && Object.hasOwn(ELEMENT_BYTES, value);
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function readExactly(file: FileHandle, position: number, length: number, path: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, Math.min(length - done, 2 ** 30), position + done);
    if (bytesRead === 0) throw invalid(path, 'it became shorter while it was read');
    done += bytesRead;
  }
  return bytes;
}

function quoted(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
}

function invalid(path: string, what: string, cause?: unknown): ModelFormatError {
  return new ModelFormatError({
    code: 'SAFETENSORS_INVALID',
    message: `${path} is not valid safetensors: ${what}.`,
    advice:
      'The file is damaged or was not written by cdk-onnx; restore it, or make it again with `cdk-onnx optimize`.',
    cause,
  });
}
