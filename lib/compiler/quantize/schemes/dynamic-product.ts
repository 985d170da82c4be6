/** MatMul and Gemm as DynamicQuantizeLinear → MatMulInteger → Cast → Mul, and an Add for the bias of Gemm. */
import type { DynamicRecipe } from '../../../artifact/recipe.js';
import { attribute } from '../../ir/attribute.js';
import { elementTypeNumber } from '../../ir/element-type.js';
import type { Graph } from '../../ir/graph.js';
import { Node } from '../../ir/node.js';
import { Tensor } from '../../ir/tensor.js';
import { Value } from '../../ir/value.js';
import type { SchemeContext } from '../scheme.js';
import { type ConstantWeight, type Declined, Derived, nameOf, weightOf } from './constant-weight.js';
import { GemmBiases } from './gemm-bias.js';
import { type QuantizedMatrix, quantizeMatrix } from './quantize-matrix.js';

const TO_FLOAT32 = { to: attribute.int(elementTypeNumber('float32')) };

export function productRefusal(node: Node): string | undefined {
  if (node.int('transA', 0) !== 0) return `${node.describe()} transposes its input`;
  const weight = weightOf(node, 1);
  if (typeof weight === 'string') return `${weight}, and it is what ${node.describe()} multiplies with`;
  if (typeof weightOf(node, 0) === 'object') return `${node.describe()} has no input to quantize at run time`;
  return undefined;
}

interface QuantizedInput {
  readonly integers: Value;
  readonly scale: Value;
  readonly zeroPoint: Value;
}

interface QuantizedOperand {
  readonly integers: Value;
  readonly scale: Value;
  readonly zeroPoint: Value | undefined;
}

/** All products of one rewrite: an input that several read is quantized once, and so are weights. */
export class DynamicProducts {
  readonly #context: SchemeContext;
  readonly #declined: Declined[];
  /** By the graph that the product stands in: what an If does not reach must not be computed. */
  readonly #inputs = new Map<Graph, Map<Value, QuantizedInput>>();
  readonly #matrices = new Derived<{ readonly matrix: QuantizedMatrix; readonly integers: Value } | string>();
  readonly #operands = new Derived<QuantizedOperand>();
  readonly #biases: GemmBiases;

  constructor(context: SchemeContext, declined: Declined[]) {
    this.#context = context;
    this.#declined = declined;
    this.#biases = new GemmBiases(context.model);
  }

  /** @returns the weights that it no longer reads */
  rewrite(node: Node, recipe: DynamicRecipe): readonly ConstantWeight[] {
    const weight = weightOf(node, 1);
    const x = node.input(0);
    const { graph } = node;
    if (typeof weight === 'string' || x === undefined || graph === undefined) return [];
    const operand = this.#operand(node, weight, recipe);
    if (typeof operand === 'string') {
      this.#declined.push({ node: nameOf(node), reason: operand });
      return [];
    }
    const input = this.#input(graph, x, node);
    const bias = this.#biases.of(node);
    const name = (suffix: string) => new Value(this.#context.model.freshName(`${node.output().name}_${suffix}`));
    const [sum, real, scale] = [name('int32'), name('real'), name('scale')];
    const unshifted = bias === undefined ? node.output() : name('product');
    const { zeroPoint } = operand;
    const integers = [
      input.integers,
      operand.integers,
      input.zeroPoint,
      ...(zeroPoint === undefined ? [] : [zeroPoint]),
    ];
    const nodes = [
      new Node('MatMulInteger', integers, [sum], { name: node.name }),
      new Node('Cast', [sum], [real], { attributes: TO_FLOAT32 }),
      new Node('Mul', [input.scale, operand.scale], [scale]),
      new Node('Mul', [real, scale], [unshifted]),
    ];
    if (bias !== undefined) nodes.push(...bias.nodes, new Node('Add', [unshifted, bias.value], [node.output()]));
    graph.insertBefore(node, ...nodes);
    graph.remove(node);
    return [weight, ...(bias?.weight === undefined ? [] : [bias.weight])];
  }

  #input(graph: Graph, x: Value, before: Node): QuantizedInput {
    const known = this.#inputs.get(graph)?.get(x);
    if (known !== undefined) return known;
    const name = (suffix: string) => new Value(this.#context.model.freshName(`${x.name}_${suffix}`));
    const made = { integers: name('uint8'), scale: name('scale'), zeroPoint: name('zero_point') };
    graph.insertBefore(before, new Node('DynamicQuantizeLinear', [x], [made.integers, made.scale, made.zeroPoint]));
    this.#inputs.set(graph, (this.#inputs.get(graph) ?? new Map<Value, QuantizedInput>()).set(x, made));
    return made;
  }

  #operand(node: Node, weight: ConstantWeight, recipe: DynamicRecipe): QuantizedOperand | string {
    const { model } = this.#context;
    const transposed = node.int('transB', 0) === 1;
    const alpha = node.float('alpha', 1);
    const key = `${transposed} ${recipe.weights} ${recipe.perChannel} ${recipe.reduceRange}`;
    const add = (suffix: string, tensor: Tensor) =>
      weight.graph.addInitializer(model.freshName(`${weight.value.name}_${suffix}`), tensor);
    const stored = this.#matrices.get(weight.value, key, () => {
      const given = this.#context.quantizedWeight(weight.value.name);
      const matrix = quantizeMatrix(weight, { ...recipe, transposed, given });
      return typeof matrix === 'string' ? matrix : { matrix, integers: add(recipe.weights, matrix.integers) };
    });
    if (typeof stored === 'string') return stored;
    const { matrix, integers } = stored;
    return this.#operands.get(weight.value, `${key} ${alpha}`, () => {
      const scale = Float32Array.from(matrix.scale.typed() as Float32Array, (number) => number * alpha);
      return {
        integers,
        scale: add('scale', Tensor.fromTyped('float32', matrix.scale.dims, scale)),
        zeroPoint: matrix.zeroPoint === undefined ? undefined : add('zero_point', matrix.zeroPoint),
      };
    });
  }
}
