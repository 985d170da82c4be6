import fc from 'fast-check';
import { Builder } from 'flatbuffers';
import { describe, expect, it } from 'vitest';
import { FlatTable } from '../../../../lib/compiler/formats/flatbuffers/flat-table.js';
import { refusalOf } from '../../../support/refusal.js';

interface Written {
  readonly int8: number;
  readonly int32: number;
  readonly uint32: number;
  readonly float32: number;
  readonly uint64: bigint;
  readonly bool: boolean;
  readonly text: string;
  readonly numbers: readonly number[];
  readonly bytes: Uint8Array;
  readonly names: readonly string[];
}

/** By the reference implementation. */
function write(written: Written): Uint8Array {
  const builder = new Builder();
  const tables = written.names.map((name) => {
    const text = builder.createString(name);
    builder.startObject(1);
    builder.addFieldOffset(0, text, 0);
    return builder.endObject();
  });
  builder.startVector(4, tables.length, 4);
  for (const table of [...tables].reverse()) builder.addOffset(table);
  const vector = builder.endVector();
  builder.startVector(4, written.numbers.length, 4);
  for (const number of [...written.numbers].reverse()) builder.addInt32(number);
  const numbers = builder.endVector();
  const bytes = builder.createByteVector(written.bytes);
  const text = builder.createString(written.text);
  builder.startObject(10);
  builder.addFieldInt8(0, written.int8, 0);
  builder.addFieldInt32(1, written.int32, 0);
  builder.addFieldInt32(2, written.uint32 | 0, 0);
  builder.addFieldFloat32(3, written.float32, 0);
  builder.addFieldInt64(4, written.uint64, 0n);
  builder.addFieldInt8(5, written.bool ? 1 : 0, 0);
  builder.addFieldOffset(6, text, 0);
  builder.addFieldOffset(7, numbers, 0);
  builder.addFieldOffset(8, bytes, 0);
  builder.addFieldOffset(9, vector, 0);
  builder.finish(builder.endObject());
  return builder.asUint8Array();
}

function read(bytes: Uint8Array): Written {
  const table = FlatTable.root(bytes, 'test', 'Root');
  return {
    int8: table.int8(0),
    int32: table.int32(1),
    uint32: table.uint32(2),
    float32: table.float32(3),
    uint64: BigInt(table.uint64(4)),
    bool: table.bool(5),
    text: table.text(6, 'text') ?? '',
    numbers: table.numbers(7, 'numbers', 'int32') ?? [],
    bytes: table.bytes(8, 'bytes') ?? new Uint8Array(),
    names: table.tables(9, 'names').map((each) => each.text(0, 'name') ?? ''),
  };
}

const example: Written = {
  int8: -3,
  int32: -70_000,
  uint32: 2 ** 32 - 2,
  float32: 0.5,
  uint64: 2n ** 40n,
  bool: true,
  text: 'größe',
  numbers: [1, -1, 2 ** 31 - 1],
  bytes: Uint8Array.of(1, 2, 3),
  names: ['a', '', 'c'],
};

const written = fc.record<Written>({
  int8: fc.integer({ min: -128, max: 127 }),
  int32: fc.integer(),
  uint32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  float32: fc.float({ noNaN: true }),
  uint64: fc.bigInt({ min: 0n, max: 2n ** 53n }),
  bool: fc.boolean(),
  text: fc.string({ unit: 'grapheme' }),
  numbers: fc.array(fc.integer()),
  bytes: fc.uint8Array(),
  names: fc.array(fc.string(), { maxLength: 5 }),
});

describe('a table', () => {
  it('holds what the reference implementation wrote', () => {
    fc.assert(
      fc.property(written, (value) => {
        expect(read(write(value))).toEqual({ ...value, float32: value.float32 + 0 });
      }),
    );
  });

  it('has the defaults for what was left out', () => {
    const builder = new Builder();
    builder.startObject(0);
    builder.finish(builder.endObject());
    const table = FlatTable.root(builder.asUint8Array(), 'test', 'Root');
    expect([table.int32(1, 7), table.bool(2, true), table.has(0), table.text(6, 'text')]).toEqual([
      7,
      true,
      false,
      undefined,
    ]);
    expect(table.tables(9, 'names')).toEqual([]);
  });

  it('reads nothing outside of the file, wherever it ends', async () => {
    const bytes = write(example);
    // Behind the last text stand a zero and what fills a word.
    for (let length = 0; length < bytes.byteLength - 4; length++) {
      const { code, message } = await refusalOf(() => read(bytes.slice(0, length)));
      expect(code, `of ${length} bytes`).toMatch(/^FLATBUFFER_(RANGE|TABLE)$/);
      expect(message).toContain('test file');
    }
  });

  it('names the field of a length that lies', async () => {
    const bytes = write({ ...example, names: ['the-name'] });
    const at = Buffer.from(bytes).indexOf('the-name') - 4;
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, 2 ** 31, true);
    expect((await refusalOf(() => read(bytes))).message).toContain('Root.names[0].name lies at bytes');
  });

  it('describes no tree without end in a few bytes', async () => {
    const builder = new Builder();
    const text = builder.createString('x'.repeat(1000));
    builder.startObject(1);
    builder.addFieldOffset(0, text, 0);
    const table = builder.endObject();
    builder.startVector(4, 10_000, 4);
    for (let count = 0; count < 10_000; count++) builder.addOffset(table);
    const vector = builder.endVector();
    builder.startObject(10);
    builder.addFieldOffset(9, vector, 0);
    builder.finish(builder.endObject());
    expect((await refusalOf(() => read(builder.asUint8Array()))).code).toBe('FLATBUFFER_SHARING');
  });
});
