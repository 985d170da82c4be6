import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  encodeSafetensors,
  SafetensorsFile,
  type SafetensorsTensor,
  type SafetensorsType,
} from '../../../lib/compiler/formats/safetensors.js';
import { pythonIfMade } from '../../support/python-environment.js';
import { refusalOf } from '../../support/refusal.js';
import { SAFETENSORS_REQUIREMENTS } from '../../support/safetensors-python.js';

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-safetensors-'));
  file = join(folder, 'a.safetensors');
});
afterAll(() => rmSync(folder, { recursive: true }));

const BYTES = { F32: 4, F16: 2, I8: 1, U8: 1, I16: 2, U16: 2, I32: 4, I64: 8 };

const anyTensor = fc
  .tuple(
    fc.constantFrom(...(Object.keys(BYTES) as SafetensorsType[])),
    fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
    fc.integer(),
  )
  .map(([dataType, shape, seed]): SafetensorsTensor => {
    const length = shape.reduce((product, size) => product * size, BYTES[dataType]);
    return { dataType, shape, bytes: Uint8Array.from({ length }, (_, index) => (seed + index * 31) & 0xff) };
  });
const anyTensors = fc
  .dictionary(
    fc.string({ unit: 'binary', minLength: 1 }).filter((name) => name !== '__metadata__'),
    anyTensor,
  )
  .map((tensors) => new Map(Object.entries(tensors)));

async function readAll(): Promise<Map<string, SafetensorsTensor>> {
  await using opened = await SafetensorsFile.open(file);
  const tensors = new Map<string, SafetensorsTensor>();
  for (const [name, entry] of opened.entries) {
    tensors.set(name, { dataType: entry.dataType, shape: entry.shape, bytes: await opened.read(entry) });
  }
  return tensors;
}

