import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { create, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, TensorProto_DataLocation, TensorProtoSchema } from 'onnx-buf';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeModel } from '../../../../lib/compiler/formats/onnx/decode.js';
import { Graph } from '../../../../lib/compiler/ir/graph.js';
import { Model } from '../../../../lib/compiler/ir/model.js';
import { Node } from '../../../../lib/compiler/ir/node.js';
import { printModel } from '../../../../lib/compiler/ir/print.js';
import { modelToBytes, writeModel } from '../../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { Value } from '../../../../lib/compiler/ir/value.js';
import { readOnnx } from '../../../../lib/compiler/readers/onnx.js';
import { cpuMilliseconds } from '../../../support/cpu-time.js';
import { modelProto, nodeProto, valueInfo } from '../../../support/onnx-messages.js';
import { realModels } from '../../../support/real-models.js';
import { refusalOf } from '../../../support/refusal.js';
import { runModel } from '../../../support/run-model.js';

const root = mkdtempSync(join(tmpdir(), 'write-model-'));
afterAll(() => rmSync(root, { recursive: true }));
let folder: string;
let count = 0;
beforeEach(() => {
  folder = join(root, String(count++));
  mkdirSync(folder);
});

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
const entriesOf = (path: string) =>
  (decodeModel(readFileSync(path)).graph?.initializer ?? [])
    .filter((tensor) => tensor.externalData.length > 0)
    .map((tensor) => Object.fromEntries(tensor.externalData.map(({ key, value }) => [key, value])));

test('weights go to a file beside the model, come back, and the same model is written from them', async () => {
  const path = join(folder, 'model.onnx');
  const source = await readOnnx(realModels.blazefaceBack);
  await writeModel(source, path, { externalData: { file: 'model.onnx.data', minimumBytes: 1024 } });
  expect(readdirSync(folder).sort()).toEqual(['model.onnx', 'model.onnx.data']);
  expect(statSync(path).size).toBeLessThan(100_000);

  const model = await readOnnx(path);
  expect(printModel(model)).toBe(printModel(source));
  expect(Buffer.compare(modelToBytes(model), readFileSync(path))).toBe(0);

  const inline = join(folder, 'inline.onnx');
  await writeModel(model, inline);
  expect(Buffer.compare(readFileSync(inline), readFileSync(realModels.blazefaceBack))).toBe(0);
});

test('large tensors start at a page, small ones at a cache line, none overlap, and the file ends with the last', async () => {
  const path = join(folder, 'model.onnx');
  await writeModel(await readOnnx(realModels.ocrRecognizer), path, { externalData: { file: 'd', minimumBytes: 1 } });
  // The recognizer has its weights in Constant nodes: those stay where they are.
  expect(readdirSync(folder)).toEqual(['model.onnx']);

  await writeModel(await readOnnx(realModels.sileroLegacy), path, { externalData: { file: 'd', minimumBytes: 1 } });
  let end = 0;
  for (const { location, offset, length } of entriesOf(path)) {
    expect(location).toBe('d');
    expect(Number(offset) % (Number(length) >= 65_536 ? 4096 : 64)).toBe(0);
    expect(Number(offset)).toBeGreaterThanOrEqual(end);
    end = Number(offset) + Number(length);
  }
  expect(statSync(join(folder, 'd')).size).toBe(end);
});

test('onnxruntime reads what was written', async () => {
  const path = join(folder, 'model.onnx');
  await writeModel(await readOnnx(realModels.blazefaceFront), path, { externalData: { file: 'w', minimumBytes: 128 } });
  const { Tensor: Feed } = await import('onnxruntime-node');
  const input = {
    'input:0': new Feed(
      'float32',
      Float32Array.from({ length: 128 * 128 * 3 }, (_, i) => (i % 255) / 255),
      [1, 128, 128, 3],
    ),
  };
  const [expected, actual] = [await runModel(realModels.blazefaceFront, input), await runModel(path, input)];
  for (const [name, value] of Object.entries(expected)) expect(actual[name]).toEqual(value);
});

