/** Convolutions. */
import type { Value } from '../../../ir/value.js';
import { convolution, depthwiseConvolution, transposedConvolution } from '../../../lowering/convolution.js';
import { knownElements } from '../../../lowering/known-elements.js';
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
  return convolution(call.builder, call.input(0), call.input(1), windowOf(call, none));
}

function depthwise(call: OpCall): Value {
  return depthwiseConvolution(call.builder, call.input(0), call.input(1), windowOf(call, [1, 1, 1, 1]));
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
