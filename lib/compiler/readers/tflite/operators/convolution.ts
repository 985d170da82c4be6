/** Convolutions over [N, H, W, C]; kernels are [filters, H, W, inputs]. */
import type { OptionsOf } from '../../../formats/tflite/options.js';
import type { Value } from '../../../ir/value.js';
import { convolution, depthwiseConvolution, transposedConvolution } from '../../../lowering/convolution.js';
import { shapeOf } from '../../../lowering/shape.js';
import type { OperatorCall } from '../operator-call.js';
import { computing, type OperatorTable } from '../operator-table.js';
import { biasOf, weightOf } from '../weights.js';

type PaddingName = 'same' | 'valid';

/** Enum Padding of schema.fbs. */
export function paddingOf(call: OperatorCall, padding: number): PaddingName {
  if (padding === 0) return 'same';
  if (padding === 1) return 'valid';
  throw call.error('OPTIONS_INVALID', `has the padding ${padding}, which is not known`);
}

function strides(options: { readonly strideHeight: number; readonly strideWidth: number }): readonly [number, number] {
  return [options.strideHeight, options.strideWidth];
}

function dilations({ dilationHeight, dilationWidth }: OptionsOf<'DepthwiseConv2DOptions' | 'Conv2DOptions'>) {
  return [dilationHeight, dilationWidth] as const;
}

function withBias(call: OperatorCall, input: number, weight: number, bias: number): { readonly bias?: Value } {
  const value = biasOf(call, { input, weight, bias });
  return value === undefined ? {} : { bias: value };
}

export const convolutions: OperatorTable = {
  CONV_2D: computing((call) => {
    const options = call.options('Conv2DOptions');
    const result = convolution(call.builder, call.input(0), weightOf(call, 1, [0, 3, 1, 2]), {
      ...withBias(call, 0, 1, 2),
      kernelLayout: 'OIHW',
      padding: paddingOf(call, options.padding),
      strides: strides(options),
      dilations: dilations(options),
    });
    return call.activated(result, options.activation);
  }),
  CONV_3D: computing((call) => {
    const options = call.options('Conv3DOptions');
    const result = convolution(call.builder, call.input(0), call.input(1), {
      ...withBias(call, 0, 1, 2),
      kernelLayout: 'HWIO',
      padding: paddingOf(call, options.padding),
      strides: [options.strideDepth, options.strideHeight, options.strideWidth],
      dilations: [options.dilationDepth, options.dilationHeight, options.dilationWidth],
    });
    return call.activated(result, options.activation);
  }),
  DEPTHWISE_CONV_2D: computing((call) => {
    const options = call.options('DepthwiseConv2DOptions');
    // [1, H, W, channels · multiplier]
    const result = depthwiseConvolution(call.builder, call.input(0), weightOf(call, 1, [3, 0, 1, 2]), {
      ...withBias(call, 0, 1, 2),
      kernelLayout: 'OIHW',
      padding: paddingOf(call, options.padding),
      strides: strides(options),
      dilations: dilations(options),
    });
    return call.activated(result, options.activation);
  }),
  TRANSPOSE_CONV: computing((call) => {
    const options = call.options('TransposeConvOptions');
    // Sizes that the graph computes are for an open batch: what is declared tells the rest.
    const sizes = call.constantNumbers(0) ?? call.declaredShape();
    const x = call.input(2);
    if (sizes.length !== shapeOf(x).length) throw call.error('SHAPE_MISMATCH', `makes [${sizes.join(', ')}]`);
    const result = transposedConvolution(call.builder, x, weightOf(call, 1, [3, 0, 1, 2]), {
      ...withBias(call, 2, 1, 3),
      kernelLayout: 'IOHW',
      padding: paddingOf(call, options.padding),
      strides: strides(options),
      outputSizes: sizes.slice(1, 3),
    });
    return call.activated(result, options.activation);
  }),
};
