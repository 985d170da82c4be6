import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { mutateAndRead, SOURCE_SUBJECT } from '../../support/mutation.js';
import { paxRecord, tarOf } from '../../support/tar-writer.js';

let folder: string;
let seeds: string[];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-archives-'));
  const builder = new ModelBuilder(18);
  const x = builder.input('x', ['N', 8]);
  const y = builder.add('MatMul', [
    x,
    builder.floats(
      Float32Array.from({ length: 64 }, (_, index) => index / 7),
      [8, 8],
    ),
  ]);
  const model = modelToBytes(builder.finish([builder.add('Relu', [y], { outputs: ['y'] })]));
  const tar = tarOf([
    { name: 'pax_global_header', type: 'g', content: paxRecord('comment', 'made for a test') },
    { name: 'model/', type: '5' },
    { name: 'x', type: 'x', content: paxRecord('path', 'model/model.onnx') },
    { name: 'model.onnx', content: model },
    { name: 'model/README.md', content: 'What it is.' },
  ]);
  const archives = {
    'model.zip': zipSync({ 'model/model.onnx': model, 'model/README.md': new TextEncoder().encode('What it is.') }),
    'model.tar': tar,
    'model.tar.gz': gzipSync(tar),
  };
  // A folder for each: what lies beside a damaged archive is no part of it.
  seeds = Object.entries(archives).map(([name, bytes]) => {
    const own = mkdtempSync(join(folder, 'seed-'));
    writeFileSync(join(own, name), bytes);
    return join(own, name);
  });
});
afterAll(() => rmSync(folder, { recursive: true }));

test('500 damaged archives: each is refused with a code or still a model, in bounded memory', async () => {
  const report = await mutateAndRead({ seeds, subject: SOURCE_SUBJECT, count: 500, seed: 1 });
  expect(report.failures).toEqual([]);
  const refusals = Object.values(report.refused).reduce((sum, count) => sum + count, 0);
  expect(report.valid + refusals).toBe(500);
  expect(report.valid).toBeGreaterThan(20);
  for (const code of ['ARCHIVE_DAMAGED', 'MODEL_FORMAT_UNKNOWN']) expect(report.refused[code]).toBeGreaterThan(5);
}, 180_000);
