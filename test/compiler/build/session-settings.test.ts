/** Which session options a model gets that does not say. */
import { expect, test } from 'vitest';
import { sessionSettingsFor } from '../../../lib/compiler/build/session-settings.js';
import { Graph } from '../../../lib/compiler/ir/graph.js';
import { Model } from '../../../lib/compiler/ir/model.js';
import { Node } from '../../../lib/compiler/ir/node.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { Value } from '../../../lib/compiler/ir/value.js';

const PREPACKING_OFF = { configEntries: { 'session.disable_prepacking': '1' } };

/** One operator, and weights that fill so many million bytes. */
function modelOf(opType: string, megabytes: number): Model {
  const graph = new Graph('model');
  const weights = Tensor.fromTyped('float32', [megabytes * 250_000], new Float32Array(megabytes * 250_000));
  const y = new Value('y');
  graph.append(new Node(opType, [graph.addInitializer('w', weights)], [y]));
  graph.setOutputs([y]);
  return new Model(graph, new Map([['', 17]]), { irVersion: 8 });
}

test('a small model gets all that onnxruntime optimizes', () => {
  expect(sessionSettingsFor(modelOf('MatMul', 31), {})).toEqual({ graphOptimizationLevel: 'all' });
});

test('a large one neither packs its weights nor looks for what our passes have fused', () => {
  expect(sessionSettingsFor(modelOf('MatMul', 32), {})).toEqual({ graphOptimizationLevel: 'basic', ...PREPACKING_OFF });
});

test.each(['Conv', 'ConvTranspose', 'MaxPool', 'DequantizeLinear', 'DynamicQuantizeLinear', 'QLinearMatMul'])(
  'a large one with %s keeps what makes that fast',
  (opType) => {
    expect(sessionSettingsFor(modelOf(opType, 32), {})).toEqual({ graphOptimizationLevel: 'all', ...PREPACKING_OFF });
  },
);

test.each([
  ['converted, for a CPU whose integer products may saturate', { architecture: 'x86_64', isConverted: true }, 'basic'],
  ['converted, for one whose do not', { architecture: 'arm64', isConverted: true }, 'all'],
  ['quantized with onnxruntime in mind', { architecture: 'x86_64', isConverted: false }, 'all'],
] as const)('a quantized network, %s', (_, options, graphOptimizationLevel) => {
  expect(sessionSettingsFor(modelOf('QuantizeLinear', 1), {}, options)).toEqual({ graphOptimizationLevel });
  const session = { enableCpuMemArena: false };
  expect(sessionSettingsFor(modelOf('QuantizeLinear', 1), { session }, options)).toEqual(session);
});

test('what model.json says counts, whatever the size', () => {
  const session = { enableCpuMemArena: false };
  expect(sessionSettingsFor(modelOf('MatMul', 32), { session })).toEqual(session);
});
