/** TensorFlow.js layers models: Keras's topology as JSON, its weights in shards beside it. */
import { readTfjsModel, type TfjsModelFile } from '../../formats/tfjs/model-json.js';
import type { TfjsWeight } from '../../formats/tfjs/weights-manifest.js';
import type { Model } from '../../ir/model.js';
import type { Tensor } from '../../ir/tensor.js';
import { ReaderError } from '../reader-error.js';
import { lowerKerasModel } from './lower-model.js';
import { parseModelConfig } from './model-config.js';
import { NamedWeights } from './weights/named-weights.js';
import { weightTensor } from './weights/weight-scope.js';

/**
 * Reads model.json of a layers model with its shards, whether Keras's converter or TensorFlow.js wrote it.
 * @throws ModelFormatError JSON_…, TFJS_…, EXTERNAL_DATA_… (shards), and ReaderError as `lowerKerasModel`
 */
export async function readTfjsLayers(path: string): Promise<Model> {
  return convertTfjsLayers(await readTfjsModel(path));
}

export function convertTfjsLayers({ kind, topology, weights }: TfjsModelFile): Model {
  if (kind !== 'layers') {
    throw new ReaderError({
      code: 'TFJS_TOPOLOGY',
      message: "model.json holds a graph, not Keras's layers.",
      advice: 'Read it as a TensorFlow.js graph model.',
    });
  }
  // The converter writes what Keras's HDF5 files have; TensorFlow.js the model itself.
  const config = topology.field('model_config');
  const model = parseModelConfig(config.exists ? config.value : topology.value);
  const named = [...weights.values()].map((weight) => ({ name: weight.name, read: () => tensorOf(weight) }));
  // TensorFlow.js computes what Keras 2 does, whichever Keras made the model.
  return lowerKerasModel({ model, weights: new NamedWeights('the model', named), kerasMajorVersion: 2 });
}

function tensorOf({ name, dataType, dims, bytes }: TfjsWeight): Tensor {
  if (dataType !== 'string' && dataType !== 'complex64') return weightTensor(dataType, dims, bytes);
  throw new ReaderError({
    code: 'WEIGHT_TYPE',
    message: `'${name}' holds elements of the type ${dataType}, which is no type of weights.`,
    advice: 'The file is damaged, or belongs to other shards; download or export the model again.',
  });
}
