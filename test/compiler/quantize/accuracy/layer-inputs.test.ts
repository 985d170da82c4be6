import fc from 'fast-check';
import { Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { type Attribute, attribute } from '../../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import { modelToBytes } from '../../../../lib/compiler/ir/serialization/write.js';
import { layerInputsOf } from '../../../../lib/compiler/quantize/accuracy/layer-inputs.js';
import { gatherRows, weightMatricesOf } from '../../../../lib/compiler/quantize/accuracy/weight-matrix.js';
import { ModelBuilder } from '../../../support/model-builder.js';
import { randomFloats } from '../../../support/random-numbers.js';
import { runModel } from '../../../support/run-model.js';

/** Products of the rows of inputs and weights, by group and position, against what onnxruntime computes. */
async function expectProducts(model: Model, dims: readonly number[], seed: number): Promise<void> {
  const node = model.graph.nodes[0];
  const [matrix] = node === undefined ? [] : weightMatricesOf(node);
  const inputs = matrix === undefined ? 'no weights' : layerInputsOf(matrix);
  if (matrix === undefined || typeof inputs === 'string') throw new Error(String(inputs));
  const data = randomFloats(
    dims.reduce((a, b) => a * b, 1),
    seed,
  );
  const outputs = await runModel(modelToBytes(model), { x: new OrtTensor('float32', data, [...dims]) });
  const y = Object.values(outputs)[0] as OrtTensor;
  const weights = gatherRows(matrix);
  const products: number[][] = Array.from({ length: inputs.groups }, () => []);
  const { depth, rowsPerGroup } = matrix;
  inputs.forEachRow(new Map([['x', { dataType: 'float32', dims, data }]]), Number.POSITIVE_INFINITY, (group, at) => {
    for (let row = 0; row < rowsPerGroup; row++) {
      let sum = 0;
      for (let k = 0; k < depth; k++) sum += at(k) * (weights[(group * rowsPerGroup + row) * depth + k] ?? 0);
      products[group]?.push(sum);
    }
  });
  // onnxruntime's order: positions within channels for convolutions, channels within positions for products.
  const isConvolution = node?.is('Conv') === true;
  const positions = isConvolution ? y.dims.slice(2).reduce((a, b) => a * b, 1) : 0;
  const expected = y.data as Float32Array;
  const got = new Float32Array(expected.length);
  for (const [group, numbers] of products.entries()) {
    for (const [index, sum] of numbers.entries()) {
      const [position, row] = [Math.floor(index / rowsPerGroup), (index % rowsPerGroup) + group * rowsPerGroup];
      const at = isConvolution
        ? (Math.floor(position / positions) * matrix.rows + row) * positions + (position % positions)
        : position * matrix.rows + row;
      got[at] = sum;
    }
  }
  for (const [index, value] of expected.entries()) expect(got[index]).toBeCloseTo(value, 4);
}

const convolution = fc.record({
  groups: fc.integer({ min: 1, max: 3 }),
  channels: fc.integer({ min: 1, max: 3 }),
  rows: fc.integer({ min: 1, max: 2 }),
  kernel: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
  strides: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 3, maxLength: 3 }),
  dilations: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 3, maxLength: 3 }),
  pads: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 6, maxLength: 6 }),
  autoPad: fc.constantFrom('NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'),
  batch: fc.integer({ min: 1, max: 2 }),
  seed: fc.nat(),
});

describe('the rows of inputs times the rows of weights are what onnxruntime computes', () => {
  it('for convolutions of every kind: groups, strides, dilations, padding', async () => {
    await fc.assert(
      fc.asyncProperty(convolution, async ({ groups, channels, rows, kernel, autoPad, batch, seed, ...lists }) => {
        const rank = kernel.length;
        const dims = [batch, groups * channels, ...kernel.map((size) => size * 2 + 3)];
        const isExplicit = autoPad === 'NOTSET';
        const attributes: Record<string, Attribute> = {
          group: attribute.int(groups),
          strides: attribute.ints(lists.strides.slice(0, rank)),
          auto_pad: attribute.string(autoPad),
          // onnxruntime refuses dilations with SAME.
          ...(autoPad.startsWith('SAME') ? {} : { dilations: attribute.ints(lists.dilations.slice(0, rank)) }),
          ...(isExplicit
            ? { pads: attribute.ints([...lists.pads.slice(0, rank), ...lists.pads.slice(3, 3 + rank)]) }
            : {}),
        };
        const builder = new ModelBuilder(17);
        const weightDims = [groups * rows, channels, ...kernel];
        const weights = randomFloats(
          weightDims.reduce((a, b) => a * b, 1),
          seed + 1,
        );
        const y = builder.add('Conv', [builder.input('x', dims), builder.floats(weights, weightDims)], { attributes });
        await expectProducts(builder.finish([y]), dims, seed);
      }),
      { seed: 1, numRuns: 120 },
    );
  });

  it.each([
    { opType: 'MatMul', dims: [2, 3, 5], weight: [5, 4], transposed: false },
    { opType: 'Gemm', dims: [3, 5], weight: [5, 4], transposed: false },
    { opType: 'Gemm', dims: [3, 5], weight: [4, 5], transposed: true },
  ])('for $opType with weights $weight', async ({ opType, dims, weight, transposed }) => {
    const builder = new ModelBuilder(17);
    const inputs = [builder.input('x', dims), builder.floats(randomFloats(20, 3), weight)];
    const attributes = opType === 'Gemm' ? { transB: attribute.int(transposed ? 1 : 0) } : {};
    await expectProducts(builder.finish([builder.add(opType, inputs, { attributes })]), dims, 4);
  });
});

it('visits no more rows than it is asked for, each a row of the input', () => {
  const builder = new ModelBuilder(17);
  const y = builder.add('MatMul', [builder.input('x', [1000, 2]), builder.floats([1, 2, 3, 4], [2, 2])]);
  const [matrix] = weightMatricesOf(builder.finish([y]).graph.nodes[0] ?? fail());
  const inputs = layerInputsOf(matrix ?? fail());
  if (typeof inputs === 'string') throw new Error(inputs);
  const data = Float32Array.from({ length: 2000 }, (_, index) => index);
  const seen = new Set<number>();
  inputs.forEachRow(new Map([['x', { dataType: 'float32', dims: [1000, 2], data }]]), 50, (_, at) => {
    expect(at(1)).toBe(at(0) + 1);
    seen.add(at(0));
  });
  expect(seen.size).toBe(50);
  expect(Math.max(...seen)).toBeGreaterThan(1900);
});

it('says why rows cannot be had', () => {
  const builder = new ModelBuilder(17);
  const x = builder.input('x', [2, 3, 4]);
  const y = builder.add('MatMul', [x, builder.floats(randomFloats(40), [2, 4, 5])]);
  const [matrix] = weightMatricesOf(builder.finish([y]).graph.nodes[0] ?? fail());
  expect(matrix === undefined ? undefined : layerInputsOf(matrix)).toContain('a stack of matrices');
});

function fail(): never {
  throw new Error('it is there');
}
