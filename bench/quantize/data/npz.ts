/** Writes .npz archives, uncompressed, so that readers can fetch one sample of many. The format is NumPy's NEP 1. */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { Zip, ZipPassThrough } from 'fflate';

export interface NpzArray {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array | BigInt64Array | Int32Array;
}

export function writeNpz(path: string, arrays: readonly NpzArray[]): void {
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, 'w');
  try {
    const zip = new Zip((error, chunk) => {
      if (error) throw error;
      writeSync(file, chunk);
    });
    for (const { name, dims, data } of arrays) {
      const entry = new ZipPassThrough(`${name}.npy`);
      // Otherwise the archive's bytes would say when it was made.
      entry.mtime = '1980-01-02';
      zip.add(entry);
      entry.push(header(data, dims));
      entry.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), true);
    }
    zip.end();
  } finally {
    closeSync(file);
  }
}

function header(data: NpzArray['data'], dims: readonly number[]): Uint8Array {
  const type = data instanceof Float32Array ? '<f4' : data instanceof Int32Array ? '<i4' : '<i8';
  const shape = dims.length === 1 ? `(${dims[0]},)` : `(${dims.join(', ')})`;
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': ${shape}, }`;
  // Magic, version, length and text together are a multiple of 64.
  const padded = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const bytes = Buffer.alloc(10 + padded.length);
  bytes.write('\x93NUMPY\x01\x00', 'latin1');
  bytes.writeUInt16LE(padded.length, 8);
  bytes.write(padded, 10, 'latin1');
  return bytes;
}
