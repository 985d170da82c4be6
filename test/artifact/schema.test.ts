import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { modelJsonSchema, parseLock, parseManifest, parseModelConfiguration } from '../../lib/artifact/schema.js';

const SHA = 'a'.repeat(64);

describe('model.json', () => {
  it('needs a name and a source, and fills in the rest', () => {
    const configuration = parseModelConfiguration('{"name":"m","source":"m.onnx"}', 'model.json');
    expect(configuration).toMatchObject({ version: 1, weights: 'fp32', task: { type: 'tensor' }, inputs: {} });
  });

  it('accepts the example model', () => {
    const text = readFileSync('models/faces/model.json', 'utf8');
    expect(parseModelConfiguration(text, 'models/faces/model.json').task.type).toBe('object-detection');
  });

  it.each([
    [
      'text-classification',
      { text: { tokenizer: { type: 'hash', vocabularySize: 9 }, ids: 'i', maxLength: 8 }, output: 'o', labels: ['a'] },
    ],
    ['voice-activity', { audio: { input: 'x', sampleRate: 16_000, window: 512 }, output: 'o' }],
  ])('accepts the task %s', (type, task) => {
    const text = JSON.stringify({ name: 'm', source: 'm.onnx', task: { type, ...task } });
    expect(parseModelConfiguration(text, 'model.json').task).toEqual({ type, ...task });
  });

  it.each([
    [
      'a tokenizer outside of the folder',
      '{"name":"m","source":"m","task":{"type":"text-classification","text":{"tokenizer":{"type":"tokenizer-json","file":"../t.json"},"ids":"i","maxLength":8},"output":"o","labels":["a"]}}',
      'task.text.tokenizer.file',
    ],
    ['an unknown key', '{"name":"m","source":"m.onnx","soruce":"x"}', 'soruce'],
    ['an unknown key of the task', '{"name":"m","source":"m.onnx","task":{"type":"tensor","x":1}}', 'task'],
    ['an unknown task', '{"name":"m","source":"m.onnx","task":{"type":"mind-reading"}}', 'task.type'],
    ['a name that is no path segment', '{"name":"../m","source":"m.onnx"}', 'name'],
    ['a sample folder outside', '{"name":"m","source":"m.onnx","parity":"../../etc/passwd"}', 'parity'],
    [
      'an input with both shape and value',
      '{"name":"m","source":"m","inputs":{"x":{"shape":[1],"value":1}}}',
      'inputs.x',
    ],
    ['a version that is no whole number', '{"name":"m","source":"m","version":1.5}', 'version'],
    ['a budget without a limit', budget('{"metric":"snr"}'), 'optimize.budget'],
    ['a budget with two limits', budget('{"metric":"snr","min":1,"max":2}'), 'optimize.budget'],
  ])('refuses %s, naming the place', (_, text, place) => {
    expect(() => parseModelConfiguration(text, 'models/m/model.json')).toThrow(place);
    expect(() => parseModelConfiguration(text, 'models/m/model.json')).toThrow('models/m/model.json is not valid');
  });

  it('says that a file is not JSON', () => {
    expect(() => parseModelConfiguration('{,}', 'model.json')).toThrow('model.json is not JSON');
  });

  it('lists every fault at once', () => {
    expect(() => parseModelConfiguration('{"name":"","version":0}', 'model.json')).toThrow(
      /name[\s\S]*version[\s\S]*source/,
    );
  });

  it('is a JSON Schema for editors', () => {
    const schema = JSON.parse(modelJsonSchema());
    expect(schema).toMatchObject({ type: 'object', required: ['name', 'source'], additionalProperties: false });
  });
});

function budget(limits: string): string {
  return `{"name":"m","source":"m","optimize":{"goal":"size","calibration":"a","evaluation":"b","budget":${limits}}}`;
}

describe('model.lock.json', () => {
  const lock = {
    lockVersion: 1,
    tool: '0.1.0',
    onnxruntime: '1.30.0',
    digests: { source: SHA, normalizedGraph: SHA, modelJson: SHA, data: { calibration: SHA } },
    architectures: {
      arm64: {
        recipes: [{ node: { output: 'y', opType: 'Conv', weights: SHA }, recipe: { scheme: 'fp16-storage' } }],
        activations: [{ tensor: 'x', dataType: 'uint8', scale: [0.5], zeroPoint: [3] }],
        weights: [{ tensor: 'b', stored: `b@${SHA}` }],
        session: { graphOptimizationLevel: 'all' },
        artifact: { contentHash: SHA, files: SHA, bytes: 1 },
        measured: [{ metric: 'latency', value: 3, unit: 'ms', cpu: 'somewhere' }],
      },
    },
  };

  it('is read as it was written', () => {
    expect(parseLock(JSON.stringify(lock), 'model.lock.json')).toEqual(lock);
  });

  it('may have negative scales of weights, as blocks of four bits have, and none of activations', () => {
    const withScale = (of: 'weights' | 'activations', scale: number) => {
      const parameters = { tensor: 'w', dataType: 'uint4', scale: [0.5, scale], zeroPoint: [8, 8], axis: 0 };
      const { arm64 } = lock.architectures;
      const entry = of === 'weights' ? { tensor: 'w', stored: 'w', parameters } : parameters;
      return JSON.stringify({ ...lock, architectures: { arm64: { ...arm64, [of]: [entry] } } });
    };
    const read = (text: string) => parseLock(text, 'model.lock.json').architectures.arm64?.weights[0]?.parameters;
    expect(read(withScale('weights', -0.25))?.scale).toEqual([0.5, -0.25]);
    expect(() => read(withScale('activations', -0.25))).toThrow('scale');
  });

  it('of another version is refused', () => {
    expect(() => parseLock(JSON.stringify({ ...lock, lockVersion: 2 }), 'model.lock.json')).toThrow('lockVersion');
  });
});

describe('manifest.json', () => {
  it('with a file outside the artifact is refused', () => {
    const manifest = {
      schemaVersion: 1,
      name: 'm',
      modelVersion: 1,
      contentHash: SHA,
      onnxruntimeVersion: '1.30.0',
      signature: { inputs: [], outputs: [{ name: 'y', dataType: 'float32', shape: ['n', null, 3] }] },
      task: { type: 'tensor' },
      session: {},
      model: 'model.onnx',
      files: [{ path: 'model.onnx', sha256: SHA, bytes: 3 }],
    };
    expect(parseManifest(JSON.stringify(manifest), 'manifest.json')).toEqual(manifest);
    const escaping = { ...manifest, files: [{ path: '../model.onnx', sha256: SHA, bytes: 3 }] };
    expect(() => parseManifest(JSON.stringify(escaping), 'manifest.json')).toThrow('files.0.path');
  });
});
