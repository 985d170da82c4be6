/** Recorded samples as a .npz file, as numpy.savez writes them. */
import { writeFileSync } from 'node:fs';
import { zipSync } from 'fflate';
import { numpyElements } from '../../lib/compiler/data/numpy-elements.js';
import { openNumpyFile } from '../../lib/compiler/data/numpy-file.js';

export interface RecordedArray {
  readonly dims: readonly number[];
  readonly data: Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;
}

const TYPES: readonly (readonly [new (...values: never[]) => RecordedArray['data'], string])[] = [
  [Float32Array, '<f4'],
  [Float64Array, '<f8'],
  [Int32Array, '<i4'],
  [BigInt64Array, '<i8'],
  [Uint8Array, '|u1'],
];

export const float32 = (dims: readonly number[], ...values: number[]): RecordedArray => ({
  dims,
  data: Float32Array.from(values),
});

/** @param arrays by name: 'inputs/x', 'outputs/y', 'layers/conv' */
export function writeParityFile(path: string, arrays: Readonly<Record<string, RecordedArray>>): string {
  const entries = Object.entries(arrays).map(([name, array]) => [`${name}.npy`, npy(array)] as const);
  writeFileSync(path, zipSync(Object.fromEntries(entries)));
  return path;
}

function npy({ dims, data }: RecordedArray): Uint8Array {
  const [, type = ''] = TYPES.find(([Elements]) => data instanceof Elements) ?? [];
  const shape = `(${dims.map((size) => `${size},`).join(' ')})`;
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': ${shape}, }`;
  const padded = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const head = Buffer.alloc(10);
  head.set([0x93, ...Buffer.from('NUMPY'), 1, 0]);
  head.writeUInt16LE(padded.length, 8);
  return Uint8Array.from(
    Buffer.concat([head, Buffer.from(padded), new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]),
  );
}

/** The arrays of a recording, changed one by one. */
export async function copyParityFile(
  from: string,
  to: string,
  change: (name: string, data: RecordedArray['data']) => void,
): Promise<string> {
  const file = await openNumpyFile(from, from, 'npz');
  const arrays: Record<string, RecordedArray> = {};
  try {
    for (const { name, header, bytes } of file.arrays) {
      const raw = await bytes.read(header.dataStart, bytes.length - header.dataStart);
      const data = numpyElements(raw, header) as RecordedArray['data'];
      change(name, data);
      arrays[name] = { dims: header.shape, data };
    }
  } finally {
    await file.close();
  }
  return writeParityFile(to, arrays);
}
