import { beforeAll, describe, expect, it } from 'vitest';
import { isDepthwise, weightMatricesOf } from '../../lib/compiler/quantize/accuracy/weight-matrix.js';
import { HASWELL_NOTE, HASWELL_SKIPPED, haswell, runOn } from './cpu-models.js';
import {
  exactSums,
  inputDims,
  integerModel,
  type LinearShape,
  linearNode,
  OUTPUT_ROUNDING,
  weightDims,
} from './integer-models.js';

const SHAPES: Readonly<Record<string, LinearShape>> = {
  'a 1×1 convolution': { opType: 'Conv', outputChannels: 0, channelsPerGroup: 5, groups: 1, kernel: [1, 1] },
  'a convolution with an odd number of channels': {
    opType: 'Conv',
    outputChannels: 0,
    channelsPerGroup: 3,
    groups: 1,
    kernel: [2, 2],
  },
  'a convolution with a multiple of four': {
    opType: 'Conv',
    outputChannels: 0,
    channelsPerGroup: 4,
    groups: 1,
    kernel: [2, 1],
  },
  'a convolution with groups': { opType: 'Conv', outputChannels: 0, channelsPerGroup: 3, groups: 2, kernel: [2, 2] },
  'a convolution of one channel to many': {
    opType: 'Conv',
    outputChannels: 0,
    channelsPerGroup: 1,
    groups: 1,
    kernel: [3, 2],
  },
  'groups of one channel to many': {
    opType: 'Conv',
    outputChannels: 0,
    channelsPerGroup: 1,
    groups: 3,
    kernel: [3, 2],
  },
  'a convolution in one dimension': { opType: 'Conv', outputChannels: 0, channelsPerGroup: 2, groups: 1, kernel: [5] },
  'a convolution in three dimensions': {
    opType: 'Conv',
    outputChannels: 0,
    channelsPerGroup: 2,
    groups: 1,
    kernel: [2, 2, 1],
  },
  MatMul: { opType: 'MatMul', depth: 7, columns: 0 },
  Gemm: { opType: 'Gemm', depth: 6, columns: 0 },
  'Gemm with transposed weights': { opType: 'Gemm', depth: 6, columns: 0, transposed: true },
};

interface Pair {
  readonly a: number;
  readonly b: number;
}

/** One output channel for each two positions in a row of weights, in the order of the tensor; only those two are not 0. */
function onePairEach(shape: LinearShape): {
  readonly shape: LinearShape;
  readonly pairs: Pair[];
  readonly integers: Int8Array;
} {
  const depth =
    shape.opType === 'Conv' ? shape.channelsPerGroup * shape.kernel.reduce((x, y) => x * y, 1) : shape.depth;
  const pairs: Pair[] = [];
  for (let a = 0; a < depth; a++) for (let b = a + 1; b < depth; b++) pairs.push({ a, b });
  const groups = shape.opType === 'Conv' ? shape.groups : 1;
  const rows = pairs.length * groups;
  const whole = shape.opType === 'Conv' ? { ...shape, outputChannels: rows } : { ...shape, columns: rows };
  const integers = new Int8Array(rows * depth);
  const isColumn = shape.opType !== 'Conv' && shape.transposed !== true;
  for (let row = 0; row < rows; row++) {
    const pair = pairs[row % pairs.length] as Pair;
    for (const k of [pair.a, pair.b]) integers[isColumn ? k * rows + row : row * depth + k] = 127;
  }
  return { shape: whole, pairs: Array.from({ length: groups }, () => pairs).flat(), integers };
}

/** The outputs that are not what exact sums give. */
function wrongRows(
  shape: LinearShape,
  integers: Int8Array,
  input: ArrayLike<number>,
  output: ArrayLike<number>,
): number[] {
  const [expected = []] = exactSums(shape, integers, [1], input);
  return expected.flatMap((sum, row) => (Math.abs(sum - Number(output[row])) > OUTPUT_ROUNDING ? [row] : []));
}

