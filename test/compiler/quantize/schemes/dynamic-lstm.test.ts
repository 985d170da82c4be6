import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DynamicRecipe } from '../../../../lib/artifact/recipe.js';
import { attribute } from '../../../../lib/compiler/ir/attribute.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { nodesOf } from '../../../../lib/compiler/ir/traversal.js';
import type { Value } from '../../../../lib/compiler/ir/value.js';
import { runPasses } from '../../../../lib/compiler/passes/pass.js';
import { normalize } from '../../../../lib/compiler/passes/presets.js';
import { dequantizeTensor, quantizeWeight } from '../../../../lib/compiler/quantize/parameters/quantize-weight.js';
import { dynamicScheme } from '../../../../lib/compiler/quantize/schemes/dynamic.js';
import { readOnnx } from '../../../../lib/compiler/readers/onnx.js';
import { applyScheme } from '../../../support/apply-scheme.js';
import { type Outputs, signalToNoise } from '../../../support/before-and-after.js';
import { ModelBuilder } from '../../../support/model-builder.js';
import { randomFloats, randomTensor } from '../../../support/random-numbers.js';
import { realModelFeeds } from '../../../support/real-model-feeds.js';
import { realModels } from '../../../support/real-models.js';
import { runModel } from '../../../support/run-model.js';
import { PRODUCTS_SATURATE } from '../../../support/saturating-cpu.js';

const [STEPS, BATCH, INPUT, HIDDEN] = [6, 2, 10, 8];

interface Example {
  readonly recipe: DynamicRecipe;
  readonly directions: 1 | 2;
  readonly bias: boolean;
  readonly lengths: boolean;
  readonly state: boolean;
  readonly peepholes: boolean;
  readonly seed: number;
}

const examples: fc.Arbitrary<Example> = fc.record({
  recipe: fc.record({
    scheme: fc.constant('int8-dynamic'),
    weights: fc.constantFrom('int8', 'uint8'),
    perChannel: fc.boolean(),
    reduceRange: fc.boolean(),
  }),
  directions: fc.constantFrom(1, 2),
  bias: fc.boolean(),
  lengths: fc.boolean(),
  state: fc.boolean(),
  peepholes: fc.boolean(),
  seed: fc.nat({ max: 1000 }),
});

/** With rows of very different size, so that a scale of another row, or of another direction, is heard. */
function weights(dims: readonly [number, number, number], seed: number): Tensor {
  const [directions, rows, columns] = dims;
  const numbers = randomFloats(directions * rows * columns, seed, -0.5, 0.5);
  return Tensor.fromTyped(
    'float32',
    dims,
    numbers.map((number, index) => number * 2 ** -(Math.floor(index / columns) % 4)),
  );
}

function build(example: Example, w: Tensor, r: Tensor) {
  const { directions, bias, lengths, state, peepholes, seed } = example;
  const b = new ModelBuilder(14);
  const floats = (dims: readonly number[], offset: number) =>
    b.floats(
      randomFloats(
        dims.reduce((total, size) => total * size, 1),
        seed + offset,
        -0.5,
        0.5,
      ),
      dims,
    );
  const inputs: (Value | undefined)[] = [
    b.input('x', ['steps', 'batch', INPUT]),
    b.constant(w, 'w'),
    b.constant(r, 'r'),
    bias ? floats([directions, 8 * HIDDEN], 3) : undefined,
    lengths ? b.constant(Tensor.fromNumbers('int32', [BATCH], [STEPS, 3])) : undefined,
    state ? floats([directions, BATCH, HIDDEN], 4) : undefined,
    state ? floats([directions, BATCH, HIDDEN], 5) : undefined,
    peepholes ? floats([directions, 3 * HIDDEN], 6) : undefined,
  ];
  const outputs = b.addAll('LSTM', inputs, {
    outputs: ['y', 'h', 'c'],
    attributes: {
      hidden_size: attribute.int(HIDDEN),
      direction: attribute.string(directions === 2 ? 'bidirectional' : 'reverse'),
    },
  });
  return b.finish(outputs);
}

