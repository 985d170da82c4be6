import { describe, expect, it } from 'vitest';
import { attribute } from '../../../../lib/compiler/ir/attribute.js';
import { Node } from '../../../../lib/compiler/ir/node.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { type Dimension, Value } from '../../../../lib/compiler/ir/value.js';
import { binary, unary } from '../../../../lib/compiler/lowering/elementwise.js';
import { dense, matmul } from '../../../../lib/compiler/lowering/matrix.js';
import {
  concat,
  flattenFromSecond,
  reshape,
  toChannelsFirst,
  transpose,
} from '../../../../lib/compiler/lowering/rearrange.js';
import { shapeOf } from '../../../../lib/compiler/lowering/shape.js';
import { pushTransposes } from '../../../../lib/compiler/passes/layout/push-transposes.js';
import { runPasses } from '../../../../lib/compiler/passes/pass.js';
import { ChannelsLastNetwork } from '../../../support/channels-last-network.js';
import { between, IMAGE, push } from '../../../support/push-transposes.js';

const float = (shape: readonly Dimension[]) => ({ elementType: 'float32', shape }) as const;

describe('what stays', () => {
  it('two Transposes for a normalization of the channels of each pixel, which is faster so', async () => {
    const model = between((n, x) =>
      n.builder.node('LayerNormalization', [x, n.random([4]), n.random([4])], float(shapeOf(x))),
    );
    const { after, declined } = await push(model);
    expect(after).toBe(4);
    expect(declined.map(({ reason }) => reason)).toEqual([
      "Transpose 'Transpose_1' stays: Conv 'Conv' wants its axes as they are, and LayerNormalization 'LayerNormalization' normalizes the last axes.",
      "Transpose 'Transpose_2' stays: LayerNormalization 'LayerNormalization' normalizes the last axes, and Conv 'Conv_1' wants its axes as they are.",
    ]);
  });

  it('what two products need in two orders, made once for both', async () => {
    const model = between((n, x) => {
      const rows = reshape(n.builder, x, [-1, 30, 4]);
      const columns = reshape(n.builder, transpose(n.builder, x, [0, 3, 1, 2]), [-1, 4, 30]);
      return matmul(n.builder, rows, columns);
    });
    expect((await push(model)).after).toBe(2);
  });

  it('everything, where nothing can be won', async () => {
    const network = new ChannelsLastNetwork();
    const x = network.convolution(network.input('x', IMAGE), 4);
    const { modified, after } = await push(network.builder.finish([{ name: 'y', value: x }]));
    expect([modified, after]).toEqual([[], 2]);
  });

  it('all of a model of an older operator set', async () => {
    const model = between(({ builder }, x) => unary(builder, 'Relu', x));
    model.opsetImports.set('', 12);
    const { modified, declined } = await runPasses(model, [pushTransposes()]);
    expect(modified).toEqual([]);
    expect(declined[0]?.reason).toBe('Transposes are pushed from opset 13 on; the model has 12.');
  });

  it('a Reshape that joins channels and pixels for others than weights', async () => {
    const model = between(({ builder }, x) => flattenFromSecond(builder, x));
    const { after, declined } = await push(model);
    expect(after).toBe(2);
    expect(declined[0]?.reason).toContain("Flatten 'Flatten' joins axes that would not be neighbours");
  });

  it('a Reshape that joins two axes which changed places', async () => {
    const network = new ChannelsLastNetwork();
    const { builder } = network;
    const turned = transpose(builder, network.input('x', IMAGE), [0, 1, 3, 2]);
    expect((await push(builder.finish([{ name: 'y', value: flattenFromSecond(builder, turned) }]))).after).toBe(1);
  });
});