/** One start of the emulator for all shapes. */
async function wrongRowsByShape(): Promise<Map<string, number[]>> {
  const cases = Object.entries(SHAPES).map(([name, shape]) => ({ name, ...onePairEach(shape) }));
  const inputs = cases.map(({ shape }) => new Uint8Array(inputDims(shape).reduce((a, b) => a * b, 1)).fill(255));
  const models = cases.map(({ shape, integers }, index) => ({
    model: integerModel(shape, integers, [1]),
    feeds: [{ x: { dataType: 'uint8' as const, dims: inputDims(shape), data: inputs[index] ?? new Uint8Array() } }],
  }));
  const answers = await runOn(haswell(), models);
  return new Map(
    cases.map(({ name, shape, integers }, index) => {
      const output = Object.values(answers[index]?.[0] ?? {})[0]?.data as Float32Array;
      return [name, wrongRows(shape, integers, inputs[index] ?? [], output)];
    }),
  );
}

describe.skipIf(HASWELL_SKIPPED)(`pairs of products that saturate without VNNI${HASWELL_NOTE}`, () => {
  let wrong: Map<string, number[]>;
  beforeAll(async () => {
    wrong = await wrongRowsByShape();
  });

  it.each(Object.entries(SHAPES))('are those that the order of %s puts side by side', (name, unfilled) => {
    const { shape, pairs, integers } = onePairEach(unfilled);
    const [matrix] = weightMatricesOf(linearNode(shape, Float32Array.from(integers)));
    if (matrix === undefined) throw new Error('no weights were found');
    const expected = pairs.flatMap((_pair, row) => {
      for (let k = 0; k + 1 < matrix.depth; k += 2) {
        if (integers[matrix.indexOf(row, k)] === 127 && integers[matrix.indexOf(row, k + 1)] === 127) return [row];
      }
      return [];
    });
    expect(expected.length).toBeGreaterThan(0);
    expect(wrong.get(name)).toEqual(expected);
  });

  it('are none in a depthwise convolution, nor with int8 activations', async () => {
    const depthwise: LinearShape = {
      opType: 'Conv',
      outputChannels: 36,
      channelsPerGroup: 1,
      groups: 36,
      kernel: [3, 3],
    };
    const pointwise: LinearShape = {
      opType: 'Conv',
      outputChannels: 4,
      channelsPerGroup: 8,
      groups: 1,
      kernel: [1, 1],
    };
    const ofAll = (shape: LinearShape) => new Int8Array(weightDims(shape).reduce((a, b) => a * b, 1)).fill(127);
    const [first] = weightMatricesOf(linearNode(depthwise, Float32Array.from(ofAll(depthwise))));
    expect(first !== undefined && isDepthwise(first)).toBe(true);
    const count = (shape: LinearShape) => inputDims(shape).reduce((a, b) => a * b, 1);
    const inputs = [new Uint8Array(count(depthwise)).fill(255), new Int8Array(count(pointwise)).fill(127)] as const;
    const [[one] = [], [two] = []] = await runOn(haswell(), [
      {
        model: integerModel(depthwise, ofAll(depthwise), [1]),
        feeds: [{ x: { dataType: 'uint8', dims: inputDims(depthwise), data: inputs[0] } }],
      },
      {
        model: integerModel(pointwise, ofAll(pointwise), [1], 'int8'),
        feeds: [{ x: { dataType: 'int8', dims: inputDims(pointwise), data: inputs[1] } }],
      },
    ]);
    const outputOf = (outputs: typeof one) => Object.values(outputs ?? {})[0]?.data as Float32Array;
    expect(wrongRows(depthwise, ofAll(depthwise), inputs[0], outputOf(one))).toEqual([]);
    // -128 is the zero point: 127 stands for 255.
    expect(wrongRows(pointwise, ofAll(pointwise), new Uint8Array(count(pointwise)).fill(255), outputOf(two))).toEqual(
      [],
    );
  });
});