test('the same model is the same bytes in every folder, and no temporary file stays', async () => {
  const digests = [];
  for (const name of ['one', 'two']) {
    mkdirSync(join(folder, name));
    const path = join(folder, name, 'model.onnx');
    await writeModel(await readOnnx(realModels.blazefaceBack), path, { externalData: { file: 'w', minimumBytes: 64 } });
    expect(readdirSync(join(folder, name)).sort()).toEqual(['model.onnx', 'w']);
    digests.push(sha256(path), sha256(join(folder, name, 'w')));
  }
  expect(digests.slice(0, 2)).toEqual(digests.slice(2));
});

test('a tensor that several values share is stored once', async () => {
  const tensor = Tensor.fromNumbers('float32', [64], new Array(64).fill(1.5));
  const graph = new Graph('g');
  const x = graph.addInput('x', { kind: 'tensor', elementType: 'float32', shape: [64] });
  const first = graph.addInitializer('first', tensor);
  const second = graph.addInitializer('second', tensor);
  const sum = new Value('sum');
  const y = new Value('y', { kind: 'tensor', elementType: 'float32', shape: [64] });
  graph.append(new Node('Add', [x, first], [sum]), new Node('Add', [sum, second], [y]));
  graph.setOutputs([y]);
  const path = join(folder, 'model.onnx');
  await writeModel(new Model(graph, new Map([['', 17]]), { irVersion: 8 }), path, {
    externalData: { file: 'w', minimumBytes: 1 },
  });
  expect(entriesOf(path).map(({ offset }) => offset)).toEqual(['0', '0']);
  expect(statSync(join(folder, 'w')).size).toBe(256);
});

test('zeros at the end of the data are part of it, though nothing stores them', async () => {
  const graph = new Graph('g');
  const zeros = graph.addInitializer('zeros', Tensor.fromNumbers('float32', [1000], new Array(1000).fill(0)));
  const y = new Value('y', { kind: 'tensor', elementType: 'float32', shape: [1000] });
  graph.append(new Node('Relu', [zeros], [y]));
  graph.setOutputs([y]);
  const path = join(folder, 'model.onnx');
  const externalData = { file: 'w', minimumBytes: 1 };
  await writeModel(new Model(graph, new Map([['', 17]]), { irVersion: 8 }), path, { externalData });
  expect(statSync(join(folder, 'w')).size).toBe(4000);
  const [value] = (await readOnnx(path)).graph.initializers;
  expect(value?.initializer?.bytes()).toEqual(new Uint8Array(4000));
});

test('a model may be written over the files that it was read from', async () => {
  const path = join(folder, 'model.onnx');
  const externalData = { file: 'w', minimumBytes: 1 };
  await writeModel(await readOnnx(realModels.sileroLegacy), path, { externalData });
  const before = [sha256(path), sha256(join(folder, 'w'))];
  await writeModel(await readOnnx(path), path, { externalData });
  expect([sha256(path), sha256(join(folder, 'w'))]).toEqual(before);
});

describe('refused', () => {
  test.each(['../w', '/w', 'a/b', 'a\\b', 'C:w', '', '.', '..', 'model.onnx'])('external data in %j', async (file) => {
    const model = await readOnnx(realModels.blazefaceFront);
    const error = await refusalOf(() =>
      writeModel(model, join(folder, 'model.onnx'), { externalData: { file, minimumBytes: 1 } }),
    );
    expect(error.code).toBe('EXTERNAL_DATA_FILE_NAME');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a write that fails leaves what was there and nothing else', async () => {
    const path = join(folder, 'model.onnx');
    await writeModel(await readOnnx(realModels.sileroLegacy), path, { externalData: { file: 'w', minimumBytes: 1 } });
    const model = await readOnnx(path);
    truncateSync(join(folder, 'w'), 100);
    writeFileSync(join(folder, 'copy.onnx'), 'precious');
    const error = await refusalOf(() =>
      writeModel(model, join(folder, 'copy.onnx'), { externalData: { file: 'v', minimumBytes: 1 } }),
    );
    expect(error.code).toBe('EXTERNAL_DATA_RANGE');
    expect(readdirSync(folder).sort()).toEqual(['copy.onnx', 'model.onnx', 'w']);
    expect(readFileSync(join(folder, 'copy.onnx'), 'utf8')).toBe('precious');
  });
});

