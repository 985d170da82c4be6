/** The bytes that com.microsoft.MatMulNBits reads. */
import { Tensor } from '../../../ir/tensor.js';
import type { QuantizedWeight } from '../../plan.js';
import { type BlockOptions, matrixLayout } from './quantize-blocks.js';

export interface PackedBlocks {
  /** uint8 [N, blocks, blockSize · bits / 8]: the low half of a byte comes first, a block's end beyond K is 0. */
  readonly integers: Tensor;
  /** float32 [N, blocks]. */
  readonly scale: Tensor;
  /** uint8 [N, ceil(blocks · bits / 8)]; undefined where all are in the middle, which is what the operator assumes. */
  readonly zeroPoint: Tensor | undefined;
}

/** @param quantized as `quantizeBlocks` returns it @param alpha multiplies the scales */
export function packBlocks(
  { integers, parameters }: QuantizedWeight,
  transposed: boolean,
  { bits, blockSize }: Pick<BlockOptions, 'bits' | 'blockSize'>,
  alpha = 1,
): PackedBlocks {
  const { rows, columns, rowStride, columnStride } = matrixLayout(integers.dims, transposed);
  const blocks = Math.ceil(rows / blockSize);
  const stored = integers.typed() as Uint8Array;
  const perByte = 8 / bits;
  const packed = new Uint8Array((columns * blocks * blockSize) / perByte);
  for (let column = 0; column < columns; column++) {
    const start = column * blocks * blockSize;
    for (let row = 0; row < rows; row++) {
      put(packed, start + row, stored[row * rowStride + column * columnStride] ?? 0, bits);
    }
  }
  const scale = Float32Array.from(parameters.scale, (number) => number * alpha);
  return {
    integers: Tensor.fromTyped('uint8', [columns, blocks, blockSize / perByte], packed),
    scale: Tensor.fromTyped('float32', [columns, blocks], scale),
    zeroPoint: packZeroPoints(parameters.zeroPoint, columns, blocks, bits),
  };
}

function packZeroPoints(
  zeroPoint: readonly number[],
  columns: number,
  blocks: number,
  bits: number,
): Tensor | undefined {
  const middle = 2 ** (bits - 1);
  if (zeroPoint.every((number) => number === middle)) return undefined;
  const bytes = Math.ceil((blocks * bits) / 8);
  const packed = new Uint8Array(columns * bytes);
  for (let column = 0; column < columns; column++) {
    const start = (column * bytes * 8) / bits;
    for (let block = 0; block < blocks; block++) {
      put(packed, start + block, zeroPoint[column * blocks + block] ?? middle, bits);
    }
    if (bits === 4 && blocks % 2 === 1) put(packed, start + blocks, middle, bits);
  }
  return Tensor.fromTyped('uint8', [columns, bytes], packed);
}

function put(packed: Uint8Array, index: number, integer: number, bits: number): void {
  if (bits === 8) packed[index] = integer;
  else packed[index >> 1] = (packed[index >> 1] ?? 0) | (integer << ((index & 1) * 4));
}
