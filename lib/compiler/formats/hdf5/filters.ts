/** How chunks are packed: deflate, shuffled bytes, checksums. */
import { inflateSync } from 'node:zlib';
import type { Cursor } from './cursor.js';
import { damaged, unsupported } from './hdf5-error.js';

export interface Filter {
  readonly id: number;
}

const DEFLATE = 1;
const SHUFFLE = 2;
const FLETCHER32 = 3;
const NAMES: Readonly<Record<number, string>> = {
  4: 'szip',
  5: 'nbit',
  6: 'scale-offset',
  32000: 'lzf',
  32001: 'blosc',
  32004: 'lz4',
  32015: 'zstd',
};

/** @throws ModelFormatError HDF5_UNSUPPORTED, HDF5_DAMAGED */
export function readFilters(cursor: Cursor): readonly Filter[] {
  const at = cursor.position;
  const version = cursor.u8();
  if (version !== 1 && version !== 2) throw damaged(`a list of filters has the version ${version}`, at);
  const count = cursor.u8();
  if (version === 1) cursor.skip(6);
  return Array.from({ length: count }, () => {
    const id = cursor.u16();
    const nameLength = version === 1 || id >= 256 ? cursor.u16() : 0;
    cursor.skip(2);
    const values = cursor.u16();
    cursor.skip(version === 1 ? Math.ceil(nameLength / 8) * 8 : nameLength);
    cursor.skip(4 * values + (version === 1 && values % 2 === 1 ? 4 : 0));
    if (id !== DEFLATE && id !== SHUFFLE && id !== FLETCHER32) {
      throw unsupported(`the compression '${NAMES[id] ?? id}'`, at);
    }
    return { id };
  });
}

interface ChunkSizes {
  readonly elementBytes: number;
  /** Of the unpacked chunk. */
  readonly chunkBytes: number;
}

/**
 * A chunk as it was before the filters, which are undone from the last to the first.
 * @param mask bit i: filter i was left out for this chunk
 * @throws ModelFormatError HDF5_DAMAGED
 */
export function unfiltered(
  packed: Uint8Array,
  filters: readonly Filter[],
  mask: number,
  sizes: ChunkSizes,
): Uint8Array {
  let bytes = packed;
  for (let index = filters.length - 1; index >= 0; index--) {
    if (mask & (1 << index)) continue;
    const id = filters[index]?.id;
    if (id === DEFLATE) bytes = inflated(bytes, sizes.chunkBytes);
    else if (id === SHUFFLE) bytes = unshuffled(bytes, sizes.elementBytes);
    else bytes = withoutChecksum(bytes);
  }
  if (bytes.byteLength !== sizes.chunkBytes) {
    throw damaged(`a chunk unpacks to ${bytes.byteLength} bytes in place of ${sizes.chunkBytes}`);
  }
  return bytes;
}

function inflated(bytes: Uint8Array, chunkBytes: number): Uint8Array {
  try {
    // A checksum may stand behind what was packed.
    return inflateSync(bytes, { maxOutputLength: chunkBytes + 4 });
  } catch (cause) {
    throw damaged(`a chunk cannot be unpacked (${cause instanceof Error ? cause.message : String(cause)})`);
  }
}

/** First bytes of all elements, then second ones, …: back to elements. */
function unshuffled(bytes: Uint8Array, elementBytes: number): Uint8Array {
  const count = Math.floor(bytes.byteLength / elementBytes);
  const result = new Uint8Array(bytes);
  for (let byte = 0; byte < elementBytes; byte++) {
    for (let element = 0; element < count; element++) {
      result[element * elementBytes + byte] = bytes[byte * count + element] ?? 0;
    }
  }
  return result;
}

/** Fletcher's checksum over 16-bit words, big-endian ones as HDF5 counts, behind the bytes. */
function withoutChecksum(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength < 4) throw damaged('a chunk is shorter than its checksum');
  const content = bytes.subarray(0, bytes.byteLength - 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset + content.byteLength, 4);
  if (view.getUint32(0, true) !== fletcher32(content)) throw damaged('a chunk has a wrong checksum');
  return content;
}

function fletcher32(bytes: Uint8Array): number {
  let first = 0;
  let second = 0;
  const words = Math.floor(bytes.byteLength / 2);
  for (let word = 0; word < words; word++) {
    first = (first + ((bytes[2 * word] ?? 0) << 8) + (bytes[2 * word + 1] ?? 0)) % 65535;
    second = (second + first) % 65535;
  }
  if (bytes.byteLength % 2 === 1) {
    first = (first + ((bytes[bytes.byteLength - 1] ?? 0) << 8)) % 65535;
    second = (second + first) % 65535;
  }
  return ((second << 16) | first) >>> 0;
}
