import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type {
  AttrValue,
  FunctionDef,
  GraphDef,
  NodeDef,
} from '../../../../../lib/compiler/formats/tensorflow/graph-def.js';
import { inlineFunctions } from '../../../../../lib/compiler/readers/tensorflow/functions/inline-functions.js';
import { refusalOf } from '../../../../support/refusal.js';

type Attributes = Readonly<Record<string, AttrValue>>;

function node(name: string, op: string, inputs: readonly string[] = [], attributes: Attributes = {}): NodeDef {
  return { name, op, inputs, attributes: new Map(Object.entries(attributes)) };
}

function fn(
  name: string,
  inputs: readonly string[],
  nodes: readonly NodeDef[],
  returns: Readonly<Record<string, string>>,
): FunctionDef {
  return {
    name,
    inputs: inputs.map((each) => ({ name: each, dataType: 'float' })),
    outputs: Object.keys(returns).map((each) => ({ name: each, dataType: 'float' })),
    nodes,
    returns: new Map(Object.entries(returns)),
  };
}

function graph(nodes: readonly NodeDef[], ...functions: readonly FunctionDef[]): GraphDef {
  return { nodes, functions: new Map(functions.map((each) => [each.name, each])) };
}

const calls = (name: string, attributes: Attributes = {}): Attributes => ({
  f: { kind: 'function', name, attributes: new Map(Object.entries(attributes)) },
});

/** `name op(inputs)`, a line each. */
const lines = ({ nodes }: { readonly nodes: readonly NodeDef[] }) =>
  nodes.map(({ name, op, inputs }) => `${name} ${op}(${inputs.join(', ')})`);

const negate = fn('negate', ['x'], [node('neg', 'Neg', ['x'])], { y: 'neg:y:0' });
const x = node('x', 'Placeholder');

describe('a call', () => {
  test('becomes what the function computes, twice where it is called twice', () => {
    const main = graph(
      [
        x,
        node('a', 'PartitionedCall', ['x'], calls('negate')),
        node('b', 'StatefulPartitionedCall', ['a'], calls('negate')),
        node('y', 'Abs', ['b:0']),
      ],
      negate,
    );
    expect(lines(inlineFunctions(main))).toEqual([
      'x Placeholder()',
      'a/neg Neg(x)',
      'b/neg Neg(a/neg)',
      'y Abs(b/neg)',
    ]);
  });

  test('by the function’s name, as TF1 and Defun call', () => {
    const main = graph([x, node('layer', 'negate', ['x']), node('y', 'Abs', ['layer'])], negate);
    expect(lines(inlineFunctions(main))).toEqual(['x Placeholder()', 'layer/neg Neg(x)', 'y Abs(layer/neg)']);
  });

  test('leaves no name of its own where it has none but TensorFlow’s, and no path twice', () => {
    const inner = fn('inner', ['x'], [node('model/conv/Conv2D', 'Conv2D', ['x'])], { y: 'model/conv/Conv2D:output:0' });
    const outer = fn(
      'outer',
      ['x'],
      [node('model/conv/StatefulPartitionedCall', 'PartitionedCall', ['x'], calls('inner'))],
      {
        y: 'model/conv/StatefulPartitionedCall:output:0',
      },
    );
    const main = graph(
      [
        x,
        node('StatefulPartitionedCall_2', 'PartitionedCall', ['x'], calls('outer')),
        node('y', 'Abs', ['StatefulPartitionedCall_2']),
      ],
      inner,
      outer,
    );
    expect(lines(inlineFunctions(main))).toEqual([
      'x Placeholder()',
      'model/conv/Conv2D Conv2D(x)',
      'y Abs(model/conv/Conv2D)',
    ]);
  });

  test('whose outputs are in another order than its operators’, or lists', () => {
    const both = fn(
      'both',
      ['x'],
      [
        node('top', 'TopKV2', ['x', 'k']),
        node('k', 'Const'),
        node('parts', 'Split', ['k', 'top:values:0']),
        node('rows', 'SparseSplit', ['x', 'x', 'x', 'x'], { num_split: { kind: 'int', value: 2n } }),
        node('sum', 'AddN', ['rows:output_values:1', 'rows:output_shape:0']),
      ],
      { indices: 'top:indices:0', last: 'parts:output:2', argument: 'x', sum: 'sum:sum:0' },
    );
    const main = graph(
      [x, node('c', 'PartitionedCall', ['x'], calls('both')), node('y', 'Op', ['c:1', 'c', 'c:2', 'c:3'])],
      both,
    );
    expect(lines(inlineFunctions(main)).slice(1)).toEqual([
      'c/top TopKV2(x, c/k)',
      'c/k Const()',
      'c/parts Split(c/k, c/top)',
      'c/rows SparseSplit(x, x, x, x)',
      'c/sum AddN(c/rows:3, c/rows:4)',
      'y Op(c/parts:2, c/top:1, x, c/sum)',
    ]);
  });

  test('gives the attributes that the body leaves to it, in lists and functions too', () => {
    const placeholder = (name: string): AttrValue => ({ kind: 'placeholder', name });
    const typed = fn(
      'typed',
      ['x'],
      [
        node('cast', 'Cast', ['x'], {
          DstT: placeholder('T'),
          list: { kind: 'list', values: [placeholder('T'), placeholder('missing')] },
          left: placeholder('missing'),
          other: { kind: 'int', value: 1n },
        }),
        node('inner', 'PartitionedCall', ['cast:y:0'], {
          f: { kind: 'function', name: 'leaf', attributes: new Map([['U', placeholder('T')]]) },
        }),
      ],
      { y: 'inner:output:0' },
    );
    const leaf = fn('leaf', ['x'], [node('again', 'Cast', ['x'], { DstT: placeholder('U') })], { y: 'again:y:0' });
    const half: AttrValue = { kind: 'type', value: 'half' };
    const main = graph(
      [x, node('c', 'PartitionedCall', ['x'], calls('typed', { T: half })), node('y', 'Abs', ['c'])],
      typed,
      leaf,
    );
    const byName = new Map(inlineFunctions(main).nodes.map((each) => [each.name, each.attributes]));
    expect(Object.fromEntries(byName.get('c/cast') ?? [])).toEqual({
      DstT: half,
      list: { kind: 'list', values: [half] },
      other: { kind: 'int', value: 1n },
    });
    expect(byName.get('c/inner/again')?.get('DstT')).toEqual(half);
  });

  test('that is wanted itself stays, as an identity of what it computes', () => {
    const main = graph([x, node('c', 'PartitionedCall', ['x'], calls('negate')), node('other', 'Abs', ['x'])], negate);
    expect(lines(inlineFunctions(main, ['c']))).toEqual(['x Placeholder()', 'c/neg Neg(x)', 'c IdentityN(c/neg)']);
  });

  test('drops controls, identities, and what nobody needs', () => {
    const noisy = fn(
      'noisy',
      ['x'],
      [
        node('print', 'PrintV2', ['x']),
        node('neg', 'Neg', ['x', '^print', '^x']),
        node('id', 'Identity', ['neg:y:0', '^print']),
        node('unused', 'Abs', ['x']),
      ],
      { y: 'id:output:0' },
    );
    const main = graph(
      [x, node('c', 'PartitionedCall', ['x', '^x'], calls('noisy')), node('y', 'Abs', ['c', '^c'])],
      noisy,
    );
    expect(lines(inlineFunctions(main))).toEqual(['x Placeholder()', 'c/neg Neg(x)', 'y Abs(c/neg)']);
  });
});

