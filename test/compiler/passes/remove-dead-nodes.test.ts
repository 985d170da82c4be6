import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { Graph } from '../../../lib/compiler/ir/graph.js';
import type { ModelFunction } from '../../../lib/compiler/ir/model.js';
import { Node } from '../../../lib/compiler/ir/node.js';
import { Value } from '../../../lib/compiler/ir/value.js';
import { removeDeadNodes } from '../../../lib/compiler/passes/remove-dead-nodes.js';
import { readOnnx } from '../../../lib/compiler/readers/onnx.js';
import { cpuMilliseconds } from '../../support/cpu-time.js';
import { expectEquivalent, expectEquivalentOnRandomGraphs } from '../../support/expect-equivalent.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { realModelFeeds } from '../../support/real-model-feeds.js';
import { realModels } from '../../support/real-models.js';

function functionNamed(name: string, ...calls: readonly string[]): ModelFunction {
  const body = new Graph(name);
  let value = body.addInput('x', undefined);
  for (const opType of calls) {
    const next = new Value(`${opType}_out`);
    body.append(new Node(opType, [value], [next], { domain: opType === 'Relu' ? '' : 'own' }));
    value = next;
  }
  body.setOutputs([value]);
  return { domain: 'own', name, overload: '', body, opsetImports: new Map([['', 17]]) };
}

describe('remove dead nodes', () => {
  it('takes out chains that end nowhere, with their weights, and keeps inputs', () => {
    const b = new ModelBuilder(17);
    const x = b.input('x', [2]);
    const unused = b.input('unused', [2]);
    b.add('Relu', [b.add('Add', [unused, b.floats([1, 2])])]);
    const model = b.finish([b.add('Neg', [x])]);
    expect(removeDeadNodes().run(model).modified).toBe(true);
    expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(['Neg']);
    expect(model.graph.initializers.size).toBe(0);
    expect(model.graph.inputs).toEqual([x, unused]);
    expect(removeDeadNodes().run(model).modified).toBe(false);
  });

  it('keeps a node for one used output of several, and a constant that is an output', () => {
    const b = new ModelBuilder(17);
    const [, second] = b.addAll('Split', [b.input('x', [4]), b.int64([1, 3])], { outputs: ['first', 'second'] });
    const model = b.finish([second as Value, b.scalar(1)]);
    expect(removeDeadNodes().run(model).modified).toBe(false);
  });

  it('takes out what only a dead node of a subgraph used', () => {
    const b = new ModelBuilder(17);
    const outside = b.add('Exp', [b.input('x', [2])], { outputs: ['outside'] });
    const branch = (name: string) => {
      const inner = new ModelBuilder(17, name);
      inner.add('Relu', [outside], { outputs: [`${name}_dead`] });
      return inner.finishGraph(inner.add('Neg', [inner.scalar(1)], { outputs: [`${name}_out`] }));
    };
    const [yes, no] = [branch('yes'), branch('no')];
    const attributes = { then_branch: attribute.graph(yes), else_branch: attribute.graph(no) };
    const model = b.finish([b.add('If', [b.input('condition', [], 'bool')], { attributes })]);
    removeDeadNodes().run(model);
    expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(['If']);
    expect(yes.nodes.map(({ opType }) => opType)).toEqual(['Neg']);
    expect(outside.uses.size).toBe(0);
  });

  it('takes out a dead node together with its subgraph, which used another dead node', () => {
    const b = new ModelBuilder(17);
    const x = b.input('x', [2]);
    const outside = b.add('Exp', [x]);
    const branch = (name: string) => {
      const inner = new ModelBuilder(17, name);
      return inner.finishGraph(inner.add('Relu', [outside], { outputs: [name] }));
    };
    const attributes = { then_branch: attribute.graph(branch('yes')), else_branch: attribute.graph(branch('no')) };
    b.add('If', [b.input('condition', [], 'bool')], { attributes });
    const model = b.finish([b.add('Neg', [x])]);
    removeDeadNodes().run(model);
    expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(['Neg']);
  });

  it('takes out functions that nobody calls, and keeps those that a called one calls', () => {
    const b = new ModelBuilder(17);
    const functions = [
      functionNamed('Outer', 'Inner'),
      functionNamed('Inner', 'Relu'),
      functionNamed('Unused', 'Inner'),
    ];
    const model = b.finish([b.add('Outer', [b.input('x', [1])], { domain: 'own' })], { functions });
    expect(removeDeadNodes().run(model).modified).toBe(true);
    expect(model.functions.map(({ name }) => name)).toEqual(['Outer', 'Inner']);
  });

  it('goes through 100,000 nodes in a chain', async () => {
    const b = new ModelBuilder(17);
    let x = b.input('x', [1]);
    const end = b.add('Neg', [x]);
    for (let index = 0; index < 100_000; index++) x = b.add('Relu', [x]);
    const model = b.finish([end]);
    expect(await cpuMilliseconds(() => removeDeadNodes().run(model))).toBeLessThan(10_000);
    expect(model.graph.nodes).toHaveLength(1);
  });

  it('keeps what a detector with unused weights computes', async () => {
    const model = await readOnnx(realModels.blazefaceBack);
    await expectEquivalent(model, [removeDeadNodes()], realModelFeeds('blazefaceBack'));
  });

  it('keeps what random graphs compute', () => expectEquivalentOnRandomGraphs([removeDeadNodes()]));
});
