/** Keras's convolutions. */
import type { Dimension, Value } from '../../../ir/value.js';
import {
  convolution,
  depthwiseConvolution,
  separableConvolution,
  transposedConvolution,
} from '../../../lowering/convolution.js';
import type { GraphBuilder } from '../../../lowering/graph-builder.js';
import { reshapeTo, type SizeOf } from '../../../lowering/open-reshape.js';
import { rankOf, type Shape, shapeOf } from '../../../lowering/shape.js';
import type { DataFormat, WindowOptions } from '../../../lowering/sliding-window.js';
import type { LayerCall, LayerLowering, LayerTable } from '../layer.js';
import { onlyInput } from '../only-input.js';
import { activated } from './activation.js';
import { dataFormatOf, paddingOf } from './spatial.js';
import { checkedWeight } from './weight-dims.js';

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

function convolutionLayer(rank: number): LayerLowering {
  // A filter reads the channels of its group; how many groups there are follows from the kernel.
  const shapes = ({ size, filters }: Sizes) => ({ kernel: [...size, undefined, filters], bias: [filters] });
  return layer(rank, shapes, ({ builder }, x, { kernel }, options) =>
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

function depthwiseLayer(rank: number): LayerLowering {
  const shapes = ({ size, channels, multiplier }: Sizes) => ({
    kernel: [...size, channels, multiplier],
    bias: [typeof channels === 'number' ? channels * multiplier : undefined],
  });
  return layer(rank, shapes, ({ builder }, x, { kernel }, options) =>
    depthwiseConvolution(builder, x, kernel, options),
  );
}

function separableLayer(rank: number): LayerLowering {
  const shapes = ({ size, channels, multiplier, filters }: Sizes) => ({
    depthwise_kernel: [...size, channels, multiplier],
    pointwise_kernel: [...ones(rank), typeof channels === 'number' ? channels * multiplier : undefined, filters],
    bias: [filters],
  });
  return layer(rank, shapes, ({ builder }, x, weights, options) =>
    separableConvolution(builder, x, weights.depthwise_kernel, weights.pointwise_kernel, options),
  );
}

function transposedLayer(rank: number): LayerLowering {
  const shapes = ({ size, channels, filters }: Sizes) => ({ kernel: [...size, filters, channels], bias: [filters] });
  return layer(rank, shapes, ({ builder, config }, x, { kernel }, options) => {
    const extra = config.has('output_padding') && { outputPadding: config.integers('output_padding', rank) };
    return transposedConvolution(builder, x, kernel, { ...options, ...extra });
  });
}

/** What the shapes of a layer's weights are made of. */
interface Sizes {
  /** Of the window. */
  readonly size: readonly number[];
  readonly channels: Dimension;
  /** Undefined for layers that have none. */
  readonly filters: number | undefined;
  readonly multiplier: number;
}

type Options = WindowOptions & { readonly bias?: Value; readonly dataFormat: DataFormat };

/** @param shapes of the weights, in Keras's order */
function layer<Shapes extends Readonly<Record<string, Shape>>>(
  rank: number,
  shapes: (sizes: Sizes) => Shapes,
  lower: (call: LayerCall, x: Value, weights: Readonly<Record<keyof Shapes, Value>>, options: Options) => Value,
): LayerLowering {
  return (call) => {
    const { builder, config } = call;
    const x = onlyInput(call).value;
    const dataFormat = dataFormatOf(config);
    const expected = shapes({
      size: config.integers('kernel_size', rank),
      channels: shapeOf(x)[dataFormat === 'channels_first' ? 1 : rankOf(x) - 1],
      filters: config.has('filters') ? config.number('filters') : undefined,
      multiplier: config.number('depth_multiplier', 1),
    });
    const names = Object.keys(expected).filter((name) => name !== 'bias' || config.boolean('use_bias', true));
    const tensors = Object.entries(call.weights.take(names));
    const values = Object.fromEntries(
      tensors.map(([name, tensor]) => {
        return [name, builder.constant(checkedWeight(config, name, tensor, expected[name] ?? []), name)];
      }),
    );
    const { bias } = values;
    const y = lower(call, x, values as Record<keyof Shapes, Value>, {
      strides: config.integers('strides', rank, ones(rank)),
      dilations: config.integers('dilation_rate', rank, ones(rank)),
      padding: paddingOf(config),
      dataFormat,
      ...(bias !== undefined && { bias }),
    });
    return [{ value: activated(call, y) }];
  };
}

function ones(rank: number): number[] {
  return Array.from({ length: rank }, () => 1);
}
