/** Keras's layers that add zeros around a tensor, or cut its border off. */
import { crop, pad } from '../../../lowering/padding.js';
import type { LayerLowering, LayerTable } from '../layer.js';
import { onlyInput } from '../only-input.js';
import { dataFormatOf, widthsOf, withOuter } from './spatial.js';

export const paddingLayers: LayerTable = {
  ZeroPadding1D: zeroPadding(1),
  ZeroPadding2D: zeroPadding(2),
  ZeroPadding3D: zeroPadding(3),
  Cropping1D: cropping(1, 1),
  // The default of 2D alone is to crop nothing.
  Cropping2D: cropping(2, 0),
  Cropping3D: cropping(3, 1),
};

function zeroPadding(rank: number): LayerLowering {
  return (call) => {
    const widths = withOuter(widthsOf(call.config, 'padding', rank, 1), dataFormatOf(call.config));
    return [{ value: pad(call.builder, onlyInput(call).value, widths) }];
  };
}

function cropping(rank: number, fallback: number): LayerLowering {
  return (call) => {
    const widths = withOuter(widthsOf(call.config, 'cropping', rank, fallback), dataFormatOf(call.config));
    return [{ value: crop(call.builder, onlyInput(call).value, widths) }];
  };
}
