/** Operators that work on each element alone, or on elements that broadcasting brings together. */
import { attribute } from '../../../ir/attribute.js';
import type { Node } from '../../../ir/node.js';
import { Tensor } from '../../../ir/tensor.js';
import type { Value, ValueType } from '../../../ir/value.js';
import { isSorted, type Order, range, reordered } from '../order.js';
import { canReorder, reorderTensor, reshapeTensor } from '../reorder-tensor.js';
import type { Rewriter } from '../rewriter.js';
import { frontAxis, orderOrNothing, type Reordering, type Rule, shapeOf, throughout, wants } from './rule.js';

/** The first input, and whatever the others are: bounds, types, ratios. */
export const unary: Rule = (node, _port, order) => throughout(node, order, [0]);

export const dropout: Rule = (node, _port, order) => {
  const training = node.constantInput(2);
  if (node.input(2) !== undefined && (training === undefined || training.bytes().some((byte) => byte !== 0))) {
    return wants(node, 'may be set for training');
  }
  return throughout(node, order, [0]);
};

/** QuantizeLinear and DequantizeLinear, of one scale or of one per index of an axis. */
export const quantization: Rule = (node, _port, order) => {
  if (node.int('block_size', 0) !== 0) return wants(node, 'has a scale per block');
  const scale = shapeOf(node.input(1));
  if (scale === undefined) return wants(node, 'has scales of unknown shape');
  if (scale.length === 0) return throughout(node, order, [0]);
  const axis = frontAxis(node.int('axis', 1), order.length);
  if (axis === undefined || scale.length > 1) return wants(node, 'has scales that do not fit');
  return throughout(node, order, [0], () => node.attributes.set('axis', attribute.int(order.indexOf(axis))));
};

/** DynamicQuantizeLinear: its scale and its zero point are of the whole tensor. */
export const dynamicQuantization: Rule = (_node, _port, order) => ({
  inputs: [order],
  outputs: [order],
  apply: () => {},
});

/** What an operand of a broadcasting operator has to become. */
type Operand =
  | { readonly kind: 'same' }
  | { readonly kind: 'order'; readonly order: Order }
  | { readonly kind: 'constant'; readonly tensor: Tensor; readonly order: Order }
  | { readonly kind: 'axes'; readonly removed: readonly number[]; readonly added: readonly number[] };

/** Any number of inputs that broadcast, Where and PRelu included. An operand of lower rank gets the axes that it needs. */
export const broadcast: Rule = (node, port, order) => {
  const ranks = node.inputs.map((value) => shapeOf(value)?.length);
  if (ranks.includes(undefined)) return wants(node, 'has an operand of unknown rank');
  const rank = Math.max(...(ranks as number[]));
  if (port.kind === 'output' && order.length !== rank) return wants(node, 'returns another rank than it was said to');
  const lead = rank - order.length;
  const full = [...range(0, lead), ...order.map((axis) => axis + lead)];
  const operands: Operand[] = [];
  for (const index of node.inputs.keys()) {
    const operand = operandOf(node, index, full);
    if (typeof operand === 'string') return operand;
    operands.push(operand);
  }
  return {
    inputs: operands.map((operand) => (operand.kind === 'order' ? operand.order : undefined)),
    outputs: [orderOrNothing(full)],
    apply(rewriter) {
      // Somebody has to have all the axes that the result has.
      const holdsRank = operands.some(({ kind }, index) => {
        return (kind === 'order' || kind === 'same') && ranks[index] === rank;
      });
      for (const [index, operand] of operands.entries()) applyOperand(rewriter, node, index, operand, !holdsRank);
    },
  } satisfies Reordering;
};

