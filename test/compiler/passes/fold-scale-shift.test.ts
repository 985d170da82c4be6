import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Attribute, attribute } from '../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import type { Value } from '../../../lib/compiler/ir/value.js';
import { foldScaleShiftIntoConsumers } from '../../../lib/compiler/passes/fold-scale-shift-into-consumers.js';
import { foldScaleShiftIntoProducer } from '../../../lib/compiler/passes/fold-scale-shift-into-producer.js';
import { beforeAndAfter } from '../../support/before-and-after.js';
import { largestRelativeDifference } from '../../support/compare-outputs.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { randomFloats, randomTensor } from '../../support/random-numbers.js';

type Kind = 'Conv' | 'ConvTranspose' | 'Gemm' | 'MatMul';

interface Example {
  readonly kind: Kind;
  readonly groups: number;
  readonly bias: boolean;
  readonly padding: 0 | 1;
  readonly transB: boolean;
  readonly seed: number;
  /** Operator, and how its constant is shaped. */
  readonly chain: readonly (readonly [
    'Mul' | 'Div' | 'Add' | 'Sub' | 'SubFrom' | 'BatchNormalization',
    'scalar' | 'channel' | 'one' | 'last axis' | 'wider',
  ])[];
}

/** Channels on both sides of every linear operator: two groups of three. */
const CHANNELS = 6;

const examples: fc.Arbitrary<Example> = fc.record({
  kind: fc.constantFrom('Conv', 'ConvTranspose', 'Gemm', 'MatMul'),
  groups: fc.constantFrom(1, 2),
  bias: fc.boolean(),
  padding: fc.constantFrom(0, 1),
  transB: fc.boolean(),
  seed: fc.nat({ max: 10_000 }),
  chain: fc.array(
    fc.tuple(
      fc.constantFrom('Mul', 'Div', 'Add', 'Sub', 'SubFrom', 'BatchNormalization'),
      fc.constantFrom('scalar', 'channel', 'channel', 'one', 'last axis', 'wider'),
    ),
    { minLength: 1, maxLength: 4 },
  ),
});

const isMatrix = (kind: Kind) => kind === 'Gemm' || kind === 'MatMul';
const inputShape = (kind: Kind) => (isMatrix(kind) ? [4, CHANNELS] : [1, CHANNELS, 5, CHANNELS]);

function linear(b: ModelBuilder, data: Value, { kind, groups, bias, padding, transB, seed }: Example): Value {
  const attributes: Record<string, Attribute> = {};
  const inputs = [data];
  if (isMatrix(kind)) {
    inputs.push(b.floats(randomFloats(CHANNELS ** 2, seed), [CHANNELS, CHANNELS]));
    if (kind === 'Gemm') {
      attributes.transB = attribute.int(transB ? 1 : 0);
      attributes.alpha = attribute.float(0.5);
      attributes.beta = attribute.float(2);
    }
  } else {
    // Height and width stay as they are.
    const size = padding === 1 ? 3 : 1;
    const weights = randomFloats((CHANNELS ** 2 / groups) * size ** 2, seed);
    inputs.push(b.floats(weights, [CHANNELS, CHANNELS / groups, size, size]));
    attributes.group = attribute.int(groups);
    attributes.pads = attribute.ints([padding, padding, padding, padding]);
  }
  if (bias && kind !== 'MatMul') inputs.push(b.floats(randomFloats(CHANNELS, seed + 1), [CHANNELS]));
  return b.add(kind, inputs, { attributes });
}

function affine(b: ModelBuilder, data: Value, { kind, chain, seed }: Example): Value {
  const matrix = isMatrix(kind);
  const shapes = {
    scalar: [],
    one: [1],
    channel: matrix ? [CHANNELS] : [CHANNELS, 1, 1],
    'last axis': [CHANNELS],
    wider: matrix ? [1, 1, CHANNELS] : [1, 1, CHANNELS, 1, 1],
  };
  let value = data;
  for (const [index, [opType, shape]] of chain.entries()) {
    const numbers = (low: number, part = 0) => randomFloats(CHANNELS, seed + 7 * index + part + 2, low, 2);
    // What only looks per channel may change the rank, after which channels are elsewhere: nothing follows it.
    if (opType === 'BatchNormalization') {
      const parameters = [numbers(-1), numbers(-1, 1), numbers(-1, 2), numbers(0.5, 3)];
      value = b.add(opType, [value, ...parameters.map((parameter) => b.floats(parameter))]);
      continue;
    }
    const dims = shapes[shape];
    const count = dims.reduce((product, size) => product * size, 1);
    const constant = b.floats(numbers(0.5).slice(0, count), dims);
    value = opType === 'SubFrom' ? b.add('Sub', [constant, value]) : b.add(opType, [value, constant]);
    if (shape === 'wider') return value;
  }
  return value;
}

