/** A transformer encoder as exporters write them (decomposed attention, LayerNorm and GELU), with seeded weights. */
import { attribute } from '../../lib/compiler/ir/attribute.js';
import { Graph } from '../../lib/compiler/ir/graph.js';
import { Model } from '../../lib/compiler/ir/model.js';
import { Node } from '../../lib/compiler/ir/node.js';
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import { Value } from '../../lib/compiler/ir/value.js';
import { randomNumbers } from '../../lib/compiler/runtime/sample-inputs.js';

export interface TransformerOptions {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly seed?: number;
}

/** Input `x` float32 [batch, sequence, width], output `y` of the same shape. 12 layers of width 480 hold 133 MB of weights. */
export function transformer({ layers, width, heads, seed = 1 }: TransformerOptions): Model {
  const random = randomNumbers(seed);
  const graph = new Graph('transformer');
  const model = new Model(graph, new Map([['', 17]]), { irVersion: 8 });
  const weight = (name: string, dims: number[], scale: number) => {
    const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => (random() * 2 - 1) * scale);
    return graph.addInitializer(name, Tensor.fromTyped('float32', dims, data));
  };
  const constant = (name: string, value: number) => graph.addInitializer(name, Tensor.scalar('float32', value));
  const op = (opType: string, inputs: Value[], name: string, attributes = {}) => {
    const value = new Value(name);
    graph.append(new Node(opType, inputs, [value], { name: `${name}/${opType}`, attributes }));
    return value;
  };
  const headWidth = width / heads;
  const split = graph.addInitializer('split_shape', Tensor.int64([0, 0, heads, headWidth]));
  const join = graph.addInitializer('join_shape', Tensor.int64([0, 0, width]));
  const half = constant('half', 0.5);
  const one = constant('one', 1);
  const two = constant('two', 2);
  const epsilon = constant('epsilon', 1e-5);
  const root = constant('sqrt2', Math.SQRT2);
  const scale = constant('scale', Math.sqrt(headWidth));
  const dense = (x: Value, out: number, into: number, name: string) =>
    op(
      'Add',
      [
        op('MatMul', [x, weight(`${name}.w`, [into, out], Math.sqrt(3 / into))], `${name}.mm`),
        weight(`${name}.b`, [out], 0.1),
      ],
      `${name}.out`,
    );
  const layerNorm = (x: Value, name: string) => {
    const axes = { axes: attribute.ints([-1]) };
    const centred = op('Sub', [x, op('ReduceMean', [x], `${name}.mean`, axes)], `${name}.centred`);
    const variance = op('ReduceMean', [op('Pow', [centred, two], `${name}.square`)], `${name}.var`, axes);
    const deviation = op('Sqrt', [op('Add', [variance, epsilon], `${name}.eps`)], `${name}.std`);
    const scaled = op(
      'Mul',
      [op('Div', [centred, deviation], `${name}.div`), weight(`${name}.g`, [width], 1)],
      `${name}.mul`,
    );
    return op('Add', [scaled, weight(`${name}.b`, [width], 0.1)], `${name}.out`);
  };
  const heads4 = (x: Value, name: string, perm: number[]) =>
    op('Transpose', [op('Reshape', [dense(x, width, width, name), split], `${name}.split`)], `${name}.heads`, {
      perm: attribute.ints(perm),
    });

  let x = graph.addInput('x', { kind: 'tensor', elementType: 'float32', shape: ['batch', 'sequence', width] });
  for (let layer = 0; layer < layers; layer++) {
    const at = (name: string) => `layer${layer}.${name}`;
    const q = heads4(x, at('q'), [0, 2, 1, 3]);
    const k = heads4(x, at('k'), [0, 2, 3, 1]);
    const v = heads4(x, at('v'), [0, 2, 1, 3]);
    const scores = op('Softmax', [op('Div', [op('MatMul', [q, k], at('qk')), scale], at('scaled'))], at('softmax'), {
      axis: attribute.int(-1),
    });
    const context = op('Transpose', [op('MatMul', [scores, v], at('context'))], at('merged'), {
      perm: attribute.ints([0, 2, 1, 3]),
    });
    const attention = dense(op('Reshape', [context, join], at('joined')), width, width, at('proj'));
    const middle = layerNorm(op('Add', [x, attention], at('residual1')), at('norm1'));
    const inner = dense(middle, 4 * width, width, at('ffn1'));
    const erf = op('Add', [op('Erf', [op('Div', [inner, root], at('gelu.div'))], at('gelu.erf')), one], at('gelu.add'));
    const gelu = op('Mul', [op('Mul', [inner, erf], at('gelu.mul')), half], at('gelu.out'));
    x = layerNorm(op('Add', [middle, dense(gelu, width, 4 * width, at('ffn2'))], at('residual2')), at('norm2'));
  }
  const y = new Value('y', { kind: 'tensor', elementType: 'float32', shape: ['batch', 'sequence', width] });
  graph.append(new Node('Identity', [x], [y]));
  graph.setOutputs([y]);
  return model;
}
