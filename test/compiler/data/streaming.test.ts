/** Memory does not grow with the number of samples. */
import { execFileSync } from 'node:child_process';
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { useDataFolder } from '../../support/data-folder.js';
import { leastOf } from '../../support/least-of.js';
import { encodePng } from '../../support/png-encoder.js';
import { zipOf } from '../../support/zip-writer.js';

const folder = useDataFolder();
const SIDE = 256;
const ROW_BYTES = SIDE * SIDE * 4;

const options = {
  task: {
    type: 'image-classification',
    image: {
      input: 'x',
      width: SIDE,
      height: SIDE,
      resize: 'stretch',
      layout: 'NHWC',
      channels: 'grayscale',
      mean: [0],
      std: [1],
    },
    output: 'y',
    labels: ['cat'],
  },
  signature: {
    inputs: [{ name: 'x', dataType: 'float32', shape: [1, SIDE, SIDE, 1] }],
    outputs: [{ name: 'y', dataType: 'float32', shape: [1, 1] }],
  },
};

function peakMegabytes(path: string, samples: number): number {
  const worker = join(import.meta.dirname, 'streaming-worker.ts');
  const output = execFileSync(process.execPath, [
    '--import',
    'tsx',
    worker,
    join(folder.path, path),
    JSON.stringify(options),
  ]);
  const read = JSON.parse(output.toString()) as { samples: number; peakBytes: number };
  expect(read.samples).toBe(samples);
  return read.peakBytes / 1e6;
}

function header(rows: number): Uint8Array {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${SIDE}, ${SIDE}, 1), }`.padEnd(117);
  const head = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${text}\n`, 'latin1');
  head.writeUInt16LE(head.length - 10, 8);
  return head;
}

/** 262 MB in all with 1,000 rows. */
const kinds = {
  'rows of an array': (rows: number, path: string) => {
    folder.put(path, header(rows));
    truncateSync(join(folder.path, path), header(rows).length + rows * ROW_BYTES);
  },
  'rows of a compressed archive': (rows: number, path: string) => {
    const size = header(rows).length + rows * ROW_BYTES;
    const packed = deflateRawSync(Buffer.concat([header(rows), Buffer.alloc(rows * ROW_BYTES)]));
    folder.put(path, zipOf([{ name: 'x.npy', packed, size, method: 8 }]));
  },
  pictures: (count: number, path: string) => {
    for (let index = 0; index < count; index++) {
      const samples = [index % 256, (index >> 8) % 256, 0, 255];
      folder.put(`${path}/${index}.png`, encodePng({ width: 2, height: 2, depth: 8, colorType: 0, samples }));
    }
  },
};

describe('memory with 10 and with 1,000 samples', () => {
  it.each(Object.entries(kinds))('is about the same: %s', async (_, make) => {
    make(10, 'few');
    make(1000, 'many');
    const few = await leastOf(() => peakMegabytes('few', 10));
    const isAlike = (many: number) => many - few < 100;
    expect(await leastOf(() => peakMegabytes('many', 1000), isAlike)).toSatisfy(isAlike);
  });
});
