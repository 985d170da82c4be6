/** CRC-32 as in zip and gzip (ISO 3309: polynomial 0xedb88320, reflected). yauzl leaves it to its callers. */
import * as zlib from 'node:zlib';

/** Node has one from 20.15 and 22.2 on. */
const native = (zlib as { crc32?: (bytes: Uint8Array, value: number) => number }).crc32;

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** @param value that of the bytes before; 0 at the start */
export function crc32(bytes: Uint8Array, value = 0): number {
  return native === undefined ? crc32InJavaScript(bytes, value) : native(bytes, value);
}

export function crc32InJavaScript(bytes: Uint8Array, value = 0): number {
  let crc = ~value;
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}
