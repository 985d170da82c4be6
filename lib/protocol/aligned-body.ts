/** Typed arrays need their first byte on a multiple of their element's size, and clients do not pad the document before the tensors. */

/** The largest element's size, bytes. */
const ALIGNMENT = 8;
/** Bodies of one client differ by a few bytes: memory is taken in steps, so that the next one fits. */
const STEP_BYTES = 65_536;

/**
 * Memory that bodies are decoded into, kept from one to the next: a page's first touch costs more than the bytes decoded into it.
 * It keeps as much as the largest body took.
 */
export class BodyMemory {
  #spare: Buffer | undefined;

  /**
   * The bytes of a base64 text, placed in memory so that the byte at `documentLength`, where the first tensor begins, is aligned for any
   * element type.
   */
  decode(base64: string, documentLength: number): Uint8Array {
    const offset = (ALIGNMENT - (documentLength % ALIGNMENT)) % ALIGNMENT;
    const memory = this.#take(offset + Buffer.byteLength(base64, 'base64'));
    const written = memory.write(base64, offset, 'base64');
    return memory.subarray(offset, offset + written);
  }

  /** Takes back the memory of a decoded body that nobody reads any more; without it, the next body gets new memory. */
  reclaim(bytes: Uint8Array): void {
    this.#spare = Buffer.from(bytes.buffer);
  }

  #take(bytes: number): Buffer {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare !== undefined && spare.length >= bytes) return spare;
    // Slow: not from the pool, whose slices begin anywhere and hold other requests' bytes.
    return Buffer.allocUnsafeSlow(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES);
  }
}
