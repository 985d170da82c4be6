/** LSTM as com.microsoft.DynamicQuantizeLSTM: W and R as 8-bit integers, transposed, with a scale per direction or per row. */
import type { DynamicRecipe } from '../../../artifact/recipe.js';
import { attribute } from '../../ir/attribute.js';
import { Node } from '../../ir/node.js';
import { Tensor } from '../../ir/tensor.js';
import type { Value } from '../../ir/value.js';
import { quantizeWeight } from '../parameters/quantize-weight.js';
import type { QuantizedWeight } from '../plan.js';
import type { SchemeContext } from '../scheme.js';
import { type ConstantWeight, Derived, weightOf } from './constant-weight.js';
import { transpose } from './quantize-matrix.js';

export function lstmRefusal(node: Node): string | undefined {
  if (node.int('layout', 0) !== 0) return `${node.describe()} has its batch first, which the quantized LSTM cannot`;
  for (const index of [1, 2]) {
    const weight = weightOf(node, index);
    if (typeof weight === 'string') return `${weight}, and it is a weight of ${node.describe()}`;
    if (weight.tensor.dims.length !== 3) return `'${weight.value.name}' does not have three axes`;
  }
  return undefined;
}

interface QuantizedGates {
  readonly integers: Value;
  readonly scale: Value;
  readonly zeroPoint: Value;
}

export class DynamicLstms {
  readonly #context: SchemeContext;
  readonly #gates = new Derived<QuantizedGates>();

  constructor(context: SchemeContext) {
    this.#context = context;
  }

  /** @returns the weights that it no longer reads */
  rewrite(node: Node, recipe: DynamicRecipe): readonly ConstantWeight[] {
    const [w, r] = [weightOf(node, 1), weightOf(node, 2)];
    const { graph } = node;
    if (typeof w === 'string' || typeof r === 'string' || graph === undefined) return [];
    const [input, recurrent] = [this.#quantized(w, recipe), this.#quantized(r, recipe)];
    const attributes = new Map(node.attributes);
    attributes.delete('layout');
    attributes.set('hidden_size', attribute.int(r.tensor.dims[2] ?? 0));
    const rest = [3, 4, 5, 6, 7].map((index) => node.input(index));
    graph.insertBefore(
      node,
      new Node(
        'DynamicQuantizeLSTM',
        [
          ...[node.input(0), input.integers, recurrent.integers, ...rest],
          ...[input.scale, input.zeroPoint, recurrent.scale, recurrent.zeroPoint],
        ],
        node.outputs,
        { domain: 'com.microsoft', name: node.name, attributes },
      ),
    );
    graph.remove(node);
    return [w, r];
  }

  #quantized(weight: ConstantWeight, recipe: DynamicRecipe): QuantizedGates {
    const { weights: dataType, perChannel, reduceRange } = recipe;
    return this.#gates.get(weight.value, `${dataType} ${perChannel} ${reduceRange}`, () => {
      const [directions = 1, rows = 1, columns = 1] = weight.tensor.dims;
      const given = this.#context.quantizedWeight(weight.value.name);
      const usable = given?.parameters.dataType === dataType && perChannel === (given.parameters.axis === 1);
      const channels = perChannel ? directions * rows : directions;
      const { integers, parameters } = usable ? perDirection(given, directions) : rounded(weight, recipe, channels);
      const size = rows * columns;
      const bytes = new Uint8Array(directions * size);
      for (let start = 0; start < bytes.length; start += size) {
        const storage = { kind: 'bytes', bytes: integers.bytes().subarray(start, start + size) } as const;
        bytes.set(transpose(new Tensor(dataType, [rows, columns], storage)).bytes(), start);
      }
      const dims = perChannel ? [directions, rows] : [directions];
      const add = (suffix: string, tensor: Tensor) =>
        weight.graph.addInitializer(this.#context.model.freshName(`${weight.value.name}_${suffix}`), tensor);
      return {
        integers: add(dataType, new Tensor(dataType, [directions, columns, rows], { kind: 'bytes', bytes })),
        scale: add('scale', Tensor.fromNumbers('float32', dims, parameters.scale)),
        zeroPoint: add('zero_point', Tensor.fromNumbers(dataType, dims, parameters.zeroPoint)),
      };
    });
  }
}

/** Rounded to the nearest, with a scale per channel. */
function rounded({ value, tensor }: ConstantWeight, recipe: DynamicRecipe, channels: number): QuantizedWeight {
  const { weights: dataType, reduceRange } = recipe;
  const numbers = tensor.typed() as Float32Array;
  const flat = Tensor.fromTyped('float32', [channels, numbers.length / channels], numbers);
  return quantizeWeight(value.name, flat, { dataType, reduceRange, axis: 0 });
}

/** Integers that were chosen before: the directions share their scales, and the operator wants them for each. */
function perDirection({ integers, parameters }: QuantizedWeight, directions: number): QuantizedWeight {
  const repeated = (numbers: readonly number[]) => Array.from({ length: directions }, () => numbers).flat();
  const { scale, zeroPoint } = parameters;
  return { integers, parameters: { ...parameters, scale: repeated(scale), zeroPoint: repeated(zeroPoint) } };
}
