/** C of a Gemm, times beta, for an Add behind the product that takes the Gemm's place. */
import type { Model } from '../../ir/model.js';
import { Node } from '../../ir/node.js';
import { Tensor } from '../../ir/tensor.js';
import { Value } from '../../ir/value.js';
import { type ConstantWeight, Derived, weightOf } from './constant-weight.js';

export interface GemmBias {
  readonly value: Value;
  /** What computes it. */
  readonly nodes: readonly Node[];
  /** The constant that it was made of and that is no longer read. */
  readonly weight?: ConstantWeight;
}

/** All biases of one rewrite: what several nodes share is written once. */
export class GemmBiases {
  readonly #model: Model;
  readonly #rows = new Derived<Value>();
  readonly #factors = new Derived<Value>();

  constructor(model: Model) {
    this.#model = model;
  }

  /** undefined for a node that adds nothing. */
  of(node: Node): GemmBias | undefined {
    const value = node.opType === 'Gemm' ? node.input(2) : undefined;
    const beta = node.float('beta', 1);
    if (value === undefined || beta === 0) return undefined;
    const weight = weightOf(node, 2);
    if (typeof weight === 'object') return this.#constant(weight, beta);
    if (beta === 1) return { value, nodes: [] };
    const factor = this.#factors.get(this.#model, `${beta}`, () =>
      this.#model.graph.addInitializer(this.#model.freshName('beta'), Tensor.scalar('float32', beta)),
    );
    const scaled = new Value(this.#model.freshName(`${value.name}_scaled`));
    return { value: scaled, nodes: [new Node('Mul', [value, factor], [scaled])] };
  }

  #constant(weight: ConstantWeight, beta: number): GemmBias {
    const { value, tensor, graph } = weight;
    // onnxruntime fuses a bias of one axis only.
    const dims = tensor.dims.length === 2 && tensor.dims[0] === 1 ? tensor.dims.slice(1) : tensor.dims;
    if (beta === 1 && dims === tensor.dims) return { value, nodes: [] };
    const made = this.#rows.get(value, `${beta}`, () => {
      const numbers = Float32Array.from(tensor.typed() as Float32Array, (number) => number * beta);
      const name = this.#model.freshName(`${value.name}_bias`);
      return graph.addInitializer(name, Tensor.fromTyped('float32', dims, numbers));
    });
    return { value: made, nodes: [], weight };
  }
}
