/** Constant weights as the rows of a matrix: one row for each output channel, and the products along it in the order that they are summed. */
import type { Node } from '../../ir/node.js';
import type { Tensor } from '../../ir/tensor.js';
import type { Value } from '../../ir/value.js';
import { slotOf } from './weight-slots.js';

export interface WeightMatrix {
  readonly node: Node;
  /** Of the weights among the node's inputs. */
  readonly inputIndex: number;
  /** The initializer. */
  readonly value: Value;
  /** What a plan calls it: the initializer's name, or a slot of the node where the plan gives it one. */
  readonly name: string;
  /** float32. */
  readonly tensor: Tensor;
  /** Output channels; of a batched MatMul those of every matrix, of an LSTM those of every gate and direction. */
  readonly rows: number;
  /** Products that are summed for one output: K. */
  readonly depth: number;
  /** Rows that multiply the same inputs: all of them but for convolutions with groups. */
  readonly rowsPerGroup: number;
  /**
   * Where element `k` of a row lies in the tensor. Along a row of a convolution the input channel runs fastest, then the last dimension of
   * the kernel: onnxruntime's integer kernels sum in this order, which is not that of the tensor.
   */
  indexOf(row: number, k: number): number;
}

/**
 * Weights of Conv, MatMul, Gemm (input 1) and LSTM (inputs 1 and 2); none where they are not constant float32.
 * @param weights of a plan, which replace the model's
 */
export function weightMatricesOf(node: Node, weights?: ReadonlyMap<string, Tensor>): WeightMatrix[] {
  return (node.is('LSTM') ? [1, 2] : [1]).flatMap((inputIndex) => {
    const value = node.input(inputIndex);
    const constant = node.constantInput(inputIndex);
    if (value === undefined || constant === undefined) return [];
    const slot = slotOf(node, inputIndex);
    const name = weights?.has(slot) === true ? slot : value.name;
    const tensor = weights?.get(name) ?? constant;
    if (tensor.elementType !== 'float32' || tensor.count === 0) return [];
    const layout = layoutOf(node, tensor.dims);
    return layout === undefined ? [] : [{ node, inputIndex, value, name, tensor, ...layout }];
  });
}

type Layout = Pick<WeightMatrix, 'rows' | 'depth' | 'rowsPerGroup' | 'indexOf'>;

function layoutOf(node: Node, dims: readonly number[]): Layout | undefined {
  if (node.is('Conv')) return convolution(dims, node.int('group', 1));
  if (node.is('MatMul')) return dims.length < 2 ? undefined : columns(dims);
  if (node.is('Gemm') && dims.length === 2 && node.int('transA', 0) === 0) {
    return node.int('transB', 0) === 1 ? rows(dims) : columns(dims);
  }
  return node.is('LSTM') && dims.length === 3 ? rows(dims) : undefined;
}

function convolution(dims: readonly number[], groups: number): Layout | undefined {
  const [rowCount = 0, channels = 0, ...kernel] = dims;
  const window = productOf(kernel);
  const depth = channels * window;
  if (dims.length < 3 || rowCount % groups !== 0) return undefined;
  return {
    rows: rowCount,
    depth,
    rowsPerGroup: rowCount / groups,
    indexOf: (row, k) => row * depth + (k % channels) * window + Math.floor(k / channels),
  };
}

/** Stored as [… , K, N]: a row of the matrix is a column of the tensor. */
function columns(dims: readonly number[]): Layout {
  const [depth = 0, width = 0] = dims.slice(-2);
  const rowCount = productOf(dims.slice(0, -2)) * width;
  return {
    rows: rowCount,
    depth,
    rowsPerGroup: rowCount,
    indexOf: (row, k) => Math.floor(row / width) * depth * width + k * width + (row % width),
  };
}

/** Stored as [… , K]. */
function rows(dims: readonly number[]): Layout {
  const depth = dims.at(-1) ?? 0;
  const rowCount = productOf(dims.slice(0, -1));
  return { rows: rowCount, depth, rowsPerGroup: rowCount, indexOf: (row, k) => row * depth + k };
}

function productOf(sizes: readonly number[]): number {
  return sizes.reduce((product, size) => product * size, 1);
}

/** Whether onnxruntime has a kernel of its own for the node, which sums in 32 bits: one channel in and one out of every group. */
export function isDepthwise({ node, depth, rowsPerGroup, tensor }: WeightMatrix): boolean {
  const window = productOf(tensor.dims.slice(2));
  return node.is('Conv') && node.int('group', 1) > 1 && rowsPerGroup === 1 && depth === window;
}

/** The weights row after row, in the order of the sums. */
export function gatherRows({ tensor, rows: rowCount, depth, indexOf }: WeightMatrix): Float32Array {
  const stored = tensor.typed() as Float32Array;
  const gathered = new Float32Array(rowCount * depth);
  for (let row = 0, at = 0; row < rowCount; row++) {
    for (let k = 0; k < depth; k++, at++) gathered[at] = stored[indexOf(row, k)] ?? 0;
  }
  return gathered;
}
