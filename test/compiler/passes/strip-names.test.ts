import { describe, expect, it } from 'vitest';
import { decodeModel } from '../../../lib/compiler/formats/onnx/decode.js';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { printModel } from '../../../lib/compiler/ir/print.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { stripNames } from '../../../lib/compiler/passes/strip-names.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { expectEquivalent, expectEquivalentOnRandomGraphs } from '../../support/expect-equivalent.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { type RealModelName, realModels } from '../../support/real-models.js';

describe('strip names', () => {
  it('shortens inner names, in subgraphs too, past those of inputs and outputs', () => {
    const b = new ModelBuilder(17);
    const x = b.input('b', [2]);
    const inner = b.add('Neg', [x], { outputs: ['encoder/layer.0/attention/value'] });
    const branch = (name: string) => {
      const builder = new ModelBuilder(17, name);
      return builder.finishGraph(
        builder.add(
          'Mul',
          [inner, builder.constant(builder.scalar(2).initializer ?? expect.fail(), `${name}/weight`)],
          { outputs: [`${name}/out`] },
        ),
      );
    };
    const attributes = { then_branch: attribute.graph(branch('yes')), else_branch: attribute.graph(branch('no')) };
    const model = b.finish([b.add('If', [b.input('condition', [], 'bool')], { attributes, outputs: ['result'] })]);
    for (const node of model.graph.nodes) node.name = 'a name';
    stripNames().run(model);
    expect(printModel(model)).toMatchInlineSnapshot(`
      "model ir 10, ai.onnx 17
      graph graph(%b: float32[2], %condition: bool[]) {
        %a = Neg(%b)
        %result = If<else_branch=g() {
          %f = float32[] [2]
          %g = float32[] [2]
          %h = Mul(%a, %g)
          return %h: float32[…]
        }, then_branch=g() {
          %c = float32[] [2]
          %d = float32[] [2]
          %e = Mul(%a, %d)
          return %e: float32[…]
        }>(%condition)
        return %result: float32[…]
      }
      "
    `);
    expect(model.graph.nodes.every(({ name }) => name === '')).toBe(true);
    expect(stripNames().run(model)).toEqual({ modified: false });
  });

  it('gives out names that a later rewrite does not give out again', () => {
    const b = new ModelBuilder(17);
    const model = b.finish([b.add('Relu', [b.add('Neg', [b.input('x', [1])])])]);
    model.freshName('any');
    stripNames().run(model);
    expect(model.graph.nodes[0]?.output().name).toBe('a');
    expect(model.freshName('a')).not.toBe('a');
  });

  it.each(Object.keys(realModels) as RealModelName[])(
    'keeps what %s computes, and its signature, in a smaller file',
    async (name) => {
      const model = await readOnnx(realModels[name]);
      const before = decodeModel(modelToBytes(model));
      await expectEquivalent(model, [stripNames()], realModelFeeds(name));
      const bytes = modelToBytes(model);
      const after = decodeModel(bytes);
      expect(after.graph?.input).toEqual(before.graph?.input);
      expect(after.graph?.output).toEqual(before.graph?.output);
      expect(after.graph?.node.every((node) => node.name === '' && node.docString === '')).toBe(true);
      expect(after.graph?.valueInfo).toEqual([]);
      expect([after.docString, after.metadataProps]).toEqual(['', []]);
      expect([after.producerName, after.irVersion]).toEqual([before.producerName, before.irVersion]);
    },
  );

  it('keeps what random graphs compute', () => expectEquivalentOnRandomGraphs([stripNames()]));
});
