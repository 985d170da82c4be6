/** Keras's convolutions. */
import type { Tensor } from '../../../ir/tensor.js';
import type { Value } from '../../../ir/value.js';
import {
  convolution,
  depthwiseConvolution,
  separableConvolution,
  transposedConvolution,
} from '../../../lowering/convolution.js';
import type { GraphBuilder } from '../../../lowering/graph-builder.js';
import { reshapeTo, type SizeOf } from '../../../lowering/open-reshape.js';
import { rankOf } from '../../../lowering/shape.js';
import type { WindowOptions } from '../../../lowering/sliding-window.js';
import type { LayerCall, LayerLowering, LayerTable } from '../layer.js';
import { onlyInput } from '../only-input.js';
import { activated } from './activation.js';
import { dataFormatOf, paddingOf } from './spatial.js';

export const convolutionLayers: LayerTable = {
  ...named(['Conv1D', 'Convolution1D'], convolutionLayer(1)),
  ...named(['Conv2D', 'Convolution2D'], convolutionLayer(2)),
  ...named(['Conv3D', 'Convolution3D'], convolutionLayer(3)),
  DepthwiseConv1D: depthwiseLayer(1),
  DepthwiseConv2D: depthwiseLayer(2),
  ...named(['SeparableConv1D', 'SeparableConvolution1D'], separableLayer(1)),
  ...named(['SeparableConv2D', 'SeparableConvolution2D'], separableLayer(2)),
  ...named(['Conv1DTranspose', 'Convolution1DTranspose'], transposedLayer(1)),
  ...named(['Conv2DTranspose', 'Convolution2DTranspose'], transposedLayer(2)),
  ...named(['Conv3DTranspose', 'Convolution3DTranspose'], transposedLayer(3)),
};

function named(names: readonly string[], lowering: LayerLowering): LayerTable {
  return Object.fromEntries(names.map((name) => [name, lowering]));
}

/** kernel [k…, inputs / groups, filters]. */
function convolutionLayer(rank: number): LayerLowering {
  return layer(rank, ['kernel'], ({ builder }, x, { kernel }, options) =>
    withOneBatch(builder, x, rankOf(x) - rank - 1, (rows) => convolution(builder, rows, kernel, options)),
  );
}

/** Keras 2 takes any number of dimensions before those that it convolves. */
function withOneBatch(builder: GraphBuilder, x: Value, outer: number, write: (x: Value) => Value): Value {
  if (outer <= 1) return write(x);
  const sizes = (of: Value, from: number, to: number): SizeOf[] =>
    Array.from({ length: to - from }, (_, index) => ({ of, axis: from + index }));
  const y = write(reshapeTo(builder, x, [-1, ...sizes(x, outer, rankOf(x))]));
  return reshapeTo(builder, y, [...sizes(x, 0, outer), ...sizes(y, 1, rankOf(y))]);
}

/** kernel [k…, channels, multiplier]. */
function depthwiseLayer(rank: number): LayerLowering {
  return layer(rank, ['kernel'], (call, x, { kernel }, options) =>
    depthwiseConvolution(call.builder, x, kernel, options),
  );
}

/** kernels [k…, channels, multiplier] and [1…, channels · multiplier, filters]. */
function separableLayer(rank: number): LayerLowering {
  return layer(rank, ['depthwise_kernel', 'pointwise_kernel'], (call, x, weights, options) =>
    separableConvolution(call.builder, x, weights.depthwise_kernel, weights.pointwise_kernel, options),
  );
}

/** kernel [k…, filters, inputs]. */
function transposedLayer(rank: number): LayerLowering {
  return layer(rank, ['kernel'], (call, x, { kernel }, options) => {
    const { config } = call;
    const extra = config.has('output_padding') && { outputPadding: config.integers('output_padding', rank) };
    return transposedConvolution(call.builder, x, kernel, { ...options, ...extra });
  });
}

type Options = WindowOptions & { readonly bias?: Value; readonly dataFormat: 'channels_last' | 'channels_first' };

function layer<Name extends string>(
  rank: number,
  kernels: readonly Name[],
  lower: (call: LayerCall, x: Value, weights: Readonly<Record<Name, Value>>, options: Options) => Value,
): LayerLowering {
  return (call) => {
    const { builder, config } = call;
    const x = onlyInput(call).value;
    const usesBias = config.boolean('use_bias', true);
    const tensors: Readonly<Record<string, Tensor>> = call.weights.take(usesBias ? [...kernels, 'bias'] : kernels);
    const values = Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [name, builder.constant(tensor, name)]),
    );
    const { bias, ...weights } = values;
    const y = lower(call, x, weights as Record<Name, Value>, {
      strides: config.integers('strides', rank, ones(rank)),
      dilations: config.integers('dilation_rate', rank, ones(rank)),
      padding: paddingOf(config),
      dataFormat: dataFormatOf(config),
      ...(bias !== undefined && { bias }),
    });
    return [{ value: activated(call, y) }];
  };
}

function ones(rank: number): number[] {
  return Array.from({ length: rank }, () => 1);
}
