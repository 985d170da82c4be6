import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, TensorProto_DataType } from 'onnx-buf';
import { afterAll, expect, test } from 'vitest';
import { inspect, inspectModel } from '../../lib/cli/inspect.js';
import { writeModel } from '../../lib/compiler/ir/serialization/write.js';
import { readOnnx } from '../../lib/compiler/readers/onnx.js';
import { modelProto, nodeProto, valueInfo } from '../support/onnx-messages.js';
import { realModels } from '../support/real-models.js';

const folder = mkdtempSync(join(tmpdir(), 'inspect-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a face detector: signature, operators, sizes, largest weights', async () => {
  const inspection = await inspectModel(realModels.blazefaceBack);
  expect(inspection).toMatchObject({
    format: 'ONNX',
    inputs: [{ name: 'input:0', type: 'float32', shape: [1, 256, 256, 3] }],
    outputs: [
      { name: 'Identity:0', shape: [1, 512, 1] },
      { name: 'Identity_1:0', shape: [1, 384, 1] },
      { name: 'Identity_2:0', shape: [1, 512, 16] },
      { name: 'Identity_3:0', shape: [1, 384, 16] },
    ],
    sizes: { file: 603_432, external: 0 },
    functions: [],
    problems: [],
  });
  expect(inspection.opsets['ai.onnx']).toBeGreaterThan(0);
  expect(inspection.operators.Conv).toBeGreaterThan(20);
  expect(inspection.sizes.weights).toBeGreaterThan(400_000);
  expect(inspection.sizes.weights).toBeLessThan(inspection.sizes.file);
  const bytes = inspection.largestWeights.map((weight) => weight.bytes);
  expect(bytes).toHaveLength(10);
  expect(bytes).toEqual([...bytes].sort((a, b) => b - a));
});

test('subgraphs and Constant nodes count: silero has all its weights in the branches of an If', async () => {
  const { operators, sizes, largestWeights } = await inspectModel(realModels.sileroV5);
  expect(operators.If).toBeGreaterThan(1);
  expect(operators.LSTM).toBe(4);
  expect(sizes.weights / sizes.file).toBeGreaterThan(0.9);
  expect(largestWeights[0]?.name).toContain('stft.forward_basis_buffer');
});

test('as JSON: one object on one line', async () => {
  const text = await inspect(realModels.ocrAngleClassifier, { json: true });
  expect(text).not.toContain('\n');
  expect(JSON.parse(text)).toEqual(await inspectModel(realModels.ocrAngleClassifier));
});

test('for people: aligned columns', async () => {
  const lines = (await inspect(realModels.blazefaceBack)).split('\n');
  const outputs = lines.slice(lines.indexOf('Outputs') + 1, lines.indexOf('Outputs') + 5);
  expect(outputs[0]).toBe('  Identity:0    float32  [1, 512, 1]');
  expect(new Set(outputs.map((line) => line.indexOf('float32'))).size).toBe(1);
  expect(lines.some((line) => /^ {2}Conv +\d+$/.test(line))).toBe(true);
});

test('as a graph', async () => {
  const text = await inspect(realModels.blazefaceFront, { graph: true });
  expect(text.split('\n')[0]).toMatch(/^model ir \d+, ai\.onnx \d+/);
  expect(text).toContain(' = Conv<');
});

test('weights beside the file are told apart', async () => {
  const path = join(folder, 'model.onnx');
  await writeModel(await readOnnx(realModels.blazefaceBack), path, {
    externalData: { file: 'data', minimumBytes: 1024 },
  });
  const { sizes, largestWeights } = await inspectModel(path);
  expect(sizes.external).toBeGreaterThan(400_000);
  expect(sizes.file).toBeLessThan(100_000);
  expect(largestWeights[0]?.external).toBe(true);
  expect(await inspect(path)).toMatch(/external +\d+ kB/);
});

test('what cannot be served is shown with the reason; unknown types and hostile names do no harm', async () => {
  const proto = modelProto(
    {
      node: [nodeProto('Magic', ['x'], ['\x1b[31my'], { domain: '__proto__' })],
      input: [valueInfo('x', ['N'], TensorProto_DataType.BFLOAT16)],
      output: [{ name: '\x1b[31my' } as never],
    },
    {
      opsetImport: [{ domain: '__proto__', version: 1n }],
      metadataProps: [{ key: '__proto__', value: 'v'.repeat(500) }],
    },
  );
  const path = join(folder, 'odd.onnx');
  writeFileSync(path, toBinary(ModelProtoSchema, proto));
  const inspection = await inspectModel(path);
  expect(inspection.problems.map(({ code }) => code)).toEqual(['UNKNOWN_DOMAIN', 'SIGNATURE_TYPE']);
  expect(Object.entries(inspection.opsets)).toEqual([['__proto__', 1]]);
  expect(inspection.outputs).toEqual([{ name: '\x1b[31my', type: null, shape: null }]);
  const text = await inspect(path);
  expect(text).toContain('Problems');
  expect(text).toContain('\\u{1b}[31my');
  expect(text).not.toContain('\x1b');
});

test('onnxruntime is not needed', async () => {
  await inspectModel(realModels.blazefaceFront);
  const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] };
  expect(sharedObjects.length).toBeGreaterThan(0);
  expect(sharedObjects.filter((path) => path.includes('onnxruntime'))).toEqual([]);
});
