/** The axis along which a weight has a scale for each output channel. */
import type { Node } from '../../ir/node.js';

/** @param dims of the weight of a Conv, MatMul, Gemm or LSTM; the directions of an LSTM share the scales of its gates' rows */
export function channelAxisOf(node: Node, dims: readonly number[]): number {
  if (node.is('LSTM')) return 1;
  return node.is('Conv') || (node.is('Gemm') && node.int('transB', 0) === 1) ? 0 : dims.length - 1;
}
