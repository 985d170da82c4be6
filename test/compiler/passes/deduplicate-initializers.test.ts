import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { Graph } from '../../../lib/compiler/ir/graph.js';
import { Model } from '../../../lib/compiler/ir/model.js';
import { Node } from '../../../lib/compiler/ir/node.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { Value } from '../../../lib/compiler/ir/value.js';
import { constantsToInitializers } from '../../../lib/compiler/passes/constants-to-initializers.js';
import { deduplicateInitializers } from '../../../lib/compiler/passes/deduplicate-initializers.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { cpuMilliseconds } from '../../support/cpu-time.js';
import { expectEquivalent, expectEquivalentOnRandomGraphs } from '../../support/expect-equivalent.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { realModels } from '../../support/real-models.js';

const names = (model: Model) => [...model.graph.initializers].map(({ name }) => name);

describe('deduplicate initializers', () => {
  it('keeps one of equal initializers', () => {
    const b = new ModelBuilder(17);
    const [first, second] = [
      b.constant(Tensor.fromNumbers('float32', [2], [1, 2]), 'first'),
      b.constant(Tensor.fromNumbers('float32', [2], [1, 2]), 'second'),
    ];
    const model = b.finish([b.add('Mul', [b.add('Add', [b.input('x', [2]), second]), first])]);
    expect(deduplicateInitializers().run(model).modified).toBe(true);
    expect(names(model)).toEqual(['first']);
    expect(first.uses.size).toBe(2);
  });

  it('tells apart what differs in type, dimensions, or the sign of a zero', () => {
    const b = new ModelBuilder(17);
    const tensors = [
      Tensor.fromNumbers('float32', [2], [0, 1]),
      Tensor.fromNumbers('float32', [2], [-0, 1]),
      Tensor.fromNumbers('float32', [1, 2], [0, 1]),
      Tensor.fromNumbers('int32', [2], [0, 0x3f800000]),
    ];
    const values = tensors.map((tensor) => b.constant(tensor));
    const model = b.finish(values.map((value) => b.add('Identity', [value])));
    expect(deduplicateInitializers().run(model).modified).toBe(false);
    expect(model.graph.initializers.size).toBe(4);
  });

  it('compares strings by their bytes and where they end', () => {
    const b = new ModelBuilder(17);
    const strings = (...texts: string[]) =>
      new Tensor('string', [texts.length], {
        kind: 'strings',
        strings: texts.map((text) => new TextEncoder().encode(text)),
      });
    const values = [strings('ab', 'c'), strings('a', 'bc'), strings('ab', 'c')].map((tensor) => b.constant(tensor));
    const model = b.finish(values.map((value) => b.add('Identity', [value])));
    expect(deduplicateInitializers().run(model).modified).toBe(true);
    expect(model.graph.initializers.size).toBe(2);
  });

  it('keeps outputs, lets others become them, and declines where both are outputs', () => {
    const b = new ModelBuilder(17);
    const [inner, output, other] = ['inner', 'output', 'other'].map((name) =>
      b.constant(Tensor.scalar('float32', 1), name),
    ) as [Value, Value, Value];
    const model = b.finish([b.add('Relu', [inner]), output, other]);
    expect(deduplicateInitializers().run(model)).toEqual({
      modified: true,
      declined: ["Initializer 'other' repeats 'output', and both are outputs."],
    });
    expect(names(model)).toEqual(['output', 'other']);
  });

  it('leaves alone what a caller may override', () => {
    const b = new ModelBuilder(17);
    const [first, second] = [b.scalar(1), b.scalar(1)];
    const model = b.finish([b.add('Add', [first, second])]);
    model.graph.setInputs([first]);
    expect(deduplicateInitializers().run(model).modified).toBe(false);
  });

  it('lets a subgraph use the one outside, and keeps those of two branches apart', () => {
    const b = new ModelBuilder(17);
    const outside = b.constant(Tensor.scalar('float32', 1), 'outside');
    const branch = (name: string) => {
      const inner = new ModelBuilder(17, name);
      const [same, own] = [
        inner.constant(Tensor.scalar('float32', 1), `${name}_same`),
        inner.constant(Tensor.scalar('float32', 2), `${name}_own`),
      ];
      return inner.finishGraph(inner.add('Add', [same, own], { outputs: [`${name}_sum`] }));
    };
    const [yes, no] = [branch('yes'), branch('no')];
    const decided = b.add('If', [b.input('condition', [], 'bool')], {
      attributes: { then_branch: attribute.graph(yes), else_branch: attribute.graph(no) },
    });
    const model = b.finish([b.add('Add', [decided, outside])]);
    expect(deduplicateInitializers().run(model).modified).toBe(true);
    expect([...yes.initializers].map(({ name }) => name)).toEqual(['yes_own']);
    expect([...no.initializers].map(({ name }) => name)).toEqual(['no_own']);
    expect(outside.uses.size).toBe(3);
  });

  it('does not read weights that cannot have an equal', () => {
    const graph = new Graph('lazy');
    const unread = () => {
      throw new Error('the weights were read');
    };
    for (const [index, length] of [4, 8].entries()) {
      const storage = { kind: 'external', file: '/nowhere', offset: 0, length } as const;
      const value = graph.addInitializer(
        `w${index}`,
        new Tensor('float32', [length / 4], storage, { loadExternal: unread }),
      );
      graph.append(new Node('Relu', [value], [new Value(`y${index}`)]));
    }
    graph.setOutputs(graph.nodes.map((node) => node.output()));
    expect(deduplicateInitializers().run(new Model(graph, new Map([['', 17]]))).modified).toBe(false);
  });

  it('goes through 10,000 nodes with 100 MB of weights, half of them repeated, in seconds', async () => {
    const b = new ModelBuilder(17);
    let x = b.input('x', [2560]);
    for (let index = 0; index < 10_000; index++) {
      x = b.add('Add', [x, b.constant(Tensor.fromTyped('float32', [2560], new Float32Array(2560).fill(index >> 1)))]);
    }
    const model = b.finish([x]);
    expect(await cpuMilliseconds(() => deduplicateInitializers().run(model))).toBeLessThan(10_000);
    expect(model.graph.initializers.size).toBe(5000);
  });

  it('keeps what a model of 325 constants computes', async () => {
    const model = await readOnnx(realModels.ocrRecognizer);
    const { modified } = await expectEquivalent(
      model,
      [constantsToInitializers(), deduplicateInitializers()],
      realModelFeeds('ocrRecognizer'),
    );
    expect(modified).toContain('deduplicate-initializers');
  });

  it('keeps what random graphs compute', () => expectEquivalentOnRandomGraphs([deduplicateInitializers()]));
});
