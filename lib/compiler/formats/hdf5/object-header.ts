/** Object headers: the list of messages that describe a group or a dataset. */
import { Cursor, UNDEFINED_ADDRESS, type Widths } from './cursor.js';
import { damaged, unsupported } from './hdf5-error.js';

export const MESSAGE = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  link: 0x06,
  externalFiles: 0x07,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
  attributeInfo: 0x15,
} as const;

export interface Message {
  readonly type: number;
  /** Where its content lies. */
  readonly start: number;
  readonly length: number;
}

const HEADER_SHARED = 0x02;
/** Attributes of one object are at most some thousands: Keras writes a handful. */
const MAX_MESSAGES = 65_536;
const MAX_BLOCKS = 4096;

interface Block {
  readonly start: number;
  readonly length: number;
}

/** @throws ModelFormatError HDF5_DAMAGED, HDF5_UNSUPPORTED */
export function readObjectHeader(bytes: Uint8Array, address: number, widths: Widths): readonly Message[] {
  const cursor = new Cursor(bytes, address, bytes.byteLength - address, widths);
  const isNew = cursor.left >= 4 && bytes[address] === 0x4f; // 'O' of OHDR
  return isNew ? new Header(bytes, widths).version2(cursor) : new Header(bytes, widths).version1(cursor);
}

class Header {
  readonly #bytes: Uint8Array;
  readonly #widths: Widths;
  readonly #messages: Message[] = [];
  readonly #blocks: Block[] = [];
  readonly #seen = new Set<number>();

  constructor(bytes: Uint8Array, widths: Widths) {
    this.#bytes = bytes;
    this.#widths = widths;
  }

  version1(cursor: Cursor): readonly Message[] {
    const at = cursor.position;
    const version = cursor.u8();
    if (version !== 1) throw damaged(`an object header has the version ${version}`, at);
    cursor.skip(1);
    const count = cursor.u16();
    cursor.skip(4);
    const length = cursor.u32();
    // To a multiple of 8, counted from the header's start.
    cursor.skip(4);
    this.#add({ start: cursor.position, length });
    for (let block = this.#blocks.shift(); block !== undefined; block = this.#blocks.shift()) {
      const inside = this.#cursor(block);
      while (inside.left >= 8 && this.#messages.length < count) {
        const type = inside.u16();
        const size = inside.u16();
        const flags = inside.u8();
        inside.skip(3);
        this.#message(inside, type, size, flags);
      }
    }
    return this.#messages;
  }

  version2(cursor: Cursor): readonly Message[] {
    cursor.signature('OHDR');
    const at = cursor.position;
    const version = cursor.u8();
    if (version !== 2) throw damaged(`an object header has the version ${version}`, at);
    const flags = cursor.u8();
    if (flags & 0x20) cursor.skip(16);
    if (flags & 0x10) cursor.skip(4);
    const length = cursor.unsigned(1 << (flags & 3));
    const hasOrder = (flags & 4) !== 0;
    this.#add({ start: cursor.position, length });
    for (
      let first = true, block = this.#blocks.shift();
      block !== undefined;
      first = false, block = this.#blocks.shift()
    ) {
      const inside = this.#cursor(first ? block : this.#continued(block));
      while (inside.left >= (hasOrder ? 6 : 4)) {
        const type = inside.u8();
        const size = inside.u16();
        const messageFlags = inside.u8();
        if (hasOrder) inside.skip(2);
        this.#message(inside, type, size, messageFlags);
      }
    }
    return this.#messages;
  }

  /** Without the signature in front and the checksum behind. */
  #continued({ start, length }: Block): Block {
    const cursor = this.#cursor({ start, length });
    cursor.signature('OCHK');
    if (length < 8) throw damaged('a part of an object header is too short', start);
    return { start: start + 4, length: length - 8 };
  }

  #cursor({ start, length }: Block): Cursor {
    return new Cursor(this.#bytes, start, length, this.#widths);
  }

  #add(block: Block): void {
    if (this.#seen.has(block.start) || this.#seen.size >= MAX_BLOCKS) {
      throw damaged('the parts of an object header go in circles', block.start);
    }
    this.#seen.add(block.start);
    this.#blocks.push(block);
  }

  #message(cursor: Cursor, type: number, length: number, flags: number): void {
    const start = cursor.position;
    const content = new Cursor(this.#bytes, start, Math.min(length, cursor.left), this.#widths);
    cursor.skip(length);
    if (this.#messages.length >= MAX_MESSAGES) throw damaged('an object header has too many messages', start);
    this.#messages.push({ type, start, length });
    if (type === MESSAGE.continuation) {
      const address = content.address();
      if (address === UNDEFINED_ADDRESS) throw damaged('a part of an object header lies nowhere', start);
      this.#add({ start: address, length: content.length() });
    } else if (flags & HEADER_SHARED && Object.values<number>(MESSAGE).includes(type)) {
      throw unsupported('types or attributes that objects share', start);
    }
  }
}
