/**
 * Linear operators as products of a matrix: which numbers of the input make one row of X, which of the output the row of Y, and how the
 * weights lie. Only rows that are asked for are laid out.
 */
import type { Node } from '../ir/node.js';
import type { Tensor } from '../ir/tensor.js';
import type { Value } from '../ir/value.js';

export interface FloatTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** A Conv, Gemm or MatMul, Y = X·W + bias with W [inputs, outputs]. */
export interface LinearRows {
  readonly node: Node;
  readonly weight: Value;
  /** The constant that is added per output, in the node or right behind it. */
  readonly bias: Value | undefined;
  /** Rows of W and columns, for the weights as they are now. */
  readonly inputs: number;
  readonly outputs: number;
  /** How many rows an output holds. */
  rowCount(output: FloatTensor): number;
  /** Fills `x` with row `row` of X, for an output of these dimensions (whose channels do not matter). */
  inputRow(input: FloatTensor, outputDims: readonly number[], row: number, x: Float64Array): void;
  outputRow(output: FloatTensor, row: number, y: Float64Array): void;
  /** W of a weight tensor, and back. */
  toMatrix(weight: Tensor): Float64Array;
  fromMatrix(matrix: Float64Array, weight: Tensor): Float32Array;
}

/** A string says why the node has no such form. Its input and output are fetched with it, without the bias behind a MatMul. */
export function linearRowsOf(node: Node): LinearRows | string {
  const weight = node.input(1);
  const tensor = node.constantInput(1);
  if (weight === undefined || tensor?.elementType !== 'float32') return 'its weights are not a float32 constant';
  if (node.is('Conv')) return convolutionRows(node, weight, tensor);
  if (node.is('Gemm', 'MatMul')) return productRows(node, weight, tensor);
  return `the weights of ${node.opType} are not recovered`;
}

function biasOf(node: Node, outputs: number): Value | undefined {
  const isVector = (reader: Node, index: number) => {
    const constant = reader.constantInput(index);
    const value = reader.input(index);
    return constant?.elementType === 'float32' && constant.count === outputs && constant.dims.at(-1) === outputs
      ? value?.uses.size === 1
      : false;
  };
  if (!node.is('MatMul')) return isVector(node, 2) ? node.input(2) : undefined;
  const next = node.output().soleConsumer;
  if (!next?.is('Add')) return undefined;
  const index = next.input(0) === node.output() ? 1 : 0;
  return isVector(next, index) ? next.input(index) : undefined;
}

function productRows(node: Node, weight: Value, tensor: Tensor): LinearRows | string {
  const [rows, columns] = tensor.dims;
  if (rows === undefined || columns === undefined || tensor.dims.length !== 2) return 'its weights are not a matrix';
  if (node.int('transA', 0) === 1) return 'it transposes its input';
  if (node.float('alpha', 1) !== 1 || node.float('beta', 1) !== 1) return 'it scales its product';
  const transposed = node.int('transB', 0) === 1;
  const [inputs, outputs] = transposed ? [columns, rows] : [rows, columns];
  const copy = (from: Float32Array, width: number, row: number, to: Float64Array) => {
    for (let index = 0; index < width; index++) to[index] = from[row * width + index] ?? 0;
  };
  const turn = (matrix: ArrayLike<number>, height: number, width: number) =>
    Float64Array.from({ length: height * width }, (_, index) => {
      return matrix[(index % height) * width + Math.floor(index / height)] ?? 0;
    });
  return {
    node,
    weight,
    bias: biasOf(node, outputs),
    inputs,
    outputs,
    rowCount: ({ data }) => data.length / Math.max(1, outputs),
    inputRow: (input, _, row, x) => copy(input.data, inputs, row, x),
    outputRow: (output, row, y) => copy(output.data, outputs, row, y),
    toMatrix: (from) => {
      const numbers = from.typed() as Float32Array;
      return transposed ? turn(numbers, rows, columns) : Float64Array.from(numbers);
    },
    fromMatrix: (matrix) => Float32Array.from(transposed ? turn(matrix, columns, rows) : matrix),
  };
}

function convolutionRows(node: Node, weight: Value, tensor: Tensor): LinearRows | string {
  if (node.int('group', 1) !== 1) return 'it works in groups';
  const [outputs = 0, channels = 0, ...kernel] = tensor.dims;
  const window = kernel.reduce((a, b) => a * b, 1);
  const inputs = channels * window;
  const strides = node.ints('strides') ?? kernel.map(() => 1);
  const dilations = node.ints('dilations') ?? kernel.map(() => 1);
  const taps = Array.from({ length: window }, (_, index) => coordinates(index, kernel));
  return {
    node,
    weight,
    bias: biasOf(node, outputs),
    inputs,
    outputs,
    rowCount: ({ data }) => data.length / Math.max(1, outputs),
    inputRow(input, outputDims, row, x) {
      const [space, outSpace] = [input.dims.slice(2), outputDims.slice(2)];
      const [area, outArea] = [space, outSpace].map((sizes) => sizes.reduce((a, b) => a * b, 1));
      const begin = beginPads(node, space, outSpace, kernel, strides, dilations);
      const position = coordinates(row % (outArea ?? 1), outSpace);
      const start = Math.floor(row / (outArea ?? 1)) * channels * (area ?? 1);
      for (const [tap, offsets] of taps.entries()) {
        let at = 0;
        for (const [axis, size] of space.entries()) {
          const index =
            (position[axis] ?? 0) * (strides[axis] ?? 1) -
            (begin[axis] ?? 0) +
            (offsets[axis] ?? 0) * (dilations[axis] ?? 1);
          at = index < 0 || index >= size || at < 0 ? -1 : at * size + index;
        }
        for (let channel = 0; channel < channels; channel++) {
          x[channel * window + tap] = at < 0 ? 0 : (input.data[start + channel * (area ?? 1) + at] ?? 0);
        }
      }
    },
    outputRow({ dims, data }, row, y) {
      const area = dims.slice(2).reduce((a, b) => a * b, 1);
      const start = Math.floor(row / area) * outputs * area + (row % area);
      for (let channel = 0; channel < outputs; channel++) y[channel] = data[start + channel * area] ?? 0;
    },
    toMatrix: (from) => {
      const numbers = from.typed() as Float32Array;
      return Float64Array.from({ length: inputs * outputs }, (_, index) => {
        return numbers[(index % outputs) * inputs + Math.floor(index / outputs)] ?? 0;
      });
    },
    fromMatrix: (matrix) =>
      Float32Array.from({ length: inputs * outputs }, (_, index) => {
        return matrix[(index % inputs) * outputs + Math.floor(index / inputs)] ?? 0;
      }),
  };
}

function coordinates(index: number, sizes: readonly number[]): number[] {
  const result = new Array<number>(sizes.length).fill(0);
  let rest = index;
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    const size = sizes[axis] ?? 1;
    result[axis] = rest % size;
    rest = Math.floor(rest / size);
  }
  return result;
}

/** Padding in front of each spatial axis. */
function beginPads(
  node: Node,
  space: readonly number[],
  outSpace: readonly number[],
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): readonly number[] {
  const automatic = node.string('auto_pad', 'NOTSET');
  if (automatic === 'NOTSET') return node.ints('pads') ?? kernel.map(() => 0);
  if (automatic === 'VALID') return kernel.map(() => 0);
  return kernel.map((size, axis) => {
    const reach = ((outSpace[axis] ?? 1) - 1) * (strides[axis] ?? 1) + (size - 1) * (dilations[axis] ?? 1) + 1;
    const total = Math.max(0, reach - (space[axis] ?? 0));
    return automatic === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
  });
}
