/**
 * Weights of the `.keras` format: `layers/<class in snake case, counted>/vars/<number>`, and what a layer owns below the name of its
 * attribute. Layers' own names are not in the paths.
 */

import type { Hdf5Dataset } from '../../../formats/hdf5/dataset.js';
import type { Datatype } from '../../../formats/hdf5/datatype.js';
import type { Hdf5Group } from '../../../formats/hdf5/hdf5-file.js';
import type { ElementType } from '../../../ir/element-type.js';
import type { Tensor } from '../../../ir/tensor.js';
import { ReaderError } from '../../reader-error.js';
import type { KerasLayer, KerasModel } from '../topology.js';
import { type WeightScope, weightCount, weightMissing, weightTensor } from './weight-scope.js';

/** @param model whose layers are walked as Keras does when it saves, to find those that stand in several places */
export function archiveWeights(root: Hdf5Group, model: KerasModel): WeightScope {
  const shared = new Map<number, string[]>();
  collectShared(model, '', shared);
  return new ArchiveWeights({ root, shared }, [''], 'the model');
}

interface Archive {
  readonly root: Hdf5Group;
  /** Paths of layers that occur in several places, by their number: the file has their weights at the first. */
  readonly shared: ReadonlyMap<number, readonly string[]>;
}

class ArchiveWeights implements WeightScope {
  readonly #archive: Archive;
  /** Where the layer may be, likeliest first. */
  readonly #paths: readonly string[];
  readonly #where: string;

  constructor(archive: Archive, paths: readonly string[], where: string) {
    this.#archive = archive;
    this.#paths = paths;
    this.#where = where;
  }

  take<Name extends string>(names: readonly Name[]): Readonly<Record<Name, Tensor>> {
    const group = this.#paths.map((path) => this.#variables(path)).find((each) => each !== undefined);
    if (group === undefined)
      throw weightMissing(`the weights (${names.join(', ')}) of ${this.#where} at ${this.#paths[0]}/vars`);
    const found = group.names.filter((name) => /^\d+$/.test(name));
    if (found.length !== names.length) throw weightCount(this.#where, names, found.length);
    const tensors = names.map((name, index) => {
      const dataset = group.dataset(String(index));
      if (dataset === undefined) throw weightMissing(`variable ${index} ('${name}') of ${this.#where}`);
      return [name, datasetTensor(dataset, `'${name}' of ${this.#where}`)];
    });
    return Object.fromEntries(tensors) as Record<Name, Tensor>;
  }

  /** Some versions write the name of the property, some that of the field behind it. */
  child(attribute: string): ArchiveWeights {
    const bare = attribute.replace(/^_/, '');
    const paths = this.#paths.flatMap((path) => [`${path}/${bare}`, `${path}/_${bare}`]);
    return new ArchiveWeights(this.#archive, paths, `${bare} of ${this.#where}`);
  }

  layers(model: KerasModel): ReadonlyMap<KerasLayer, () => ArchiveWeights> {
    const names = archiveNames(model);
    return new Map(
      model.layers.map((layer) => {
        const own = this.#paths.map((path) => `${path}/layers/${names.get(layer) ?? layer.name}`);
        const elsewhere = layer.sharedId === undefined ? [] : (this.#archive.shared.get(layer.sharedId) ?? []);
        const where = `${layer.className} '${layer.name}'`;
        return [layer, () => new ArchiveWeights(this.#archive, [...own, ...elsewhere], where)];
      }),
    );
  }

  /** A group with variables; a layer that was saved elsewhere has none. */
  #variables(path: string): Hdf5Group | undefined {
    const { root } = this.#archive;
    // Keras 2.12 and 2.13.
    const former = path.replace(/(^|\/)layers(?=\/)/g, '$1_layer_checkpoint_dependencies');
    const group = root.group(`${path}/vars`) ?? root.group(`${former}/vars`);
    return group !== undefined && group.names.length > 0 ? group : undefined;
  }
}

function collectShared(model: KerasModel, path: string, shared: Map<number, string[]>): void {
  const names = archiveNames(model);
  for (const layer of model.layers) {
    const at = `${path}/layers/${names.get(layer) ?? layer.name}`;
    if (layer.sharedId !== undefined) shared.set(layer.sharedId, [...(shared.get(layer.sharedId) ?? []), at]);
    if (layer.model !== undefined) collectShared(layer.model, at, shared);
  }
}

/** Classes that the config calls by their name in Keras's API, where Python's is another. */
const PYTHON_NAMES: Readonly<Record<string, string>> = { GroupQueryAttention: 'GroupedQueryAttention' };

/** 'dense', 'dense_1', …: counted by class, in the order of the config. Operators are no layers. */
function archiveNames(model: KerasModel): ReadonlyMap<KerasLayer, string> {
  const counts = new Map<string, number>();
  const names = new Map<KerasLayer, string>();
  for (const layer of model.layers) {
    if (layer.isOperation) continue;
    const base = snakeCase(PYTHON_NAMES[layer.className] ?? layer.className);
    const count = counts.get(base) ?? 0;
    counts.set(base, count + 1);
    names.set(layer, count === 0 ? base : `${base}_${count}`);
  }
  return names;
}

/** As keras.src.utils.naming.to_snake_case. */
export function snakeCase(className: string): string {
  return className
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

/** @throws ReaderError WEIGHT_TYPE */
export function datasetTensor(dataset: Hdf5Dataset, what: string): Tensor {
  return weightTensor(elementTypeOf(dataset.datatype, what), dataset.dims, dataset.read());
}

function elementTypeOf(datatype: Datatype, what: string): ElementType {
  const { kind, size } = datatype;
  if (kind === 'float') return size === 2 ? 'float16' : size === 4 ? 'float32' : 'float64';
  if (kind === 'integer') return `${datatype.signed ? '' : 'u'}int${(8 * size) as 8 | 16 | 32 | 64}`;
  if (kind === 'enumeration') return 'bool';
  // What else has two bytes and no type in HDF5 is bfloat16.
  if (kind === 'opaque' && size === 2) return 'bfloat16';
  throw new ReaderError({
    code: 'WEIGHT_TYPE',
    message: `${what} holds elements of the type ${kind} (${size} bytes), which is no type of weights.`,
    advice: 'The file is damaged, or was written by a Keras that is not known here; save the model again.',
  });
}
