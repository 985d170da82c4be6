/** A Sequential model's list of layers as layers that call one another. */
import { damaged, type KerasLayer, type KerasModel, TensorReference } from './topology.js';

/** @param fields of the model's config: `build_input_shape` says what comes in, where no layer does */
export function sequentialLayers(
  layers: readonly KerasLayer[],
  fields: Readonly<Record<string, unknown>>,
  model: string,
): Pick<KerasModel, 'layers' | 'inputs' | 'outputs'> {
  const [first] = layers;
  if (first === undefined) throw damaged(`'${model}' has no layers`);
  const [input, rest] = first.className === 'InputLayer' ? [first, layers.slice(1)] : [inputOf(first, fields), layers];
  let before = input;
  const chain = [input];
  for (const layer of rest) {
    const positional = [new TensorReference(before.name, 0, 0)];
    before = { ...layer, calls: [{ style: 'objects', positional, named: {} }] };
    chain.push(before);
  }
  return {
    layers: chain,
    inputs: [{ name: input.name, reference: new TensorReference(input.name, 0, 0) }],
    outputs: [{ name: before.name, reference: new TensorReference(before.name, 0, 0) }],
  };
}

/** Keras 1 and 2 keep the shape with the first layer (`batch_input_shape`), later ones with the model (`build_input_shape`). */
function inputOf(first: KerasLayer, fields: Readonly<Record<string, unknown>>): KerasLayer {
  const shapeIn = (config: Readonly<Record<string, unknown>> = {}) =>
    config.batch_input_shape ?? config.batch_shape ?? config.build_input_shape;
  const shape = shapeIn(first.config) ?? shapeIn(fields) ?? shapeIn(first.model?.layers[0]?.config);
  return {
    className: 'InputLayer',
    isOperation: false,
    name: `${first.name}_input`,
    config: { batch_shape: shape, dtype: first.config.input_dtype ?? 'float32' },
    sharedId: undefined,
    model: undefined,
    calls: [],
  };
}
