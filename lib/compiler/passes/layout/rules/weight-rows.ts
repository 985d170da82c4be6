/**
 * A Reshape that joins axes which a Transpose would part: where what it makes is multiplied by constant weights only, the rows of the
 * weights are put in the other order instead, once and for all.
 */
import type { Node } from '../../../ir/node.js';
import type { Tensor } from '../../../ir/tensor.js';
import type { Value } from '../../../ir/value.js';
import type { Order } from '../order.js';
import { canReorder, reorderTensor, reshapeTensor } from '../reorder-tensor.js';
import type { Rewriter } from '../rewriter.js';
import type { Size } from './reshape.js';
import type { Reordering } from './rule.js';

/** Weights up to this size are copied where others read them too. */
const MAXIMUM_COPY_BYTES = 65_536;

/** Operators on each element alone that may stand between the Reshape and the weights. */
const BETWEEN = ['Relu', 'Sigmoid', 'Tanh', 'Identity', 'Elu', 'Selu', 'LeakyRelu', 'HardSigmoid', 'HardSwish', 'Clip'];

type Change = (rewriter: Rewriter) => void;

/** For [N, …] → [N, all others in one]; undefined where the readers do not let it be. */
export function reorderedReaders(
  node: Node,
  order: Order,
  before: readonly Size[],
  after: readonly Size[],
): Reordering | undefined {
  const [batch, ...sizes] = before;
  if (order[0] !== 0 || after.length !== 2 || batch !== after[0]) return undefined;
  if (!sizes.every((size): size is number => typeof size === 'number')) return undefined;
  if (sizes.reduce((product, size) => product * size, 1) !== after[1]) return undefined;
  const rows = { sizes, order: order.slice(1).map((axis) => axis - 1) };
  const changes = readerChanges(node.output(), rows);
  if (changes === undefined) return undefined;
  return { inputs: [order], outputs: [], apply: (rewriter) => changes.forEach((change) => void change(rewriter)) };
}

interface Rows {
  readonly sizes: readonly number[];
  readonly order: Order;
}

/** What has to be done to every reader of a value of shape [N, rows]. */
function readerChanges(value: Value, rows: Rows): Change[] | undefined {
  if (value.isGraphOutput || value.uses.size === 0) return undefined;
  const changes: Change[] = [];
  for (const node of value.consumers) {
    const change = readerChange(node, value, rows);
    if (change === undefined) return undefined;
    changes.push(...change);
  }
  return changes;
}

function readerChange(node: Node, value: Value, rows: Rows): Change[] | undefined {
  if (node.graph !== value.producer?.graph || node.inputs.filter((input) => input === value).length !== 1) {
    return undefined;
  }
  const count = rows.sizes.reduce((product, size) => product * size, 1);
  if (node.is(...BETWEEN) && node.input(0) === value) return readerChanges(node.output(), rows);
  if (node.is('Dropout') && node.inputs.length === 1) return readerChanges(node.output(), rows);
  if (node.is('BatchNormalization') && node.int('training_mode', 0) === 0 && node.outputs.length === 1) {
    const vectors = [1, 2, 3, 4].map((index) => constantChange(node, index, [count], 0, rows));
    const further = readerChanges(node.output(), rows);
    return together(...vectors, further);
  }
  if (node.is('Add', 'Sub', 'Mul', 'Div', 'PRelu') && node.inputs.length === 2) {
    const index = node.input(0) === value ? 1 : 0;
    const constant = node.constantInput(index);
    if (constant === undefined || constant.dims.length > 2) return undefined;
    const further = readerChanges(node.output(), rows);
    if (constant.count === 1) return further;
    return together(constantChange(node, index, constant.dims, constant.dims.length - 1, rows), further);
  }
  if (node.input(0) !== value) return undefined;
  const weight = node.constantInput(1);
  if (weight?.dims.length !== 2) return undefined;
  if (node.is('MatMul')) return constantChange(node, 1, weight.dims, 0, rows);
  if (!node.is('Gemm') || node.int('transA', 0) === 1) return undefined;
  return constantChange(node, 1, weight.dims, node.int('transB', 0) === 1 ? 1 : 0, rows);
}

function together(...changes: readonly (Change[] | undefined)[]): Change[] | undefined {
  return changes.every((change) => change !== undefined) ? (changes as Change[][]).flat() : undefined;
}

function constantChange(
  node: Node,
  index: number,
  dims: readonly number[],
  axis: number,
  rows: Rows,
): Change[] | undefined {
  const tensor = node.constantInput(index);
  const count = rows.sizes.reduce((product, size) => product * size, 1);
  if (tensor === undefined || !canReorder(tensor) || dims[axis] !== count) return undefined;
  const shared = (node.input(index)?.uses.size ?? 0) > 1;
  if (shared && tensor.byteLength > MAXIMUM_COPY_BYTES) return undefined;
  return [(rewriter) => rewriter.replaceConstant(node, index, withReorderedAxis(tensor, axis, rows))];
}

function withReorderedAxis(tensor: Tensor, axis: number, { sizes, order }: Rows): Tensor {
  const [front, back] = [tensor.dims.slice(0, axis), tensor.dims.slice(axis + 1)];
  const apart = reshapeTensor(tensor, [...front, ...sizes, ...back]);
  const whole = [
    ...front.keys(),
    ...order.map((each) => each + front.length),
    ...back.map((_, index) => index + front.length + sizes.length),
  ];
  return reshapeTensor(reorderTensor(apart, whole), [...front, ...tensor.dims.slice(axis, axis + 1), ...back]);
}