describe('values that others use', () => {
  it('are made once, in the order that they are read in', async () => {
    const model = between((n, x) => {
      const active = unary(n.builder, 'Relu', x);
      return [active, unary(n.builder, 'Neg', active), binary(n.builder, 'Add', active, n.random([4]))];
    });
    // One for the input and one for each output.
    expect((await push(model)).after).toBe(4);
  });

  it('that are outputs of the graph keep name and order', async () => {
    const network = new ChannelsLastNetwork();
    const x = network.convolution(network.input('x', IMAGE), 4);
    const inner = unary(network.builder, 'Relu', x);
    const outer = network.convolution(inner, 3);
    const { model, after } = await push(
      network.builder.finish([
        { name: 'inner', value: inner },
        { name: 'outer', value: outer },
      ]),
    );
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['inner', 'outer']);
    expect(model.graph.outputs.map((value) => shapeOf(value))).toEqual([IMAGE, [2, 6, 5, 3]]);
    expect(after).toBe(3);
  });

  it('that are outputs twice, in either order, stay two', async () => {
    const network = new ChannelsLastNetwork();
    const x = unary(network.builder, 'Relu', network.convolution(network.input('x', IMAGE), 4));
    const [first, second] = [toChannelsFirst(network.builder, x), toChannelsFirst(network.builder, x)];
    const outputs = [
      { name: 'last', value: x },
      { name: 'first', value: first },
      { name: 'second', value: second },
    ];
    const { model, after } = await push(network.builder.finish(outputs));
    expect(model.graph.outputs.map(({ name }) => name)).toEqual(['last', 'first', 'second']);
    expect(after).toBe(2);
  });

  it('in graphs inside of nodes are given back to them as they were', async () => {
    const network = new ChannelsLastNetwork();
    const { builder } = network;
    const x = network.convolution(network.input('x', IMAGE), 4);
    const active = unary(builder, 'Relu', x);
    const branches = (['then_branch', 'else_branch'] as const).map((name) => {
      const inner = builder.subgraph(name);
      const value = unary(inner, name === 'then_branch' ? 'Neg' : 'Abs', active);
      inner.graph.setOutputs([value]);
      return [name, attribute.graph(inner.graph)] as const;
    });
    const condition = builder.node(
      'Greater',
      [builder.node('ReduceMax', [x], float([]), { attributes: { keepdims: attribute.int(0) } }), builder.scalar(0)],
      { elementType: 'bool', shape: [] },
    );
    const chosen = builder.node('If', [condition], float(shapeOf(x)), { attributes: Object.fromEntries(branches) });
    const model = builder.finish([
      { name: 'chosen', value: chosen },
      { name: 'last', value: network.convolution(active, 2) },
    ]);
    expect((await push(model)).after).toBe(3);
  });

  it('inside of graphs inside of nodes are pushed there', async () => {
    const network = new ChannelsLastNetwork();
    const { builder } = network;
    const x = network.input('x', IMAGE);
    const kernel = network.random([4, 4, 1, 1]);
    const branches = (['then_branch', 'else_branch'] as const).map((name) => {
      const inner = builder.subgraph(name);
      const convolved = (value: Value) =>
        transpose(
          inner,
          inner.node('Conv', [toChannelsFirst(inner, value), kernel], float([2, 4, 6, 5])),
          [0, 2, 3, 1],
        );
      inner.graph.setOutputs([convolved(unary(inner, name === 'then_branch' ? 'Neg' : 'Abs', convolved(x)))]);
      return [name, attribute.graph(inner.graph)] as const;
    });
    const condition = builder.constant(Tensor.scalar('bool', 1));
    const chosen = builder.node('If', [condition], float(IMAGE), { attributes: Object.fromEntries(branches) });
    const { before, after } = await push(builder.finish([{ name: 'y', value: chosen }]));
    expect([before, after]).toEqual([8, 4]);
  });
});

