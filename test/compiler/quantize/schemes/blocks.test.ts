import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { packBlocks } from '../../../../lib/compiler/quantize/schemes/blockwise/pack-blocks.js';
import {
  type BlockOptions,
  dequantizeBlocks,
  quantizeBlocks,
} from '../../../../lib/compiler/quantize/schemes/blockwise/quantize-blocks.js';
import { requirePython } from '../../../support/python.js';
import { PythonWorker } from '../../../support/python-worker.js';
import { QUANTIZATION_REQUIREMENTS } from '../../../support/quantization-python.js';
import { randomFloats } from '../../../support/random-numbers.js';

interface Example extends BlockOptions {
  readonly rows: number;
  readonly columns: number;
  readonly seed: number;
  readonly kind: 'numbers' | 'positive' | 'zero columns' | 'tiny' | 'halves' | 'huge';
}

const examples: fc.Arbitrary<Example> = fc.record({
  rows: fc.integer({ min: 1, max: 300 }),
  columns: fc.integer({ min: 1, max: 9 }),
  bits: fc.constantFrom(4, 8),
  blockSize: fc.constantFrom(16, 32, 64, 128, 256),
  symmetric: fc.boolean(),
  seed: fc.nat({ max: 10_000 }),
  kind: fc.constantFrom('numbers', 'positive', 'zero columns', 'tiny', 'halves', 'huge'),
});

function numbersOf({ rows, columns, seed, kind }: Example): Float32Array {
  const numbers = randomFloats(rows * columns, seed);
  const change: Record<Example['kind'], (number: number, index: number) => number> = {
    numbers: (number) => number,
    positive: (number) => Math.abs(number) + 0.5,
    'zero columns': (number, index) => (index % columns === 0 ? 0 : number),
    tiny: (number) => number * 1e-39,
    // Ties between integers.
    halves: (number) => Math.round(number * 30) / 2,
    huge: (number) => number * 2e38,
  };
  return numbers.map(change[kind]);
}

const decode = (text = '') => new Uint8Array(Buffer.from(text, 'base64'));

/** Where K is odd, the quantizer repeats an older number in the half of a byte that nobody reads. */
function withoutPadding(bytes: Uint8Array, { rows, columns, bits, blockSize }: Example): string {
  if (bits === 8 || rows % 2 === 0) return encode(bytes);
  const perColumn = bytes.length / columns;
  const last = (Math.floor(rows / blockSize) * blockSize + (rows % blockSize) - 1) / 2;
  return encode(bytes.map((byte, index) => (index % perColumn === last ? byte & 15 : byte)));
}

const encode = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

describe('blocks of a matrix', () => {
  it("are the bytes of onnxruntime's quantizer", async ({ skip }) => {
    const python = new PythonWorker(
      requirePython([...QUANTIZATION_REQUIREMENTS], skip),
      join(import.meta.dirname, 'blocks_oracle.py'),
    );
    try {
      await fc.assert(
        fc.asyncProperty(examples, async (example) => {
          // Beyond what it can: its scales become infinite, or their reciprocals.
          fc.pre(example.kind !== 'tiny' && example.kind !== 'huge');
          const { rows, columns, bits, blockSize, symmetric } = example;
          const weight = Tensor.fromTyped('float32', [rows, columns], numbersOf(example));
          const packed = packBlocks(quantizeBlocks('w', weight, false, example), false, example);
          const [integers, scale, zeroPoint] = (await python.call('quantize', {
            ...{ weights: encode(weight.bytes()), rows, columns, bits, block_size: blockSize, symmetric },
          })) as string[];
          expect(encode(packed.scale.bytes())).toBe(scale);
          expect(withoutPadding(packed.integers.bytes(), example)).toBe(withoutPadding(decode(integers), example));
          if (symmetric) expect(packed.zeroPoint).toBeUndefined();
          else if (packed.zeroPoint !== undefined) expect(encode(packed.zeroPoint.bytes())).toBe(zeroPoint);
        }),
        { seed: 1, numRuns: 300 },
      );
    } finally {
      await python.stop();
    }
  });

  it('are the same of a matrix and of its transposed', () => {
    fc.assert(
      fc.property(examples, (example) => {
        const { rows, columns } = example;
        const numbers = numbersOf(example);
        const flipped = numbers.map((_, index) => numbers[(index % rows) * columns + Math.floor(index / rows)] ?? 0);
        const straight = quantizeBlocks('w', Tensor.fromTyped('float32', [rows, columns], numbers), false, example);
        const transposed = quantizeBlocks('w', Tensor.fromTyped('float32', [columns, rows], flipped), true, example);
        expect(packBlocks(transposed, true, example)).toEqual(packBlocks(straight, false, example));
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it('stand for numbers within half a step, and a step at the end of a symmetric range', () => {
    fc.assert(
      fc.property(examples, (example) => {
        const numbers = numbersOf(example);
        const weight = Tensor.fromTyped('float32', [example.rows, example.columns], numbers);
        const quantized = quantizeBlocks('w', weight, false, example);
        const restored = dequantizeBlocks(quantized, false, example.blockSize).typed() as Float32Array;
        const blocks = Math.ceil(example.rows / example.blockSize);
        for (const [index, number] of numbers.entries()) {
          const [row, column] = [Math.floor(index / example.columns), index % example.columns];
          const step = quantized.parameters.scale[column * blocks + Math.floor(row / example.blockSize)] ?? 0;
          const limit = Math.abs(step) * (example.symmetric ? 1 : 0.5) * (1 + 1e-4);
          expect(Math.abs((restored[index] ?? 0) - number)).toBeLessThanOrEqual(
            limit + 1e-6 * Math.abs(number) + 2 ** -126 * 128,
          );
        }
      }),
      { seed: 1, numRuns: 100 },
    );
  });
});
