/** TensorFlow.js layers models: Keras's topology as JSON, its weights in shards beside it. */
import { readFileSync } from 'node:fs';
import { parseJsonBytes } from '../formats/json.js';
import { JsonField } from '../formats/json-field.js';
import { kindOf, readTfjsModel, sniffTfjs, type TfjsModelFile } from '../formats/tfjs/model-json.js';
import type { TfjsWeight } from '../formats/tfjs/weights-manifest.js';
import type { Model } from '../ir/model.js';
import type { Tensor } from '../ir/tensor.js';
import { lowerKerasModel } from './keras/lower-model.js';
import { parseModelConfig } from './keras/model-config.js';
import { NamedWeights } from './keras/weights/named-weights.js';
import { weightTensor } from './keras/weights/weight-scope.js';
import type { Reader } from './reader.js';
import { ReaderError } from './reader-error.js';
import type { ModelSource } from './source.js';

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

/** A file whose first bytes do not say which of the two kinds it is, such as one that begins with its weights, is looked through. */
function isTfjsLayers({ head, path, kind }: ModelSource): boolean {
  const sniffed = kind === 'file' ? sniffTfjs(head) : undefined;
  if (sniffed !== 'undecided') return sniffed === 'layers';
  try {
    return kindOf(new JsonField(parseJsonBytes(readFileSync(path), path), '')) === 'layers';
  } catch {
    return false;
  }
}

export const tfjsLayersReader: Reader = { name: 'TensorFlow.js layers', match: isTfjsLayers, read: readTfjsLayers };
