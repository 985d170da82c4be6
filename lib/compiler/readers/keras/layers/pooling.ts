/** Keras's pools. */

import type { Value } from '../../../ir/value.js';
import { binary, cast, where } from '../../../lowering/elementwise.js';
import { elementTypeOf, type GraphBuilder } from '../../../lowering/graph-builder.js';
import { adaptivePool, globalPool, type PoolKind, pool } from '../../../lowering/pooling.js';
import { unsqueeze } from '../../../lowering/rearrange.js';
import { reduce } from '../../../lowering/reduce.js';
import type { LayerLowering, LayerTable } from '../layer.js';
import { onlyInput } from '../only-input.js';
import { dataFormatOf, paddingOf } from './spatial.js';

export const poolingLayers: LayerTable = Object.fromEntries(
  [1, 2, 3].flatMap((rank): [string, LayerLowering][] => [
    [`MaxPooling${rank}D`, poolLayer('max', rank)],
    [`MaxPool${rank}D`, poolLayer('max', rank)],
    [`AveragePooling${rank}D`, poolLayer('average', rank)],
    [`AvgPool${rank}D`, poolLayer('average', rank)],
    [`GlobalMaxPooling${rank}D`, globalLayer('max')],
    [`GlobalMaxPool${rank}D`, globalLayer('max')],
    [`GlobalAveragePooling${rank}D`, globalLayer('average')],
    [`GlobalAvgPool${rank}D`, globalLayer('average')],
    [`AdaptiveMaxPooling${rank}D`, adaptiveLayer('max', rank)],
    [`AdaptiveAveragePooling${rank}D`, adaptiveLayer('average', rank)],
  ]),
);

/** Means are of what lies inside the border. */
function poolLayer(kind: PoolKind, rank: number): LayerLowering {
  return (call) => {
    const { builder, config } = call;
    const sizes = config.integers('pool_size', rank, Array(rank).fill(2));
    const value = pool(builder, kind, onlyInput(call).value, sizes, {
      strides: config.has('strides') ? config.integers('strides', rank) : sizes,
      padding: paddingOf(config),
      dataFormat: dataFormatOf(config),
    });
    return [{ value }];
  };
}

function adaptiveLayer(kind: PoolKind, rank: number): LayerLowering {
  return (call) => {
    const { builder, config } = call;
    const value = adaptivePool(builder, kind, onlyInput(call).value, config.integers('output_size', rank), {
      dataFormat: dataFormatOf(config),
    });
    return [{ value }];
  };
}

function globalLayer(kind: PoolKind): LayerLowering {
  return (call) => {
    const { builder, config } = call;
    const x = onlyInput(call).value;
    const options = { dataFormat: dataFormatOf(config), keepDims: config.boolean('keepdims', false) };
    const mask = call.inputs[0]?.mask;
    // Of Keras's global pools, GlobalAveragePooling1D alone reads the mask.
    const isMasked = mask !== undefined && call.className.endsWith('1D') && kind === 'average';
    return [{ value: isMasked ? maskedMean(builder, x, mask, options) : globalPool(builder, kind, x, options) }];
  };
}

/** The mean over the steps that the mask [N, T] keeps: Σ x / Σ mask. */
function maskedMean(
  builder: GraphBuilder,
  x: Value,
  mask: Value,
  { dataFormat, keepDims }: { readonly dataFormat: string; readonly keepDims: boolean },
): Value {
  const steps = dataFormat === 'channels_last' ? 1 : 2;
  const kept = unsqueeze(builder, mask, [3 - steps]);
  const masked = where(builder, kept, x, builder.scalar(0, elementTypeOf(x)));
  const sum = reduce(builder, 'ReduceSum', masked, [steps], keepDims);
  const count = reduce(builder, 'ReduceSum', cast(builder, kept, elementTypeOf(x)), [steps], keepDims);
  return binary(builder, 'Div', sum, count);
}
