/** Weights of Keras's HDF5 files: a group for each layer of the model, whose `weight_names` list what is below it. */
import type { Hdf5Group } from '../../../formats/hdf5/hdf5-file.js';
import type { Tensor } from '../../../ir/tensor.js';
import type { KerasLayer, KerasModel } from '../topology.js';
import { datasetTensor } from './archive-weights.js';
import { type NamedWeight, NamedWeights } from './named-weights.js';
import { type WeightScope, weightMissing } from './weight-scope.js';

/** @param group `model_weights`, or the file itself where it holds nothing else */
export function hdf5Weights(group: Hdf5Group): WeightScope {
  return new ModelGroup(group);
}

class ModelGroup implements WeightScope {
  readonly #group: Hdf5Group;

  constructor(group: Hdf5Group) {
    this.#group = group;
  }

  /** A model has no variables beside those of its layers. */
  take<Name extends string>(names: readonly Name[]): Readonly<Record<Name, Tensor>> {
    throw weightMissing(`${names.join(', ')} of the model itself`);
  }

  child(attribute: string): WeightScope {
    throw weightMissing(`${attribute} of the model itself`);
  }

  layers(model: KerasModel): ReadonlyMap<KerasLayer, () => WeightScope> {
    return new Map(model.layers.map((layer) => [layer, () => layerWeights(this.#group, layer)]));
  }
}

function layerWeights(root: Hdf5Group, layer: KerasLayer): WeightScope {
  const where = `${layer.className} '${layer.name}'`;
  const group = root.group(layer.name);
  const names = group === undefined ? [] : namesIn(group, 'weight_names');
  const weights = names.map((name): NamedWeight => {
    return {
      name,
      read: () => {
        const dataset = group?.dataset(name);
        if (dataset === undefined) throw weightMissing(`'${name}' of ${where}`);
        return datasetTensor(dataset, `'${name}' of ${where}`);
      },
    };
  });
  return new NamedWeights(where, weights);
}

/** Long lists are cut into several attributes: `weight_names0`, `weight_names1`, … */
function namesIn(group: Hdf5Group, name: string): readonly string[] {
  const whole = group.attribute(name);
  if (whole !== undefined) return texts(whole);
  const parts: string[] = [];
  for (let part = 0; ; part++) {
    const value = group.attribute(`${name}${part}`);
    if (value === undefined) return parts;
    parts.push(...texts(value));
  }
}

function texts(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
