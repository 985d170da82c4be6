import fc from 'fast-check';
import type { Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { linearRowsOf } from '../../../lib/compiler/prune/linear-rows.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { randomFloats, randomTensor } from '../../support/random-numbers.js';
import { runModel } from '../../support/run-model.js';

const count = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

/** max|X·W + bias - Y| over every row, with X and W as `linearRowsOf` lays them out and Y as onnxruntime computes it. */
async function largestError(model: Model, dims: readonly number[]): Promise<number> {
  const [node] = model.graph.nodes;
  const rows = node === undefined ? 'no node' : linearRowsOf(node);
  if (typeof rows === 'string') throw new Error(rows);
  const x = randomTensor(dims, 3);
  const outputs = await runModel(modelToBytes(model), { x });
  const y = outputs.y as OrtTensor;
  const input = { dims, data: x.data as Float32Array };
  const output = { dims: y.dims, data: y.data as Float32Array };
  const weight = rows.weight.initializer;
  if (weight === undefined) throw new Error('no weight');
  const matrix = rows.toMatrix(weight);
  expect(rows.fromMatrix(matrix, weight)).toEqual(weight.typed());
  const bias = rows.bias?.initializer?.numbers() ?? [];
  const [row, expected] = [new Float64Array(rows.inputs), new Float64Array(rows.outputs)];
  let largest = 0;
  expect(rows.rowCount(output) * rows.outputs).toBe(output.data.length);
  for (let at = 0; at < rows.rowCount(output); at++) {
    rows.inputRow(input, output.dims, at, row);
    rows.outputRow(output, at, expected);
    for (let column = 0; column < rows.outputs; column++) {
      let sum = bias[column] ?? 0;
      for (let index = 0; index < rows.inputs; index++)
        sum += (row[index] ?? 0) * (matrix[index * rows.outputs + column] ?? 0);
      largest = Math.max(largest, Math.abs(sum - (expected[column] ?? 0)));
    }
  }
  return largest;
}

describe('rows of X and Y', () => {
  it('are those of a convolution, whatever its window, steps and padding', { timeout: 60_000 }, async () => {
    const windows = fc.integer({ min: 1, max: 3 }).chain((rank) =>
      fc.record({
        kernel: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: rank, maxLength: rank }),
        strides: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: rank, maxLength: rank }),
        dilations: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: rank, maxLength: rank }),
        pads: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 2 * rank, maxLength: 2 * rank }),
        automatic: fc.constantFrom('NOTSET', 'NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'),
        bias: fc.boolean(),
      }),
    );
    await fc.assert(
      fc.asyncProperty(windows, async ({ kernel, strides, dilations, pads, automatic, bias }) => {
        const b = new ModelBuilder(18);
        const dims = [2, 3, ...kernel.map((_, axis) => 5 + axis)];
        const weights = [4, 3, ...kernel];
        // SAME with dilation is not what onnxruntime's convolutions take.
        const isSame = automatic.startsWith('SAME');
        const attributes = {
          strides: attribute.ints(strides),
          dilations: attribute.ints(isSame ? dilations.map(() => 1) : dilations),
          ...(automatic === 'NOTSET' ? { pads: attribute.ints(pads) } : { auto_pad: attribute.string(automatic) }),
        };
        const inputs = [b.input('x', dims), b.floats(randomFloats(count(weights), 1), weights)];
        if (bias) inputs.push(b.floats(randomFloats(4, 2)));
        const model = b.finish([b.add('Conv', inputs, { attributes, outputs: ['y'] })]);
        expect(await largestError(model, dims)).toBeLessThan(1e-5);
      }),
      { seed: 1, numRuns: 120 },
    );
  });

  it.each([0, 1])('are those of a Gemm with transB %i', async (transB) => {
    const b = new ModelBuilder(18);
    const weight = b.floats(randomFloats(15, 1), transB === 1 ? [5, 3] : [3, 5]);
    const inputs = [b.input('x', [4, 3]), weight, b.floats(randomFloats(5, 2))];
    const model = b.finish([b.add('Gemm', inputs, { attributes: { transB: attribute.int(transB) }, outputs: ['y'] })]);
    expect(await largestError(model, [4, 3])).toBeLessThan(1e-5);
  });

  it('are those of a MatMul, whose bias is added behind it', async () => {
    const b = new ModelBuilder(18);
    const product = b.add('MatMul', [b.input('x', [2, 4, 3]), b.floats(randomFloats(15, 1), [3, 5])], {
      outputs: ['y'],
    });
    const bias = b.floats([0, 0, 0, 0, 0]);
    const sum = b.add('Add', [bias, product]);
    const model = b.finish([product, sum]);
    const [node] = model.graph.nodes;
    // An output of the graph is read there too, so the bias is not only its own.
    expect(node === undefined ? '' : linearRowsOf(node)).toMatchObject({ bias: undefined });
    model.graph.setOutputs([sum]);
    expect(node === undefined ? '' : linearRowsOf(node)).toMatchObject({ bias: { name: bias.name } });
    model.graph.setOutputs([product]);
    expect(await largestError(model, [2, 4, 3])).toBeLessThan(1e-5);
  });

  it.each([
    ['groups', 'it works in groups'],
    ['alpha', 'it scales its product'],
    ['variable', 'its weights are not a float32 constant'],
  ])('are refused for %s', (what, reason) => {
    const b = new ModelBuilder(18);
    const x = b.input('x', [2, 4]);
    if (what === 'groups') {
      const weight = b.floats(randomFloats(8), [4, 2, 1, 1]);
      b.add('Conv', [b.input('picture', [1, 4, 3, 3]), weight], { attributes: { group: attribute.int(2) } });
    } else if (what === 'alpha') {
      b.add('Gemm', [x, b.floats(randomFloats(8), [4, 2])], { attributes: { alpha: attribute.float(2) } });
    } else b.add('MatMul', [x, b.input('w', [4, 2])]);
    const [node] = b.graph.nodes;
    expect(node === undefined ? '' : linearRowsOf(node)).toBe(reason);
  });
});
