import { beforeAll, describe, expect, it } from 'vitest';
import type { DynamicRecipe, StaticRecipe } from '../../lib/artifact/recipe.js';
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import { channelAxisOf } from '../../lib/compiler/quantize/accuracy/channel-axis.js';
import { guardSaturation } from '../../lib/compiler/quantize/accuracy/saturation-guard.js';
import { quantizeWeight } from '../../lib/compiler/quantize/parameters/quantize-weight.js';
import { randomFloats } from '../support/random-numbers.js';
import {
  type CpuModel,
  GRAVITON_NOTE,
  GRAVITON_SKIPPED,
  gravitonCpu,
  HASWELL_NOTE,
  HASWELL_SKIPPED,
  haswell,
  runOn,
} from './cpu-models.js';
import {
  dynamicModel,
  exactSums,
  inputDims,
  integerModel,
  type LinearShape,
  linearNode,
  OUTPUT_ROUNDING,
  weightDims,
} from './integer-models.js';

const STATIC: StaticRecipe = {
  scheme: 'int8-static',
  activations: 'uint8',
  weights: 'int8',
  perChannel: true,
  reduceRange: false,
};
const DYNAMIC: DynamicRecipe = { scheme: 'int8-dynamic', weights: 'int8', perChannel: false, reduceRange: false };

const SHAPES: readonly LinearShape[] = [
  { opType: 'Conv', outputChannels: 24, channelsPerGroup: 7, groups: 1, kernel: [3, 3] },
  { opType: 'Conv', outputChannels: 24, channelsPerGroup: 16, groups: 2, kernel: [3, 3] },
  { opType: 'Conv', outputChannels: 32, channelsPerGroup: 48, groups: 1, kernel: [1, 1] },
  { opType: 'MatMul', depth: 97, columns: 40 },
  { opType: 'Gemm', depth: 64, columns: 33, transposed: true },
];

/** Every second row is nearly constant, as weights that saturate are; the others are spread, with one large weight beside a 0. */
function weightsOf(shape: LinearShape, seed: number): Float32Array {
  const dims = weightDims(shape);
  const count = dims.reduce((a, b) => a * b, 1);
  const isColumn = shape.opType !== 'Conv' && shape.transposed !== true;
  const rows = isColumn ? (dims[1] ?? 1) : (dims[0] ?? 1);
  // Neighbours in the order of the sums; in a tensor of convolutions the next channel lies a window away.
  const [at, beside] = [0, shape.opType === 'Conv' ? shape.kernel.reduce((a, b) => a * b, 1) : 1];
  return randomFloats(count, seed, -1, 1).map((value, index) => {
    const row = isColumn ? index % rows : Math.floor(index / (count / rows));
    const k = isColumn ? Math.floor(index / rows) : index % (count / rows);
    if (row % 2 === 0) return (row % 4 === 0 ? 1 : -1) * (0.9 + 0.1 * value);
    return k === at ? 1 : k === beside ? 0 : value * 0.3;
  });
}

interface Case {
  readonly shape: LinearShape;
  readonly recipe: StaticRecipe | DynamicRecipe;
  readonly input: Uint8Array;
  readonly guarded: Quantized;
  readonly unguarded: Quantized;
  readonly changed: number;
}

interface Quantized {
  readonly integers: Int8Array;
  readonly scale: readonly number[];
}

function caseOf(shape: LinearShape, recipe: StaticRecipe | DynamicRecipe, seed: number): Case {
  const weights = weightsOf(shape, seed);
  const node = linearNode(shape, weights);
  const name = node.input(1)?.name ?? '';
  const axis = recipe.perChannel ? { axis: channelAxisOf(node, weightDims(shape)) } : {};
  const tensor = Tensor.fromTyped('float32', weightDims(shape), weights);
  const nearest = quantizeWeight(name, tensor, { dataType: 'int8', ...axis });
  const { quantizedWeights, guarded, declined } = guardSaturation([{ node, recipe }]);
  expect(declined).toEqual([]);
  const weight = quantizedWeights.get(name);
  if (weight === undefined) throw new Error('nothing had to be guarded');
  const plain = ({ integers, parameters }: typeof weight) => ({
    integers: integers.typed() as Int8Array,
    scale: parameters.scale,
  });
  const input = Uint8Array.from(
    randomFloats(
      inputDims(shape).reduce((a, b) => a * b, 1),
      seed + 1,
      200,
      255.99,
    ),
  );
  [input[0], input[1]] = [0, 255];
  return { shape, recipe, input, guarded: plain(weight), unguarded: plain(nearest), changed: guarded[0]?.changed ?? 0 };
}

