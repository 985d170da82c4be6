import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c, unmasked } from '../../../../lib/compiler/formats/tensorflow/crc32c.js';

const ascii = (text: string) => new TextEncoder().encode(text);

test('the check values of RFC 3720 and of the CRC catalogue', () => {
  expect(crc32c(ascii('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe(0x46dd794e);
  expect(crc32c(new Uint8Array())).toBe(0);
});

test('bytes in pieces have the checksum of the whole', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, at) => {
      expect(crc32c(bytes.subarray(at), crc32c(bytes.subarray(0, at)))).toBe(crc32c(bytes));
    }),
  );
});

test('stored checksums are rotated by 15 and moved', () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), (crc) => {
      const stored = ((((crc >>> 15) | (crc << 17)) >>> 0) + 0xa282ead8) >>> 0;
      expect(unmasked(stored)).toBe(crc);
    }),
  );
});
