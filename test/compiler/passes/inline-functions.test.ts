import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Attribute, attribute } from '../../../lib/compiler/ir/attribute.js';
import type { Graph } from '../../../lib/compiler/ir/graph.js';
import type { Model, ModelFunction } from '../../../lib/compiler/ir/model.js';
import { Node } from '../../../lib/compiler/ir/node.js';
import { printModel } from '../../../lib/compiler/ir/print.js';
import { modelToBytes } from '../../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { validate } from '../../../lib/compiler/ir/validation.js';
import { Value } from '../../../lib/compiler/ir/value.js';
import { inlineFunctions } from '../../../lib/compiler/passes/inline-functions.js';
import { runPasses } from '../../../lib/compiler/passes/pass.js';
import { removeDeadNodes } from '../../../lib/compiler/passes/remove-dead-nodes.js';
import { expectEqualOutputs, toOrtFeeds } from '../../support/compare-outputs.js';
import { expectEquivalent } from '../../support/expect-equivalent.js';
import { ModelBuilder } from '../../support/model-builder.js';
import { outlineFunctions } from '../../support/outline-functions.js';
import { Choices } from '../../support/random-graph/choices.js';
import { randomGraphs } from '../../support/random-graph.js';
import { refusalOf } from '../../support/refusal.js';
import { runModel } from '../../support/run-model.js';

const feeds = toOrtFeeds({ x: Tensor.fromNumbers('float32', [3], [-1.5, 0.25, 2]) });
const reference = (name: string, type: number): Attribute => ({ kind: 'reference', value: name, type });
const [FLOAT, INT] = [1, 2];

interface FunctionOptions {
  readonly opset?: number;
  readonly overload?: string;
  readonly attributeDefaults?: ReadonlyMap<string, Attribute>;
}

/** A function `own.<name>` with parameters `a` and `b`. */
function define(
  name: string,
  body: (b: ModelBuilder, a: Value, second: Value) => readonly Value[],
  options: FunctionOptions = {},
): ModelFunction {
  const { opset = 17, overload = '', attributeDefaults } = options;
  const b = new ModelBuilder(opset, name);
  const [first, second] = [b.graph.addInput('a', undefined), b.graph.addInput('b', undefined)];
  b.graph.setOutputs(body(b, first, second));
  return {
    domain: 'own',
    name,
    overload,
    body: b.graph,
    opsetImports: new Map([
      ['', opset],
      ['own', 1],
    ]),
    ...(attributeDefaults === undefined ? {} : { attributeDefaults }),
  };
}

function modelWith(
  functions: readonly ModelFunction[],
  calls: (b: ModelBuilder, x: Value) => readonly Value[],
  opset = 17,
): Model {
  const b = new ModelBuilder(opset);
  const model = b.finish(calls(b, b.input('x', [3])), { functions, irVersion: 10 });
  model.opsetImports.set('own', 1);
  return model;
}

const own = (outputs: readonly string[], attributes: Record<string, Attribute> = {}) => ({
  domain: 'own',
  outputs,
  attributes,
});

/** Inlines, and compares with what onnxruntime makes of the functions. */
async function inlined(model: Model): Promise<string> {
  const { modified } = await expectEquivalent(model, [inlineFunctions(), removeDeadNodes()], feeds);
  expect(modified).toContain('inline-functions');
  return printModel(model);
}

