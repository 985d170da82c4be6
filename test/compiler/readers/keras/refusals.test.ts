import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync, zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { printModel } from '../../../../lib/compiler/ir/print.js';
import { readModel } from '../../../../lib/compiler/readers/read-model.js';
import { refusalOf } from '../../../support/refusal.js';

const fixtures = join(import.meta.dirname, '../../../fixtures/conversion/keras');

type Config = Record<string, unknown>;
interface Layer extends Config {
  class_name: string;
  config: Config;
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-keras-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
function archive(files: Readonly<Record<string, Uint8Array>>): string {
  const path = join(folder, `${count++}.keras`);
  writeFileSync(path, zipSync({ ...files }));
  return path;
}

const filesOf = (name: string) => unzipSync(readFileSync(join(fixtures, `${name}.keras`)));

/** A fixture whose config was changed. */
function changed(name: string, change: (layers: Layer[], config: Config) => void): string {
  const files = filesOf(name);
  const model = JSON.parse(Buffer.from(files['config.json'] ?? []).toString()) as { config: Config };
  change(model.config.layers as Layer[], model.config);
  return archive({ ...files, 'config.json': Buffer.from(JSON.stringify(model)) });
}

const layerCalled = (layers: Layer[], name: string) => {
  const found = layers.find((layer) => layer.config.name === name);
  if (found === undefined) throw new Error(`no layer ${name}`);
  return found;
};

describe('a model of Keras is refused', () => {
  test('with all layers that nobody knows, by class, count and path', async () => {
    const path = changed('topology', (layers) => {
      layerCalled(layers, 'shared').class_name = 'Lambda';
      const inner = layerCalled(layers, 'inner').config.layers as Layer[];
      for (const name of ['dense', 'batch_normalization']) layerCalled(inner, name).class_name = 'Swirl';
      layerCalled(layers, 'sum').class_name = 'TextVectorization';
    });
    const error = await refusalOf(() => readModel(path));
    expect(error.code).toBe('LAYER_UNSUPPORTED');
    expect(error.message).toContain("Swirl, 2 ×: 'inner/dense', 'inner/batch_normalization'");
    expect(error.message).toContain("Lambda, 1 ×: 'shared' (it holds Python code, which is never run)");
    expect(error.message).toContain("TextVectorization, 1 ×: 'sum' (it reads texts)");
    expect(error.advice).toContain('model.export()');
  });

  test('with a layer inside a wrapper that nobody knows', async () => {
    const path = changed('core', (layers) => {
      (layerCalled(layers, 'steps').config.layer as Layer).class_name = 'Swirl';
    });
    const error = await refusalOf(() => readModel(path));
    expect(error.message).toContain("Swirl, 1 ×: 'steps'");
  });

  test.each<[string, Config, string, string]>([
    ['sparse', { sparse: true }, 'INPUT_UNSUPPORTED', 'is sparse'],
    ['ragged', { ragged: true }, 'INPUT_UNSUPPORTED', 'is ragged'],
    ['of texts', { dtype: 'string' }, 'INPUT_STRINGS', 'string'],
    ['without a shape', { batch_shape: null }, 'INPUT_SHAPE', 'no shape'],
    ['of negative size', { batch_shape: [null, -3] }, 'INPUT_SHAPE', '-3'],
  ])('with an input that is %s', async (_, setting, code, text) => {
    const path = changed('sequential', (layers) => Object.assign(layers[0]?.config ?? {}, setting));
    const error = await refusalOf(() => readModel(path));
    expect(error.code).toBe(code);
    expect(error.message).toContain("'x'");
    expect(error.message).toContain(text);
  });

  test('where weights and config do not belong together', async () => {
    const other = archive({
      ...filesOf('core'),
      'config.json': filesOf('topology')['config.json'] ?? new Uint8Array(),
    });
    expect((await refusalOf(() => readModel(other))).code).toMatch(/^WEIGHT_|SHAPE_MISMATCH/);
    const biased = changed('core', (layers) => {
      layerCalled(layers, 'dense_without_bias').config.use_bias = true;
    });
    const error = await refusalOf(() => readModel(biased));
    expect(error.code).toBe('WEIGHT_COUNT');
    expect(error.message).toContain(
      "Dense 'dense_without_bias' holds 1 variables; its config asks for 2 (kernel, bias)",
    );
  });

  test('where its layers make a circle, or name what is not there', async () => {
    const history = (name: string) => ({ class_name: '__keras_tensor__', config: { keras_history: [name, 0, 0] } });
    const circle = changed('topology', (layers) => {
      layerCalled(layers, 'sum').inbound_nodes = [{ args: [[history('sum'), history('all')]], kwargs: {} }];
    });
    expect((await refusalOf(() => readModel(circle))).message).toContain("'sum' depends on its own result");
    const missing = changed('topology', (layers) => {
      layerCalled(layers, 'sum').inbound_nodes = [{ args: [[history('nobody')]], kwargs: {} }];
    });
    expect((await refusalOf(() => readModel(missing))).message).toContain("no layer 'nobody'");
  });

  test('where models that call one another twice grow beyond all bounds', async () => {
    const path = changed('sequential', (layers, config) => {
      // Forty levels, two calls each: 2^40 layers.
      const tensor = (name: string, node: number) => ({
        class_name: '__keras_tensor__',
        config: { keras_history: [name, node, 0] },
      });
      const input = (name: string) => ({
        class_name: 'InputLayer',
        config: { name, batch_shape: [null, 5] },
        name,
        inbound_nodes: [],
      });
      let model: Config = { class_name: 'Dropout', config: { name: 'last', trainable: true } };
      for (let level = 0; level < 40; level++) {
        const call = (name: string, node: number) => ({ args: [tensor(name, node)], kwargs: {} });
        model = {
          class_name: 'Functional',
          config: {
            name: `level${level}`,
            layers: [
              input('in'),
              { ...model, name: 'twice', inbound_nodes: [call('in', 0), call('twice', 0)] },
              { class_name: 'Dropout', config: { trainable: true }, name: 'out', inbound_nodes: [call('twice', 1)] },
            ],
            input_layers: [['in', 0, 0]],
            output_layers: [['out', 0, 0]],
          },
        };
      }
      layers.splice(1, layers.length - 1, model as Layer);
      config.layers = layers;
    });
    expect((await refusalOf(() => readModel(path))).message).toContain('more than 100000 times');
  });

  test('when it is subclassed, quantized, or incomplete', async () => {
    const files = filesOf('sequential');
    const subclass = { class_name: 'Net', module: 'my.code', config: { trainable: true } };
    const error = await refusalOf(() =>
      readModel(archive({ ...files, 'config.json': Buffer.from(JSON.stringify(subclass)) })),
    );
    expect(error.code).toBe('KERAS_MODEL_CLASS');
    expect(error.message).toContain("'Net' of my.code");
    const quantized = changed('core', (layers) => {
      const dtype = { module: 'keras.dtype_policies', class_name: 'QuantizedDTypePolicy', config: { mode: 'int8' } };
      layerCalled(layers, 'dense').config.dtype = dtype;
    });
    expect((await refusalOf(() => readModel(quantized))).code).toBe('LAYER_OPTION_UNSUPPORTED');
    const { 'model.weights.h5': _, ...incomplete } = files;
    expect((await refusalOf(() => readModel(archive(incomplete)))).message).toContain('holds no model.weights.h5');
  });

  test('when its archive lies about sizes, or its JSON is too deep', async () => {
    const files = filesOf('sequential');
    const deep = archive({ ...files, 'config.json': Buffer.from('['.repeat(100_000)) });
    expect((await refusalOf(() => readModel(deep))).code).toBe('JSON_DEPTH');
    const claims = (size: number) => {
      const path = archive(files);
      const bytes = readFileSync(path);
      // In the archive's directory: signature, and from byte 24 the size, from 46 the name.
      const name = bytes.lastIndexOf('config.json');
      expect(bytes.toString('latin1', name - 46, name - 42)).toBe('PK\x01\x02');
      bytes.writeUInt32LE(size, name - 46 + 24);
      writeFileSync(path, bytes);
      return path;
    };
    expect((await refusalOf(() => readModel(claims(100)))).code).toBe('ARCHIVE_DAMAGED');
    const bomb = claims(200 * 2 ** 20);
    const error = await refusalOf(() => readModel(bomb));
    expect(error.code).toBe('ARCHIVE_TOO_LARGE');
    expect(error.message).toContain('config.json');
  });
});

test('a folder is read as an archive is', async () => {
  const path = join(folder, 'unpacked');
  mkdirSync(path);
  for (const [name, content] of Object.entries(filesOf('sequential'))) writeFileSync(join(path, name), content);
  const model = await readModel(path);
  expect(printModel(model)).toBe(printModel(await readModel(join(fixtures, 'sequential.keras'))));
});

test("Python's numbers that JSON does not have are read", async () => {
  const files = filesOf('core');
  const config = Buffer.from(files['config.json'] ?? []).toString();
  const path = archive({
    ...files,
    'config.json': Buffer.from(config.replace('"rate": 0.5', '"rate": NaN, "Infinity": -Infinity')),
  });
  expect((await readModel(path)).graph.outputs.length).toBeGreaterThan(10);
});