describe('a safetensors file', () => {
  it('brings back every tensor, whatever its name, type and shape', async () => {
    await fc.assert(
      fc.asyncProperty(anyTensors, async (tensors) => {
        writeFileSync(file, encodeSafetensors(tensors));
        const names = (map: ReadonlyMap<string, unknown>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
        expect(names(await readAll())).toEqual(names(tensors));
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it('has the same bytes for the same tensors in any order', () => {
    const tensors: [string, SafetensorsTensor][] = [
      ['b', { dataType: 'I8', shape: [1], bytes: Uint8Array.of(1) }],
      ['2', { dataType: 'F32', shape: [1], bytes: Uint8Array.of(1, 2, 3, 4) }],
      ['a', { dataType: 'F32', shape: [], bytes: Uint8Array.of(5, 6, 7, 8) }],
    ];
    const encode = (list: typeof tensors) => Buffer.from(encodeSafetensors(new Map(list))).toString('hex');
    expect(encode(tensors)).toBe(encode([...tensors].reverse()));
  });

  it('aligns its data and its wide types', async () => {
    const tensors = new Map<string, SafetensorsTensor>([
      ['odd', { dataType: 'I8', shape: [3], bytes: new Uint8Array(3) }],
      ['wide', { dataType: 'I64', shape: [1], bytes: new Uint8Array(8) }],
    ]);
    writeFileSync(file, encodeSafetensors(tensors, { a: 'b' }));
    await using opened = await SafetensorsFile.open(file);
    expect(opened.metadata).toEqual({ a: 'b' });
    expect((opened.entries.get('wide')?.offset ?? 1) % 8).toBe(0);
  });

  it('refuses to be written with bytes that are not those of a shape', () => {
    const wrong = new Map<string, SafetensorsTensor>([
      ['x', { dataType: 'F32', shape: [2], bytes: new Uint8Array(7) }],
    ]);
    expect(() => encodeSafetensors(wrong)).toThrow(RangeError);
  });
});

/** A file with this header, and `data` bytes after it. */
function hostile(header: string, data = 8, length = BigInt(Buffer.byteLength(header))): Buffer {
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(length);
  return Buffer.concat([start, Buffer.from(header), Buffer.alloc(data)]);
}
const entry = (fields: object) => JSON.stringify({ x: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...fields } });

describe('a hostile file is refused before memory is taken', () => {
  it.each<[string, Buffer]>([
    ['that is empty', Buffer.alloc(0)],
    ['that ends within its length', Buffer.alloc(7)],
    ['whose header is longer than itself', hostile(entry({}), 8, 1_000_000n)],
    ['whose header has 2^63 bytes', hostile(entry({}), 8, 2n ** 63n)],
    ['whose header is no JSON', hostile('{"x":')],
    ['whose header is a list', hostile('[]')],
    ['whose header is nested without end', hostile('['.repeat(100_000))],
    ['whose header is not UTF-8', Buffer.concat([hostile('', 0, 4n), Buffer.from([0x7b, 0xff, 0xfe, 0x7d])])],
    ['with an unknown type', hostile(entry({ dtype: 'F4096' }))],
    ['with a type that every object has', hostile(entry({ dtype: 'constructor' }))],
    ['with a negative size', hostile(entry({ shape: [-2] }))],
    ['with a size that is no number', hostile(entry({ shape: ['2'] }))],
    ['with a product of sizes beyond all numbers', hostile(entry({ shape: [2 ** 40, 2 ** 40, 2 ** 40] }))],
    ['with a zero that hides what is beyond all numbers', hostile(entry({ shape: [2 ** 52, 2 ** 52, 0] }))],
    ['of too many axes', hostile(entry({ shape: Array(100).fill(1) }))],
    ['with offsets that run backwards', hostile(entry({ data_offsets: [8, 0] }))],
    ['with offsets beyond its end', hostile(entry({ data_offsets: [8, 16] }))],
    ['with three offsets', hostile(entry({ data_offsets: [0, 8, 9] }))],
    ['without offsets', hostile(entry({ data_offsets: undefined }))],
    ['with a hole', hostile(entry({ data_offsets: [8, 16] }), 16)],
    ['with bytes that nobody owns', hostile(entry({}), 9)],
    [
      'whose tensors overlap',
      hostile(
        JSON.stringify({
          x: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
          y: { dtype: 'F32', shape: [1], data_offsets: [4, 8] },
        }),
      ),
    ],
    ['with keys that nobody knows', hostile(entry({ device: 'cuda' }))],
    ['whose metadata is no text', hostile('{"__metadata__":{"a":1}}', 0)],
  ])('%s', async (_, bytes) => {
    writeFileSync(file, bytes);
    const { code, advice } = await refusalOf(() => SafetensorsFile.open(file));
    expect([code, advice]).toEqual(['SAFETENSORS_INVALID', expect.stringMatching(/cdk-onnx optimize/)]);
  });

  it('a folder, and a file that is cut off while it is open', async () => {
    expect((await refusalOf(() => SafetensorsFile.open(folder))).code).toBe('SAFETENSORS_INVALID');
    writeFileSync(file, encodeSafetensors(new Map([['x', { dataType: 'F32', shape: [2], bytes: new Uint8Array(8) }]])));
    await using opened = await SafetensorsFile.open(file);
    truncateSync(file, 40);
    const [tensor] = opened.entries.values();
    expect(tensor).toBeDefined();
    if (tensor !== undefined) expect((await refusalOf(() => opened.read(tensor))).code).toBe('SAFETENSORS_INVALID');
  });

  it('as any file that a bit was turned in, or reads it to the same sizes', async () => {
    const good = encodeSafetensors(
      new Map<string, SafetensorsTensor>([
        ['x', { dataType: 'F32', shape: [2, 3], bytes: new Uint8Array(24) }],
        ['y', { dataType: 'I8', shape: [5], bytes: new Uint8Array(5) }],
      ]),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: good.byteLength * 8 - 1 }), async (bit) => {
        const bad = Uint8Array.from(good);
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        writeFileSync(file, bad);
        try {
          const tensors = await readAll();
          expect([...tensors.values()].reduce((sum, { bytes }) => sum + bytes.byteLength, 0)).toBe(29);
        } catch (error) {
          expect(error).toMatchObject({ code: 'SAFETENSORS_INVALID' });
        }
      }),
      { numRuns: 300, seed: 2 },
    );
  });
});

const python = pythonIfMade(SAFETENSORS_REQUIREMENTS);
describe.skipIf(python === undefined)(
  `Python's safetensors${python === undefined ? ' (skipped: needs npx tsx test/conformance/install-clients.ts)' : ''}`,
  () => {
    const run = (program: string) =>
      execFileSync(python ?? '', ['-c', program, file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

    it('reads what was written here', () => {
      const numbers = Float32Array.of(1.5, -2, 0.25, 1e-30, 3, 4);
      writeFileSync(
        file,
        encodeSafetensors(
          new Map<string, SafetensorsTensor>([
            ['größe/ß "x"', { dataType: 'F32', shape: [2, 3], bytes: new Uint8Array(numbers.buffer) }],
            ['none', { dataType: 'I8', shape: [0, 4], bytes: new Uint8Array(0) }],
            ['small', { dataType: 'I8', shape: [3], bytes: Uint8Array.of(255, 128, 127) }],
          ]),
          { format: 'cdk-onnx-lock' },
        ),
      );
      const seen = run(
        'import sys,json,safetensors.numpy as s\n' +
          't=s.load_file(sys.argv[1])\n' +
          'print(json.dumps({k:[str(v.dtype),list(v.shape),v.flatten().tolist()] for k,v in t.items()}))',
      );
      expect(JSON.parse(seen)).toEqual({
        'größe/ß "x"': ['float32', [2, 3], [...numbers]],
        none: ['int8', [0, 4], []],
        small: ['int8', [3], [-1, -128, 127]],
      });
    });

    it('writes what is read here, and the same bytes come back', async () => {
      run(
        'import sys,numpy as n,safetensors.numpy as s\n' +
          "s.save_file({'w':n.arange(6,dtype=n.float32).reshape(2,3),'b':n.array([1,-1],dtype=n.int16),'e':n.zeros((0,),n.uint8)},sys.argv[1],{'made':'by python'})",
      );
      const tensors = await readAll();
      expect([...tensors.keys()].sort()).toEqual(['b', 'e', 'w']);
      expect([...new Float32Array(Uint8Array.from(tensors.get('w')?.bytes ?? []).buffer)]).toEqual([0, 1, 2, 3, 4, 5]);
      const before = readFileSync(file);
      expect(Buffer.from(encodeSafetensors(tensors, { made: 'by python' })).equals(before)).toBe(true);
    });

    it.each([
      [
        'an overlap',
        hostile(
          JSON.stringify({
            x: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
            y: { dtype: 'F32', shape: [1], data_offsets: [4, 8] },
          }),
        ),
      ],
      ['a hole', hostile(entry({ data_offsets: [8, 16] }), 16)],
      ['bytes that nobody owns', hostile(entry({}), 9)],
    ])('refuses %s too', (_, bytes) => {
      writeFileSync(file, bytes);
      expect(() => run('import sys,safetensors.numpy as s\ns.load_file(sys.argv[1])')).toThrow(/SafetensorError/);
    });
  },
);
