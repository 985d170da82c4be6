/** Keras's HDF5 files: the config in an attribute, the weights in groups of their layers. */
import { ModelFormatError } from '../../../errors.js';
import { readWholeFile } from '../../formats/file.js';
import type { AttributeValue } from '../../formats/hdf5/attributes.js';
import { type Hdf5Group, openHdf5 } from '../../formats/hdf5/hdf5-file.js';
import { parseJson } from '../../formats/json.js';
import type { Model } from '../../ir/model.js';
import { kerasMajorVersion } from './keras-version.js';
import { lowerKerasModel } from './lower-model.js';
import { parseModelConfig } from './model-config.js';
import { hdf5Weights } from './weights/hdf5-weights.js';

/** One array of bytes. */
const MAX_BYTES = 2 ** 32;

/** @throws ModelFormatError HDF5_…, JSON_…, KERAS_WITHOUT_CONFIG for weights alone, and ReaderError as `lowerKerasModel` */
export async function readKerasHdf5(path: string): Promise<Model> {
  const root = openHdf5(await readWholeFile(path, MAX_BYTES));
  const config = text(root.attribute('model_config'));
  if (config === undefined) throw withoutConfig(root);
  const model = parseModelConfig(parseJson(config, 'model_config'));
  const group = root.group('model_weights') ?? root;
  const version = text(root.attribute('keras_version')) ?? text(group.attribute('keras_version'));
  return lowerKerasModel({ model, weights: hdf5Weights(group), kerasMajorVersion: kerasMajorVersion(version, 1) });
}

function text(value: AttributeValue): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function withoutConfig(root: Hdf5Group): ModelFormatError {
  const isWeights = root.attribute('layer_names') !== undefined || root.group('layers') !== undefined;
  return new ModelFormatError({
    code: 'KERAS_WITHOUT_CONFIG',
    message: isWeights
      ? 'The file holds the weights of a Keras model, and not what it computes with them.'
      : 'The HDF5 file holds no Keras model: it has no model_config.',
    advice: 'Save the whole model with model.save("model.keras"), not with save_weights().',
  });
}
