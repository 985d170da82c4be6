/** Small networks as readers of channels-last formats write them, with a type for every value. */
import { attribute } from '../../lib/compiler/ir/attribute.js';
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import type { Dimension, Value } from '../../lib/compiler/ir/value.js';
import { GraphBuilder } from '../../lib/compiler/lowering/graph-builder.js';
import { toChannelsFirst, toChannelsLast } from '../../lib/compiler/lowering/rearrange.js';
import { requiredSize, shapeOf } from '../../lib/compiler/lowering/shape.js';
import { randomNumbers } from '../../lib/compiler/runtime/sample-inputs.js';

/** In [-1, 1). */
export function randomFloats(dims: readonly number[], seed: number): Tensor {
  const random = randomNumbers(seed);
  const count = dims.reduce((product, size) => product * size, 1);
  return Tensor.fromNumbers(
    'float32',
    dims,
    Array.from({ length: count }, () => random() * 2 - 1),
  );
}

export class ChannelsLastNetwork {
  readonly builder = new GraphBuilder();
  #seed = 100;

  input(name: string, shape: readonly Dimension[]): Value {
    return this.builder.input(name, { elementType: 'float32', shape });
  }

  /** In [-1, 1). */
  random(dims: readonly number[], name?: string): Value {
    return this.builder.constant(randomFloats(dims, this.#seed++), name);
  }

  /** A 3×3 convolution without strides, sizes kept; of rank 3 one along the sequence. */
  convolution(x: Value, channels: number): Value {
    const first = toChannelsFirst(this.builder, x);
    const window = shapeOf(x).length - 2;
    const kernel = this.random([channels, requiredSize(x, -1, 'a convolution'), ...new Array<number>(window).fill(3)]);
    const shape = [shapeOf(first)[0], channels, ...shapeOf(first).slice(2)];
    const attributes = { pads: attribute.ints(new Array<number>(2 * window).fill(1)) };
    const result = this.builder.node('Conv', [first, kernel], { elementType: 'float32', shape }, { attributes });
    return toChannelsLast(this.builder, result);
  }
}