const opTypes = (model: Model) => model.graph.nodes.map((node) => node.opType);

describe('whatever they fold, the results agree', () => {
  async function agree(example: Example, build: (b: ModelBuilder, data: Value) => Value): Promise<number> {
    const b = new ModelBuilder(18);
    const model = b.finish([build(b, b.input('x', inputShape(example.kind)))]);
    const nodes = model.graph.nodes.length;
    const passes = [foldScaleShiftIntoProducer(), foldScaleShiftIntoConsumers()];
    const { before, after } = await beforeAndAfter(model, passes, { x: randomTensor(inputShape(example.kind), 9) });
    expect(largestRelativeDifference(after, before)).toBeLessThan(1e-5);
    return nodes - model.graph.nodes.length;
  }

  it('after a linear operator, in front of one, and between two', async () => {
    let removed = 0;
    await fc.assert(
      fc.asyncProperty(examples, fc.constantFrom('after', 'before', 'between'), async (example, place) => {
        removed += await agree(example, (b, x) => {
          const data = place === 'before' ? x : linear(b, x, example);
          const output = affine(b, data, example);
          const wide = example.chain.some(([, shape]) => shape === 'wider');
          return place === 'after' || (wide && example.kind !== 'MatMul') ? output : linear(b, output, example);
        });
      }),
      { seed: 11, numRuns: 300 },
    );
    expect(removed).toBeGreaterThan(200);
  });
});

describe('into what computes the data', () => {
  const convolution = (b: ModelBuilder, data: Value, weights: Value) => b.add('Conv', [data, weights]);
  const weightsOf = (b: ModelBuilder, size = 1) => b.floats(randomFloats(36 * size ** 2), [6, 6, size, size]);

  it('a whole chain at once, and the output keeps its name', async () => {
    const b = new ModelBuilder(18);
    const output = b.add('Add', [
      b.add('Mul', [convolution(b, b.input('x', [1, 6, 4, 4]), weightsOf(b)), b.scalar(2)]),
      b.floats(randomFloats(6), [1, 6, 1, 1]),
    ]);
    const model = b.finish([output]);
    const { before, after } = await beforeAndAfter(model, [foldScaleShiftIntoProducer()], {
      x: randomTensor([1, 6, 4, 4]),
    });
    expect(opTypes(model)).toEqual(['Conv']);
    expect(model.graph.outputs).toEqual([output]);
    expect(largestRelativeDifference(after, before)).toBeLessThan(1e-6);
    // The old weights are gone; what only the folded nodes read goes with dead nodes.
    expect(model.graph.nodes[0]?.inputs.slice(1).every((value) => value?.initializer !== undefined)).toBe(true);
  });

  it('copies small weights that others use too, and leaves them as they were', async () => {
    const b = new ModelBuilder(18);
    const x = b.input('x', [1, 6, 4, 4]);
    const weights = weightsOf(b);
    const model = b.finish([b.add('Mul', [convolution(b, x, weights), b.scalar(2)]), convolution(b, x, weights)]);
    const { before, after } = await beforeAndAfter(model, [foldScaleShiftIntoProducer()], {
      x: randomTensor([1, 6, 4, 4]),
    });
    expect(opTypes(model)).toEqual(['Conv', 'Conv']);
    expect(weights.uses.size).toBe(1);
    expect(largestRelativeDifference(after, before)).toBeLessThan(1e-6);
  });

  it('declines a large copy, other readers, a graph output, weights that a caller may override', async () => {
    const decline = async (build: (b: ModelBuilder, x: Value, weights: Value) => Value[], size = 1) => {
      const b = new ModelBuilder(18);
      const x = b.input('x', [1, 6, 4, 4]);
      const model = b.finish(build(b, x, weightsOf(b, size)));
      const count = model.graph.nodes.length;
      const result = await foldScaleShiftIntoProducer({ maximumCopyBytes: 200 }).run(model);
      expect([result.modified, model.graph.nodes.length]).toEqual([false, count]);
      return result.declined?.join() ?? '';
    };
    const shared = (b: ModelBuilder, x: Value, weights: Value) => [
      b.add('Mul', [convolution(b, x, weights), b.scalar(2)]),
      convolution(b, x, weights),
    ];
    expect(await decline(shared, 2)).toContain('a copy would take 576 bytes');
    const readers = await decline((b, x, weights) => {
      const data = convolution(b, x, weights);
      return [b.add('Mul', [data, b.scalar(2)]), b.add('Neg', [data])];
    });
    expect(readers).toContain('has other readers');
    const output = await decline((b, x, weights) => {
      const data = convolution(b, x, weights);
      return [b.add('Mul', [data, b.scalar(2)]), data];
    });
    expect(output).toContain('is an output of the graph');
    await decline((b, x, weights) => {
      b.graph.setInputs([x, weights]);
      return [b.add('Mul', [convolution(b, x, weights), b.scalar(2)])];
    });
  });

  it('declines what float32 cannot hold', async () => {
    const b = new ModelBuilder(18);
    const data = convolution(b, b.input('x', [1, 6, 4, 4]), weightsOf(b));
    const model = b.finish([b.add('Div', [data, b.scalar(0)])]);
    const { modified, declined } = await foldScaleShiftIntoProducer().run(model);
    expect([modified, declined?.join()]).toEqual([false, expect.stringContaining('do not fit float32')]);
  });
});

