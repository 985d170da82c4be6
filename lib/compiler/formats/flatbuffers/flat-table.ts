/**
 * FlatBuffers read where they lie, every offset checked before it is followed. https://flatbuffers.dev/internals/.
 * Not the `flatbuffers` package: its ByteBuffer reads zeros beyond the end, follows any offset and believes every length, so that the
 * checks, which are what there is to write, would stand around a DataView all the same.
 */
import { ModelFormatError } from '../../../errors.js';

/**
 * What may be decoded of a buffer, in times of its length. Offsets may point at the same bytes again and again, so a small file can
 * describe a tree without end; writers share a few texts and vectors at most.
 */
const MAXIMUM_SHARING = 4;
const LEAST_DECODED_BYTES = 4096;
/** What is handed out as a view is not counted, so no real file has so much. */
const MOST_DECODED_BYTES = 2 ** 26;
const MOST_TABLES = 1_000_000;

/** A buffer and how much of it may still be decoded. */
class FlatBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly format: string;
  #bytesLeft: number;
  #tablesLeft = MOST_TABLES;

  constructor(bytes: Uint8Array, format: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.format = format;
    const shared = Math.max(LEAST_DECODED_BYTES, bytes.byteLength * MAXIMUM_SHARING);
    this.#bytesLeft = Math.min(MOST_DECODED_BYTES, shared);
  }

  /** @throws ModelFormatError FLATBUFFER_RANGE, FLATBUFFER_SHARING */
  check(position: number, length: number, place: string, isDecoded = true): void {
    if (position < 0 || position + length > this.bytes.byteLength) {
      throw this.error(
        'FLATBUFFER_RANGE',
        `${place} lies at bytes ${position} to ${position + length}, outside of the file's ${this.bytes.byteLength}`,
      );
    }
    if (isDecoded) this.#bytesLeft -= length;
    if (this.#bytesLeft < 0) throw this.#tooMuch(place);
  }

  countTable(place: string): void {
    this.#tablesLeft--;
    if (this.#tablesLeft < 0) throw this.#tooMuch(place);
  }

  #tooMuch(place: string): ModelFormatError {
    return this.error('FLATBUFFER_SHARING', `at ${place} more was described than any writer has to say`);
  }

  error(code: string, what: string): ModelFormatError {
    return new ModelFormatError({
      code,
      message: `This is not a valid ${this.format} file: ${what}.`,
      advice: 'The file is damaged or incomplete. Download or export it again.',
    });
  }
}

const VTABLE_HEADER_BYTES = 4;
const OFFSET_BYTES = 4;

/** Numbers that a vector may hold. */
const VECTORS = {
  uint8: { bytes: 1, read: (view: DataView, at: number) => view.getUint8(at) },
  uint16: { bytes: 2, read: (view: DataView, at: number) => view.getUint16(at, true) },
  int32: { bytes: 4, read: (view: DataView, at: number) => view.getInt32(at, true) },
  float32: { bytes: 4, read: (view: DataView, at: number) => view.getFloat32(at, true) },
  int64: { bytes: 8, read: (view: DataView, at: number) => Number(view.getBigInt64(at, true)) },
} as const;

export type VectorKind = keyof typeof VECTORS;

/** A table. Fields go by their number in the schema; one that is not there has its default. */
export class FlatTable {
  /** Where it was found, in the schema's words: "Model.subgraphs[0].tensors[3]". */
  readonly place: string;
  readonly #buffer: FlatBuffer;
  readonly #position: number;
  readonly #vtable: number;
  readonly #vtableBytes: number;
  readonly #tableBytes: number;

