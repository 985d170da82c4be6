import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { validateStructure } from '../../../../../lib/compiler/ir/validation.js';
import { readKeras } from '../../../../../lib/compiler/readers/keras/read-archive.js';
import { CdkOnnxError } from '../../../../../lib/errors.js';
import {
  type Json,
  openKerasArchive,
  outputNames,
  places,
  replaced,
  withOneOutput,
} from '../../../../support/keras-archive.js';

const fixtures = fileURLToPath(new URL('../../../../fixtures/conversion/', import.meta.url));
/** More by FAST_CHECK_SEED=random and by hand. */
const RUNS = 100;

const folder = mkdtempSync(join(tmpdir(), 'configs-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What matters to the training only. */
const TRAINING = /_(initializer|regularizer|constraint)$|^(build_config|dtype|trainable|registered_name|module)$/;

const VALUES: readonly (Json | undefined)[] = [
  undefined,
  null,
  true,
  false,
  -1,
  0,
  1,
  2,
  7,
  2.5,
  1e12,
  '',
  'relu',
  'x',
  [],
  [1],
  [0, 1, 2, 3, 4],
  [-9],
  [2, 3],
  [
    [0, 1],
    [2, 3],
  ],
  'same',
  'causal',
  'channels_first',
  'bicubic',
  ['a'],
  {},
  { class_name: 'LeakyReLU', config: { negative_slope: 'x' } },
  { class_name: 'function', config: 'tanh' },
];

/** `valid`, the code of the refusal, or what should not have been thrown. */
async function outcome(bytes: Uint8Array): Promise<string> {
  const path = join(folder, 'model.keras');
  writeFileSync(path, bytes);
  try {
    validateStructure(await readKeras(path));
    return 'valid';
  } catch (error) {
    if (error instanceof CdkOnnxError) return error.code;
    return `uncoded: ${error instanceof Error ? error.stack : String(error)}`;
  }
}

/** The config of the layer that an output comes from, and those of the layers inside it. */
function placesOf(config: Json, output: string): readonly (readonly (string | number)[])[] {
  const { layers, output_layers: outputs } = (
    config as unknown as { config: { layers: { name: string }[]; output_layers: Record<string, Json[]> } }
  ).config;
  const index = layers.findIndex(({ name }) => name === outputs[output]?.[0]);
  return [...places(layers[index] as unknown as Json, ['config', 'layers', index])]
    .slice(1)
    .filter((path) => !path.some((key) => TRAINING.test(String(key))));
}

const FILES = [
  ...['activations', 'normalization', 'recurrent', 'bidirectional', 'convolutional', 'attention'].map(
    (family) => `sequence/${family}-keras3.keras`,
  ),
  'spatial/whole-keras.keras',
  'spatial/operations.keras',
];

describe.each(FILES)('damaged configs of %s', (file) => {
  const archive = openKerasArchive(`${fixtures}${file}`);
  const names = outputNames(archive.config);

  it('are refused with a code, or are a model', async () => {
    const codes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.nat(), fc.constantFrom(...VALUES), async (name, place, value) => {
        const config = withOneOutput(archive.config, name);
        const all = placesOf(config, name);
        const path = all[place % all.length] ?? [];
        const result = await outcome(archive.with(replaced(config, path, value)));
        codes.add(result);
        expect(result, `${path.join('/')} = ${JSON.stringify(value)}`).not.toMatch(/^uncoded/);
      }),
      { numRuns: RUNS },
    );
    expect(codes).toContain('valid');
    expect(codes.size).toBeGreaterThan(2);
  });
});
