/** Matrices in blocks of neighbours along K, each with a scale of its own, bit for bit as onnxruntime's MatMulNBits quantizer makes them. */
import type { BlockwiseRecipe } from '../../../../artifact/recipe.js';
import { Tensor } from '../../../ir/tensor.js';
import type { QuantizedWeight } from '../../plan.js';

export type BlockOptions = Pick<BlockwiseRecipe, 'bits' | 'blockSize' | 'symmetric'>;

/** How a weight is read as K rows of N columns; element (k, n) is at k · rowStride + n · columnStride. */
export interface MatrixLayout {
  readonly rows: number;
  readonly columns: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** @param dims two @param transposed whether they are [N, K] */
export function matrixLayout(dims: readonly number[], transposed: boolean): MatrixLayout {
  const [first = 0, second = 0] = dims;
  return transposed
    ? { rows: second, columns: first, rowStride: 1, columnStride: second }
    : { rows: first, columns: second, rowStride: second, columnStride: 1 };
}

/**
 * Rounds a float32 matrix to blocks.
 * @returns integers as uint8, one a byte, of the weight's dims; `parameters` are of `uint4` or `uint8` with a scale and a zero point per
 * block, those of column n from n · ceil(K / blockSize) on, and no axis
 */
export function quantizeBlocks(
  name: string,
  weight: Tensor,
  transposed: boolean,
  options: BlockOptions,
): QuantizedWeight {
  const { bits, blockSize, symmetric } = options;
  const layout = matrixLayout(weight.dims, transposed);
  const numbers = weight.typed() as Float32Array;
  const integers = new Uint8Array(numbers.length);
  const scale: number[] = [];
  const zeroPoint: number[] = [];
  const highest = 2 ** bits - 1;
  forEachBlock(layout, blockSize, (start, length) => {
    const range = rangeOf(numbers, start, length, layout.rowStride);
    const chosen = symmetric ? symmetricBlock(range, bits) : asymmetricBlock(range, highest);
    scale.push(chosen.scale);
    zeroPoint.push(chosen.zeroPoint);
    const reciprocal = chosen.scale === 0 ? 0 : Math.fround(1 / chosen.scale);
    for (let step = 0, index = start; step < length; step++, index += layout.rowStride) {
      const units = Math.fround(Math.fround((numbers[index] ?? 0) * reciprocal) + chosen.zeroPoint);
      integers[index] = clamp(Math.round(units), highest);
    }
  });
  return {
    integers: Tensor.fromTyped('uint8', weight.dims, integers),
    parameters: { tensor: name, dataType: bits === 4 ? 'uint4' : 'uint8', scale, zeroPoint },
  };
}

/** (integer - zero point) · scale of the element's block, in float32: what the operator multiplies with at accuracy level 0. */
export function dequantizeBlocks(
  { integers, parameters }: QuantizedWeight,
  transposed: boolean,
  blockSize: number,
): Tensor {
  const layout = matrixLayout(integers.dims, transposed);
  const stored = integers.typed() as Uint8Array;
  const numbers = new Float32Array(stored.length);
  let block = 0;
  forEachBlock(layout, blockSize, (start, length) => {
    const scale = parameters.scale[block] ?? 0;
    const zeroPoint = parameters.zeroPoint[block] ?? 0;
    for (let step = 0, index = start; step < length; step++, index += layout.rowStride) {
      numbers[index] = ((stored[index] ?? 0) - zeroPoint) * scale;
    }
    block++;
  });
  return Tensor.fromTyped('float32', integers.dims, numbers);
}

/** Column by column, the blocks of each from its first row on. */
export function forEachBlock(
  { rows, columns, rowStride, columnStride }: MatrixLayout,
  blockSize: number,
  visit: (start: number, length: number) => void,
): void {
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row < rows; row += blockSize) {
      visit(row * rowStride + column * columnStride, Math.min(blockSize, rows - row));
    }
  }
}

interface Range {
  readonly min: number;
  readonly max: number;
}

function rangeOf(numbers: Float32Array, start: number, length: number, stride: number): Range {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let step = 0, index = start; step < length; step++, index += stride) {
    const number = numbers[index] ?? 0;
    if (number < min) min = number;
    if (number > max) max = number;
  }
  return { min, max };
}

/** The number of the largest magnitude becomes the lowest integer, which has one more step than the highest. */
function symmetricBlock({ min, max }: Range, bits: number) {
  const middle = 2 ** (bits - 1);
  const largest = Math.abs(max) > Math.abs(min) ? max : min;
  return { scale: normal(largest / -middle), zeroPoint: middle };
}

function asymmetricBlock(range: Range, highest: number) {
  const [min, max] = [Math.min(range.min, 0), Math.max(range.max, 0)];
  const width = Math.fround(max - min);
  // Where the width itself is beyond float32 the double serves.
  const scale = normal((Number.isFinite(width) ? width : max - min) / highest);
  const zeroPoint = scale === 0 ? 0 : Math.fround(0 - Math.fround(min / scale));
  return { scale, zeroPoint: clamp(Math.round(zeroPoint), highest) };
}

const SMALLEST_NORMAL = 2 ** -126;

/** The reciprocal of a smaller scale would be infinite: the block is zeros. The sign of a zero is kept, as onnxruntime does. */
function normal(scale: number): number {
  const rounded = Math.fround(scale);
  return Math.abs(rounded) < SMALLEST_NORMAL ? 0 * rounded : rounded;
}

/** Halves were rounded up, which above 0 is away from it, as C's roundf does. */
function clamp(number: number, highest: number): number {
  return Math.max(0, Math.min(number, highest));
}
