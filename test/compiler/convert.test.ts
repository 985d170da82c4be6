/** From a source of any format to a file or an artifact, held against what the source computed. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { prepareModel } from '../../lib/compiler/build/prepare.js';
import { buildArtifact } from '../../lib/compiler/build.js';
import { comparableModel } from '../../lib/compiler/comparison/comparable-model.js';
import { type Converted, type ConvertOptions, convertModel } from '../../lib/compiler/convert.js';
import type { Bisection } from '../../lib/compiler/parity/bisect.js';
import { copyParityFile } from '../support/parity-file.js';
import { realModels } from '../support/real-models.js';
import { refusalOf } from '../support/refusal.js';
import { savedModelFixture, savedModelRecording } from '../support/saved-model-fixture.js';
import { useWatchedTemporaryFolder } from '../support/watched-temporary-folder.js';
import { zipFolder } from '../support/zip-folder.js';

const FIXTURES = join(import.meta.dirname, '../fixtures/conversion');
const KERAS = join(FIXTURES, 'parity/small.keras');
const SAMPLES = join(FIXTURES, 'parity/small.parity.npz');
const SAVED_MODEL = savedModelFixture('keras3');
const SAVED_SAMPLES = `${savedModelRecording('keras3')}.parity.npz`;

const temporary = useWatchedTemporaryFolder();

const convert = (source: string, options: Partial<ConvertOptions> = {}): Promise<Converted> =>
  convertModel({ source, out: join(temporary.path, 'model.onnx'), signal: new AbortController().signal, ...options });

/** A recording that a model cannot meet: `change` is done to one of its arrays. */
function spoiled(array: string, change: (data: Float32Array) => void): Promise<string> {
  return copyParityFile(SAMPLES, join(temporary.path, `${array.replace('/', '-')}.npz`), (name, data) => {
    if (name === array) change(data as Float32Array);
  });
}

describe('a Keras model', () => {
  test('is what Keras computed, output by output and layer by layer', async () => {
    const { source, parity, bisection, operators, signature } = await convert(KERAS, { check: SAMPLES, bisect: true });
    expect(source.format).toBe('Keras');
    expect(signature.inputs).toEqual([
      { name: 'picture', dataType: 'float32', shape: ['N', 8, 8, 3] },
      { name: 'hint', dataType: 'float32', shape: ['N', 3] },
    ]);
    expect(parity?.outputs.map(({ output }) => output)).toEqual(['classes', 'score']);
    for (const { relativeError } of [...(parity?.outputs ?? []), ...(bisection?.layers ?? [])]) {
      expect(relativeError).toBeLessThan(1e-5);
    }
    expect(bisection?.layers.map(({ layer }) => layer).sort()).toEqual([
      'classes',
      'depthwise',
      'hint_dense',
      'join',
      'pool',
      'score',
    ]);
    expect(bisection?.notFound).toEqual(['dropout', 'hint', 'picture']);
    // Channels first from the input's Transpose on, and normalization folded into the convolution.
    expect(operators).not.toHaveProperty('BatchNormalization');
    expect(operators.Transpose ?? 0).toBeLessThanOrEqual(1);
    expect(temporary.leftBehind()).toEqual([]);
  });

  test('that strays in one output is refused by its name, and the layer where it begins is found', async () => {
    const check = await spoiled('outputs/score', (data) => data.fill(7));
    const out = join(temporary.path, 'refused.onnx');
    const error = await refusalOf(() => convert(KERAS, { check, out }));
    expect(error).toMatchObject({ code: 'PARITY_STRAYS', message: expect.stringContaining("Output 'score' strays") });
    expect(error.message).toContain('So it did before any rewrite.');
    expect(existsSync(out)).toBe(false);

    let bisection: Bisection | undefined;
    const layers = await spoiled('layers/depthwise', (data) => data.fill(0.25, 0, 5));
    await convert(KERAS, { check: layers, bisect: true, out, onBisected: (found) => (bisection = found) });
    expect(bisection?.first?.layer).toBe('depthwise');
    expect(bisection?.layers.filter(({ holds }) => !holds)).toHaveLength(1);
    expect(temporary.leftBehind()).toEqual([]);
  });
});

