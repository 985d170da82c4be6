/**
 * LevelDB's sorted table, which holds the index of a TensorBundle: blocks of prefix-compressed keys, an index of blocks, a footer.
 * https://github.com/google/leveldb/blob/main/doc/table_format.md. Files are hostile: every offset is checked before it is used.
 */
import { ModelFormatError } from '../../../errors.js';
import { crc32c, unmasked } from './crc32c.js';
import { decodeSnappy } from './snappy.js';

const FOOTER_BYTES = 48;
/** Compression and checksum behind each block. */
const TRAILER_BYTES = 5;
/** 0xdb4775248b80fb57, low bytes first. */
const MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
/** Of all keys written out: a table of few bytes can repeat a long prefix often. */
const MAXIMUM_KEY_BYTES = 2 ** 26;

export interface TableEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * The entries in the order of their keys; values are views.
 * @param file how messages call the table
 * @throws ModelFormatError TABLE_TRUNCATED, TABLE_INVALID, TABLE_CHECKSUM
 */
export function readSortedTable(bytes: Uint8Array, file: string): TableEntry[] {
  return new SortedTable(bytes, file).entries();
}

interface BlockHandle {
  readonly offset: number;
  readonly size: number;
}

class SortedTable {
  readonly #bytes: Uint8Array;
  readonly #file: string;
  #keyBytes = 0;

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#file = file;
  }

  entries(): TableEntry[] {
    const footer = this.#bytes.subarray(-FOOTER_BYTES);
    if (footer.length < FOOTER_BYTES || MAGIC.some((byte, index) => footer[FOOTER_BYTES - 8 + index] !== byte)) {
      throw this.#error(
        'TABLE_TRUNCATED',
        'it does not end as such a table does',
        'The file is incomplete or damaged. Copy it again, and compare its size with the original.',
      );
    }
    const reader = new ByteReader(footer);
    // Of the metaindex, which holds filters, and of the index.
    this.#handle(reader);
    const index = this.#block(this.#handle(reader));
    const entries: TableEntry[] = [];
    const seen = new Set<number>();
    for (const { value } of this.#blockEntries(index)) {
      const handle = this.#handle(new ByteReader(value));
      // Or a small file could read one block a million times.
      if (seen.has(handle.offset)) throw this.#invalid('two entries of its index name one block');
      seen.add(handle.offset);
      for (const entry of this.#blockEntries(this.#block(handle))) {
        const before = entries[entries.length - 1];
        if (before !== undefined && Buffer.compare(before.key, entry.key) >= 0) {
          throw this.#invalid('its keys are not in order');
        }
        entries.push(entry);
      }
    }
    return entries;
  }

  #handle(reader: ByteReader): BlockHandle {
    const [offset, size] = [reader.varint(), reader.varint()];
    if (offset === undefined || size === undefined) throw this.#invalid('the place of a block is cut');
    if (offset + size + TRAILER_BYTES > this.#bytes.length - FOOTER_BYTES) {
      throw this.#invalid(
        `a block of ${size} bytes at byte ${offset} passes the end of a file of ${this.#bytes.length}`,
      );
    }
    return { offset, size };
  }

  #block({ offset, size }: BlockHandle): Uint8Array {
    const checked = this.#bytes.subarray(offset, offset + size + 1);
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + offset + size, TRAILER_BYTES);
    if (unmasked(view.getUint32(1, true)) !== crc32c(checked)) {
      throw this.#error(
        'TABLE_CHECKSUM',
        `the block at byte ${offset} does not have its checksum`,
        'The file is damaged. Copy it again.',
      );
    }
    const content = checked.subarray(0, size);
    const compression = view.getUint8(0);
    if (compression === 0) return content;
    if (compression !== 1)
      throw this.#invalid(`the block at byte ${offset} has the unknown compression ${compression}`);
    const decoded = decodeSnappy(content);
    if (decoded === undefined) throw this.#invalid(`the block at byte ${offset} is not valid Snappy`);
    return decoded;
  }

  *#blockEntries(block: Uint8Array): Generator<TableEntry> {
    // The block ends with where keys are written whole, for searches, and the number of these places.
    const restarts =
      block.length < 4
        ? Number.NaN
        : new DataView(block.buffer, block.byteOffset + block.length - 4).getUint32(0, true);
    const end = block.length - 4 * (restarts + 1);
    if (!(end >= 0)) throw this.#invalid('a block is shorter than its list of restarts');
    const reader = new ByteReader(block.subarray(0, end));
    let key = new Uint8Array();
    while (!reader.atEnd) {
      const [shared, own, valueLength] = [reader.varint(), reader.varint(), reader.varint()];
      const rest = own === undefined ? undefined : reader.take(own);
      const value = valueLength === undefined ? undefined : reader.take(valueLength);
      if (shared === undefined || rest === undefined || value === undefined) throw this.#invalid('an entry is cut');
      if (shared > key.length) throw this.#invalid('a key shares more than the key before it has');
      this.#keyBytes += shared + rest.length;
      if (this.#keyBytes > MAXIMUM_KEY_BYTES) throw this.#invalid('its keys are longer than any model needs');
      const next = new Uint8Array(shared + rest.length);
      next.set(key.subarray(0, shared));
      next.set(rest, shared);
      key = next;
      yield { key, value };
    }
  }

  #invalid(what: string): ModelFormatError {
    return this.#error(
      'TABLE_INVALID',
      what,
      'The file is damaged, or no index of a TensorFlow checkpoint. Copy it again.',
    );
  }

  #error(code: string, what: string, advice: string): ModelFormatError {
    return new ModelFormatError({ code, message: `${this.#file} is not a valid table: ${what}.`, advice });
  }
}

class ByteReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#position >= this.#bytes.length;
  }

  /** undefined: cut, or beyond what a file can have. */
  varint(): number | undefined {
    let value = 0;
    for (let scale = 1; scale < 2 ** 50; scale *= 128) {
      const byte = this.#bytes[this.#position++];
      if (byte === undefined) return undefined;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : undefined;
    }
    return undefined;
  }

  take(length: number): Uint8Array | undefined {
    if (length > this.#bytes.length - this.#position) return undefined;
    this.#position += length;
    return this.#bytes.subarray(this.#position - length, this.#position);
  }
}