describe('inline functions', () => {
  it('puts a copy of the body in place of each call, with values of its own', async () => {
    const square = define('Shifted', (b, a, c) => [
      b.add('Add', [b.add('Mul', [a, a], { outputs: ['square'] }), c], { outputs: ['sum'] }),
    ]);
    const model = modelWith([square], (b, x) => {
      const first = b.add('Shifted', [x, b.scalar(1)], own(['first']));
      return [b.add('Shifted', [first, x], own(['y'])), first];
    });
    expect(await inlined(model)).toMatchInlineSnapshot(`
      "model ir 10, ai.onnx 17, own 1
      graph graph(%x: float32[3]) {
        %constant_0 = float32[] [1]
        %square_1 = Mul(%x, %x)
        %first = Add(%square_1, %constant_0)
        %square_2 = Mul(%first, %first)
        %y = Add(%square_2, %x)
        return %y: float32[…], %first: float32[…]
      }
      "
    `);
  });

  it('hands on attributes, those left out by their default, or not at all', async () => {
    const body = (b: ModelBuilder, a: Value) => [
      b.add('Elu', [b.add('LeakyRelu', [a], { attributes: { alpha: reference('slope', FLOAT) } })], {
        attributes: { alpha: reference('alpha', FLOAT) },
        outputs: ['out'],
      }),
    ];
    const defaults = new Map([['slope', attribute.float(0.5)]]);
    const model = modelWith([define('Activate', body, { attributeDefaults: defaults })], (b, x) => [
      b.add('Activate', [x], own(['given'], { slope: attribute.float(0.25), alpha: attribute.float(2) })),
      b.add('Activate', [x], own(['defaults'])),
    ]);
    await inlined(model);
    expect(model.graph.nodes.map((node) => node.float('alpha'))).toEqual([0.25, 2, 0.5, undefined]);
  });

  it('follows calls inside functions and inside subgraphs of functions', async () => {
    const inner = define('Inner', (b, a) => [b.add('Neg', [a])]);
    const outer = define('Outer', (b, a, c) => {
      const branch = (name: string, opType: string): Graph => {
        const builder = new ModelBuilder(17, name);
        const call = builder.add(opType, [c], { domain: opType === 'Inner' ? 'own' : '', outputs: [`${name}_value`] });
        return builder.finishGraph(builder.add('Add', [call, a], { outputs: [`${name}_out`] }));
      };
      const zero = b.add('Constant', [], { attributes: { value: attribute.tensor(Tensor.scalar('float32', 0)) } });
      const sum = b.add('ReduceSum', [b.add('Inner', [a], own(['negative']))], {
        attributes: { keepdims: attribute.int(0) },
      });
      const attributes = {
        then_branch: attribute.graph(branch('yes', 'Inner')),
        else_branch: attribute.graph(branch('no', 'Relu')),
      };
      return [b.add('If', [b.add('Greater', [sum, zero])], { attributes })];
    });
    const model = modelWith([outer, inner], (b, x) => [
      b.add('Outer', [x, b.scalar(2)], own(['y'])),
      b.add('Outer', [b.add('Neg', [x]), x], own(['z'])),
    ]);
    const text = await inlined(model);
    expect(model.functions).toEqual([]);
    expect(text).not.toContain('own.');
  });

  it('tells overloads apart', async () => {
    const functions = [
      define('F', (b, a) => [b.add('Neg', [a])], { overload: 'neg' }),
      define('F', (b, a) => [b.add('Abs', [a])], { overload: 'abs' }),
    ];
    const model = modelWith(functions, (b, x) => {
      const values = ['abs', 'neg'].map((overload) => {
        const y = new Value(overload);
        b.graph.append(new Node('F', [x], [y], { domain: 'own', overload }));
        return y;
      });
      return values;
    });
    await inlined(model);
    expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(['Abs', 'Neg']);
  });

  it('leaves out inputs and outputs that a call leaves out', async () => {
    const clip = define('Bounded', (b, a, c) => {
      const bounded = b.add('Clip', [a, undefined, c], { outputs: ['bounded'] });
      return [bounded, b.add('Neg', [bounded], { outputs: ['negative'] })];
    });
    const model = modelWith([clip], (b, x) => [
      b.add('Bounded', [x], own(['y', 'unused'])),
      b.add('Bounded', [x, b.scalar(1)], own(['', 'z'])),
    ]);
    await inlined(model);
    expect(
      model.graph.nodes.map(
        ({ opType, inputs }) => `${opType} ${inputs.filter((value) => value !== undefined).length}`,
      ),
    ).toEqual(['Clip 1', 'Clip 2', 'Neg 1']);
  });

  it('puts an Identity where a function returns an input, or one value twice', async () => {
    const both = define('Both', (b, a) => {
      const y = b.add('Neg', [a], { outputs: ['y'] });
      return [a, y, y];
    });
    const model = modelWith([both], (b, x) => b.addAll('Both', [x], own(['p', 'q', 'r'])));
    inlineFunctions().run(model);
    removeDeadNodes().run(model);
    // onnxruntime does not open the model before; what it computes after is plain to see.
    const results = await runModel(modelToBytes(model), feeds);
    const [p, q, r] = Object.values(results).map((value) => [...(value as { data: Float32Array }).data]);
    expect([p, q, r]).toEqual([
      [-1.5, 0.25, 2],
      [1.5, -0.25, -2],
      [1.5, -0.25, -2],
    ]);
    expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(['Neg', 'Identity', 'Identity']);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['p', 'q', 'r']);
  });

  it('names nodes after the call', () => {
    const fn = define('F', (b, a) => [b.add('Neg', [a])]);
    for (const node of fn.body.nodes) node.name = 'negate';
    const model = modelWith([fn], (b, x) => [b.add('F', [x], own(['y']))]);
    for (const node of model.graph.nodes) node.name = 'layer1';
    inlineFunctions().run(model);
    expect(model.graph.nodes.map(({ name }) => name)).toEqual(['layer1/negate']);
  });

  it('accepts a function of another opset in which its operators mean the same, and declines where they do not', async () => {
    const same = define('Same', (b, a) => [b.add('Tanh', [a])], { opset: 13 });
    const other = define(
      'Other',
      (b, a) => [
        b.add('ReduceMax', [a], { attributes: { axes: attribute.ints([0]), keepdims: reference('keep', INT) } }),
      ],
      { opset: 13 },
    );
    const model = modelWith(
      [same, other],
      (b, x) => [b.add('Same', [x], own(['y'])), b.add('Other', [x], own(['z'], { keep: attribute.int(1) }))],
      18,
    );
    expect(inlineFunctions().run(model)).toEqual({
      modified: true,
      declined: [
        "Function 'Other' is not inlined: it is written against version 13 of 'ai.onnx', the model against version 18.",
      ],
    });
    expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(['Tanh', 'Other']);
  });

  it('imports the operator sets that a function brings', () => {
    const fn = define('F', (b, a) => [b.add('Gelu', [a], { domain: 'com.microsoft' })]);
    (fn.opsetImports as Map<string, number>).set('com.microsoft', 1);
    const model = modelWith([fn], (b, x) => [b.add('F', [x], own(['y']))]);
    inlineFunctions().run(model);
    expect(model.opsetImports.get('com.microsoft')).toBe(1);
  });

  it('copies a graph that a call hands on, once for each use', async () => {
    const hidden = define('Twice', (b, a) => {
      const condition = b.add('Constant', [], {
        attributes: { value: attribute.tensor(Tensor.fromNumbers('bool', [], [1])) },
      });
      const branch = reference('branch', 5);
      const once = (name: string) =>
        b.add('If', [condition], { attributes: { then_branch: branch, else_branch: branch }, outputs: [name] });
      return [b.add('Add', [once('p'), b.add('Mul', [once('q'), a])])];
    });
    const model = modelWith([hidden], (b, x) => {
      const inner = new ModelBuilder(17, 'branch');
      const branch = inner.finishGraph(inner.add('Neg', [x], { outputs: ['inside'] }));
      return [b.add('Twice', [x], own(['y'], { branch: attribute.graph(branch) }))];
    });
    inlineFunctions().run(model);
    const inside = model.graph.nodes.flatMap((node) => [...node.subgraphs()].map(([, graph]) => graph.outputs[0]));
    expect(new Set(inside).size).toBe(4);
    expect(new Set(inside.map((value) => value?.name)).size).toBe(4);
  });

  it('refuses functions that call themselves, or that would fill the memory', async () => {
    const call = (name: string) => (b: ModelBuilder, a: Value) => [
      b.add('Add', [b.add(name, [a], { domain: 'own' }), b.add(name, [a], { domain: 'own' })]),
    ];
    const recursive = modelWith([define('A', call('B')), define('B', call('A'))], (b, x) => [
      b.add('A', [x], own(['y'])),
    ]);
    expect(await refusalOf(() => inlineFunctions().run(recursive))).toMatchObject({ code: 'FUNCTION_RECURSION' });
    const names = Array.from({ length: 40 }, (_, index) => `F${index}`);
    const bomb = names.map((name, index) =>
      define(name, index === 39 ? (b, a) => [b.add('Neg', [a])] : call(`F${index + 1}`)),
    );
    const model = modelWith(bomb, (b, x) => [b.add('F0', [x], own(['y']))]);
    expect(await refusalOf(() => inlineFunctions().run(model))).toMatchObject({ code: 'FUNCTION_EXPANSION' });
  });

  it('undoes what was outlined from random graphs', async () => {
    let calls = 0;
    await fc.assert(
      fc.asyncProperty(randomGraphs({ opsets: [11, 13, 17, 18, 21] }), async (recipe) => {
        const { model, feeds: inputs } = recipe.build();
        const expected = await runModel(modelToBytes(model), toOrtFeeds(inputs));
        outlineFunctions(model, new Choices(recipe.seed));
        calls += model.functions.length;
        await runPasses(model, [inlineFunctions(), removeDeadNodes()]);
        expect(model.functions).toEqual([]);
        validate(model);
        expectEqualOutputs(await runModel(modelToBytes(model), toOrtFeeds(inputs)), expected);
      }),
      { seed: 1, numRuns: 100 },
    );
    expect(calls).toBeGreaterThan(200);
  });
});
