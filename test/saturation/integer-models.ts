/** Models of one integer operator as onnxruntime fuses it from QuantizeLinear and DequantizeLinear, and what it must answer. */
import { attribute } from '../../lib/compiler/ir/attribute.js';
import type { Node } from '../../lib/compiler/ir/node.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import { weightMatricesOf } from '../../lib/compiler/quantize/accuracy/weight-matrix.js';
import { ModelBuilder } from '../support/model-builder.js';

/** An operator with float32 weights, for its shapes. */
export type LinearShape =
  | {
      readonly opType: 'Conv';
      readonly outputChannels: number;
      readonly channelsPerGroup: number;
      readonly groups: number;
      readonly kernel: readonly number[];
    }
  | {
      readonly opType: 'MatMul' | 'Gemm';
      readonly depth: number;
      readonly columns: number;
      readonly transposed?: boolean;
    };

/** Dims of its weights. */
export function weightDims(shape: LinearShape): number[] {
  if (shape.opType === 'Conv') return [shape.outputChannels, shape.channelsPerGroup, ...shape.kernel];
  return shape.transposed === true ? [shape.columns, shape.depth] : [shape.depth, shape.columns];
}

function attributesOf(shape: LinearShape) {
  if (shape.opType === 'Conv') {
    return { group: attribute.int(shape.groups), kernel_shape: attribute.ints(shape.kernel) };
  }
  return shape.opType === 'Gemm' ? { transB: attribute.int(shape.transposed === true ? 1 : 0) } : {};
}

/** The operator in float32, to be asked for its weights' layout. */
export function linearNode(shape: LinearShape, weights: Float32Array): Node {
  const builder = new ModelBuilder(17);
  const x = builder.input('x', inputDims(shape));
  const weight = builder.floats(weights, weightDims(shape));
  const node = builder.add(shape.opType, [x, weight], { attributes: attributesOf(shape) }).producer;
  if (node === undefined) throw new TypeError('a node was added');
  return node;
}

/** The kernel fits once: one output for each channel. */
export function inputDims(shape: LinearShape): number[] {
  return shape.opType === 'Conv' ? [1, shape.channelsPerGroup * shape.groups, ...shape.kernel] : [2, shape.depth];
}

const OUTPUT_SCALE = 4096;

/**
 * Quantized with zero point 0 and scale 1 going in, scales of the weights, a large scale coming out.
 * @param inputType of the activations; uint8 is what saturates
 */
export function integerModel(
  shape: LinearShape,
  integers: Int8Array,
  scale: readonly number[],
  inputType: 'uint8' | 'int8' = 'uint8',
): Uint8Array {
  const builder = new ModelBuilder(17);
  const zero = () => builder.constant(Tensor.fromNumbers(inputType, [], [inputType === 'int8' ? -128 : 0]));
  const dims = weightDims(shape);
  const axis = shape.opType === 'Conv' || shape.transposed === true ? 0 : 1;
  const isPerChannel = scale.length > 1;
  const x = builder.add('DequantizeLinear', [
    builder.input('x', inputDims(shape), inputType),
    builder.scalar(1),
    zero(),
  ]);
  const weight = builder.add(
    'DequantizeLinear',
    [
      builder.constant(Tensor.fromTyped('int8', dims, integers)),
      isPerChannel ? builder.floats(scale) : builder.floats(scale, []),
      builder.constant(Tensor.fromTyped('int8', isPerChannel ? [scale.length] : [], new Int8Array(scale.length))),
    ],
    { attributes: { axis: attribute.int(axis) } },
  );
  const y = builder.add(shape.opType, [x, weight], { attributes: attributesOf(shape) });
  // An int16 output is not fused; a coarse 8-bit one is.
  const middle = () => builder.constant(Tensor.fromNumbers(inputType, [], [inputType === 'int8' ? 0 : 128]));
  const quantized = builder.add('QuantizeLinear', [y, builder.scalar(OUTPUT_SCALE), middle()]);
  const out = builder.add('DequantizeLinear', [quantized, builder.scalar(OUTPUT_SCALE), middle()]);
  return modelToBytes(builder.finish([out]));
}

/** The largest rounding of `integerModel`'s output. */
export const OUTPUT_ROUNDING = OUTPUT_SCALE / 2 + 1;

/** DynamicQuantizeLinear and MatMulInteger, whose sums come out as they are: the input's largest value must be 255, its smallest 0. */
export function dynamicModel(depth: number, columns: number, integers: Int8Array): Uint8Array {
  const builder = new ModelBuilder(17);
  const x = builder.input('x', ['rows', depth]);
  const [quantized, scale, zeroPoint] = builder.addAll('DynamicQuantizeLinear', [x], { outputs: ['xq', 'xs', 'xz'] });
  const weight = builder.constant(Tensor.fromTyped('int8', [depth, columns], integers));
  const none = builder.constant(Tensor.fromNumbers('int8', [], [0]));
  const sums = builder.add('MatMulInteger', [quantized, weight, zeroPoint, none]);
  const floats = builder.add('Cast', [sums], { attributes: { to: attribute.int(1) } });
  return modelToBytes(builder.finish([builder.add('Mul', [floats, builder.add('Mul', [scale, builder.scalar(1)])])]));
}

/** Exact sums of products for one input row after the other, in plain numbers: [row][output channel]. */
export function exactSums(
  shape: LinearShape,
  integers: Int8Array,
  scale: readonly number[],
  input: ArrayLike<number>,
): number[][] {
  const [matrix] = weightMatricesOf(linearNode(shape, new Float32Array(integers.length)));
  if (matrix === undefined) throw new TypeError('the weights are constant');
  const { rows, depth, rowsPerGroup, indexOf } = matrix;
  const inputs = shape.opType === 'Conv' ? 1 : 2;
  const window = shape.opType === 'Conv' ? shape.kernel.reduce((a, b) => a * b, 1) : 1;
  const channels = depth / window;
  return Array.from({ length: inputs }, (_, inputRow) =>
    Array.from({ length: rows }, (__, row) => {
      const group = Math.floor(row / rowsPerGroup);
      let sum = 0;
      for (let k = 0; k < depth; k++) {
        const at =
          shape.opType === 'Conv'
            ? (group * channels + (k % channels)) * window + Math.floor(k / channels)
            : inputRow * depth + k;
        sum += (integers[indexOf(row, k)] ?? 0) * (input[at] ?? 0);
      }
      return sum * (scale[scale.length === 1 ? 0 : row] ?? 1);
    }),
  );
}
