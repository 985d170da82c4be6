import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import type { Graph } from '../../../lib/compiler/ir/graph.js';
import { printGraph } from '../../../lib/compiler/ir/print.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { graphsOf } from '../../../lib/compiler/ir/traversal.js';
import type { Value } from '../../../lib/compiler/ir/value.js';
import { constantsToInitializers } from '../../../lib/compiler/passes/constants-to-initializers.js';
import { inlineIf } from '../../../lib/compiler/passes/inline-if.js';
import { toOrtFeeds } from '../../support/compare-outputs.js';
import { expectEquivalent, expectEquivalentOnRandomGraphs } from '../../support/expect-equivalent.js';
import { ModelBuilder } from '../../support/model-builder.js';

const bool = (b: ModelBuilder, value: boolean, dims: readonly number[] = []) =>
  b.constant(Tensor.fromNumbers('bool', dims, [value ? 1 : 0]));
const branches = (yes: Graph, no: Graph) => ({ then_branch: attribute.graph(yes), else_branch: attribute.graph(no) });
const feeds = toOrtFeeds({ x: Tensor.fromNumbers('float32', [2], [1.5, -2]) });

/** A branch that adds a constant, named as in the other branch, to a value from outside. */
function adding(number: number, outside: Value): Graph {
  const inner = new ModelBuilder(17, `add_${number}`);
  const constant = inner.constant(Tensor.scalar('float32', number), 'constant');
  return inner.finishGraph(
    inner.add('Neg', [inner.add('Add', [outside, constant], { outputs: ['sum'] })], { outputs: ['negated'] }),
  );
}

describe('inline If', () => {
  it('puts the branch that is taken in place of the If, and keeps the names of its outputs', async () => {
    const b = new ModelBuilder(17);
    const x = b.add('Abs', [b.input('x', [2])], { outputs: ['outside'] });
    const model = b.finish([
      b.add('If', [bool(b, false, [1])], { attributes: branches(adding(1, x), adding(2, x)), outputs: ['y'] }),
    ]);
    await expectEquivalent(model, [inlineIf()], feeds);
    expect(printGraph(model.graph)).toMatchInlineSnapshot(`
      "graph graph(%x: float32[2]) {
        %constant_0 = bool[1] [0]
        %constant = float32[] [2]
        %outside = Abs(%x)
        %sum = Add(%outside, %constant)
        %y = Neg(%sum)
        return %y: float32[…]
      }
      "
    `);
  });

  it('gives fresh names to what another branch calls the same', async () => {
    const b = new ModelBuilder(17);
    const x = b.input('x', [2]);
    const undecided = b.add('If', [b.add('Not', [bool(b, true)])], {
      attributes: branches(adding(3, x), adding(4, x)),
      outputs: ['z'],
    });
    const decided = b.add('If', [bool(b, true)], { attributes: branches(adding(1, x), adding(2, x)), outputs: ['y'] });
    const model = b.finish([decided, undecided]);
    await expectEquivalent(model, [inlineIf()], feeds);
    expect(printGraph(model.graph)).toMatchInlineSnapshot(`
      "graph graph(%x: float32[2]) {
        %constant_0 = bool[] [1]
        %constant_2 = bool[] [1]
        %constant_1 = float32[] [1]
        %not_1 = Not(%constant_0)
        %z = If<else_branch=add_4() {
          %constant = float32[] [4]
          %sum = Add(%x, %constant)
          %negated = Neg(%sum)
          return %negated: float32[…]
        }, then_branch=add_3() {
          %constant = float32[] [3]
          %sum = Add(%x, %constant)
          %negated = Neg(%sum)
          return %negated: float32[…]
        }>(%not_1)
        %sum_1 = Add(%x, %constant_1)
        %y = Neg(%sum_1)
        return %y: float32[…], %z: float32[…]
      }
      "
    `);
  });

  it('puts an Identity where a branch returns a value from outside, a constant, or one value twice', async () => {
    const b = new ModelBuilder(17);
    const x = b.input('x', [2]);
    const branch = (name: string) => {
      const inner = new ModelBuilder(17, name);
      const sum = inner.add('Neg', [x], { outputs: [`${name}_sum`] });
      const constant = inner.constant(Tensor.scalar('float32', 1), `${name}_constant`);
      return inner.finishGraph(sum, constant, inner.add('Identity', [sum], { outputs: [`${name}_copy`] }));
    };
    const [yes, no] = [branch('yes'), branch('no')];
    const outputs = b.addAll('If', [bool(b, true)], { attributes: branches(yes, no), outputs: ['a', 'b', 'c'] });
    const model = b.finish(outputs);
    // Not valid for onnxruntime, which wants a node in between; other runtimes write it.
    yes.setOutputs([yes.outputs[0] as Value, x, yes.outputs[0] as Value]);
    inlineIf().run(model);
    expect(printGraph(model.graph)).toMatchInlineSnapshot(`
      "graph graph(%x: float32[2]) {
        %constant_0 = bool[] [1]
        %yes_constant = float32[] [1]
        %c = Neg(%x)
        %yes_copy = Identity(%c)
        %a = Identity(%c)
        %b = Identity(%x)
        return %a: float32[…], %b: float32[…], %c: float32[…]
      }
      "
    `);
  });

  it('goes on with the decided Ifs of a branch, and of the bodies of loops', async () => {
    const b = new ModelBuilder(17);
    const x = b.input('x', [2]);
    const outer = (name: string) => {
      const inner = new ModelBuilder(17, name);
      const condition = inner.constant(Tensor.fromNumbers('bool', [], [1]), `${name}_condition`);
      const nested = inner.add('If', [condition], {
        attributes: branches(adding(1, x), adding(2, x)),
        outputs: [`${name}_nested`],
      });
      return inner.finishGraph(inner.add('Relu', [nested], { outputs: [`${name}_out`] }));
    };
    const model = b.finish([
      b.add('If', [bool(b, true)], { attributes: branches(outer('yes'), outer('no')), outputs: ['y'] }),
    ]);
    await expectEquivalent(model, [inlineIf()], feeds);
    expect(graphsOf(model)).toHaveLength(1);
    expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(['Add', 'Neg', 'Relu']);
  });

  it('leaves what is decided at run time: inputs, values, defaults that a caller may override', () => {
    const b = new ModelBuilder(17);
    const x = b.input('x', [2]);
    const overridable = bool(b, true);
    const conditions = [b.input('condition', [], 'bool'), b.add('Not', [bool(b, true)]), overridable];
    const model = b.finish(
      conditions.map((condition) => b.add('If', [condition], { attributes: branches(adding(1, x), adding(2, x)) })),
    );
    model.graph.setInputs([...model.graph.inputs, overridable]);
    expect(inlineIf().run(model)).toEqual({ modified: false });
  });

  it('keeps what random graphs compute', () => expectEquivalentOnRandomGraphs([constantsToInitializers(), inlineIf()]));
});
