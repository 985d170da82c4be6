/** int8-dynamic and matmul-nbits on made-up graphs: every rewritten product against plain JavaScript, whatever is around it. */
import fc from 'fast-check';
import type { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import type { BlockwiseRecipe, DynamicRecipe } from '../../../../lib/artifact/recipe.js';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import type { Node } from '../../../../lib/compiler/ir/node.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import type { Value } from '../../../../lib/compiler/ir/value.js';
import { blockwiseScheme } from '../../../../lib/compiler/quantize/schemes/blockwise/matmul-nbits.js';
import { dynamicScheme } from '../../../../lib/compiler/quantize/schemes/dynamic.js';
import { applyScheme } from '../../../support/apply-scheme.js';
import { fromOrt, toOrtFeeds } from '../../../support/compare-outputs.js';
import { dynamicProduct, product, relativeError } from '../../../support/quantization/emulated-products.js';
import { randomGraphs } from '../../../support/random-graph.js';
import { runModel } from '../../../support/run-model.js';

type Runs = Readonly<Record<string, RuntimeTensor>>;

/** Runs with inputs and outputs of some nodes of the main graph as outputs of the model. */
async function runWith(model: Model, watched: readonly Value[], feeds: Parameters<typeof runModel>[1]): Promise<Runs> {
  const outputs = [...model.graph.outputs];
  const values = [...new Set(watched)].filter((value) => !value.isGraphOutput);
  const types = values.map((value) => value.type);
  // An input cannot be an output as it is; its feed says what it holds.
  const computed = values.filter((value) => value.producer !== undefined);
  for (const value of computed) value.type ??= { kind: 'tensor', elementType: 'float32', shape: undefined };
  model.graph.setOutputs([...outputs, ...computed]);
  try {
    return { ...(feeds as Runs), ...((await runModel(modelToBytes(model), feeds)) as Runs) };
  } finally {
    model.graph.setOutputs(outputs);
    for (const [index, value] of values.entries()) value.type = types[index];
  }
}

function numbersAt(runs: Runs, value: Value | undefined): Float32Array {
  if (value?.initializer !== undefined) return value.initializer.typed() as Float32Array;
  const tensor = runs[value?.name ?? ''];
  if (tensor === undefined) throw new Error(`'${value?.name}' was not run`);
  return fromOrt(tensor).typed() as Float32Array;
}

const isTame = (numbers: Float32Array) => numbers.every((number) => Math.abs(number) < 1e30);

it('of integers and inputs quantized at run time', async () => {
  const recipes: fc.Arbitrary<DynamicRecipe> = fc.record({
    scheme: fc.constant('int8-dynamic'),
    weights: fc.constantFrom('int8', 'uint8'),
    perChannel: fc.boolean(),
    reduceRange: fc.boolean(),
  });
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(randomGraphs({ opsets: [11, 13, 17, 18, 21] }), recipes, async (recipe, scheme) => {
      const { model, feeds } = recipe.build();
      applyScheme(model, dynamicScheme, scheme);
      const nodes = model.graph.nodes.filter((node) => node.is('MatMulInteger'));
      const parts = nodes.map((node) => ({ node, x: node.input(0)?.producer?.input(0), y: outputOf(node) }));
      const runs = await runWith(
        model,
        parts.flatMap(({ x, y }) => [y, ...(x === undefined ? [] : [x])]),
        toOrtFeeds(feeds),
      );
      for (const { node, x, y } of parts) {
        const input = numbersAt(runs, x);
        const integers = node.constantInput(1);
        const scale = y.producer?.input(1)?.producer?.constantInput(1);
        if (!isTame(input) || integers === undefined || scale === undefined) continue;
        const zeroPoint = node.constantInput(3)?.numbers() ?? [0];
        const expected = dynamicProduct(input, { integers, scale: scale.numbers(), zeroPoint });
        expect(relativeError(numbersAt(runs, y), expected)).toBeLessThan(1e-6);
        compared++;
      }
    }),
    { seed: 1, numRuns: 300 },
  );
  expect(compared).toBeGreaterThan(30);
});

/** Of MatMulInteger → Cast → Mul. */
function outputOf(node: Node): Value {
  const scaled = node.output().soleConsumer?.output().soleConsumer;
  if (scaled === undefined) throw new Error(`${node.describe()} is not scaled`);
  return scaled.output();
}

it('of weights in blocks', async () => {
  const recipes: fc.Arbitrary<BlockwiseRecipe> = fc.record({
    scheme: fc.constant('matmul-nbits'),
    bits: fc.constantFrom(4, 8),
    blockSize: fc.constantFrom(16, 32),
    symmetric: fc.boolean(),
    accuracyLevel: fc.constant(0),
  });
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(randomGraphs(), recipes, async (recipe, scheme) => {
      const { model, feeds } = recipe.build();
      applyScheme(model, blockwiseScheme, scheme);
      const nodes = model.graph.nodes.filter(({ opType }) => opType === 'MatMulNBits');
      const watched = nodes.flatMap((node) => [node.output(), ...(node.input(0) === undefined ? [] : [node.input(0)])]);
      const runs = await runWith(
        model,
        watched.filter((value) => value !== undefined),
        toOrtFeeds(feeds),
      );
      for (const node of nodes) {
        const input = numbersAt(runs, node.input(0));
        if (!isTame(input)) continue;
        const [inner, columns] = [node.int('K', 0), node.int('N', 0)];
        const restored = unpack(node, scheme, inner, columns);
        const expected = product(input, restored, inner);
        expect(relativeError(numbersAt(runs, node.output()), expected)).toBeLessThan(1e-5);
        compared++;
      }
    }),
    { seed: 1, numRuns: 150 },
  );
  expect(compared).toBeGreaterThan(40);
});

/** What the operator's documentation says of its inputs: [K, N], one block of up to 16 or 32 rows. */
function unpack(node: Node, { bits, blockSize }: BlockwiseRecipe, inner: number, columns: number): number[] {
  const packed = node.constantInput(1)?.numbers() ?? [];
  const scale = node.constantInput(2)?.numbers() ?? [];
  const zeroPoint = node.constantInput(3)?.numbers();
  const at = (bytes: readonly number[], index: number) => {
    if (bits === 8) return bytes[index] ?? 0;
    return ((bytes[index >> 1] ?? 0) >> ((index & 1) * 4)) & 15;
  };
  return Array.from({ length: inner * columns }, (_, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns];
    const perColumn = (2 * 4) / bits;
    const zero = zeroPoint === undefined ? 2 ** (bits - 1) : at(zeroPoint, column * perColumn);
    return (at(packed, column * blockSize + row) - zero) * (scale[column] ?? 0);
  });
}
