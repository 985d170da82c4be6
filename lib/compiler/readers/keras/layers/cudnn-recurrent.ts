/** CuDNNLSTM and CuDNNGRU of Keras 2 and TensorFlow 1: the weights lie as NVIDIA's library wants them. */
import type { Tensor } from '../../../ir/tensor.js';
import type { Dimension, Value } from '../../../ir/value.js';
import { binary } from '../../../lowering/elementwise.js';
import { concat, reshape, split, transpose } from '../../../lowering/rearrange.js';
import {
  gru,
  lstm,
  type RecurrentOptions,
  type RecurrentRun,
  recurrentActivation,
} from '../../../lowering/recurrent.js';
import { requiredSize, shapeOf } from '../../../lowering/shape.js';
import type { LayerCall } from '../layer.js';
import { checkedWeight } from './weight-dims.js';

/** tanh and sigmoid, two biases, and a GRU that resets after the product: there is no other. */
export function runOfCudnn(
  { builder, config, weights }: LayerCall,
  className: 'CuDNNLSTM' | 'CuDNNGRU',
  x: Value,
  options: RecurrentOptions,
): RecurrentRun {
  const gates = className === 'CuDNNLSTM' ? 4 : 3;
  const units = config.number('units');
  const tensors = weights.take(['kernel', 'recurrent_kernel', 'bias']);
  const constant = (name: string, tensor: Tensor, shape: readonly Dimension[]) => {
    return builder.constant(checkedWeight(config, name, tensor, shape), name);
  };
  const width = gates * units;
  const [bias, recurrentBias] = split(builder, constant('bias', tensors.bias, [2 * width]), 0, [width, width]) as [
    Value,
    Value,
  ];
  const kernels = {
    kernel: turned(builder, constant('kernel', tensors.kernel, [shapeOf(x)[2], width]), gates),
    recurrentKernel: turned(builder, constant('recurrent_kernel', tensors.recurrent_kernel, [units, width]), gates),
  };
  const activation = recurrentActivation('tanh');
  const activations = { activation, recurrentActivation: recurrentActivation('sigmoid') };
  if (className === 'CuDNNLSTM') {
    return lstm(
      builder,
      x,
      { ...kernels, bias: binary(builder, 'Add', bias, recurrentBias) },
      { ...options, ...activations },
    );
  }
  return gru(builder, x, { ...kernels, bias, recurrentBias }, { ...options, ...activations, resetAfter: true });
}

/** Each gate's numbers are those of a matrix [units, rows] in a row, whatever their shape says. */
function turned(builder: LayerCall['builder'], kernel: Value, gates: number): Value {
  const rows = requiredSize(kernel, 0, 'A recurrent layer');
  const units = requiredSize(kernel, 1, 'A recurrent layer') / gates;
  const parts = split(
    builder,
    kernel,
    1,
    Array.from({ length: gates }, () => units),
  );
  return concat(
    builder,
    parts.map((part) => transpose(builder, reshape(builder, part, [units, rows]), [1, 0])),
    1,
  );
}
