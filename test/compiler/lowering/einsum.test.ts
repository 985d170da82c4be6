import fc from 'fast-check';
import type { Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import type { Dimension } from '../../../lib/compiler/ir/value.js';
import { einsum } from '../../../lib/compiler/lowering/einsum.js';
import { GraphBuilder } from '../../../lib/compiler/lowering/graph-builder.js';
import { shapeOf } from '../../../lib/compiler/lowering/shape.js';
import { toOrtFeeds } from '../../support/compare-outputs.js';
import { refusalOf } from '../../support/refusal.js';
import { runModel } from '../../support/run-model.js';

const SIZES: Readonly<Record<string, number>> = { a: 2, b: 3, c: 4, d: 2, e: 3 };

/** A small whole number for each element, so that every order of summation gives the same. */
function numbered(dims: readonly number[], seed: number): Tensor {
  const count = dims.reduce((product, size) => product * size, 1);
  return Tensor.fromNumbers(
    'float32',
    dims,
    Array.from({ length: count }, (_, index) => ((index * 7 + seed) % 11) - 5),
  );
}

/** The definition: for each element of the result, the sum over all values of the letters that it lacks. */
function byDefinition(operands: readonly string[], output: string, tensors: readonly Tensor[]): number[] {
  const letters = [...new Set([...output, ...operands.join('')])];
  const results = new Map<number, number>();
  const walk = (index: number, at: Readonly<Record<string, number>>): void => {
    const letter = letters[index];
    if (letter !== undefined) {
      for (let value = 0; value < (SIZES[letter] ?? 0); value++) walk(index + 1, { ...at, [letter]: value });
      return;
    }
    const offset = (term: string) => [...term].reduce((sum, each) => sum * (SIZES[each] ?? 0) + (at[each] ?? 0), 0);
    const product = tensors.reduce(
      (all, tensor, which) => all * Number(tensor.typed()[offset(operands[which] ?? '')]),
      1,
    );
    results.set(offset(output), (results.get(offset(output)) ?? 0) + product);
  };
  walk(0, {});
  return [...results].sort(([a], [b]) => a - b).map(([, sum]) => sum + 0);
}

interface Case {
  readonly operands: readonly string[];
  readonly output: string;
  /** Letters whose sizes the graph does not know. */
  readonly open: string;
}

async function outcome({ operands, output, open }: Case) {
  const tensors = operands.map((term, index) => {
    return numbered(
      [...term].map((letter) => SIZES[letter] ?? 0),
      index * 3,
    );
  });
  const builder = new GraphBuilder();
  const values = tensors.map((_, index) => {
    const shape = [...(operands[index] ?? '')].map(
      (letter): Dimension => (open.includes(letter) ? undefined : SIZES[letter]),
    );
    return builder.input(`x${index}`, { elementType: 'float32', shape });
  });
  const y = einsum(builder, `${operands.join(',')}->${output}`, values);
  const operators = builder.graph.nodes.map(({ opType }) => opType);
  const model = builder.finish([{ name: 'y', value: y }]);
  const feeds = Object.fromEntries(tensors.map((tensor, index) => [`x${index}`, tensor]));
  const { y: result } = await runModel(modelToBytes(model), toOrtFeeds(feeds));
  const actual = result as OrtTensor;
  return {
    operators,
    shape: shapeOf(y),
    dims: actual.dims,
    // Adding 0 takes the sign from a zero.
    data: Array.from(actual.data as Float32Array, (number) => number + 0),
    expected: byDefinition(operands, output, tensors),
  };
}

const term = fc
  .uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1, maxLength: 4 })
  .map((all) => all.join(''));
const cases: fc.Arbitrary<Case> = fc
  .record({ operands: fc.array(term, { minLength: 1, maxLength: 2 }), open: fc.constantFrom('', 'a', 'ab', 'abcde') })
  .chain(({ operands, open }) => {
    const letters = [...new Set(operands.join(''))];
    return fc.shuffledSubarray(letters).map((output) => ({ operands, output: output.join(''), open }));
  });