describe('into what reads the data', () => {
  function model(padding: number, shift: boolean, readers = 1) {
    const b = new ModelBuilder(18);
    const x = b.input('x', [1, 6, 4, 4]);
    const scaled = b.add('Mul', [b.add('Relu', [x]), b.floats(randomFloats(6, 3, 1, 2), [6, 1, 1])]);
    const data = shift ? b.add('Add', [scaled, b.scalar(0.5)]) : scaled;
    const attributes = { pads: attribute.ints([padding, padding, padding, padding]) };
    const outputs = Array.from({ length: readers }, (_, index) =>
      b.add('Conv', [data, b.floats(randomFloats(36 * 9, index), [6, 6, 3, 3])], { attributes }),
    );
    return b.finish(outputs);
  }
  const feeds = { x: randomTensor([1, 6, 4, 4]) };

  it.each([
    ['a scale, through padding', 1, false, ['Relu', 'Conv']],
    ['a scale and a shift, without padding', 0, true, ['Relu', 'Conv']],
    ['a scale alone where zero padding stops the shift', 1, true, ['Relu', 'Add', 'Conv']],
  ] as const)('%s', async (_, padding, shift, expected) => {
    const built = model(padding, shift);
    const { before, after } = await beforeAndAfter(built, [foldScaleShiftIntoConsumers()], feeds);
    expect(opTypes(built)).toEqual(expected);
    expect(largestRelativeDifference(after, before)).toBeLessThan(1e-6);
  });

  it('all readers or none', async () => {
    const both = model(1, false, 2);
    const { before, after } = await beforeAndAfter(both, [foldScaleShiftIntoConsumers()], feeds);
    expect(opTypes(both)).toEqual(['Relu', 'Conv', 'Conv']);
    expect(largestRelativeDifference(after, before)).toBeLessThan(1e-6);
    const one = model(1, false, 2);
    const second = one.graph.nodes.at(-1)?.input(1);
    if (second !== undefined) one.graph.setInputs([...one.graph.inputs, second]);
    expect((await foldScaleShiftIntoConsumers().run(one)).modified).toBe(false);
    expect(opTypes(one)).toEqual(['Relu', 'Mul', 'Conv', 'Conv']);
  });

  it('a lone shift in front of padding stays, with the reason', async () => {
    const b = new ModelBuilder(18);
    const data = b.add('Add', [b.input('x', [1, 6, 4, 4]), b.scalar(1)]);
    const weights = b.floats(randomFloats(36 * 9), [6, 6, 3, 3]);
    const padded = b.finish([
      b.add('Conv', [data, weights], { attributes: { auto_pad: attribute.string('SAME_UPPER') } }),
    ]);
    const { modified, declined } = await foldScaleShiftIntoConsumers().run(padded);
    expect([modified, declined?.join()]).toEqual([false, expect.stringContaining('pads with zeros')]);
  });

  it.each([
    ['dimensions', [6, 4, 4], [1, 6, 1, 1]],
    ['channels', [1, 1, 4, 4], [6, 1, 1]],
  ])('a constant that brings %s to its data stays, with the reason', async (what, shape, dims) => {
    const b = new ModelBuilder(18);
    const data = b.add('Mul', [b.input('x', shape), b.floats(randomFloats(6), dims)]);
    const built = b.finish([b.add('Conv', [data, b.floats(randomFloats(36), [6, 6, 1, 1])])]);
    const { modified, declined } = await foldScaleShiftIntoConsumers().run(built);
    expect([modified, declined?.join()]).toEqual([false, expect.stringContaining(`more ${what} than the data`)]);
  });
});
