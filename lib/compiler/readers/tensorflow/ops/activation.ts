/** Activations. */
import { elu, leakyRelu, logSoftmax, prelu, selu, softmax } from '../../../lowering/activation.js';
import { clip, type UnaryOperator, unary } from '../../../lowering/elementwise.js';
import type { OpLowering, OpTable } from '../op-call.js';

const plain =
  (operator: UnaryOperator): OpLowering =>
  (call) =>
    unary(call.builder, operator, call.input(0));

export const ACTIVATION_OPS: OpTable = {
  Elu: (call) => elu(call.builder, call.input(0), 1),
  LeakyRelu: (call) => leakyRelu(call.builder, call.input(0), call.attributes.float('alpha', 0.2)),
  LogSoftmax: (call) => logSoftmax(call.builder, call.input(0), -1),
  Prelu: (call) => prelu(call.builder, call.input(0), call.input(1)),
  Relu: plain('Relu'),
  Relu6: (call) => clip(call.builder, call.input(0), 0, 6),
  Selu: (call) => selu(call.builder, call.input(0)),
  Sigmoid: plain('Sigmoid'),
  Softmax: (call) => softmax(call.builder, call.input(0), [-1]),
  Softplus: plain('Softplus'),
  Softsign: plain('Softsign'),
  Tanh: plain('Tanh'),
};
