/** Activations: layers of their own, and what other layers name in `activation`. */
import type { Value } from '../../../ir/value.js';
import { elu, isActivation, leakyRelu, prelu, relu, softmax, thresholded } from '../../../lowering/activation.js';
import { maskedSoftmax } from '../../../lowering/attention.js';
import type { GraphBuilder } from '../../../lowering/graph-builder.js';
import { unsqueeze } from '../../../lowering/rearrange.js';
import { type RecurrentActivation, recurrentActivation } from '../../../lowering/recurrent-activation.js';
import { shapeOf } from '../../../lowering/shape.js';
import { ReaderError } from '../../reader-error.js';
import { type LayerCall, type LayerTable, type LayerTensor, withMask } from '../layer.js';
import { LayerConfig } from '../layer-config.js';
import { onlyInput } from '../only-input.js';
import { argumentTensors, maskKeeping } from './call-tensors.js';
import { checkedWeight } from './weight-dims.js';

/** What a layer needs of its call to read an activation. */
type ActivationCall = Pick<LayerCall, 'builder' | 'config' | 'kerasMajorVersion' | 'weights'>;

/**
 * The activation that a layer's config names, of `x`: a name, a serialized function, or a serialized layer.
 * @throws ReaderError ACTIVATION_UNSUPPORTED, and LoweringError ACTIVATION_UNKNOWN
 */
export function activated(call: ActivationCall, x: Value, field = 'activation'): Value {
  return activationOf(call, field).apply(call.builder, x);
}

/** Likewise, for layers that apply it in a loop of their own. */
export function activationOf(call: ActivationCall, field = 'activation'): RecurrentActivation {
  const { config, kerasMajorVersion } = call;
  const raw = config.raw(field);
  const options = { kerasMajorVersion };
  if (raw === undefined || raw === null) return recurrentActivation('linear', options);
  if (typeof raw === 'string') {
    if (Object.hasOwn(SIMPLE_LAYERS, raw)) return layerActivation(call, raw, new LayerConfig({}, config.describes));
    return recurrentActivation(known(config, raw), options);
  }
  const { class_name: className, config: inner } = raw as { class_name?: unknown; config?: unknown };
  if (className === 'function' && typeof inner === 'string') return recurrentActivation(known(config, inner), options);
  const layer = config.object(field);
  if (layer === undefined) throw unsupported(config, JSON.stringify(raw));
  if (layer.className === 'Activation') return activationOf({ ...call, config: layer.config });
  return layerActivation(call, layer.className, layer.config);
}

function known(config: LayerConfig, name: string): string {
  if (isActivation(name)) return name;
  throw unsupported(config, `'${name}'`);
}

function unsupported(config: LayerConfig, what: string): ReaderError {
  return new ReaderError({
    code: 'ACTIVATION_UNSUPPORTED',
    message: `${config.describes}: the activation ${what.slice(0, 200)} is not one of Keras's own.`,
    advice: 'Its code is not in the file. Write it with layers or activations of Keras, and save the model again.',
  });
}

function layerActivation(call: ActivationCall, className: string, config: LayerConfig): RecurrentActivation {
  if (className === 'PReLU') {
    const { alpha } = call.weights.child('activation').take(['alpha']);
    return { apply: (builder, x) => prelu(builder, x, builder.constant(alpha, 'alpha')) };
  }
  const lower = Object.hasOwn(SIMPLE_LAYERS, className) ? SIMPLE_LAYERS[className] : undefined;
  if (lower === undefined) throw unsupported(call.config, `'${className}'`);
  return { apply: (builder, x) => lower(builder, x, config) };
}

/** Layers that are a function of their input and their config, and nothing else. */
const SIMPLE_LAYERS: Readonly<Record<string, (builder: GraphBuilder, x: Value, config: LayerConfig) => Value>> = {
  ELU: (builder, x, config) => elu(builder, x, config.number('alpha', 1)),
  LeakyReLU: (builder, x, config) => {
    // Before Keras 3 it was called alpha.
    return leakyRelu(builder, x, config.number(config.has('negative_slope') ? 'negative_slope' : 'alpha', 0.3));
  },
  ReLU: (builder, x, config) => {
    return relu(builder, x, {
      ...(config.has('max_value') ? { maxValue: config.number('max_value') } : {}),
      negativeSlope: config.number('negative_slope', 0),
      threshold: config.number('threshold', 0),
    });
  },
  Softmax: (builder, x, config) => softmax(builder, x, axesOf(config)),
  ThresholdedReLU: (builder, x, config) => thresholded(builder, x, config.number('theta', 1), 0),
};

/** `axis`: a number or a list. */
export function axesOf(config: LayerConfig): readonly number[] {
  return config.integers('axis', typeof config.raw('axis') === 'number' ? 1 : undefined, [-1]);
}

/**
 * Keras 3 sets masked logits to -1e9 and masked results to 0; Keras 2 adds -1e9 to logits, or sets them with `robust_masking`. A mask that
 * comes along from a Masking layer, [N, T], must broadcast to the input.
 */
function softmaxLayer(call: LayerCall): readonly LayerTensor[] {
  const { builder, config } = call;
  const input = onlyInput(call);
  const mask = argumentTensors(call, 'mask', 1)[0]?.value ?? input.mask;
  const value =
    mask === undefined
      ? softmax(builder, input.value, axesOf(config))
      : maskedSoftmax(builder, input.value, mask, axesOf(config), softmaxMasking(call));
  return [withMask(value, input)];
}

function softmaxMasking({ config, kerasMajorVersion }: LayerCall): 'added' | 'set' | 'zeroed' {
  if (kerasMajorVersion === 3) return 'zeroed';
  return config.boolean('robust_masking', false) ? 'set' : 'added';
}

/** `shared_axes` count from the batch on, so that 1 is the first of the slope's. */
function parametricRelu({ builder, config, weights }: LayerCall, x: Value): Value {
  const [, ...sizes] = shapeOf(x);
  const shared = config.has('shared_axes') ? config.integers('shared_axes', undefined) : [];
  const isShared = (index: number) =>
    shared.some((axis) => (axis - 1 < 0 ? axis - 1 + sizes.length : axis - 1) === index);
  const shape = sizes.map((size, index) => (isShared(index) ? 1 : size));
  const alpha = checkedWeight(config, 'alpha', weights.take(['alpha']).alpha, shape);
  return prelu(builder, x, unsqueeze(builder, builder.constant(alpha, 'alpha'), [0]));
}

export const activationLayers: LayerTable = {
  ...Object.fromEntries(
    Object.entries(SIMPLE_LAYERS).map(([className, lower]) => [
      className,
      maskKeeping(({ builder, config }, x) => lower(builder, x, config)),
    ]),
  ),
  Activation: maskKeeping((call, x) => activated(call, x)),
  PReLU: maskKeeping(parametricRelu),
  Softmax: softmaxLayer,
};
