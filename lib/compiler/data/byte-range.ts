/** Ranges of a file, or of a compressed stream inside one, without holding the rest of it. */
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { damaged } from './data-error.js';

export interface ByteRangeReader {
  readonly length: number;
  /** Memory of the caller's own. @throws ConfigurationError DATA_DAMAGED if the file ends before */
  read(start: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Part of an open file, which the caller closes. */
export function fileRange(handle: FileHandle, offset: number, length: number, where: string): ByteRangeReader {
  return {
    length,
    async read(start, count) {
      if (start + count > length) throw damaged(where, 'it ends too early');
      const bytes = new Uint8Array(count);
      for (let filled = 0; filled < count; ) {
        const { bytesRead } = await handle.read(bytes, filled, count - filled, offset + start + filled);
        if (bytesRead === 0) throw damaged(where, 'it ends too early');
        filled += bytesRead;
      }
      return bytes;
    },
    close: async () => undefined,
  };
}

/**
 * A stream read forwards: a range behind what was read before costs no more than the way to it, one in front of it starts the stream again.
 */
export class StreamRange implements ByteRangeReader {
  readonly length: number;
  readonly #open: () => Promise<Readable>;
  readonly #where: string;
  #stream: Readable | undefined;
  #chunks: AsyncIterator<Uint8Array> | undefined;
  /** What was taken from the stream and not yet asked for. */
  #rest: Uint8Array = new Uint8Array(0);
  #position = 0;

  constructor(open: () => Promise<Readable>, length: number, where: string) {
    this.#open = open;
    this.length = length;
    this.#where = where;
  }

  async read(start: number, length: number): Promise<Uint8Array> {
    if (start + length > this.length) throw damaged(this.#where, 'it ends too early');
    if (this.#chunks === undefined || start < this.#position) await this.#restart();
    await this.#take(start - this.#position, undefined);
    const bytes = new Uint8Array(length);
    await this.#take(length, bytes);
    return bytes;
  }

  async close(): Promise<void> {
    this.#stream?.destroy();
    this.#stream = undefined;
    this.#chunks = undefined;
    this.#rest = new Uint8Array(0);
  }

  async #restart(): Promise<void> {
    await this.close();
    this.#position = 0;
    this.#stream = await this.#open();
    this.#chunks = this.#stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  }

  async #take(count: number, target: Uint8Array | undefined): Promise<void> {
    for (let taken = 0; taken < count; ) {
      if (this.#rest.byteLength === 0) {
        const next = await this.#chunks?.next();
        if (next === undefined || next.done === true) throw damaged(this.#where, 'it ends too early');
        this.#rest = next.value;
      }
      const piece = this.#rest.subarray(0, count - taken);
      target?.set(piece, taken);
      this.#rest = this.#rest.subarray(piece.byteLength);
      this.#position += piece.byteLength;
      taken += piece.byteLength;
    }
  }
}
