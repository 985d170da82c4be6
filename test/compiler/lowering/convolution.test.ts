import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printModel } from '../../../lib/compiler/ir/print.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import type { Dimension } from '../../../lib/compiler/ir/value.js';
import {
  type ConvolutionOptions,
  convolution,
  depthwiseConvolution,
  transposedConvolution,
} from '../../../lib/compiler/lowering/convolution.js';
import { GraphBuilder } from '../../../lib/compiler/lowering/graph-builder.js';
import { shapeOf } from '../../../lib/compiler/lowering/shape.js';
import { fromOrt, toOrt } from '../../support/compare-outputs.js';
import { refusalOf } from '../../support/refusal.js';
import { runModel } from '../../support/run-model.js';

function written(shape: readonly Dimension[], kernel: readonly number[], options: ConvolutionOptions) {
  const builder = new GraphBuilder();
  const x = builder.input('x', { elementType: 'float32', shape });
  const count = kernel.reduce((product, size) => product * size, 1);
  const weights = Float32Array.from({ length: count }, (_, index) => ((index * 7) % 11) - 5);
  const y = builder.scope('conv', () =>
    convolution(builder, x, builder.constant(Tensor.fromTyped('float32', kernel, weights), 'kernel'), options),
  );
  return { y, shape: shapeOf(y), model: builder.finish([{ name: 'y', value: y }]) };
}

describe('a convolution', () => {
  it('is one Conv between Transposes, with pads that are static and the names of the source', () => {
    const { model } = written(['N', 9, 12, 3], [3, 3, 3, 4], { strides: [2, 2], padding: 'same' });
    const text = printModel(model);
    expect(text).toContain('pads=[1, 0, 1, 1]');
    expect(text).toContain('%conv/kernel');
    expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(['Transpose', 'Conv', 'Transpose']);
  });

  it('keeps the names of sizes that it does not change', () => {
    expect(written(['N', 'rows', 7, 3], [3, 3, 3, 4], { padding: 'same' }).shape).toEqual(['N', 'rows', 7, 4]);
    expect(written(['N', 'rows', 7, 3], [3, 3, 3, 4], {}).shape).toEqual(['N', undefined, 5, 4]);
    expect(written(['N', 'rows', 3], [3, 3, 4], { padding: 'causal' }).shape).toEqual(['N', 'rows', 4]);
    expect(written(['N', 'rows', 3], [1, 3, 4], {}).shape).toEqual(['N', 'rows', 4]);
  });

  it('computes the same on open sizes as on fixed ones, and as many elements as it says', async () => {
    const parameters = fc.record({
      size: fc.integer({ min: 1, max: 12 }),
      kernel: fc.integer({ min: 1, max: 4 }),
      stride: fc.integer({ min: 1, max: 5 }),
      dilation: fc.integer({ min: 1, max: 3 }),
      padding: fc.constantFrom('same' as const, 'causal' as const),
    });
    await fc.assert(
      fc.asyncProperty(parameters, async ({ size, kernel, stride, dilation, padding }) => {
        const options = { strides: [stride], dilations: [dilation], padding };
        const fixed = written([1, size, 2], [kernel, 2, 1], options);
        const open = written(['N', 'T', 2], [kernel, 2, 1], options);
        const elements = Float32Array.from({ length: size * 2 }, (_, index) => ((index * 5) % 7) - 3);
        const feeds = { x: toOrt(Tensor.fromTyped('float32', [1, size, 2], elements)) };
        const [expected, actual] = [
          await runModel(modelToBytes(fixed.model), feeds),
          await runModel(modelToBytes(open.model), feeds),
        ];
        const [y, other] = [expected.y, actual.y];
        if (y === undefined || other === undefined) throw new Error('no output');
        expect(fromOrt(y).dims).toEqual(fixed.shape);
        expect(fromOrt(y).dims[1]).toBe(Math.ceil(size / stride));
        expect(fromOrt(other).numbers()).toEqual(fromOrt(y).numbers());
      }),
      { numRuns: 30 },
    );
  });

  it('refuses numbers that no window has, and kernels that do not fit', async () => {
    const refused = async (shape: readonly Dimension[], kernel: readonly number[], options: ConvolutionOptions) =>
      (await refusalOf(() => written(shape, kernel, options))).code;
    const pictures = ['N', 8, 8, 4];
    expect(await refused(pictures, [3, 3, 4, 2], { strides: [0, 1] })).toBe('WINDOW_OPTIONS');
    expect(await refused(pictures, [3, 3, 4, 2], { strides: [1] })).toBe('WINDOW_OPTIONS');
    expect(await refused(pictures, [3, 3, 4, 2], { dilations: [1, 0.5] })).toBe('WINDOW_OPTIONS');
    expect(await refused(pictures, [3, 3, 4, 2], { padding: [[0, 0]] })).toBe('WINDOW_OPTIONS');
    expect(
      await refused(pictures, [3, 3, 4, 2], {
        padding: [
          [0, 0],
          [-1, 0],
        ],
      }),
    ).toBe('WINDOW_OPTIONS');
    expect(await refused(pictures, [9, 3, 4, 2], {})).toBe('WINDOW_TOO_LARGE');
    expect(await refused(pictures, [3, 3, 3, 2], {})).toBe('KERNEL_SHAPE');
    expect(await refused(pictures, [3, 3, 2, 3], {})).toBe('KERNEL_SHAPE');
    expect(await refused(pictures, [3, 4, 2], {})).toBe('KERNEL_SHAPE');
    expect(await refused(pictures, [3, 0, 4, 2], {})).toBe('KERNEL_SHAPE');
    expect(await refused(['N', 4], [4, 2], {})).toBe('KERNEL_SHAPE');
  });
});

describe('a depthwise convolution', () => {
  it('refuses a kernel for other channels', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', { elementType: 'float32', shape: ['N', 8, 8, 4] });
    const kernel = builder.floats(new Float32Array(3 * 3 * 3), [3, 3, 3, 1]);
    expect((await refusalOf(() => depthwiseConvolution(builder, x, kernel))).code).toBe('KERNEL_SHAPE');
  });
});

describe('a transposed convolution', () => {
  it('refuses sizes that no convolution leads back from', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', { elementType: 'float32', shape: ['N', 5, 'W', 2] });
    const kernel = builder.floats(new Float32Array(2 * 2 * 3 * 2), [2, 2, 3, 2]);
    const refused = async (outputSizes: readonly (number | undefined)[], padding: 'same' | 'causal' = 'same') =>
      (await refusalOf(() => transposedConvolution(builder, x, kernel, { strides: [2, 2], padding, outputSizes })))
        .code;
    expect(await refused([12, undefined])).toBe('OUTPUT_SIZE');
    expect(await refused([undefined, 8])).toBe('SIZE_UNKNOWN');
    expect(await refused([undefined, undefined], 'causal')).toBe('WINDOW_OPTIONS');
  });
});
