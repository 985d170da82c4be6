/** ConvLSTM1D, 2D and 3D. */
import { convLstm } from '../../../lowering/convolutional-recurrent.js';
import { shapeOf, shapeText } from '../../../lowering/shape.js';
import { ReaderError } from '../../reader-error.js';
import type { LayerCall, LayerLowering, LayerTable } from '../layer.js';
import { activationOf } from './activation.js';
import { recurrentOutputs, runOptions } from './recurrent.js';
import { gateActivation } from './recurrent-cells.js';
import { dataFormatOf, paddingOf } from './spatial.js';
import { checkedWeight } from './weight-dims.js';

function convLstmLayer(rank: number): LayerLowering {
  return (call: LayerCall) => {
    const { builder, config, weights } = call;
    const [input] = call.inputs;
    if (input === undefined || shapeOf(input.value).length !== rank + 3) {
      throw new ReaderError({
        code: 'LAYER_INPUTS',
        message: `${config.describes} needs [batch, steps, …, channels] with ${rank + 3} dimensions and is called with ${input === undefined ? 'nothing' : `[${shapeText(shapeOf(input.value))}]`}.`,
        advice: 'The file is damaged, or was written by a Keras that is not known here; save the model again.',
      });
    }
    const ones = Array.from({ length: rank }, () => 1);
    const sizes = config.integers('kernel_size', rank);
    const width = 4 * config.number('filters');
    const useBias = config.boolean('use_bias', true);
    const dataFormat = dataFormatOf(config);
    const names = ['kernel', 'recurrent_kernel'] as const;
    const cell = weights.child('cell');
    const tensors = useBias ? cell.take([...names, 'bias']) : { ...cell.take(names), bias: undefined };
    const channels = shapeOf(input.value)[dataFormat === 'channels_last' ? rank + 2 : 2];
    const kernel = checkedWeight(config, 'kernel', tensors.kernel, [...sizes, channels, width]);
    const recurrent = checkedWeight(config, 'recurrent_kernel', tensors.recurrent_kernel, [...sizes, width / 4, width]);
    const kernels = {
      kernel: builder.constant(kernel, 'kernel'),
      recurrentKernel: builder.constant(recurrent, 'recurrent_kernel'),
      ...(tensors.bias === undefined
        ? {}
        : { bias: builder.constant(checkedWeight(config, 'bias', tensors.bias, [width]), 'bias') }),
    };
    const run = convLstm(builder, input.value, kernels, {
      ...runOptions(call),
      activation: activationOf(call),
      recurrentActivation: gateActivation(call),
      dataFormat,
      window: {
        strides: config.integers('strides', rank, ones),
        dilations: config.integers('dilation_rate', rank, ones),
        padding: paddingOf(config),
      },
    });
    return recurrentOutputs(call, run);
  };
}

export const convolutionalRecurrentLayers: LayerTable = {
  ConvLSTM1D: convLstmLayer(1),
  ConvLSTM2D: convLstmLayer(2),
  ConvLSTM3D: convLstmLayer(3),
};