describe('constants', () => {
  it('that others read too stay as they are for those', async () => {
    const network = new ChannelsLastNetwork();
    const bias = network.random([6, 5, 4], 'bias');
    const x = network.convolution(network.input('x', IMAGE), 4);
    const model = network.builder.finish([
      { name: 'y', value: network.convolution(binary(network.builder, 'Add', x, bias), 2) },
      { name: 'z', value: binary(network.builder, 'Mul', bias, network.input('other', [6, 5, 4])) },
    ]);
    expect((await push(model)).after).toBe(2);
    expect([...model.graph.initializers].filter(({ name }) => name.startsWith('bias'))).toHaveLength(2);
  });

  it('that a caller may override are data', async () => {
    const network = new ChannelsLastNetwork();
    const bias = network.random([1, 1, 1, 4], 'bias');
    const x = network.convolution(network.input('x', IMAGE), 4);
    const result = network.convolution(binary(network.builder, 'Add', x, bias), 2);
    const model = network.builder.finish([{ name: 'y', value: result }]);
    model.graph.setInputs([...model.graph.inputs, bias]);
    const { after } = await push(model);
    // Its one row is reshaped as it runs.
    expect(after).toBe(2);
    expect(bias.initializer?.dims).toEqual([1, 1, 1, 4]);
    expect(model.graph.inputs).toContain(bias);
  });

  it('that a caller may override are data beside others too', async () => {
    const network = new ChannelsLastNetwork();
    const other = network.random(IMAGE, 'other');
    const x = network.convolution(network.input('x', IMAGE), 4);
    const result = network.convolution(concat(network.builder, [x, other], -1), 2);
    const model = network.builder.finish([{ name: 'y', value: result }]);
    model.graph.setInputs([...model.graph.inputs, other]);
    // One of its own, in the place of the two between the convolutions.
    expect((await push(model)).after).toBe(3);
    expect(model.graph.initializers).toContain(other);
  });

  it('are transposed once and for all', async () => {
    const network = new ChannelsLastNetwork();
    const { builder } = network;
    const weights = network.random([5, 6, 4]);
    const order = new Value('order', { kind: 'tensor', elementType: 'float32', shape: [4, 5, 6] });
    builder.graph.append(
      new Node('Transpose', [weights], [order], { attributes: { perm: attribute.ints([2, 0, 1]) } }),
    );
    const sum = binary(builder, 'Add', network.input('x', [4, 5, 6]), order);
    expect((await push(builder.finish([{ name: 'y', value: sum }]))).after).toBe(0);
  });
});

it('quantized weights are transposed once and for all, with their scales', async () => {
  const network = new ChannelsLastNetwork();
  const { builder } = network;
  const kernel = builder.constant(
    Tensor.fromNumbers(
      'int8',
      [3, 2, 2, 4],
      Int8Array.from({ length: 48 }, (_, index) => index - 20),
    ),
  );
  const scales = builder.floats([0.1, 0.2, 0.3]);
  const attributes = { axis: attribute.int(0) };
  const weights = builder.node('DequantizeLinear', [kernel, scales], float([3, 2, 2, 4]), { attributes });
  const first = toChannelsFirst(builder, network.input('x', IMAGE));
  const conv = builder.node('Conv', [first, transpose(builder, weights, [0, 3, 1, 2])], float([2, 3, 5, 4]));
  const result = transpose(builder, conv, [0, 2, 3, 1]);
  const { before, after } = await push(builder.finish([{ name: 'y', value: result }]));
  expect([before, after]).toEqual([3, 2]);
});

