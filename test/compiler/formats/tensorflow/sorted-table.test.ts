import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../../../../lib/compiler/formats/tensorflow/crc32c.js';
import { readSortedTable } from '../../../../lib/compiler/formats/tensorflow/sorted-table.js';
import { refusalOf } from '../../../support/refusal.js';
import { sortedTable } from '../../../support/sorted-table-writer.js';

const value = (...bytes: number[]) => Uint8Array.from(bytes);
const content = ['', 'layer/bias', 'layer/kernel', 'layer/kernel/Adam', 'other'].map(
  (key, index) => [key, value(index, index)] as const,
);

const read = (bytes: Uint8Array) =>
  readSortedTable(bytes, 'x.index').map(({ key, value: stored }) => [new TextDecoder().decode(key), stored]);

test.each(['none', 'snappy'] as const)('entries come back in order, blocks compressed by %s', (compression) => {
  expect(read(sortedTable(content, { compression }))).toEqual(content);
  expect(read(sortedTable([], { compression }))).toEqual([]);
});

test('any keys and values', () => {
  const keys = fc.uniqueArray(fc.uint8Array({ maxLength: 12 }), {
    selector: (key) => Buffer.from(key).toString('hex'),
  });
  fc.assert(
    fc.property(
      keys,
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom('none' as const, 'snappy' as const),
      (all, blockEntries, compression) => {
        const sorted = all.sort((a, b) => Buffer.compare(a, b)).map((key) => [key, key.slice(1)] as const);
        const entries = readSortedTable(sortedTable(sorted, { blockEntries, compression }), 'x.index');
        expect(entries.map(({ key, value: stored }) => [key, stored])).toEqual(sorted);
      },
    ),
  );
});

describe('refused', () => {
  const whole = sortedTable(content);
  const code = async (bytes: Uint8Array) => (await refusalOf(() => read(bytes))).code;
  /** A table of one block, its checksums right. */
  const raw = (block: Uint8Array, patch = (_: Uint8Array) => {}) => {
    const table = sortedTable([['', block]]);
    patch(table);
    return table;
  };

  test('a file cut anywhere', async () => {
    for (let length = 0; length < whole.length; length++) {
      expect(await code(whole.slice(0, length))).toBe('TABLE_TRUNCATED');
    }
  });

  test('every bit that flips in a block, by its checksum', async () => {
    const footer = whole.length - 48;
    for (let at = 0; at < footer; at++) {
      const damaged = whole.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 4;
      // The metaindex holds nothing that is read.
      const outcome = await code(damaged).catch(() => 'read');
      expect(['TABLE_CHECKSUM', 'read']).toContain(outcome);
    }
    expect(raw(value(1)).length).toBeGreaterThan(48);
  });

  test.each([
    [
      'keys out of order',
      [
        ['b', value(1)],
        ['a', value(2)],
      ],
    ],
    [
      'a key twice',
      [
        ['a', value(1)],
        ['a', value(2)],
      ],
    ],
  ] as const)('%s', async (_what, entries) => {
    expect(await code(sortedTable(entries))).toBe('TABLE_INVALID');
  });

  /** One data block of these bytes, with valid checksums around it. */
  const withBlock = (block: Uint8Array, compression = 0, handle?: Uint8Array) => {
    const stored = Uint8Array.from([...block, compression]);
    const crc = crc32c(stored);
    const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
    const trailer = new Uint8Array(Uint32Array.of(masked).buffer);
    const place = handle ?? value(0, block.length);
    const index = sortedTable([['z', place]], { blockEntries: 1 });
    // The one block of this table is the index of ours: its handle is in the footer of a table around.
    const inner = index.subarray(0, index.length - 48);
    const shift = stored.length + 4;
    const indexBlockLength = 3 + 1 + place.length + 8;
    const footer = new Uint8Array(48);
    footer.set([0, 0, shift, indexBlockLength]);
    footer.set(index.subarray(index.length - 8), 40);
    return Uint8Array.from([...stored, ...trailer, ...inner, ...footer]);
  };

  test('blocks whose entries lie', async () => {
    const restarts = [0, 0, 0, 0, 1, 0, 0, 0];
    expect(read(withBlock(value(0, 1, 1, 0x61, 9, ...restarts)))).toEqual([['a', value(9)]]);
    expect(await code(withBlock(value(5, 1, 1, 0x61, 9, ...restarts)))).toBe('TABLE_INVALID');
    expect(await code(withBlock(value(0, 9, 1, 0x61, 9, ...restarts)))).toBe('TABLE_INVALID');
    expect(await code(withBlock(value(0, 1, 0xff, 0xff, ...restarts)))).toBe('TABLE_INVALID');
    expect(await code(withBlock(value(0, 1, 1, 0x61, 9, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)))).toBe('TABLE_INVALID');
    expect(await code(withBlock(value()))).toBe('TABLE_INVALID');
    expect(await code(withBlock(value(9, 9, 9), 1))).toBe('TABLE_INVALID');
    expect(await code(withBlock(value(0, 1, 1, 0x61, 9, ...restarts), 2))).toBe('TABLE_INVALID');
    expect(await code(withBlock(value(...restarts), 0, value(0, 0xff, 0xff, 0xff, 0x7f)))).toBe('TABLE_INVALID');
    expect(await code(withBlock(value(...restarts), 0, value(0xff)))).toBe('TABLE_INVALID');
  });
});
