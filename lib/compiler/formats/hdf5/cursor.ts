/** Reads numbers from a range of the file; past its end is an error, never zero. */
import { damaged } from './hdf5-error.js';

/** How a file writes addresses and lengths: its superblock says it. */
export interface Widths {
  readonly offsets: number;
  readonly lengths: number;
}

/** Stands for "nowhere" in place of an address. */
export const UNDEFINED_ADDRESS = -1;

export class Cursor {
  readonly bytes: Uint8Array;
  readonly end: number;
  position: number;
  readonly #view: DataView;
  readonly #widths: Widths;

  /** @throws ModelFormatError HDF5_DAMAGED for a range outside of the file */
  constructor(bytes: Uint8Array, start: number, length: number, widths: Widths) {
    if (start < 0 || length < 0 || start + length > bytes.byteLength) {
      throw damaged(`${length} bytes at ${start} lie outside of its ${bytes.byteLength}`);
    }
    this.bytes = bytes;
    this.position = start;
    this.end = start + length;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#widths = widths;
  }

  get left(): number {
    return this.end - this.position;
  }

  skip(count: number): void {
    this.#advance(count);
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** A number of 1, 2, 4 or 8 bytes. Beyond 2^53 it is no length and no place in any file. */
  unsigned(width: number): number {
    const at = this.position;
    switch (width) {
      case 1:
        return this.u8();
      case 2:
        return this.u16();
      case 4:
        return this.u32();
      default: {
        const value = this.#view.getBigUint64(this.#advance(8), true);
        if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged(`a number of ${value} is too large`, at);
        return Number(value);
      }
    }
  }

  /** A length or a size. */
  length(): number {
    return this.unsigned(this.#widths.lengths);
  }

  /** A place in the file, from its first byte, or UNDEFINED_ADDRESS. */
  address(): number {
    const { offsets } = this.#widths;
    const at = this.#advance(offsets);
    if (this.bytes.subarray(at, at + offsets).every((byte) => byte === 0xff)) return UNDEFINED_ADDRESS;
    this.position = at;
    return this.unsigned(offsets);
  }

  take(count: number): Uint8Array {
    const at = this.#advance(count);
    return this.bytes.subarray(at, at + count);
  }

  /** The bytes before the next NUL, which is skipped. */
  text(): string {
    const end = this.bytes.subarray(0, this.end).indexOf(0, this.position);
    if (end < 0) throw damaged('a text does not end', this.position);
    const text = decodeText(this.bytes.subarray(this.position, end));
    this.position = end + 1;
    return text;
  }

  signature(expected: string): void {
    const at = this.position;
    const found = String.fromCharCode(...this.take(expected.length));
    if (found !== expected) throw damaged(`${JSON.stringify(found)} stands in place of '${expected}'`, at);
  }

  #advance(count: number): number {
    const at = this.position;
    if (count > this.end - at) throw damaged('a structure passes its end', at);
    this.position = at + count;
    return at;
  }
}

const decoder = new TextDecoder();

export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
