import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { zipSync } from 'fflate';
import { ModelProtoSchema, TensorProto_DataLocation, TensorProto_DataType, TensorProtoSchema } from 'onnx-buf';
import { afterAll, describe, expect, test } from 'vitest';
import { looksLikeModel } from '../../../lib/compiler/formats/onnx/sniff.js';
import { openModel, readModel } from '../../../lib/compiler/readers/read-model.js';
import { modelProto, nodeProto, reluModel, valueInfo } from '../../support/onnx-messages.js';
import { hasOnnxTestdata, testModels } from '../../support/onnx-testdata.js';
import { realModels } from '../../support/real-models.js';
import { refusalOf } from '../../support/refusal.js';
import { tarOf } from '../../support/tar-writer.js';

const folder = mkdtempSync(join(tmpdir(), 'read-model-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const latin1 = (text: string) => Buffer.from(text, 'latin1');

test.each(Object.entries(realModels))('%s is read as ONNX', async (_name, path) => {
  expect((await openModel(path)).reader.name).toBe('ONNX');
  expect((await readModel(path)).graph.nodes.length).toBeGreaterThan(0);
});

test('the content counts, not the name', async () => {
  const path = file('model.tflite', toBinary(ModelProtoSchema, reluModel()));
  expect((await readModel(path)).graph.nodes[0]?.opType).toBe('Relu');
});

test('a model in which documentation of several lines comes before the graph', async () => {
  const proto = modelProto(
    { node: [nodeProto('Relu', ['x'], ['y'])], input: [valueInfo('x')], output: [valueInfo('y')] },
    { producerName: 'größe', docString: 'a\nb\t"c"\x01' },
  );
  expect((await openModel(file('documented.onnx', toBinary(ModelProtoSchema, proto)))).reader.name).toBe('ONNX');
});

if (hasOnnxTestdata) {
  test('every model of libonnx-testdata is recognized, and its tensors are not', () => {
    const wrong: string[] = [];
    for (const { name, path, dataSets } of testModels()) {
      if (!looksLikeModel(readFileSync(path).subarray(0, 4096))) wrong.push(name);
      const [dataSet] = dataSets;
      if (dataSet === undefined) continue;
      try {
        if (looksLikeModel(readFileSync(join(dataSet, 'output_0.pb')).subarray(0, 4096)))
          wrong.push(`${name}, a tensor`);
      } catch {
        // A data set without outputs.
      }
    }
    expect(wrong).toEqual([]);
  });
} else {
  test.skipIf(process.env.CI !== 'true')('skipped: needs libonnx-testdata (apt-get install libonnx-testdata)', () => {
    expect.fail('libonnx-testdata is missing');
  });
}

describe('refused by name', () => {
  const varint = (value: number) => (value < 128 ? [value] : [(value & 127) | 128, value >> 7]);
  const message = (field: number, ...content: number[]) => [field * 8 + 2, ...varint(content.length), ...content];
  const long = new Array(300).fill(0x61);

  test.each<[string, Uint8Array | string, string]>([
    ['the ORT format', latin1('\x1c\0\0\0ORTM rest'), 'ORT format models'],
    ['a PyTorch checkpoint', zipSync({ 'archive/data.pkl': new Uint8Array(3) }), 'PyTorch checkpoint'],
    ['a NumPy archive', zipSync({ 'x.npy': new Uint8Array(3) }), 'NumPy archive'],
    ['a zip file', zipSync({ 'readme.txt': new Uint8Array(3) }), 'this is a zip archive without a model'],
    [
      'a tar archive',
      tarOf([{ name: 'readme.txt' }]),
      'this is a tar archive without a model that is known here (it holds readme.txt)',
    ],
    ['gzip', gzipSync('readme'), 'this is a gzip archive without a model'],
    ['bzip2', 'BZh91AY', 'bzip2 archives'],
    ['xz', latin1('\xfd7zXZ\0'), 'xz archives'],
    ['Zstandard', latin1('\x28\xb5\x2f\xfd'), 'Zstandard archives'],
    [
      'weights',
      '[{"weights":[{"name":"conv0/filters","shape":[3]}],"paths":["shard1"]}]',
      'weights without a model topology',
    ],
    ['weights, paths first', '[ {"paths": ["shard1"], "weights": []} ]', 'weights without a model topology'],
    ['Core ML', new Uint8Array([8, 7, ...message(2, ...message(1, ...long))]), 'Core ML models'],
    ['safetensors', latin1('\x0a\0\0\0\0\0\0\0{"a":"bcd"}'), 'safetensors'],
    ['GGUF', 'GGUF\x03', 'GGUF models'],
    ['a pickle', latin1('\x80\x04\x95'), 'Python pickle'],
    ['a NumPy array', latin1('\x93NUMPY\x01\0'), 'NumPy array'],
    ['OpenVINO', '<?xml version="1.0"?>\n<net name="x">', 'XML'],
    ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:00\n', 'Git LFS pointer'],
    ['a downloaded page', '\n<!DOCTYPE html><html>', 'HTML page'],
    ['GIF', 'GIF89a', 'GIF picture'],
    ['PNG', latin1('\x89PNG\r\n\x1a\n'), 'PNG picture'],
    ['JPEG', latin1('\xff\xd8\xff\xe0'), 'JPEG picture'],
    ['WAV', 'RIFF....WAVE', 'RIFF'],
    ['JSON', '{"name": 1}', 'JSON file'],
  ])('%s', async (name, content, expected) => {
    const path = file(`${name.replace(/\W/g, '-')}.onnx`, content);
    const error = await refusalOf(() => readModel(path));
    expect(error.code).toBe('MODEL_FORMAT_UNSUPPORTED');
    expect(error.message).toContain(path);
    expect(error.message).toContain(expected);
    expect(error.advice).toContain('Supported: ONNX');
  });

  test('folders: a SavedModel, a Core ML package, any other', async () => {
    for (const [name, entries, expected] of [
      ['saved', ['saved_model.pbtxt', 'variables'], 'TensorFlow SavedModels in text form'],
      ['core', ['Manifest.json', 'Data'], 'Core ML packages'],
      ['other', ['model.onnx'], 'this is a folder'],
    ] as const) {
      mkdirSync(join(folder, name));
      for (const entry of entries) writeFileSync(join(folder, name, entry), '');
      const error = await refusalOf(() => readModel(join(folder, name)));
      expect(error.code).toBe('MODEL_FORMAT_UNSUPPORTED');
      expect(error.message).toContain(expected);
    }
  });
});

describe('refused', () => {
  test('a file of no format that is known, by its first bytes', async () => {
    const error = await refusalOf(() => readModel(file('noise', new Uint8Array([0xde, 0xad, 0xbe, 0xef]))));
    expect(error.code).toBe('MODEL_FORMAT_UNKNOWN');
    expect(error.message).toContain('de ad be ef');
  });

  test('an empty file', async () => {
    const error = await refusalOf(() => readModel(file('empty.onnx', '')));
    expect(error.code).toBe('MODEL_EMPTY');
    expect(error.message).toContain('empty.onnx');
  });

  test('a file that is not there', async () => {
    const error = await refusalOf(() => readModel(join(folder, 'nowhere.onnx')));
    expect(error.code).toBe('MODEL_NOT_FOUND');
    expect(error.message).toContain('nowhere.onnx');
  });

  test.skipIf(process.platform === 'win32')('a pipe, without waiting for it', async () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    expect((await refusalOf(() => readModel(path))).code).toBe('MODEL_NOT_A_FILE');
  });

  test('half of a model is a model that is incomplete', async () => {
    const whole = readFileSync(realModels.blazefaceBack);
    const error = await refusalOf(() => readModel(file('half.onnx', whole.subarray(0, whole.length / 2))));
    expect(error.code).toBe('PROTOBUF_TRUNCATED');
  });

  test.each([
    ['../secret', 'EXTERNAL_DATA_TRAVERSAL'],
    ['/etc/hostname', 'EXTERNAL_DATA_ABSOLUTE'],
    ['missing.bin', 'EXTERNAL_DATA_MISSING'],
  ])('weights in %s, when the model is opened and not when they are used', async (location, code) => {
    const weight = create(TensorProtoSchema, {
      name: 'w',
      dims: [1n],
      dataType: TensorProto_DataType.FLOAT,
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData: [{ key: 'location', value: location }],
    });
    const proto = modelProto({
      node: [nodeProto('Relu', ['w'], ['y'])],
      initializer: [weight],
      output: [valueInfo('y')],
    });
    const error = await refusalOf(() => readModel(file('external.onnx', toBinary(ModelProtoSchema, proto))));
    expect(error.code).toBe(code);
    expect(error.message).toContain("initializer 'w'");
  });

  test('a graph that is not well formed', async () => {
    const proto = modelProto({
      node: [nodeProto('Add', ['x', 'y'], ['y'])],
      input: [valueInfo('x')],
      output: [valueInfo('y')],
    });
    expect((await refusalOf(() => readModel(file('cycle.onnx', toBinary(ModelProtoSchema, proto))))).code).toBe(
      'GRAPH_CYCLE',
    );
  });
});
