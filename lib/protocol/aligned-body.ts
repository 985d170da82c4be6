/** Typed arrays need their first byte on a multiple of their element's size, and clients do not pad the document before the tensors. */

/** The largest element's size, bytes. */
const ALIGNMENT = 8;

/**
 * The bytes of a base64 text, placed in memory so that the byte at `documentLength`, where the first tensor begins, is aligned for any
 * element type.
 */
export function decodeAlignedBase64(base64: string, documentLength: number): Uint8Array {
  const offset = (ALIGNMENT - (documentLength % ALIGNMENT)) % ALIGNMENT;
  // Slow: not from the pool, whose slices begin anywhere and hold other requests' bytes.
  const memory = Buffer.allocUnsafeSlow(offset + Buffer.byteLength(base64, 'base64'));
  const written = memory.write(base64, offset, 'base64');
  return memory.subarray(offset, offset + written);
}
