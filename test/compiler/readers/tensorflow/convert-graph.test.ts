import { describe, expect, it } from 'vitest';
import type { AttrValue, GraphDef, NodeDef } from '../../../../lib/compiler/formats/tensorflow/graph-def.js';
import { convertGraph } from '../../../../lib/compiler/readers/tensorflow/convert-graph.js';
import { defaultSignature } from '../../../../lib/compiler/readers/tensorflow/default-signature.js';
import { refusalOf } from '../../../support/refusal.js';

const float: AttrValue = { kind: 'type', value: 'float' };

function node(
  op: string,
  name: string,
  inputs: readonly string[] = [],
  attributes: Record<string, AttrValue> = {},
): NodeDef {
  return { op, name, inputs, attributes: new Map(Object.entries(attributes)) };
}

const placeholder = (name = 'x', shape: readonly number[] | undefined = [-1, 3], type = float) =>
  node('Placeholder', name, [], { dtype: type, shape: { kind: 'shape', value: shape } });

const convert = (...nodes: NodeDef[]) => {
  const graph: GraphDef = { nodes, functions: new Map() };
  return convertGraph(graph, defaultSignature(graph));
};

describe('a graph', () => {
  it('may be deeper than the call stack, and be listed in any order', () => {
    const chain = Array.from({ length: 20_000 }, (_, index) =>
      node('Neg', `n${index}`, [index === 0 ? 'x' : `n${index - 1}`]),
    );
    const { graph } = convert(...chain.reverse(), placeholder());
    expect(graph.nodes).toHaveLength(20_000);
    expect(graph.outputs.map(({ name }) => name)).toEqual(['n19999']);
  });

  it("keeps neither controls nor names of sizes that are not the source's", () => {
    const model = convert(placeholder(), node('NoOp', 'first'), node('Where', 'where', ['x', '^first']));
    expect(model.graph.outputs.map(({ type }) => type)).toEqual([
      { kind: 'tensor', elementType: 'int64', shape: [undefined, 2] },
    ]);
  });

  const bool = (value: boolean): AttrValue => ({
    kind: 'tensor',
    value: { dataType: 'bool', dims: [], bytes: Uint8Array.of(value ? 1 : 0) },
  });
  const branches = (training: boolean) => [
    placeholder(),
    node('Const', 'training', [], { dtype: { kind: 'type', value: 'bool' }, value: bool(training) }),
    node('Switch', 'switch', ['x', 'training']),
    node('Abs', 'else', ['switch']),
    node('Neg', 'then', ['switch:1']),
    node('Exp', 'later', ['then']),
  ];

  it('takes the branch of TensorFlow 1 whose condition holds, and writes nothing of the other', () => {
    const operators = (training: boolean) => {
      const { graph } = convert(...branches(training), node('Merge', 'merge', ['else', 'later']));
      return graph.nodes.map(({ opType }) => opType);
    };
    expect([operators(false), operators(true)]).toEqual([['Abs'], ['Neg', 'Exp']]);
  });

  it.each<[string, NodeDef[], string, string]>([
    [
      'merges branches of which none is told',
      [...branches(true), node('Merge', 'merge', ['x', 'later'])],
      'OP_BRANCHES',
      "Merge 'merge'",
    ],
    ['returns what is never computed', [...branches(false)], 'GRAPH_OUTPUTS', 'never taken'],

    [
      'has unknown ops',
      [placeholder(), node('Foo', 'a', ['x']), node('Foo', 'b', ['a']), node('Bar', 'c', ['b'])],
      'OPERATOR_UNSUPPORTED',
      "Foo, 2 ×: 'a', 'b'",
    ],
    [
      'has an op named like a member of every object',
      [placeholder(), node('constructor', 'a', ['x'])],
      'OPERATOR_UNSUPPORTED',
      'constructor, 1 ×',
    ],
    [
      'has a cycle',
      [placeholder(), node('Add', 'a', ['x', 'b']), node('Neg', 'b', ['a']), node('Neg', 'c', ['b'])],
      'GRAPH_CYCLE',
      'own output',
    ],
    [
      'reads a node that is not there',
      [placeholder(), node('Neg', 'a', ['y'])],
      'GRAPH_NODE_MISSING',
      "'y', which Neg 'a' needs",
    ],
    [
      'reads an output that is not there',
      [placeholder(), node('Neg', 'b', ['x']), node('Neg', 'a', ['b:3'])],
      'GRAPH_OUTPUT_MISSING',
      "reads 'b:3'",
    ],
    [
      'names two nodes alike',
      [placeholder(), node('Neg', 'a', ['x']), node('Neg', 'a', ['x'])],
      'GRAPH_DUPLICATE',
      "'a'",
    ],
    [
      'takes texts',
      [placeholder('x', [-1], { kind: 'type', value: 'string' }), node('Identity', 'a', ['x'])],
      'INPUT_TEXT',
      "'x' takes texts",
    ],
    [
      'takes any number of dimensions',
      [node('Placeholder', 'x', [], { dtype: float }), node('Neg', 'a', ['x'])],
      'INPUT_RANK',
      "'x'",
    ],
    ['gives an op too few inputs', [placeholder(), node('Add', 'a', ['x'])], 'OP_INPUTS', "Add 'a'"],
    [
      'computes what must be constant',
      [placeholder(), placeholder('axis', [1], { kind: 'type', value: 'int32' }), node('Sum', 'a', ['x', 'axis'])],
      'OP_INPUT_OPEN',
      "Sum 'a' computes its axes",
    ],
    [
      'gives an attribute of the wrong kind',
      [placeholder(), node('LeakyRelu', 'a', ['x'], { alpha: float })],
      'OP_ATTRIBUTE',
      "LeakyRelu 'a': attribute 'alpha'",
    ],
    ['lacks an attribute without default', [placeholder(), node('Cast', 'a', ['x'])], 'OP_ATTRIBUTE', "'DstT'"],
    [
      'adds what does not broadcast',
      [placeholder(), placeholder('y', [4]), node('Add', 'a', ['x', 'y'])],
      'SHAPE_MISMATCH',
      "Add 'a': ",
    ],
    ['returns complex numbers', [placeholder(), node('Complex', 'a', ['x', 'x'])], 'GRAPH_OUTPUTS', 'complex'],
  ])('is refused where it %s', async (_, nodes, code, message) => {
    const error = await refusalOf(() => convert(...nodes));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(message)]);
    expect(error.advice).not.toBe('');
  });
});