  private constructor(buffer: FlatBuffer, position: number, place: string) {
    this.place = place;
    this.#buffer = buffer;
    buffer.countTable(place);
    this.#position = position;
    buffer.check(position, OFFSET_BYTES, place);
    this.#vtable = position - buffer.view.getInt32(position, true);
    const described = `the layout of ${place}`;
    buffer.check(this.#vtable, VTABLE_HEADER_BYTES, described, false);
    this.#vtableBytes = buffer.view.getUint16(this.#vtable, true);
    this.#tableBytes = buffer.view.getUint16(this.#vtable + 2, true);
    if (this.#vtableBytes < VTABLE_HEADER_BYTES || this.#vtableBytes % 2 !== 0 || this.#tableBytes < OFFSET_BYTES) {
      throw buffer.error('FLATBUFFER_TABLE', `${described} takes ${this.#vtableBytes} bytes for ${this.#tableBytes}`);
    }
    buffer.check(this.#vtable, this.#vtableBytes, described, false);
    buffer.check(position, this.#tableBytes, place);
  }

  /**
   * The table that a file's first offset points to.
   * @param bytes views on them are handed out: they must not change
   * @param format as people call it, for messages
   * @throws ModelFormatError FLATBUFFER_RANGE, FLATBUFFER_TABLE, FLATBUFFER_SHARING, here and in every method
   */
  static root(bytes: Uint8Array, format: string, name: string): FlatTable {
    const buffer = new FlatBuffer(bytes, format);
    buffer.check(0, OFFSET_BYTES, name);
    return new FlatTable(buffer, buffer.view.getUint32(0, true), name);
  }

  has(field: number): boolean {
    return this.#find(field, 0) !== undefined;
  }

  bool(field: number, fallback = false): boolean {
    return this.uint8(field, fallback ? 1 : 0) !== 0;
  }

  int8(field: number, fallback = 0): number {
    const at = this.#find(field, 1);
    return at === undefined ? fallback : this.#buffer.view.getInt8(at);
  }

  uint8(field: number, fallback = 0): number {
    const at = this.#find(field, 1);
    return at === undefined ? fallback : this.#buffer.view.getUint8(at);
  }

  int32(field: number, fallback = 0): number {
    const at = this.#find(field, 4);
    return at === undefined ? fallback : this.#buffer.view.getInt32(at, true);
  }

  uint32(field: number, fallback = 0): number {
    const at = this.#find(field, 4);
    return at === undefined ? fallback : this.#buffer.view.getUint32(at, true);
  }

  float32(field: number, fallback = 0): number {
    const at = this.#find(field, 4);
    return at === undefined ? fallback : this.#buffer.view.getFloat32(at, true);
  }

  /** As a number: beyond 2^53 it is no length or position of anything, rounded or not. */
  uint64(field: number): number {
    const at = this.#find(field, 8);
    return at === undefined ? 0 : Number(this.#buffer.view.getBigUint64(at, true));
  }

  /** Replacement characters stand for what is no UTF-8. */
  text(field: number, name: string): string | undefined {
    const at = this.#target(field, name);
    if (at === undefined) return undefined;
    const { start, count } = this.#vector(at, 1, `${this.place}.${name}`);
    return new TextDecoder().decode(this.#buffer.bytes.subarray(start, start + count));
  }

  /** A view on the file. */
  bytes(field: number, name: string): Uint8Array | undefined {
    const at = this.#target(field, name);
    if (at === undefined) return undefined;
    const { start, count } = this.#vector(at, 1, `${this.place}.${name}`, false);
    return this.#buffer.bytes.subarray(start, start + count);
  }

  /** Integers beyond 2^53 are rounded. */
  numbers(field: number, name: string, kind: VectorKind): readonly number[] | undefined {
    const at = this.#target(field, name);
    if (at === undefined) return undefined;
    const { bytes, read } = VECTORS[kind];
    const { start, count } = this.#vector(at, bytes, `${this.place}.${name}`);
    return Array.from({ length: count }, (_, index) => read(this.#buffer.view, start + index * bytes));
  }

  table(field: number, name: string): FlatTable | undefined {
    const at = this.#target(field, name);
    return at === undefined ? undefined : new FlatTable(this.#buffer, at, `${this.place}.${name}`);
  }

  tables(field: number, name: string): readonly FlatTable[] {
    const at = this.#target(field, name);
    if (at === undefined) return [];
    const place = `${this.place}.${name}`;
    const { start, count } = this.#vector(at, OFFSET_BYTES, place);
    return Array.from({ length: count }, (_, index) => {
      const element = start + index * OFFSET_BYTES;
      return new FlatTable(this.#buffer, element + this.#buffer.view.getUint32(element, true), `${place}[${index}]`);
    });
  }

  /** An error of this file, for what is wrong beyond its bytes. */
  error(code: string, what: string): ModelFormatError {
    return this.#buffer.error(code, what);
  }

  /** Where a field lies, or undefined where the default stands for it. */
  #find(field: number, bytes: number): number | undefined {
    const entry = VTABLE_HEADER_BYTES + field * 2;
    if (entry + 2 > this.#vtableBytes) return undefined;
    const offset = this.#buffer.view.getUint16(this.#vtable + entry, true);
    if (offset === 0) return undefined;
    if (offset < OFFSET_BYTES || offset + bytes > this.#tableBytes) {
      throw this.#buffer.error('FLATBUFFER_TABLE', `field ${field} of ${this.place} lies outside of its table`);
    }
    return this.#position + offset;
  }

  /** What a field's offset points to. */
  #target(field: number, name: string): number | undefined {
    const at = this.#find(field, OFFSET_BYTES);
    if (at === undefined) return undefined;
    const target = at + this.#buffer.view.getUint32(at, true);
    this.#buffer.check(target, OFFSET_BYTES, `${this.place}.${name}`, false);
    return target;
  }

  #vector(at: number, elementBytes: number, place: string, isDecoded = true) {
    this.#buffer.check(at, OFFSET_BYTES, place, false);
    const count = this.#buffer.view.getUint32(at, true);
    const start = at + OFFSET_BYTES;
    this.#buffer.check(start, count * elementBytes, place, isDecoded);
    return { start, count };
  }
}
