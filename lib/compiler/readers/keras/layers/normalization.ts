/** Layers that normalize. */
import type { Tensor } from '../../../ir/tensor.js';
import type { Dimension, Value } from '../../../ir/value.js';
import {
  batchNormalization,
  groupNormalization,
  layerNormalization,
  rmsNormalization,
  unitNormalization,
  varianceScaling,
} from '../../../lowering/normalization.js';
import { normalizedAxis, shapeOf } from '../../../lowering/shape.js';
import { ReaderError } from '../../reader-error.js';
import type { LayerCall, LayerTable, LayerTensor } from '../layer.js';
import { onlyInput } from '../only-input.js';
import { axesOf } from './activation.js';
import { maskKeeping } from './call-tensors.js';
import { checkedWeight } from './weight-dims.js';

/** Weights as constants: `gamma` where the layer scales, `beta` where it centres, then `more`, in the order in which Keras creates them. */
function constants<Name extends string>(
  { builder, config, weights }: LayerCall,
  more: readonly Name[],
  shape: readonly Dimension[],
): Readonly<Record<Name, Value>> & Affine {
  const gamma = config.boolean('scale', true) ? (['gamma'] as const) : [];
  const beta = config.boolean('center', true) ? (['beta'] as const) : [];
  const names = [...gamma, ...beta, ...more];
  const tensors: Readonly<Record<string, Tensor>> = names.length === 0 ? {} : weights.take(names);
  const values = Object.entries(tensors).map(([name, tensor]) => {
    return [name, builder.constant(checkedWeight(config, name, tensor, shape), name)];
  });
  return Object.fromEntries(values) as Readonly<Record<Name, Value>> & Affine;
}

/** The sizes of `axes`, in ascending order of these. */
function sizesOf(x: Value, axes: readonly number[]): readonly Dimension[] {
  const shape = shapeOf(x);
  const sorted = axes.map((axis) => normalizedAxis(axis, shape.length)).sort((a, b) => a - b);
  return sorted.map((axis) => shape[axis]);
}

interface Affine {
  readonly gamma?: Value;
  readonly beta?: Value;
}

function affine(call: LayerCall, shape: readonly Dimension[]): Affine {
  const { gamma, beta } = constants(call, [], shape) as Affine;
  return { ...(gamma === undefined ? {} : { gamma }), ...(beta === undefined ? {} : { beta }) };
}

/** With the statistics of the training, as at inference. `renorm` only changes the training, and adds variables. */
function batchNormalizationLayer(call: LayerCall, x: Value): Value {
  const { builder, config, callArguments } = call;
  if (callArguments.training === true) {
    throw new ReaderError({
      code: 'LAYER_OPTION_UNSUPPORTED',
      message: `${config.describes} is called with training=True: it normalizes each batch by its own statistics.`,
      advice: 'Call it without, so that it uses the statistics of the training, and save the model again.',
    });
  }
  const [axis, ...others] = axesOf(config);
  if (axis === undefined || others.length > 0) throw config.refuse('axis', 'Normalize over one axis.');
  const renorm = config.boolean('renorm', false) ? (['moving_stddev', 'renorm_mean', 'renorm_stddev'] as const) : [];
  const names = ['moving_mean', 'moving_variance', ...renorm] as const;
  const values = constants(call, names, sizesOf(x, [axis]));
  const { moving_mean: mean, moving_variance: variance } = values;
  return batchNormalization(builder, x, { axis, epsilon: config.number('epsilon', 1e-3), ...values, mean, variance });
}

function layerNormalizationLayer(call: LayerCall, x: Value): Value {
  const { builder, config } = call;
  const options = { axes: axesOf(config), epsilon: config.number('epsilon', 1e-3) };
  const shape = sizesOf(x, options.axes);
  if (!config.boolean('rms_scaling', false)) {
    return layerNormalization(builder, x, { ...options, ...affine(call, shape) });
  }
  const gamma = builder.constant(checkedWeight(config, 'gamma', call.weights.take(['gamma']).gamma, shape), 'gamma');
  return varianceScaling(builder, x, { ...options, gamma });
}

function groupNormalizationLayer(call: LayerCall, x: Value): Value {
  const { builder, config } = call;
  const axis = config.number('axis', -1);
  return groupNormalization(builder, x, {
    axis,
    groups: config.number('groups', 32),
    epsilon: config.number('epsilon', 1e-3),
    ...affine(call, sizesOf(x, [axis])),
  });
}

function rmsNormalizationLayer({ builder, config, weights }: LayerCall, x: Value): Value {
  const scale = builder.constant(weights.take(['scale']).scale, 'scale');
  return rmsNormalization(builder, x, { axes: axesOf(config), epsilon: config.number('epsilon', 1e-6), scale });
}

/** Keras 2 adds its epsilon of 1e-12 to the square of the norm, by the larger of both; Keras 3 compares it with the norm. */
function unitNormalizationLayer({ builder, config, kerasMajorVersion }: LayerCall, x: Value): Value {
  return unitNormalization(builder, x, axesOf(config), kerasMajorVersion === 3 ? 1e-12 : 1e-6);
}

/** The training left the wrapped layer's kernel divided by its spectral norm: at inference it is that layer. */
function spectralNormalizationLayer(call: LayerCall): readonly LayerTensor[] {
  const layer = call.config.object('layer');
  if (layer === undefined) throw call.config.refuse('layer', 'The file is damaged; save the model again.');
  const outputs = call.lowerLayer({ ...layer, weights: call.weights.child('layer') }, [onlyInput(call)]);
  return outputs.map(({ value }) => ({ value }));
}

export const normalizationLayers: LayerTable = {
  BatchNormalization: maskKeeping(batchNormalizationLayer),
  /** Names of TensorFlow 1 and 2; at inference the same. */
  BatchNormalizationV1: maskKeeping(batchNormalizationLayer),
  SyncBatchNormalization: maskKeeping(batchNormalizationLayer),
  GroupNormalization: maskKeeping(groupNormalizationLayer),
  LayerNormalization: maskKeeping(layerNormalizationLayer),
  RMSNormalization: (call) => [{ value: rmsNormalizationLayer(call, onlyInput(call).value) }],
  SpectralNormalization: spectralNormalizationLayer,
  UnitNormalization: maskKeeping(unitNormalizationLayer),
};