describe('Transposes that follow one another', () => {
  it('become one, or none', async () => {
    const network = new ChannelsLastNetwork();
    const { builder } = network;
    const x = network.input('x', [2, 3, 4]);
    const turned = [
      [2, 0, 1],
      [1, 2, 0],
      [0, 2, 1],
    ].reduce((value, order) => transpose(builder, value, order), x);
    const back = transpose(builder, transpose(builder, x, [2, 0, 1]), [1, 2, 0]);
    const model = builder.finish([
      { name: 'y', value: turned },
      { name: 'z', value: unary(builder, 'Neg', back) },
    ]);
    expect((await push(model)).after).toBe(1);
  });

  it('in reverse order, when they do not say which', async () => {
    const network = new ChannelsLastNetwork();
    const { builder } = network;
    const reversed = (value: Value) => builder.node('Transpose', [value], float([...shapeOf(value)].reverse()));
    const active = unary(builder, 'Relu', reversed(network.input('x', [2, 3, 4])));
    expect((await push(builder.finish([{ name: 'y', value: reversed(active) }]))).after).toBe(0);
  });

  it('are Reshapes where only axes of size 1 move', async () => {
    const network = new ChannelsLastNetwork();
    const { builder } = network;
    const x = builder.node('GlobalAveragePool', [network.input('x', ['N', 4, 6, 5])], float(['N', 4, 1, 1]));
    const { model, after } = await push(builder.finish([{ name: 'y', value: transpose(builder, x, [0, 2, 3, 1]) }]));
    expect(after).toBe(0);
    expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(['GlobalAveragePool', 'Reshape']);
  });

  it('are left where axes of unknown size might move', async () => {
    const network = new ChannelsLastNetwork();
    const { builder } = network;
    const x = unary(builder, 'Neg', network.input('x', ['N', 'C', 1, 1]));
    const both = transpose(builder, x, [1, 0, 2, 3]);
    expect((await push(builder.finish([{ name: 'y', value: both }]))).after).toBe(1);
  });
});

it('one value in three orders settles', async () => {
  const network = new ChannelsLastNetwork();
  const { builder } = network;
  const row = network.input('row', [1, 1, 2]);
  const x = network.convolution(network.input('x', [3, 4, 5, 2]), 2);
  const column = builder.node(
    'Conv',
    [transpose(builder, row, [0, 2, 1]), network.random([3, 2, 1])],
    float([1, 3, 1]),
  );
  const model = builder.finish([
    { name: 'y', value: network.convolution(binary(builder, 'Mul', x, row), 2) },
    { name: 'z', value: unary(builder, 'Neg', transpose(builder, column, [0, 2, 1])) },
  ]);
  await push(model);
  expect((await runPasses(model, [pushTransposes()])).modified).toEqual([]);
});

it('products of matrices take transposed operands', async () => {
  const network = new ChannelsLastNetwork();
  const { builder } = network;
  const [a, b] = [network.input('a', [4, 3]), network.input('b', [5, 4])];
  const product = matmul(builder, transpose(builder, a, [1, 0]), transpose(builder, b, [1, 0]));
  const { model, after } = await push(builder.finish([{ name: 'y', value: product }]), 1e-6);
  expect(after).toBe(0);
  expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(['Gemm']);
});

it('heads of attention keep what their products need', async () => {
  const network = new ChannelsLastNetwork();
  const { builder } = network;
  const x = network.input('x', ['N', 6, 8]);
  const heads = (name: string) => {
    const projected = dense(builder, x, network.random([8, 8], name), network.random([8]));
    return transpose(builder, reshape(builder, projected, [-1, 6, 2, 4], ['N', 6, 2, 4]), [0, 2, 1, 3]);
  };
  const scores = matmul(builder, heads('query'), transpose(builder, heads('key'), [0, 1, 3, 2]));
  const mixed = transpose(builder, matmul(builder, scores, heads('value')), [0, 2, 1, 3]);
  const { before, after } = await push(builder.finish([{ name: 'y', value: reshape(builder, mixed, [-1, 6, 8]) }]));
  expect(before).toBe(5);
  expect(after).toBe(4);
});

it('names of layers stay, and every name is one', async () => {
  const network = new ChannelsLastNetwork();
  const { builder } = network;
  const x = network.convolution(network.input('x', IMAGE), 4);
  const active = builder.scope('block_1_relu', () => unary(builder, 'Relu', x));
  const { model } = await push(builder.finish([{ name: 'y', value: network.convolution(active, 2) }]));
  const relu = model.graph.nodes.find((node) => node.is('Relu'));
  expect([relu?.name, relu?.output().name]).toEqual(['block_1_relu/Relu', 'block_1_relu/Relu']);
  expect(new Set(model.graph.nodes.map(({ name }) => name)).size).toBe(model.graph.nodes.length);
});