describe('a model folder with a source of another format', () => {
  const folderOf = (name: string, configuration: object) => {
    const folder = join(temporary.path, 'models', name);
    mkdirSync(join(folder, 'samples'), { recursive: true });
    cpSync(SAMPLES, join(folder, 'samples', 'parity.npz'));
    writeFileSync(join(folder, 'model.json'), JSON.stringify({ name, ...configuration }));
    return folder;
  };
  const build = (modelDirectory: string, name: string) =>
    buildArtifact({ modelDirectory, outputDirectory: join(temporary.path, 'artifacts', name), architecture: 'arm64' });

  test('is built from it, behind the gate, to the same bytes each time', async () => {
    const folder = folderOf('small', { source: 'small.keras', parity: 'samples/parity.npz' });
    cpSync(KERAS, join(folder, 'small.keras'));
    const report = await build(folder, 'small');
    expect(report.source).toMatchObject({ format: 'Keras', bytes: readFileSync(KERAS).length });
    expect(report.parity?.outputs.every(({ holds, relativeError }) => holds && relativeError < 1e-5)).toBe(true);
    expect(report.equivalence.description).toMatch(/the conversion from Keras .* on made-up inputs/);
    expect(report.manifest.signature.outputs.map(({ name }) => name)).toEqual(['classes', 'score']);
    expect((await build(folder, 'again')).manifest.contentHash).toBe(report.manifest.contentHash);
    expect(temporary.leftBehind()).toEqual([]);
  });

  test('is refused where it strays, in a build and in front of a search, and leaves nothing', async () => {
    const folder = folderOf('strays', { source: 'small.keras', parity: 'samples/parity.npz' });
    cpSync(KERAS, join(folder, 'small.keras'));
    cpSync(await spoiled('outputs/classes', (data) => data.reverse()), join(folder, 'samples', 'parity.npz'));
    await expect(build(folder, 'strays')).rejects.toMatchObject({ code: 'PARITY_STRAYS' });
    await expect(prepareModel(folder)).rejects.toMatchObject({ code: 'PARITY_STRAYS' });
    expect(existsSync(join(temporary.path, 'artifacts', 'strays'))).toBe(false);
    expect(temporary.leftBehind()).toEqual([]);
  });

  test('keeps what it prepared until it is disposed of', async () => {
    const folder = folderOf('archived', { source: 'saved.tar.gz' });
    execFileSync('tar', ['-czf', join(folder, 'saved.tar.gz'), '-C', join(SAVED_MODEL, '..'), 'keras3']);
    {
      await using prepared = await prepareModel(folder);
      expect(existsSync(prepared.reference.path)).toBe(true);
      expect(prepared.reference).toMatchObject({ isSource: false, format: 'TensorFlow SavedModel' });
    }
    expect(temporary.leftBehind()).toEqual([]);
    const report = await build(folder, 'archived');
    expect(report.source.bytes).toBe(readFileSync(join(folder, 'saved.tar.gz')).length);
    expect(temporary.leftBehind()).toEqual([]);
  });
});

describe('a source', () => {
  test.each<[string, () => string]>([
    ['a folder', () => SAVED_MODEL],
    [
      'a zip archive of it, packed from the folder above',
      () => {
        writeFileSync(join(temporary.path, 'saved.zip'), zipFolder(SAVED_MODEL));
        return join(temporary.path, 'saved.zip');
      },
    ],
    ['the file in it', () => join(SAVED_MODEL, 'saved_model.pb')],
  ])('may be %s', async (_, make) => {
    const { parity, source } = await convert(make(), { check: SAVED_SAMPLES });
    expect(source.format).toBe('TensorFlow SavedModel');
    expect(parity?.outputs.every(({ holds }) => holds)).toBe(true);
    expect(temporary.leftBehind()).toEqual([]);
  });

  test('of another format can be compared with others', async () => {
    {
      await using model = await comparableModel(KERAS);
      expect(model.bytes).toBe(readFileSync(KERAS).length);
      expect(existsSync(model.path)).toBe(true);
    }
    expect(temporary.leftBehind()).toEqual([]);
  });
});

describe('a conversion that is interrupted leaves nothing', () => {
  test.each(['reading', 'normalizing', 'asking', 'arranging', 'writing', 'comparing'])('while %s', async (step) => {
    const controller = new AbortController();
    const converting = convert(realModels.ocrAngleClassifier, {
      out: join(temporary.path, 'interrupted', 'model.onnx'),
      signal: controller.signal,
      onStep: (name) => {
        if (name.startsWith(step)) controller.abort(new Error('stop'));
      },
    });
    await expect(converting).rejects.toThrow('stop');
    expect(
      existsSync(join(temporary.path, 'interrupted')) ? readdirSync(join(temporary.path, 'interrupted')) : [],
    ).toEqual([]);
    expect(temporary.leftBehind()).toEqual([]);
  });
});