const CASES: readonly Case[] = [
  ...SHAPES.map((shape, index) => caseOf(shape, STATIC, index + 1)),
  ...SHAPES.map((shape, index) => caseOf(shape, { ...STATIC, perChannel: false }, index + 11)),
  caseOf({ opType: 'MatMul', depth: 97, columns: 40 }, DYNAMIC, 21),
];

/** Scales that make the sums fit the coarse output. */
const units = ({ scale }: Quantized) => scale.map((each) => each * 4);

/** For each case: how many outputs are not what exact sums give, of how many. */
async function wrongOutputs(cpu: CpuModel, which: 'guarded' | 'unguarded'): Promise<{ wrong: number; of: number }[]> {
  const answers = await runOn(
    cpu,
    CASES.map(({ shape, recipe, input, [which]: quantized }) => {
      const dims = inputDims(shape);
      if (recipe.scheme === 'int8-static') {
        const model = integerModel(shape, quantized.integers, units(quantized));
        return { model, feeds: [{ x: { dataType: 'uint8' as const, dims, data: input } }] };
      }
      const [depth = 0, columns = 0] = weightDims(shape);
      const model = dynamicModel(depth, columns, quantized.integers);
      return { model, feeds: [{ x: { dataType: 'float32' as const, dims, data: Float32Array.from(input) } }] };
    }),
  );
  return CASES.map(({ shape, recipe, input, [which]: quantized }, index) => {
    const isStatic = recipe.scheme === 'int8-static';
    const expected = exactSums(shape, quantized.integers, isStatic ? units(quantized) : [1], input).flat();
    const output = Object.values(answers[index]?.[0] ?? {})[0]?.data as Float32Array;
    const wrong = expected.filter(
      (sum, at) => !(Math.abs(sum - (output[at] ?? Number.NaN)) <= tolerance(isStatic, sum)),
    );
    return { wrong: wrong.length, of: expected.length };
  });
}

/** A coarse output clips what is beyond it: none of these sums are. */
function tolerance(isStatic: boolean, sum: number): number {
  return isStatic ? OUTPUT_ROUNDING : Math.abs(sum) * 1e-6;
}

const none = CASES.map(() => 0);

describe.skipIf(HASWELL_SKIPPED)(`on x64 without VNNI${HASWELL_NOTE}`, () => {
  let guarded: { wrong: number; of: number }[];
  let unguarded: { wrong: number; of: number }[];
  beforeAll(async () => {
    guarded = await wrongOutputs(haswell(), 'guarded');
    unguarded = await wrongOutputs(haswell(), 'unguarded');
  });

  it('int8 weights saturate without the guard', () => {
    for (const { wrong, of } of unguarded) expect(wrong / of).toBeGreaterThan(0.2);
  });

  it('guarded weights give exact sums: static and dynamic, per tensor and per channel, with groups and odd depths', () => {
    expect(guarded.map(({ wrong }) => wrong)).toEqual(none);
  });
});

it.skipIf(GRAVITON_SKIPPED)(`on arm64 guarded and unguarded weights give exact sums${GRAVITON_NOTE}`, async () => {
  for (const which of ['guarded', 'unguarded'] as const) {
    const outputs = await wrongOutputs(gravitonCpu(), which);
    expect(outputs.map(({ wrong }) => wrong)).toEqual(none);
  }
});

it('only the channels that saturate are changed', () => {
  for (const { shape, recipe, guarded, unguarded, changed } of CASES) {
    if (!recipe.perChannel) continue;
    const rows = guarded.scale.length;
    expect(changed).toBe(Math.ceil(rows / 2));
    const isColumn = shape.opType !== 'Conv' && shape.transposed !== true;
    const depth = guarded.integers.length / rows;
    for (let row = 1; row < rows; row += 2) {
      expect(guarded.scale[row]).toBe(unguarded.scale[row]);
      for (let k = 0; k < depth; k++) {
        const at = isColumn ? k * rows + row : row * depth + k;
        expect(guarded.integers[at]).toBe(unguarded.integers[at]);
      }
    }
  }
});