describe('what runs under a condition', () => {
  const branch = (name: string): AttrValue => ({ kind: 'function', name, attributes: new Map() });

  test('stays a function, its calls inlined, its references those of a graph', () => {
    const body = fn(
      'body',
      ['a', 'b'],
      [node('call', 'PartitionedCall', ['b'], calls('negate')), node('id', 'Identity', ['a'])],
      {
        first: 'call:output:0',
        second: 'id:output:0',
      },
    );
    const main = graph(
      [
        x,
        node('if', 'If', ['x', 'x', 'x'], { then_branch: branch('body'), else_branch: branch('body') }),
        node('y', 'Abs', ['if:1']),
      ],
      body,
      negate,
    );
    const { functions, nodes } = inlineFunctions(main);
    expect(lines({ nodes })).toEqual(['x Placeholder()', 'if If(x, x, x)', 'y Abs(if:1)']);
    const result = functions.get('body');
    expect(result && lines(result)).toEqual(['a _Arg()', 'b _Arg()', 'call/neg Neg(b)']);
    expect(result?.nodes[1]?.attributes.get('index')).toEqual({ kind: 'int', value: 1n });
    expect([...(result?.returns ?? [])]).toEqual([
      ['first', 'call/neg'],
      ['second', 'a'],
    ]);
    expect([...functions.keys()]).toEqual(['body']);
  });

  test('is written once for each set of attributes that it is called with', () => {
    const typed = fn('typed', ['x'], [node('cast', 'Cast', ['x'], { DstT: { kind: 'placeholder', name: 'T' } })], {
      y: 'cast:y:0',
    });
    const as = (value: string): AttrValue => ({
      kind: 'function',
      name: 'typed',
      attributes: new Map([['T', { kind: 'type', value }]]),
    });
    const main = graph(
      [x, node('case', 'Case', ['x', 'x'], { branches: { kind: 'list', values: [as('half'), as('double')] } })],
      typed,
    );
    const { functions, nodes } = inlineFunctions(main);
    const branches = nodes[1]?.attributes.get('branches');
    expect(branches?.kind === 'list' && branches.values).toEqual([branch('typed'), branch('typed_1')]);
    expect([...functions.values()].map((each) => each.nodes[1]?.attributes.get('DstT'))).toEqual([
      { kind: 'type', value: 'half' },
      { kind: 'type', value: 'double' },
    ]);
  });
});