describe('above 2 GiB', () => {
  const TENSOR_BYTES = 520 * 2 ** 20;
  const TENSORS = 4;

  /** Four tensors in a file of 2.2 GB that is all holes but for a number at the end of each tensor. */
  function largeModel(): string {
    const data = join(folder, 'large.data');
    const file = openSync(data, 'w');
    for (let index = 1; index <= TENSORS; index++) {
      writeSync(file, new Uint8Array(Float32Array.of(index).buffer), 0, 4, index * TENSOR_BYTES - 4);
    }
    closeSync(file);
    const initializer = Array.from({ length: TENSORS }, (_, index) =>
      create(TensorProtoSchema, {
        name: `w${index}`,
        dataType: 1,
        dims: [BigInt(TENSOR_BYTES / 4)],
        dataLocation: TensorProto_DataLocation.EXTERNAL,
        externalData: [
          { key: 'location', value: 'large.data' },
          { key: 'offset', value: String(index * TENSOR_BYTES) },
          { key: 'length', value: String(TENSOR_BYTES) },
        ],
      }),
    );
    const graph = {
      initializer,
      node: [
        nodeProto(
          'Sum',
          initializer.map(({ name }) => name),
          ['y'],
        ),
      ],
      output: [valueInfo('y', [TENSOR_BYTES / 4])],
    };
    const path = join(folder, 'large.onnx');
    writeFileSync(path, toBinary(ModelProtoSchema, modelProto(graph)));
    return path;
  }

  test('external data is read where it is asked for and copied without holding it', async () => {
    const from = largeModel();
    const to = join(folder, 'copy.onnx');
    const script = join(import.meta.dirname, '../../../support/copy-model.ts');
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, from, to]);
    expect(Number(stdout)).toBeLessThan(400 * 2 ** 20);

    const copy = statSync(join(folder, 'copy.data'));
    expect(copy.size).toBe(TENSORS * TENSOR_BYTES);
    // Holes stay holes, chunk by chunk: `blocks` counts what takes room on the disk.
    expect(copy.blocks * 512).toBeLessThan(64 * 2 ** 20);
    const { graph } = await readOnnx(to);
    const last = [...graph.initializers].at(-1)?.initializer;
    if (last?.storage.kind !== 'external') throw new Error('not external');
    expect(last.storage.offset).toBe((TENSORS - 1) * TENSOR_BYTES);
    let tail = new Uint8Array();
    for (const chunk of last.chunks(100 * 2 ** 20)) tail = chunk.slice(-4);
    expect(new Float32Array(tail.buffer)[0]).toBe(TENSORS);
  });

  test('it does not fit into one file: refused before anything is read', async () => {
    const model = await readOnnx(largeModel());
    const took = await cpuMilliseconds(async () => {
      const error = await refusalOf(() => writeModel(model, join(folder, 'inline.onnx')));
      expect(error.code).toBe('MODEL_TOO_LARGE');
    });
    expect(took).toBeLessThan(3000);
    expect(readdirSync(folder).sort()).toEqual(['large.data', 'large.onnx']);
  });

  test('a model file of more than 2 GiB is refused before it is read', async () => {
    const path = join(folder, 'huge.onnx');
    writeFileSync(path, new Uint8Array([8, 8]));
    truncateSync(path, 2 ** 31);
    const error = await refusalOf(() => readOnnx(path));
    expect(error.code).toBe('MODEL_TOO_LARGE');
    expect(error.message).toContain(String(2 ** 31));
  });
});
