/** Operators whose attributes got another name, another default, or another meaning. */
import { attribute } from '../../ir/attribute.js';
import { inferElementType } from '../inferred-type.js';
import type { NodeConverter } from './step.js';

/** Scatter-9 → ScatterElements-11: a new name. */
export const scatterToScatterElements: NodeConverter = (node) => {
  node.opType = 'ScatterElements';
  return undefined;
};

/** Erf-9 → Erf-13: floating point only. */
export const erfOfFloats: NodeConverter = (node) => {
  const elementType = inferElementType(node.input(0));
  return elementType !== undefined && /^u?int/.test(elementType)
    ? `version 13 does not take ${elementType}`
    : undefined;
};

/** RoiAlign-10 → RoiAlign-16: the old mapping of coordinates is no longer the default. */
export const roiAlignCoordinates: NodeConverter = (node) => {
  node.attributes.set('coordinate_transformation_mode', attribute.string('output_half_pixel'));
  return undefined;
};

/** AveragePool-11 → AveragePool-19: whether what `ceil_mode` adds beyond the padding counts was settled only then. */
export const averagePoolEdges: NodeConverter = (node) => {
  const unsettled = node.int('count_include_pad', 0) === 1 && node.int('ceil_mode', 0) === 1;
  return unsettled ? 'it counts its padding and rounds its size up, which version 19 defines otherwise' : undefined;
};

const GRID_SAMPLE_MODES: Readonly<Record<string, string>> = {
  bilinear: 'linear',
  bicubic: 'cubic',
  nearest: 'nearest',
};

/** GridSample-16 → GridSample-20: modes for any number of dimensions. */
export const gridSampleModes: NodeConverter = (node) => {
  const mode = node.string('mode', 'bilinear');
  const renamed = GRID_SAMPLE_MODES[mode];
  if (renamed === undefined) return `its mode '${mode}' is not one of version 16`;
  node.attributes.set('mode', attribute.string(renamed));
  return undefined;
};
