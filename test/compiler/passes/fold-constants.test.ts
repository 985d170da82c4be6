import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import type { Model } from '../../../lib/compiler/ir/model.js';
import { printGraph } from '../../../lib/compiler/ir/print.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { constantsToInitializers } from '../../../lib/compiler/passes/constants-to-initializers.js';
import { foldConstants } from '../../../lib/compiler/passes/fold-constants.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { expectEquivalent, expectEquivalentOnRandomGraphs } from '../../support/expect-equivalent.js';
import { ModelBuilder, typed } from '../../support/model-builder.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { type RealModelName, realModels } from '../../support/real-models.js';

const fold = (model: Model, maximumGrowth?: number) =>
  foldConstants(maximumGrowth === undefined ? {} : { maximumGrowth }).run(model);
const opTypes = (model: Model) => model.graph.nodes.map(({ opType }) => opType);

describe('fold constants', () => {
  it('computes what depends on constants only, in one go', async () => {
    const b = new ModelBuilder(17);
    const sum = b.add('Add', [b.scalar(1), b.floats([0.5, 2])]);
    const model = b.finish([b.add('Mul', [sum, sum], { outputs: ['y'] })]);
    await expectEquivalent(model, [foldConstants()], {});
    expect(printGraph(model.graph)).toMatchInlineSnapshot(`
      "graph graph() {
        %constant_0 = float32[] [1]
        %constant_1 = float32[2] [0.5, 2]
        %add_2 = float32[2] [1.5, 3]
        %y = float32[2] [2.25, 9]
        return %y: float32[2]
      }
      "
    `);
  });

  it('computes shapes that are known, and what follows from them', () => {
    const b = new ModelBuilder(17);
    const x = b.input('x', [4, 3, 2]);
    const rows = b.add('Unsqueeze', [b.add('Gather', [b.add('Shape', [x]), b.int64([0], [])]), b.int64([0])]);
    const target = b.add('Concat', [rows, b.int64([-1])], { attributes: { axis: attribute.int(0) } });
    const model = b.finish([b.add('Reshape', [x, target])]);
    fold(model);
    expect(opTypes(model)).toEqual(['Reshape']);
    expect(model.graph.nodes[0]?.constantInput(1)?.numbers()).toEqual([4, -1]);
  });

  it('computes the known part of a shape of which the rest is not known', () => {
    const b = new ModelBuilder(17);
    const shape = b.add('Shape', [b.input('x', ['batch', 3, undefined, 5])]);
    const known = [b.add('Gather', [shape, b.int64([-1, 1])]), b.add('Slice', [shape, b.int64([1]), b.int64([2])])];
    const unknown = [b.add('Gather', [shape, b.int64([0], [])]), b.add('Slice', [shape, b.int64([1]), b.int64([3])])];
    const model = b.finish([...known, ...unknown].map((value) => typed(value, 'int64')));
    fold(model);
    expect(opTypes(model)).toEqual(['Shape', 'Gather', 'Slice']);
    expect(known.map(({ initializer }) => initializer?.numbers())).toEqual([[5, 3], [3]]);
  });

  it('heeds start and end of a Shape, and Size', () => {
    const b = new ModelBuilder(17);
    const x = b.input('x', ['batch', 3, 4]);
    const part = b.add('Shape', [x], { attributes: { start: attribute.int(-2), end: attribute.int(9) } });
    const model = b.finish([part, b.add('Size', [b.input('z', [2, 5])])].map((value) => typed(value, 'int64')));
    fold(model);
    expect(model.graph.outputs.map(({ initializer }) => [initializer?.dims, initializer?.numbers()])).toEqual([
      [[2], [3, 4]],
      [[], [10]],
    ]);
  });

  it('does not believe the shape that the body of a loop declares for what it carries', () => {
    const b = new ModelBuilder(17);
    const body = new ModelBuilder(17, 'body');
    body.input('i', [], 'int64');
    const condition = body.input('go', [], 'bool');
    const carried = body.input('state', [1]);
    const grown = body.add('Concat', [carried, carried], {
      attributes: { axis: attribute.int(0) },
      outputs: ['grown'],
    });
    const size = body.add('Shape', [carried], { outputs: ['size'] });
    const graph = body.finishGraph(body.add('Identity', [condition], { outputs: ['still'] }), grown, size);
    const loop = b.addAll('Loop', [b.int64([3], []), undefined, b.input('x', [1])], {
      attributes: { body: attribute.graph(graph) },
      outputs: ['last', 'sizes'],
    });
    expect(fold(b.finish(loop)).modified).toBe(false);
  });

  it('folds inside subgraphs with constants from outside', () => {
    const b = new ModelBuilder(17);
    const two = b.scalar(2);
    const branch = (name: string) => {
      const inner = new ModelBuilder(17, name);
      return inner.finishGraph(
        inner.add('Neg', [inner.add('Mul', [two, two], { outputs: [`${name}_square`] })], { outputs: [`${name}_out`] }),
      );
    };
    const yes = branch('yes');
    const attributes = { then_branch: attribute.graph(yes), else_branch: attribute.graph(branch('no')) };
    const model = b.finish([b.add('If', [b.input('condition', [], 'bool')], { attributes })]);
    fold(model);
    expect([yes.nodes, yes.outputs[0]?.initializer?.numbers()]).toEqual([[], [-4]]);
  });

  it('never lets a few bytes become many', () => {
    const b = new ModelBuilder(17);
    const shape = b.int64([1024, 1024]);
    const zeros = b.add('ConstantOfShape', [shape]);
    const wide = b.add('Expand', [b.scalar(1), b.int64([300])]);
    const model = b.finish([zeros, wide, b.add('Tile', [b.floats([1]), b.int64([20])])]);
    const { declined } = fold(model);
    expect(opTypes(model)).toEqual(['ConstantOfShape', 'Expand']);
    expect(declined).toEqual([
      expect.stringContaining('its output takes 4194304 bytes'),
      expect.stringContaining('1200 bytes'),
    ]);
    fold(model, 4096);
    expect(opTypes(model)).toEqual(['ConstantOfShape']);
  });

  it('takes weights along where the old ones go, not where somebody else uses them', () => {
    const weights = new Float32Array(4096).map((_, index) => index);
    const build = (shared: boolean) => {
      const b = new ModelBuilder(17);
      const w = b.constant(Tensor.fromTyped('float32', [64, 64], weights));
      return b.finish([b.add('Transpose', [w]), ...(shared ? [b.add('Relu', [w])] : [])]);
    };
    const [alone, shared] = [build(false), build(true)];
    fold(alone);
    fold(shared);
    expect([opTypes(alone), opTypes(shared)]).toEqual([[], ['Transpose', 'Relu']]);
  });

  it('takes weights along that are cut up and put together in another order, if all of it can go', () => {
    const build = (...ends: number[]) => {
      const b = new ModelBuilder(17);
      const w = b.constant(Tensor.fromTyped('float32', [64, 64], new Float32Array(4096)));
      const parts = ends.map((end) => b.add('Slice', [w, b.int64([end - 32]), b.int64([end])]));
      const more = ends.length === 1 ? [b.add('Relu', [w])] : [];
      return b.finish([b.add('Concat', parts, { attributes: { axis: attribute.int(0) } }), ...more]);
    };
    const [reordered, repeated, partly] = [build(64, 32), build(64, 32, 64), build(32)];
    for (const model of [reordered, repeated, partly]) fold(model);
    expect(opTypes(reordered)).toEqual([]);
    expect(opTypes(repeated)).toEqual(['Slice', 'Slice', 'Slice', 'Concat']);
    expect(opTypes(partly)).toEqual(['Slice', 'Relu', 'Concat']);
  });

  it('leaves alone what depends on inputs, on defaults that a caller may override, or on chance', () => {
    const b = new ModelBuilder(17);
    const [x, overridable] = [b.input('x', [1]), b.scalar(1)];
    const random = b.add('RandomNormal', [], { attributes: { shape: attribute.ints([1]) } });
    const model = b.finish([b.add('Neg', [x]), b.add('Neg', [overridable]), b.add('Neg', [random])]);
    model.graph.setInputs([x, overridable]);
    expect(fold(model)).toMatchObject({ modified: false, declined: [] });
  });

  it('leaves to onnxruntime what CPUs do differently, and says so', () => {
    const b = new ModelBuilder(17);
    const zero = b.add('Div', [b.int64([1]), b.int64([0])]);
    const huge = b.add('Cast', [b.scalar(1e10)], { attributes: { to: attribute.int(6) } });
    const half = b.add('Add', [b.constant(Tensor.scalar('float16', 1)), b.constant(Tensor.scalar('float16', 2))]);
    const model = b.finish([typed(zero, 'int64'), typed(huge, 'int32'), typed(half, 'float16')]);
    const { modified, declined } = fold(model);
    expect(modified).toBe(false);
    expect(declined).toEqual([
      expect.stringContaining('an integer is divided by zero'),
      expect.stringContaining('10000000000 is no int32'),
      expect.stringContaining('no arithmetic on float16'),
    ]);
  });

  it('makes the same bytes every time', async () => {
    const bytes = await Promise.all(
      [0, 1].map(async () => {
        const model = await readOnnx(realModels.ocrRecognizer);
        await constantsToInitializers().run(model);
        fold(model);
        return modelToBytes(model);
      }),
    );
    expect(Buffer.compare(bytes[0] as Uint8Array, bytes[1] as Uint8Array)).toBe(0);
  });

  it.each(['sileroV5', 'sileroLegacy', 'ocrRecognizer', 'ocrAngleClassifier'] satisfies RealModelName[])(
    'keeps what %s computes',
    async (name) => {
      const model = await readOnnx(realModels[name]);
      const { modified } = await expectEquivalent(
        model,
        [constantsToInitializers(), foldConstants()],
        realModelFeeds(name),
      );
      expect(modified).toContain('fold-constants');
    },
  );

  it('keeps what random graphs compute', () =>
    expectEquivalentOnRandomGraphs([constantsToInitializers(), foldConstants()], { runs: 150 }));
});