describe('LSTMs with their input quantized at run time', () => {
  it.skipIf(PRODUCTS_SATURATE)(
    'compute with the weights that their integers stand for, with every option of the operator',
    async () => {
      await fc.assert(
        fc.asyncProperty(examples, async (example) => {
          const { directions, seed, recipe } = example;
          const w = weights([directions, 4 * HIDDEN, INPUT], seed);
          const r = weights([directions, 4 * HIDDEN, HIDDEN], seed + 1);
          const feeds = { x: randomTensor([STEPS, BATCH, INPUT], seed + 2) };
          const restored = [w, r].map((tensor) => restoredByRows(tensor, recipe));
          const expected = await runModel(modelToBytes(build(example, restored[0] ?? w, restored[1] ?? r)), feeds);
          const model = build(example, w, r);
          expect(applyScheme(model, dynamicScheme, recipe).rewritten).toEqual(['y']);
          expect([...nodesOf(model)].map(({ opType }) => opType)).toEqual(['DynamicQuantizeLSTM']);
          expect(model.graph.outputs.map(({ name }) => name)).toEqual(['y', 'h', 'c']);
          const actual = await runModel(modelToBytes(model), feeds);
          // The noise of inputs and states rounded to 8 bits; a wrong scale leaves 10 dB.
          expect(signalToNoise(expected as Outputs, actual as Outputs)).toBeGreaterThan(32);
        }),
        { seed: 1, numRuns: 60 },
      );
    },
  );

  it('share weights', () => {
    const b = new ModelBuilder(14);
    const shared = [weights([1, 4 * HIDDEN, INPUT], 1), weights([1, 4 * HIDDEN, HIDDEN], 2)].map((each) =>
      b.constant(each),
    );
    const attributes = { hidden_size: attribute.int(HIDDEN) };
    const outputs = ['x', 'z'].map((name) =>
      b.add('LSTM', [b.input(name, ['s', 'b', INPUT]), ...shared], { attributes }),
    );
    const model = b.finish(outputs);
    applyScheme(model, dynamicScheme, {
      scheme: 'int8-dynamic',
      weights: 'int8',
      perChannel: true,
      reduceRange: false,
    });
    expect([...model.graph.initializers].filter(({ rank }) => rank === 3)).toHaveLength(2);
  });

  it('are refused where the batch comes first, and where weights are computed', () => {
    const b = new ModelBuilder(14);
    const [w, r] = [weights([1, 4 * HIDDEN, INPUT], 1), weights([1, 4 * HIDDEN, HIDDEN], 2)].map((each) =>
      b.constant(each),
    );
    const x = b.input('x', ['s', 'b', INPUT]);
    const refusal = (inputs: readonly (Value | undefined)[], layout: number) => {
      const attributes = { hidden_size: attribute.int(HIDDEN), layout: attribute.int(layout) };
      const { producer } = b.add('LSTM', inputs, { attributes });
      const recipe = { scheme: 'int8-dynamic', weights: 'int8', perChannel: true, reduceRange: false } as const;
      return producer && dynamicScheme.refusal(producer, recipe);
    };
    expect(refusal([x, w, r], 1)).toContain('has its batch first');
    expect(refusal([x, w, b.input('r', [1, 4 * HIDDEN, HIDDEN])], 0)).toContain("'r' is not constant");
    expect(refusal([x, w, r], 0)).toBeUndefined();
  });
});

describe('silero v5', () => {
  it('with its sample rate frozen keeps 35 dB and shrinks by a third', async () => {
    const model = await readOnnx(realModels.sileroV5);
    await runPasses(model, normalize({ inputs: { sr: { value: 16_000 } } }));
    const { sr: _, ...feeds } = realModelFeeds('sileroV5');
    const bytesBefore = modelToBytes(model);
    const before = await runModel(bytesBefore, feeds);
    const recipe = { scheme: 'int8-dynamic', weights: 'int8', perChannel: true, reduceRange: false } as const;
    expect(applyScheme(model, dynamicScheme, recipe).rewritten).toHaveLength(1);
    const bytesAfter = modelToBytes(model);
    const after = await runModel(bytesAfter, feeds, { graphOptimizationLevel: 'all' });
    expect(signalToNoise(before as Outputs, after as Outputs)).toBeGreaterThan(35);
    expect(bytesAfter.byteLength / bytesBefore.byteLength).toBeLessThan(0.7);
  });
});

/** Rounded as the recipe says, per row or per direction, and back. */
function restoredByRows(tensor: Tensor, { weights: dataType, perChannel, reduceRange }: DynamicRecipe): Tensor {
  const [directions = 1, rows = 1, columns = 1] = tensor.dims;
  const channels = perChannel ? directions * rows : directions;
  const size = (directions * rows * columns) / channels;
  const numbers = tensor.typed() as Float32Array;
  const restored = new Float32Array(numbers.length);
  for (let start = 0; start < numbers.length; start += size) {
    const channel = Tensor.fromTyped('float32', [1, size], numbers.slice(start, start + size));
    const { integers, parameters } = quantizeWeight('channel', channel, { dataType, reduceRange, axis: 0 });
    restored.set(dequantizeTensor(integers, parameters).typed() as Float32Array, start);
  }
  return Tensor.fromTyped('float32', tensor.dims, restored);
}