describe('refused', () => {
  const refused = async (nodes: readonly NodeDef[], ...functions: readonly FunctionDef[]) =>
    await refusalOf(() => inlineFunctions(graph([x, ...nodes], ...functions)));
  const call = (name: string) => node('c', 'PartitionedCall', ['x'], calls(name));

  test('a function that is not there, or has no name', async () => {
    const error = await refused([call('nowhere')]);
    expect([error.code, error.message]).toEqual(['FUNCTION_MISSING', expect.stringContaining("'nowhere'")]);
    expect((await refused([node('c', 'PartitionedCall', ['x'])])).code).toBe('FUNCTION_MISSING');
  });

  test('functions that call themselves, through others and through loops', async () => {
    const self = fn('self', ['x'], [node('c', 'self', ['x'])], { y: 'c:y:0' });
    expect((await refused([call('self')], self)).code).toBe('FUNCTION_RECURSION');
    const a = fn('a', ['x'], [node('c', 'b', ['x'])], { y: 'c:y:0' });
    const b = fn(
      'b',
      ['x'],
      [node('w', 'While', ['x'], { body: { kind: 'function', name: 'a', attributes: new Map() } })],
      { y: 'w:output:0' },
    );
    expect((await refused([call('a')], a, b)).code).toBe('FUNCTION_RECURSION');
  });

  test('a chain that is too long, and one that doubles at each step', async () => {
    const chain = (length: number, width: number) =>
      Array.from({ length }, (_, index) => {
        const inner = Array.from({ length: width }, (_each, at) => node(`c${at}`, `f${index + 1}`, ['x']));
        const leaf = [node('c0', 'Neg', ['x'])];
        const returns = index + 1 < length ? 'c0:y:0' : 'c0:y:0';
        return fn(
          `f${index}`,
          ['x'],
          index + 1 < length
            ? [
                ...inner,
                node(
                  'all',
                  'AddN',
                  inner.map(({ name }) => `${name}:y:0`),
                ),
              ]
            : leaf,
          {
            y: width > 1 && index + 1 < length ? 'all:sum:0' : returns,
          },
        );
      });
    expect((await refused([call('f0')], ...chain(100, 1))).code).toBe('FUNCTION_RECURSION');
    expect((await refused([call('f0')], ...chain(40, 2))).code).toBe('FUNCTION_SIZE');
  });

  test('arguments and references that do not fit', async () => {
    expect((await refused([node('c', 'negate', ['x', 'x'])], negate)).code).toBe('FUNCTION_ARGUMENTS');
    const reading = (input: string) => fn('f', ['x'], [node('n', 'TopKV2', [input, 'x'])], { y: 'n:values:0' });
    for (const input of ['missing', 'missing:y:0', 'n:nothing:0', '^missing', '', 'n:values:x']) {
      expect((await refused([call('f')], reading(input))).code).toBe('FUNCTION_REFERENCE');
    }
    expect((await refused([call('f')], fn('f', ['x'], [], { y: 'gone:y:0' }))).code).toBe('FUNCTION_REFERENCE');
  });

  test('nothing else: any graph of calls is inlined or has a code', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd', 'x');
    const reference = fc.oneof(
      name,
      name.map((each) => `${each}:1`),
      name.map((each) => `^${each}`),
      name.map((each) => `${each}:y:0`),
    );
    const op = fc.constantFrom('Neg', 'Identity', 'IdentityN', 'f', 'g', 'PartitionedCall', 'While', 'ReadVariableOp');
    const reach: AttrValue = { kind: 'function', name: 'g', attributes: new Map() };
    const nodes = fc.uniqueArray(
      fc
        .record({ name, op, inputs: fc.array(reference, { maxLength: 2 }) })
        .map((each) => node(each.name, each.op, each.inputs, { f: reach, body: reach })),
      { selector: (each) => each.name, maxLength: 5 },
    );
    fc.assert(
      fc.property(nodes, nodes, nodes, reference, (main, f, g, returned) => {
        try {
          inlineFunctions(
            graph(main, fn('f', ['x'], f, { y: returned }), fn('g', ['x', 'd'], g, { y: 'x', z: returned })),
          );
        } catch (error) {
          expect((error as { code?: string }).code).toMatch(/^FUNCTION_/);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