describe('einsum', () => {
  it('is its definition, whatever the equation and the sizes that are known', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (each) => {
        const { dims, data, expected, shape } = await outcome(each);
        expect(dims).toEqual([...each.output].map((letter) => SIZES[letter]));
        expect(data).toEqual(expected);
        for (const [axis, size] of shape.entries()) if (typeof size === 'number') expect(size).toBe(dims[axis]);
      }),
      { numRuns: 60 },
    );
  });

  it('is one MatMul where it can be, without a Transpose where none is needed', async () => {
    const operatorsOf = async (operands: readonly string[], output: string, open = '') => {
      return (await outcome({ operands, output, open })).operators;
    };
    expect(await operatorsOf(['abc', 'cd'], 'abd', 'ab')).toEqual(['MatMul']);
    expect(await operatorsOf(['abc', 'cde'], 'abde', 'ab')).toEqual(['Reshape', 'MatMul', 'Reshape']);
    expect(await operatorsOf(['abcd', 'cde'], 'abe', 'ab')).toEqual(['Reshape', 'Reshape', 'MatMul']);
    // Scores of attention, [batch, time, head, size] each: the second operand leads.
    expect(await operatorsOf(['aecd', 'abcd'], 'acbe', 'ab')).toEqual(['Transpose', 'Transpose', 'MatMul']);
    expect(await operatorsOf(['ab', 'ab'], 'ab')).toEqual(['Mul']);
    expect(await operatorsOf(['abc'], 'ca')).toEqual(['ReduceSum', 'Transpose']);
  });

  it('takes ellipses, spaces and equations without a result', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', { elementType: 'float32', shape: ['N', 5, 3, 4] });
    const kernel = builder.floats(new Float32Array(8), [4, 2]);
    expect(shapeOf(einsum(builder, '...x,xy->...y', [x, kernel]))).toEqual(['N', 5, 3, 2]);
    expect(shapeOf(einsum(builder, 'ab...,bc -> ac...', [x, builder.floats(new Float32Array(10), [5, 2])]))).toEqual([
      'N',
      2,
      3,
      4,
    ]);
    expect(shapeOf(einsum(builder, 'dcba', [x]))).toEqual([4, 3, 5, 'N']);
    expect(
      shapeOf(einsum(builder, 'bi,ij', [builder.input('m', { elementType: 'float32', shape: ['M', 4] }), kernel])),
    ).toEqual(['M', 2]);
  });

  it('leaves diagonals and more than two operands to the runtime', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', { elementType: 'float32', shape: [3, 3] });
    const y = einsum(builder, 'ii->i', [x]);
    const z = einsum(builder, 'ab,bc,cd->ad', [x, x, x]);
    expect([y, z].map(({ producer }) => producer?.opType)).toEqual(['Einsum', 'Einsum']);
    expect([shapeOf(y), shapeOf(z)]).toEqual([[3], [3, 3]]);
    const model = builder.finish([
      { name: 'y', value: y },
      { name: 'z', value: z },
    ]);
    const numbers = Tensor.fromNumbers('float32', [3, 3], [1, 2, 0, 0, 1, 1, 1, 0, 1]);
    const outputs = await runModel(modelToBytes(model), toOrtFeeds({ x: numbers }));
    expect(Array.from((outputs.y as OrtTensor).data as Float32Array)).toEqual([1, 1, 1]);
    expect(Array.from((outputs.z as OrtTensor).data as Float32Array)).toEqual([3, 6, 6, 3, 3, 3, 3, 6, 3]);
  });

  it('refuses what is no equation, or does not fit its operands', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', { elementType: 'float32', shape: [2, 3] });
    const codeOf = async (equation: string, count = 1) => {
      return (
        await refusalOf(() =>
          einsum(
            builder,
            equation,
            Array.from({ length: count }, () => x),
          ),
        )
      ).code;
    };
    for (const equation of [
      'ab->ab->a',
      'a*b',
      'abc',
      'ab,bc',
      'ab->c',
      'ab->aa',
      '..ab',
      'abc...',
      'ab->abc',
      `ab${'b'.repeat(1000)}`,
    ]) {
      expect([equation.slice(0, 9), await codeOf(equation)]).toEqual([equation.slice(0, 9), 'EINSUM_EQUATION']);
    }
    expect(await codeOf('ab,bc->ac', 2)).toBe('SHAPE_MISMATCH');
  });
});
