/** Convolutions. */
import type { Value } from '../../../ir/value.js';
import { convolution, depthwiseConvolution, transposedConvolution } from '../../../lowering/convolution.js';
import { knownElements } from '../../../lowering/known-elements.js';
import { rememberConvolution } from '../dilated-convolution.js';
import type { OpCall, OpTable } from '../op-call.js';
import { addBias, fused } from './fused.js';
import { dataFormatOf, paddingOf, spatialEntries } from './windows.js';

export const CONVOLUTION_OPS: OpTable = {
  BiasAdd: (call) => addBias(call, call.input(0), call.input(1), dataFormatOf(call)),
  BiasAddV1: (call) => addBias(call, call.input(0), call.input(1), 'channels_last'),
  Conv2D: (call) => convolved(call, [1, 1, 1, 1]),
  Conv2DBackpropInput: (call) => transposed(call, [1, 1, 1, 1]),
  Conv3D: (call) => convolved(call, [1, 1, 1, 1, 1]),
  Conv3DBackpropInputV2: (call) => transposed(call, [1, 1, 1, 1, 1]),
  DepthwiseConv2dNative: (call) => depthwise(call),
  FusedDepthwiseConv2dNative: (call) => fused(call, depthwise(call), 2, dataFormatOf(call)),
  _FusedConv2D: (call) => fused(call, convolved(call, [1, 1, 1, 1]), 2, dataFormatOf(call)),
  _FusedDepthwiseConv2dNative: (call) => fused(call, depthwise(call), 2, dataFormatOf(call)),
};

function windowOf(call: OpCall, none: readonly number[]) {
  return {
    strides: spatialEntries(call, 'strides', none),
    dilations: spatialEntries(call, 'dilations', none),
    padding: paddingOf(call),
    dataFormat: dataFormatOf(call),
  };
}

function convolved(call: OpCall, none: readonly number[]): Value {
  return withHoles(call, convolution, windowOf(call, none));
}

function depthwise(call: OpCall): Value {
  return withHoles(call, depthwiseConvolution, windowOf(call, [1, 1, 1, 1]));
}

/** A plain convolution, which may turn out to be of one phase of a dilated one. */
function withHoles(
  call: OpCall,
  convolve: typeof convolution | typeof depthwiseConvolution,
  window: ReturnType<typeof windowOf>,
): Value {
  const { builder } = call;
  const [x, kernel] = [call.input(0), call.input(1)];
  const result = convolve(builder, x, kernel, window);
  const isPlain = window.padding === 'valid' && [...window.strides, ...window.dilations].every((step) => step === 1);
  if (!isPlain || window.dataFormat !== 'channels_last') return result;
  return rememberConvolution(result, x, kernel, (space, dilations, padding) => {
    return convolve(builder, space, kernel, { ...window, dilations, padding });
  });
}

/** The result's sizes come first, then the kernel, then what is convolved: it is the gradient of a convolution. */
function transposed(call: OpCall, none: readonly number[]): Value {
  const window = windowOf(call, none);
  const sizes = knownElements(call.input(0)) ?? [];
  const spatial = window.dataFormat === 'channels_first' ? sizes.slice(2) : sizes.slice(1, -1);
  return transposedConvolution(call.builder, call.input(2), call.input(1), {
    ...window,
    outputSizes: spatial.map((size) => (typeof size === 'number' ? size : undefined)),
  });
}