function operandOf(node: Node, index: number, full: Order): Operand | string {
  const shape = shapeOf(node.input(index));
  if (shape === undefined) return wants(node, 'has an operand of unknown rank');
  if (shape.every((size) => size === 1)) return { kind: 'same' };
  const lead = full.length - shape.length;
  const tensor = node.constantInput(index);
  if (tensor !== undefined) {
    return canReorder(tensor)
      ? { kind: 'constant', tensor, order: full }
      : wants(node, `reads a constant of ${tensor.elementType}`);
  }
  if (isSorted(full.slice(0, lead))) {
    const own = full.slice(lead).map((axis) => axis - lead);
    return isSorted(own) ? { kind: 'same' } : { kind: 'order', order: own };
  }
  const moving = full.filter((axis) => axis >= lead && shape[axis - lead] !== 1);
  if (moving.some((axis, position) => position > 0 && axis < (moving[position - 1] as number))) {
    return wants(node, `broadcasts '${node.input(index)?.name ?? ''}', whose axes would change places`);
  }
  const first = full.indexOf(moving[0] as number);
  const kept = new Set(moving);
  return {
    kind: 'axes',
    removed: range(0, shape.length).filter((axis) => !kept.has(axis + lead)),
    added: range(0, full.length - first).filter((axis) => !kept.has(full[axis + first] as number)),
  };
}

function applyOperand(rewriter: Rewriter, node: Node, index: number, operand: Operand, keepsRank: boolean): void {
  if (operand.kind === 'constant') {
    rewriter.replaceConstant(node, index, reorderBroadcast(operand.tensor, operand.order, keepsRank));
  } else if (operand.kind === 'axes') {
    const value = node.input(index);
    if (value === undefined) return;
    const squeezed = withAxes(rewriter, 'Squeeze', value, operand.removed);
    node.setInput(index, withAxes(rewriter, 'Unsqueeze', squeezed, operand.added));
  }
}

/** A constant that broadcasts to the rank of `order`, for the reordered result: axes of size 1 in front are left out, if they may be. */
function reorderBroadcast(tensor: Tensor, order: Order, keepsRank: boolean): Tensor {
  const lead = order.length - tensor.dims.length;
  const whole = reshapeTensor(tensor, [...new Array<number>(lead).fill(1), ...tensor.dims]);
  const result = reorderTensor(whole, order);
  if (keepsRank) return result;
  const ones = result.dims.findIndex((size) => size !== 1);
  return reshapeTensor(result, ones < 0 ? [] : result.dims.slice(ones));
}

function withAxes(rewriter: Rewriter, opType: 'Squeeze' | 'Unsqueeze', value: Value, axes: readonly number[]): Value {
  if (axes.length === 0) return value;
  const shape = shapeOf(value);
  const { elementType } = value;
  let type: ValueType | undefined;
  if (shape !== undefined && elementType !== undefined) {
    const concerned = new Set(axes);
    const rest = [...shape];
    const after =
      opType === 'Squeeze'
        ? shape.filter((_, axis) => !concerned.has(axis))
        : range(0, shape.length + axes.length).map((axis) => (concerned.has(axis) ? 1 : rest.shift()));
    type = { kind: 'tensor', elementType, shape: after };
  }
  const name = `${value.name}/${opType}`;
  return rewriter.add(opType, [value, rewriter.int64(axes, `${name}/axes`)], type, name);
}

/** Expand: the shape that it is given broadcasts with its input. */
export const expand: Rule = (node, port, order) => {
  const [shape, target] = [shapeOf(node.input(0)), shapeOf(node.input(1))];
  const length = target?.length === 1 ? target[0] : undefined;
  if (shape === undefined || typeof length !== 'number') return wants(node, 'expands to an unknown rank');
  const rank = Math.max(shape.length, length);
  if (port.kind === 'output' && order.length !== rank) {
    return wants(node, 'returns another rank than it was said to');
  }
  const lead = rank - order.length;
  const full = [...range(0, lead), ...order.map((axis) => axis + lead)];
  const sizes = node.constantInput(1);
  // A target of fewer axes is filled up with ones, which only a constant can be here.
  if (length < rank && sizes === undefined) return wants(node, 'expands by a computed shape of lower rank');
  const operand = operandOf(node, 0, full);
  if (typeof operand === 'string') return operand;
  return {
    inputs: [operand.kind === 'order' ? operand.order : undefined],
    outputs: [orderOrNothing(full)],
    apply(rewriter) {
      applyOperand(rewriter, node, 0, operand, length < rank);
      if (length === rank) rewriter.reorderVector(node, 1, full);
      else if (sizes !== undefined) {
        const ones = new Array<bigint>(rank - length).fill(1n);
        const whole = [...ones, ...(sizes.typed() as BigInt64Array)];
        rewriter.replaceConstant(node, 1, Tensor.int64(reordered(whole, full)));
      }
    },
  };
};
