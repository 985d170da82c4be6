/** Upsample and Resize: one operation whose definition moved four times. */
import { attribute } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import { Tensor } from '../../ir/tensor.js';
import { constantBehind } from '../inferred-type.js';
import { dropEmptyInputs } from './attributes-to-inputs.js';
import type { NodeConverter } from './step.js';

/** Upsample-7 → Upsample-9. */
export const upsampleScalesToInput: NodeConverter = (node, context) => {
  const scales = node.floats('scales');
  if (scales === undefined) return "it has no attribute 'scales'";
  node.attributes.delete('scales');
  node.setInput(1, context.constant(node, 'scales', Tensor.fromNumbers('float32', [scales.length], scales)));
  return undefined;
};

/** Upsample-9 → Resize-10, which computes the same where no scale is below 1, as Upsample demands. */
export const upsampleToResize: NodeConverter = (node, context) => {
  node.opType = 'Resize';
  context.enlarging.add(node);
  return undefined;
};

/**
 * Resize-10 → Resize-11. Version 10 maps coordinates by dividing by the scale (`asymmetric`) and takes, for `nearest`,
 * the pixel below where an axis grows and the pixel above where it shrinks; version 11 has one rule for all axes.
 */
export const resizeCoordinates: NodeConverter = (node, context) => {
  node.attributes.set('coordinate_transformation_mode', attribute.string('asymmetric'));
  if (node.string('mode', 'nearest') === 'nearest') {
    const rounding = context.enlarging.has(node) ? 'floor' : roundingOf(node);
    if (rounding === undefined) {
      return 'its scales are computed at run time or both above and below 1, and version 11 rounds all axes alike';
    }
    node.attributes.set('nearest_mode', attribute.string(rounding));
  }
  const roi = context.constant(node, 'roi', Tensor.fromNumbers('float32', [0], []));
  node.setInputs([node.input(0), roi, node.input(1)]);
  return undefined;
};

function roundingOf(node: Node): 'floor' | 'ceil' | undefined {
  const scales = constantBehind(node, 1)?.numbers();
  if (scales === undefined) return undefined;
  if (scales.every((scale) => scale >= 1)) return 'floor';
  return scales.every((scale) => scale <= 1) ? 'ceil' : undefined;
}

/** `half_pixel` coordinates lie half a pixel below those of `tf_half_pixel_for_nn`: how to round them to the same pixel. */
const SHIFTED_ROUNDING: Readonly<Record<string, string>> = { floor: 'round_prefer_ceil', round_prefer_floor: 'ceil' };

/** Resize-11 → Resize-13: inputs may be left out, and one way to map coordinates is gone. */
export const resizeOptionalInputs: NodeConverter = (node, context) => {
  const mode = node.string('coordinate_transformation_mode', 'half_pixel');
  if (mode === 'tf_half_pixel_for_nn') {
    const rounding =
      node.string('mode', 'nearest') === 'nearest' ? node.string('nearest_mode', 'round_prefer_floor') : '';
    const shifted = SHIFTED_ROUNDING[rounding];
    if (shifted === undefined) return "version 13 has no coordinate_transformation_mode 'tf_half_pixel_for_nn'";
    node.attributes.set('coordinate_transformation_mode', attribute.string('half_pixel'));
    node.attributes.set('nearest_mode', attribute.string(shifted));
  }
  return dropEmptyInputs(mode === 'tf_crop_and_resize' ? 2 : 1, 3)(node, context);
};
