/** Bytes that come in pieces of any size, taken in pieces of a wanted one. */
import { archiveError } from './archive-error.js';

export class ByteStream {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** The next `count` bytes, or fewer where the stream ends before. Keep `count` small: they are held together. */
  async take(count: number): Promise<Uint8Array> {
    const taken = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const piece = await this.#piece(count - filled);
      if (piece === undefined) break;
      taken.set(piece, filled);
      filled += piece.byteLength;
    }
    return taken.subarray(0, filled);
  }

  /** The next `count` bytes, piece by piece. @throws ModelFormatError ARCHIVE_DAMAGED where the stream ends before */
  async *pass(count: number): AsyncGenerator<Uint8Array> {
    for (let passed = 0; passed < count; ) {
      const piece = await this.#piece(count - passed);
      if (piece === undefined) throw archiveError('ARCHIVE_DAMAGED', 'The archive ends in the middle of a file.');
      passed += piece.byteLength;
      yield piece;
    }
  }

  /** Everything that is left, piece by piece. */
  async *remaining(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = await this.#piece(Number.POSITIVE_INFINITY);
      if (piece === undefined) return;
      yield piece;
    }
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #piece(most: number): Promise<Uint8Array | undefined> {
    while (this.#rest.byteLength === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return undefined;
      this.#rest = next.value;
    }
    const piece = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(piece.byteLength);
    return piece;
  }
}
