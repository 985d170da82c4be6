/**
 * The FlexBuffers that TensorFlow Lite keeps options of custom operators in: maps of names to numbers, read without a schema.
 * https://flatbuffers.dev/flexbuffers/, "FlexBuffers internals". Members that are no numbers are left out.
 */
import { ModelFormatError } from '../../../errors.js';

/** Types in the upper six bits of a packed type; the lower two are the width, 2^n bytes. */
const TYPE = { int: 1, uint: 2, float: 3, map: 9, bool: 26 } as const;
/** Scalars that lie elsewhere, with an offset to them. */
const INDIRECT = { 6: TYPE.int, 7: TYPE.uint, 8: TYPE.float } as const;

/** No operator has more options. */
const MAXIMUM_KEYS = 256;
const MAXIMUM_KEY_BYTES = 256;

/**
 * The numbers in a map at the root.
 * @param place for messages
 * @throws ModelFormatError FLEXBUFFER_INVALID
 */
export function decodeNumberMap(bytes: Uint8Array, place: string): ReadonlyMap<string, number> {
  return new FlexBuffer(bytes, place).numberMap();
}

class FlexBuffer {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #place: string;

  constructor(bytes: Uint8Array, place: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#place = place;
  }

  /** A map is a vector of values, behind it their types; in front of its length the offset to its keys and the width of those offsets. */
  numberMap(): ReadonlyMap<string, number> {
    const end = this.#bytes.byteLength;
    const rootWidth = this.#uint(end - 1, 1);
    const rootType = this.#uint(end - 2, 1);
    if (![1, 2, 4, 8].includes(rootWidth) || rootType >> 2 !== TYPE.map) throw this.#error('its root is no map');
    const root = end - 2 - rootWidth;
    const start = root - this.#uint(root, rootWidth);
    const width = 1 << (rootType & 3);
    const count = this.#uint(start - width, width);
    if (count > MAXIMUM_KEYS) throw this.#error(`it has ${count} members`);
    const keysOffset = start - 3 * width;
    const keys = keysOffset - this.#uint(keysOffset, width);
    const keyWidth = this.#uint(start - 2 * width, width);
    if (![1, 2, 4, 8].includes(keyWidth)) throw this.#error(`its keys have offsets of ${keyWidth} bytes`);
    const numbers = new Map<string, number>();
    for (let index = 0; index < count; index++) {
      const key = keys + index * keyWidth;
      const number = this.#number(start + index * width, width, this.#uint(start + count * width + index, 1));
      if (number !== undefined) numbers.set(this.#key(key - this.#uint(key, keyWidth)), number);
    }
    return numbers;
  }

  #number(at: number, width: number, packedType: number): number | undefined {
    const type = packedType >> 2;
    const direct = (INDIRECT as Readonly<Record<number, number>>)[type];
    if (direct !== undefined) return this.#scalar(at - this.#uint(at, width), 1 << (packedType & 3), direct);
    return this.#scalar(at, width, type);
  }

  #scalar(at: number, width: number, type: number): number | undefined {
    switch (type) {
      case TYPE.int: {
        const bits = width * 8;
        return bits === 64
          ? Number(BigInt.asIntN(64, BigInt(this.#uint(at, 8))))
          : (this.#uint(at, width) << (32 - bits)) >> (32 - bits);
      }
      case TYPE.uint:
      case TYPE.bool:
        return this.#uint(at, width);
      case TYPE.float:
        this.#check(at, width);
        if (width === 8) return this.#view.getFloat64(at, true);
        return width === 4 ? this.#view.getFloat32(at, true) : undefined;
      default:
        return undefined;
    }
  }

  /** Beyond 2^53 rounded: no offset is as large. */
  #uint(at: number, width: number): number {
    this.#check(at, width);
    switch (width) {
      case 1:
        return this.#view.getUint8(at);
      case 2:
        return this.#view.getUint16(at, true);
      case 4:
        return this.#view.getUint32(at, true);
      default:
        return Number(this.#view.getBigUint64(at, true));
    }
  }

  #key(at: number): string {
    const limit = Math.min(this.#bytes.byteLength, at + MAXIMUM_KEY_BYTES);
    this.#check(at, 1);
    let end = at;
    while (end < limit && this.#bytes[end] !== 0) end++;
    return new TextDecoder('latin1').decode(this.#bytes.subarray(at, end));
  }

  #check(at: number, length: number): void {
    if (at >= 0 && at + length <= this.#bytes.byteLength) return;
    throw this.#error(`it points to byte ${at} of ${this.#bytes.byteLength}`);
  }

  #error(what: string): ModelFormatError {
    return new ModelFormatError({
      code: 'FLEXBUFFER_INVALID',
      message: `The options of ${this.#place} cannot be read: ${what}.`,
      advice: 'The file is damaged or incomplete. Download or export it again.',
    });
  }
}
