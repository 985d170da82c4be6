/**
 * Snappy's block format, decoded. https://github.com/google/snappy/blob/main/format_description.txt. Own code: it is what the two pure
 * JavaScript libraries have, with every length checked.
 */

/** A copy makes at most 64 bytes of 3. */
const LARGEST_RATIO = 32;

/** @returns undefined for bytes that are not a whole block */
export function decodeSnappy(block: Uint8Array): Uint8Array | undefined {
  let at = 0;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = block[at++];
    if (byte === undefined || shift > 28) return undefined;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (length > block.length * LARGEST_RATIO) return undefined;
  const output = new Uint8Array(length);
  let filled = 0;
  while (at < block.length) {
    const tag = block[at++] as number;
    const kind = tag & 3;
    // How many bytes of length or offset follow the tag.
    const extra = kind === 0 ? Math.max(0, (tag >>> 2) - 59) : kind === 3 ? 4 : kind;
    if (at + extra > block.length) return undefined;
    let number = 0;
    for (let index = 0; index < extra; index++) number += (block[at + index] as number) * 256 ** index;
    at += extra;
    if (kind === 0) {
      const size = (extra === 0 ? tag >>> 2 : number) + 1;
      if (size > block.length - at || size > length - filled) return undefined;
      output.set(block.subarray(at, at + size), filled);
      at += size;
      filled += size;
      continue;
    }
    const size = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const offset = kind === 1 ? (tag >>> 5) * 256 + number : number;
    if (offset === 0 || offset > filled || size > length - filled) return undefined;
    // Byte by byte: what is copied may be what this copy writes.
    for (let end = filled + size; filled < end; filled++) output[filled] = output[filled - offset] as number;
  }
  return filled === length ? output : undefined;
}
