import { Tensor as RuntimeTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { Graph } from '../../../lib/compiler/ir/graph.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { convertOpset, NEWEST_OPSET, OLDEST_OPSET } from '../../../lib/compiler/passes/convert-opset.js';
import { operatorsChangedIn } from '../../../lib/compiler/passes/opset/operator-versions.js';
import { OPSET_STEPS } from '../../../lib/compiler/passes/opset/steps.js';
import { expectSameBits } from '../../support/before-and-after.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { randomTensor } from '../../support/random-numbers.js';

const { int, ints } = attribute;

describe('the steps', () => {
  it('lead from the oldest to the newest opset without a gap', () => {
    const versions = Array.from({ length: NEWEST_OPSET - OLDEST_OPSET }, (_, index) => OLDEST_OPSET + 1 + index);
    expect(OPSET_STEPS.map(({ version }) => version)).toEqual(versions);
  });

  it.each(OPSET_STEPS)('say once what becomes of every operator that changed in $version', ({ version, ...step }) => {
    const known = [...step.unchanged, ...Object.keys(step.converters)].sort();
    expect(known).toEqual(operatorsChangedIn(version).sort());
  });
});

describe('the conversion', () => {
  /** x → If (sum of it is positive) → Squeeze or ReduceSum of x inside, both written for opset 11. */
  function conditional() {
    const b = new ModelBuilder(11);
    const x = b.input('x', [1, 4]);
    const branch = (name: string, opType: string) => {
      const inner = new ModelBuilder(11, name);
      const output = inner.add(opType, [x], {
        attributes: { axes: ints([0]), ...(opType === 'ReduceSum' ? { keepdims: int(0) } : {}) },
        outputs: [`${name}_output`],
      });
      return attribute.graph(inner.finishGraph(output));
    };
    const total = b.add('ReduceSum', [x], { attributes: { keepdims: int(0) } });
    const condition = b.add('Greater', [total, b.scalar(0)]);
    const attributes = { then_branch: branch('then', 'Squeeze'), else_branch: branch('else', 'ReduceSum') };
    return b.finish([b.add('If', [condition], { attributes })]);
  }

  it('reaches into subgraphs', async () => {
    for (const low of [-3, 1]) {
      const model = conditional();
      await expectSameBits(model, [convertOpset(21)], { x: randomTensor([1, 4], 2, low, low + 2) });
    }
  });

  it('gives the file the IR version of its opset, and never a lower one', async () => {
    const { graph, irVersion, ...rest } = conditional();
    expect({ graph, irVersion, ...rest }.irVersion).toBe(10);
    for (const [target, before, expected] of [
      [21, 6, 10],
      [13, 6, 7],
      [13, 8, 8],
    ] as const) {
      const model = conditional();
      model.irVersion = before;
      await convertOpset(target).run(model);
      expect([model.opset, model.irVersion]).toEqual([target, expected]);
    }
  });

  it('takes initializers off the inputs of an IR version 3 file, where they were constants all the same', async () => {
    const b = new ModelBuilder(8);
    const x = b.input('x', [2, 2]);
    const weight = b.floats([1, 2, 3, 4], [2, 2]);
    const model = b.finish([b.add('MatMul', [x, weight])], { irVersion: 3 });
    model.graph.setInputs([x, weight]);
    await expectSameBits(model, [convertOpset(21)], { x: randomTensor([2, 2]) });
    expect(model.graph.inputs).toEqual([x]);
  });

  it('leaves other domains, and models that are new enough or use no standard operator, alone', async () => {
    const model = conditional();
    model.opsetImports.set('com.microsoft', 1);
    await convertOpset(13).run(model);
    expect([...model.opsetImports]).toEqual([
      ['', 13],
      ['com.microsoft', 1],
    ]);
    expect(await convertOpset(13).run(model)).toEqual({ modified: false });
    expect(await convertOpset(11).run(model)).toEqual({ modified: false });
    model.opsetImports.delete('');
    expect(await convertOpset(18).run(model)).toEqual({ modified: false });
  });
});

describe('declines with a reason', () => {
  it('an operator that the opset does not have, or no longer has', async () => {
    for (const [opset, opType] of [
      [9, 'Einsum'],
      [13, 'NoSuchOperator'],
      [10, 'Upsample'],
    ] as const) {
      const b = new ModelBuilder(opset);
      const model = b.finish([b.add(opType, [b.input('x', [1])], { outputs: ['y'] })]);
      const { modified, declined } = await convertOpset(21).run(model);
      expect(modified).toBe(false);
      expect(declined).toEqual([`opset ${opset} to 21: ${opType} 'y' is no standard operator of opset ${opset}`]);
    }
  });

  it('opsets before 7, and functions that were not inlined', async () => {
    const b = new ModelBuilder(6);
    const old = b.finish([b.add('Relu', [b.input('x', [1])])]);
    expect((await convertOpset(21).run(old)).declined?.[0]).toContain('older than opset 7');
    const c = new ModelBuilder(11);
    const model = c.finish([c.add('Relu', [c.input('x', [1])])]);
    const opsetImports = new Map([['', 9]]);
    model.functions = [{ domain: 'local', name: 'Block', overload: '', body: new Graph('body'), opsetImports }];
    expect((await convertOpset(21).run(model)).declined?.[0]).toContain("function 'Block'");
  });

  it('and leaves the model as it was, nodes that other steps added included', async () => {
    const b = new ModelBuilder(9);
    const x = b.input('x', [1, 2, 4, 4]);
    const enlarged = b.add('Upsample', [x], { attributes: { scales: attribute.floats([1, 1, 2, 2]) } });
    b.graph.nodes.at(-1)?.setInputs([x, b.floats([1, 1, 2, 2])]);
    const soft = b.add('Softmax', [enlarged], { attributes: { axis: int(1) } });
    const erf = b.add('Erf', [b.add('Cast', [soft], { attributes: { to: int(6) } })]);
    const model = b.finish([erf]);
    const state = () => ({
      opset: model.opset,
      inputs: model.graph.inputs.map(({ name }) => name),
      initializers: [...model.graph.initializers],
      nodes: model.graph.nodes.map((node) => [node.opType, node.inputs, node.outputs, [...node.attributes]]),
      uses: [x, enlarged, soft].map((value) => value.uses.size),
      producers: [enlarged, soft, erf].map((value) => value.producer),
    });
    const before = state();
    const { declined } = await convertOpset(21).run(model);
    expect(declined?.[0]).toContain("Erf 'erf_4' cannot go to opset 13");
    expect(state()).toEqual(before);
  });
});

it('refuses a target outside 7 to 21', () => {
  for (const target of [6, 22, 13.5, Number.NaN]) {
    expect(() => convertOpset(target)).toThrow(expect.objectContaining({ code: 'OPSET_TARGET' }));
  }
});

it('keeps what a model computes with constants of every kind', async () => {
  const b = new ModelBuilder(12);
  const flags = b.constant(Tensor.fromNumbers('bool', [2], [1, 0]));
  const picked = b.add('Where', [flags, b.input('x', [2]), b.floats([7, 8])]);
  const model = b.finish([b.add('Unsqueeze', [picked], { attributes: { axes: ints([-1]) } })]);
  await expectSameBits(model, [convertOpset(21)], { x: new RuntimeTensor('float32', [1, 2], [2]) });
});
