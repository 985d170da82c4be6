/** Products of matrices: Gemm has switches for what a Transpose does, MatMul none. */
import { attribute } from '../../../ir/attribute.js';
import type { Node } from '../../../ir/node.js';
import { isSameOrder, isSorted, type Order, range } from '../order.js';
import { canReorder, reorderTensor, reshapeTensor } from '../reorder-tensor.js';
import { orderOrNothing, type Reordering, type Rule, shapeOf, wants } from './rule.js';

export const gemm: Rule = (node, port, order) => {
  if (port.kind === 'output' || port.index > 1 || !isSameOrder(order, [1, 0])) {
    return wants(node, 'returns rows and columns');
  }
  const name = port.index === 0 ? 'transA' : 'transB';
  const inputs: (Order | undefined)[] = [];
  inputs[port.index] = order;
  return {
    inputs,
    outputs: [],
    apply: () => void node.attributes.set(name, attribute.int(1 - node.int(name, 0))),
  };
};

export const matMul: Rule = (node, port, order) => {
  const ranks = [0, 1].map((index) => shapeOf(node.input(index))?.length);
  const [a, b] = ranks;
  if (a === undefined || b === undefined || a < 2 || b < 2) return wants(node, 'multiplies operands of unknown rank');
  const rank = order.length;
  const isInner = rank >= 2 && order[rank - 1] === rank - 1 && order[rank - 2] === rank - 2;
  if (isInner) return acrossBatch(node, order, a, b);
  if (port.kind === 'input' && a === 2 && b === 2) return asGemm(node, port.index);
  return asConvolution(node, port, order, a) ?? wants(node, 'multiplies along the last axis');
};

/** Axes in front of the matrices change places in every operand that has them. */
function acrossBatch(node: Node, order: Order, a: number, b: number): Reordering | string {
  const rank = Math.max(a, b);
  if (order.length !== rank) return wants(node, 'broadcasts an operand of lower rank');
  const others = [a, b].map((own) => own === 2 || own === rank);
  if (others.includes(false)) return wants(node, 'broadcasts an operand of lower rank');
  const constants = [0, 1].map((index) => node.constantInput(index));
  if (constants.some((tensor, index) => tensor !== undefined && [a, b][index] === rank && !canReorder(tensor))) {
    return wants(node, 'reads a constant that cannot be reordered');
  }
  return {
    inputs: [a, b].map((own, index) => (own === rank && constants[index] === undefined ? order : undefined)),
    outputs: [order],
    apply(rewriter) {
      for (const [index, tensor] of constants.entries()) {
        if (tensor !== undefined && tensor.dims.length === rank) {
          rewriter.replaceConstant(node, index, reorderTensor(tensor, order));
        }
      }
    },
  };
}

/** Two matrices: Gemm transposes as it reads. */
function asGemm(node: Node, index: number): Reordering | string {
  const { elementType } = node.output();
  if (elementType === undefined || !['float32', 'float64', 'float16'].includes(elementType)) {
    return wants(node, 'multiplies other numbers than Gemm does');
  }
  const inputs: (Order | undefined)[] = [];
  inputs[index] = [1, 0];
  return {
    inputs,
    outputs: [],
    reluctant: true,
    apply() {
      node.opType = 'Gemm';
      node.attributes.set(index === 0 ? 'transA' : 'transB', attribute.int(1));
    },
  };
}

/** [N, …, C] · [C, D] with the channels brought to the front is a convolution with a window of one. */
function asConvolution(node: Node, port: { readonly kind: string; readonly index: number }, order: Order, a: number) {
  const weight = node.constantInput(1);
  const rank = order.length;
  const channelsFirst = [0, rank - 1, ...range(1, rank - 1)];
  if (weight?.elementType !== 'float32' || weight.dims.length !== 2 || rank < 3 || rank > 5 || a !== rank) return;
  if ((port.kind === 'input' && port.index !== 0) || !isSameOrder(order, channelsFirst)) return;
  const [inputs = 0, outputs = 0] = weight.dims;
  if (inputs === 0 || outputs === 0 || isSorted(order)) return;
  return {
    inputs: [orderOrNothing(order)],
    outputs: [orderOrNothing(order)],
    reluctant: true,
    apply(rewriter) {
      node.opType = 'Conv';
      const kernel = reorderTensor(weight, [1, 0]);
      rewriter.replaceConstant(node, 1, reshapeTensor(kernel, [outputs, inputs, ...Array(rank - 2).fill(1)]));
    },
  } satisfies Reordering;
}
