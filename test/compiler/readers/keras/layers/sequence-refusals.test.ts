import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { readKeras } from '../../../../../lib/compiler/readers/keras/read-archive.js';
import { type Json, openKerasArchive, withSettings } from '../../../../support/keras-archive.js';
import { refusalOf } from '../../../../support/refusal.js';

const fixtures = fileURLToPath(new URL('../../../../fixtures/conversion/sequence/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'refusals-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function refusal(family: string, output: string, settings: { readonly [name: string]: Json }): Promise<string> {
  const archive = openKerasArchive(`${fixtures}${family}-keras3.keras`);
  const path = join(folder, 'model.keras');
  writeFileSync(path, archive.with(withSettings(archive.config, output, settings)));
  const { code, message, advice } = await refusalOf(() => readKeras(path));
  expect(advice).not.toBe('');
  return `${code}: ${message}`;
}

describe('what cannot be converted is refused with the layer and the reason', () => {
  it('a layer that keeps its state between calls', async () => {
    expect(await refusal('recurrent', 'lstm_last', { stateful: true })).toBe(
      "LAYER_OPTION_UNSUPPORTED: LSTM 'lstm': stateful = true is not supported.",
    );
    const wrapped = { class_name: 'GRU', config: { units: 3, stateful: true } };
    expect(await refusal('bidirectional', 'lstm_concat', { layer: wrapped })).toMatch(
      /^LAYER_OPTION_UNSUPPORTED: GRU in Bidirectional 'bidirectional': stateful/,
    );
  });

  it('activations, cells and layers inside others whose code is not in the file', async () => {
    expect(await refusal('activations', 'activation_relu', { activation: 'my_own' })).toMatch(
      /^ACTIVATION_UNSUPPORTED: Activation '.*': the activation 'my_own' is not one of Keras's own\.$/,
    );
    const custom = { module: 'mine', class_name: 'Custom', config: {}, registered_name: 'mine>Custom' };
    expect(await refusal('recurrent', 'gru_last', { activation: custom })).toMatch(
      /^ACTIVATION_UNSUPPORTED: GRU 'gru': the activation 'Custom'/,
    );
    const lambda = { class_name: '__lambda__', config: { value: 'code' } };
    expect(await refusal('recurrent', 'gru_last', { recurrent_activation: lambda })).toMatch(/^ACTIVATION_UNSUPPORTED/);
    expect(await refusal('bidirectional', 'cell', { cell: custom })).toMatch(
      /^LAYERS_UNSUPPORTED: Custom in RNN 'rnn': this class/,
    );
    expect(await refusal('bidirectional', 'lstm_concat', { layer: custom })).toMatch(/Custom/);
  });

  it('choices that Keras does not have', async () => {
    expect(await refusal('bidirectional', 'lstm_concat', { merge_mode: 'max' })).toMatch(
      /^LAYER_OPTION_UNSUPPORTED.*merge_mode/,
    );
    expect(await refusal('normalization', 'group', { groups: 4 })).toBe(
      "GROUPS: GroupNormalization 'group_normalization': 6 channels do not make 4 groups.",
    );
    expect(await refusal('normalization', 'batch', { axis: [1, 2] })).toMatch(
      /^LAYER_OPTION_UNSUPPORTED.*axis = \[1,2\]/,
    );
    expect(await refusal('attention', 'einsum', { equation: 'abc,cd->abx' })).toMatch(
      /^EINSUM_EQUATION: EinsumDense 'einsum_dense': /,
    );
    expect(await refusal('attention', 'grouped', { num_key_value_heads: 3 })).toMatch(/^LAYER_OPTION_UNSUPPORTED/);
  });

  it('weights of other sizes than the config asks for', async () => {
    expect(await refusal('recurrent', 'lstm_last', { units: 5 })).toBe(
      "WEIGHT_SHAPE: LSTM 'lstm': its kernel has the shape [4, 12]; config and input ask for [4, 20].",
    );
    expect(await refusal('recurrent', 'gru_last', { reset_after: false })).toBe(
      "WEIGHT_SHAPE: GRU 'gru': its bias has the shape [2, 9]; config and input ask for [9].",
    );
    expect(await refusal('normalization', 'layer', { axis: [1] })).toMatch(
      /^WEIGHT_SHAPE: LayerNormalization.*gamma.*\[6\].*\[5\]/,
    );
  });
});
