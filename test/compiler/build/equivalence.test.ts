/** What a build accepts of a recipe with loss, and what it never does. */
import { describe, expect, it } from 'vitest';
import type { TensorSignature } from '../../../lib/artifact/manifest.js';
import { compareWithSource } from '../../../lib/compiler/build/equivalence.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { openSession, type RuntimeSession, type RuntimeTensor } from '../../../lib/compiler/runtime/session.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { refusalOf } from '../../support/refusal.js';

const INPUTS: readonly TensorSignature[] = [{ name: 'x', dataType: 'float32', shape: [2] }];
const float32 = (...values: number[]): RuntimeTensor => ({
  dataType: 'float32',
  dims: [values.length],
  data: Float32Array.from(values),
});

/** Answers the same to everything: what is tested is the comparison, not a model. */
function answering(y: RuntimeTensor | undefined): RuntimeSession {
  const outputs = y === undefined ? {} : { y };
  return { run: async () => ({ outputs, milliseconds: 0 }) } as unknown as RuntimeSession;
}

const compare = (source: RuntimeTensor, built: RuntimeTensor | undefined, tolerance?: number) =>
  compareWithSource(answering(source), answering(built), INPUTS, { tolerance, frozen: {} });

describe('a recipe with loss', () => {
  it('may stray as far as its data allowed, and says how far', async () => {
    const found = await compare(float32(1, 2), float32(1.5, 1));
    expect(found).toMatchObject({ kind: 'compared', worst: 0.5 });
  });

  it('may leave nothing of an output that was next to nothing', async () => {
    expect((await compare(float32(1e-9, 1e-9), float32(0, 0.01))).kind).toBe('compared');
  });

  it('may count otherwise where sizes depend on the data', async () => {
    expect((await compare(float32(1, 2, 3), float32(1, 2))).kind).toBe('compared');
  });

  it('may answer NaN where the source does', async () => {
    expect((await compare(float32(Number.NaN, 1), float32(Number.NaN, 1))).kind).toBe('compared');
  });

  it.each<[string, RuntimeTensor | undefined, RegExp]>([
    ['NaN', float32(Number.NaN, 1), /NaN or infinite/],
    ['infinities', float32(1, Number.NEGATIVE_INFINITY), /NaN or infinite/],
    ['magnitudes out of all proportion', float32(1, 1e7), /magnitude/],
    ['another type', { dataType: 'int32', dims: [2], data: Int32Array.of(1, 2) }, /int32/],
    ['another rank', { dataType: 'float32', dims: [2, 1], data: Float32Array.of(1, 2) }, /\[2, 1\]/],
    ['nothing', undefined, /missing/],
  ])('never answers %s', async (_, built, message) => {
    const error = await refusalOf(() => compare(float32(1, 2), built));
    expect(error).toMatchObject({ code: 'NOT_EQUIVALENT', message: expect.stringMatching(message) });
  });
});

describe('a rewrite without loss', () => {
  it('keeps within its tolerance', async () => {
    expect(await compare(float32(1, 2), float32(1, 2), 1e-4)).toMatchObject({ worst: 0 });
    expect((await refusalOf(() => compare(float32(1, 2), float32(1, 2.1), 1e-4))).message).toMatch(/allowed 0.0001/);
    expect((await refusalOf(() => compare(float32(1, 2, 3), float32(1, 2), 1e-4))).code).toBe('NOT_EQUIVALENT');
  });

  it('may stray ten times as far as the last bit of the inputs makes its source stray, and no further', async () => {
    /** y = sin(factor · x + offset): the larger the factor, the more it makes of rounding. */
    const sine = async (factor: number, offset: number) => {
      const builder = new ModelBuilder(18);
      const x = builder.input('x', [300]);
      const scaled = builder.add('Mul', [x, builder.scalar(factor)]);
      const y = builder.add('Sin', [builder.add('Add', [scaled, builder.scalar(offset)])], { outputs: ['y'] });
      return await openSession(modelToBytes(builder.finish([y])));
    };
    const inputs: readonly TensorSignature[] = [{ name: 'x', dataType: 'float32', shape: [300] }];
    const worst = async (factor: number, offset: number) => {
      await using source = await sine(factor, 0);
      await using built = await sine(factor, offset);
      return await compareWithSource(source, built, inputs, { tolerance: 1e-4, frozen: {} });
    };
    expect(await worst(2000, 3e-4)).toMatchObject({ kind: 'compared' });
    for (const [factor, offset] of [
      [2000, 5e-3],
      [2, 3e-4],
      [1e6, 0.1],
    ] as const) {
      expect((await refusalOf(() => worst(factor, offset))).code).toBe('NOT_EQUIVALENT');
    }
  });
});
