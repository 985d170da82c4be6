/** Weights with names like 'conv_1/kernel:0': Keras's HDF5 files and TensorFlow.js. */
import type { Tensor } from '../../../ir/tensor.js';
import type { KerasLayer, KerasModel } from '../topology.js';
import { type WeightScope, weightMissing } from './weight-scope.js';

export interface NamedWeight {
  /** As in the file. */
  readonly name: string;
  readonly read: () => Tensor;
}

interface Entry {
  /** The folders of the name: scopes, layers, cells. */
  readonly folders: readonly string[];
  /** 'kernel', without TensorFlow's ':0'. */
  readonly variable: string;
  readonly weight: NamedWeight;
}

export class NamedWeights implements WeightScope {
  readonly #where: string;
  readonly #entries: readonly Entry[];
  readonly #taken: Set<Entry>;

  /** @param where for messages: "layer 'conv_1'" */
  constructor(where: string, weights: readonly NamedWeight[]);
  constructor(where: string, entries: readonly Entry[], taken: Set<Entry>);
  constructor(where: string, from: readonly (NamedWeight | Entry)[], taken: Set<Entry> = new Set()) {
    this.#where = where;
    this.#entries = from.map((each) => ('weight' in each ? each : entryOf(each)));
    this.#taken = taken;
  }

  /** By name; by position where the names are others than Keras's own and their number is right. */
  take<Name extends string>(names: readonly Name[]): Readonly<Record<Name, Tensor>> {
    const free = this.#entries.filter((entry) => !this.#taken.has(entry));
    const byName = names.map((name) => free.find(({ variable }) => variable === name));
    const isNamed = byName.every((entry) => entry !== undefined);
    if (!isNamed && free.length !== names.length) {
      const missing = names.filter((_, index) => byName[index] === undefined);
      throw weightMissing(`${missing.map((name) => `'${name}'`).join(', ')} of ${this.#where}`);
    }
    const chosen = (isNamed ? byName : free) as readonly Entry[];
    for (const entry of chosen) this.#taken.add(entry);
    return Object.fromEntries(names.map((name, index) => [name, (chosen[index] as Entry).weight.read()])) as Record<
      Name,
      Tensor
    >;
  }

  /**
   * The file has the child's name, not the attribute's: 'lstm_cell' for `cell`, 'forward_lstm' for `forward_layer`, 'query' for
   * `query_dense`. Where nothing is called so, the variables that are left follow in the order in which Keras made them.
   */
  child(attribute: string): NamedWeights {
    const [stem = attribute] = attribute.replace(/^_/, '').split('_');
    const isOf = (folder: string) => {
      // 'lstm_cell_3': one of several.
      const counted = folder.replace(/_\d+$/, '');
      return (
        folder === attribute || folder === stem || folder.startsWith(`${stem}_`) || counted.endsWith(`_${attribute}`)
      );
    };
    const own = this.#entries.filter(({ folders }) => folders.some(isOf));
    return new NamedWeights(`${attribute} of ${this.#where}`, own.length > 0 ? own : this.#entries, this.#taken);
  }

  layers(model: KerasModel): ReadonlyMap<KerasLayer, () => NamedWeights> {
    const byFolder = new Map<string, Entry[]>();
    for (const entry of this.#entries) {
      for (const folder of new Set(entry.folders)) {
        const list = byFolder.get(folder);
        if (list === undefined) byFolder.set(folder, [entry]);
        else list.push(entry);
      }
    }
    return new Map(
      model.layers.map((layer) => {
        const own = outermost(byFolder.get(layer.name) ?? [], layer.name);
        // A model that was made before it was called has no folder: its layers' are beside those of the model around it.
        const entries = own.length === 0 && layer.model !== undefined ? this.#entries : own;
        const where = `layer '${layer.name}'`;
        return [layer, () => new NamedWeights(where, entries, new Set())];
      }),
    );
  }
}

/** A layer inside another one may have the name too: the one that is less deep is the model's. */
function outermost(entries: readonly Entry[], folder: string): readonly Entry[] {
  const depth = Math.min(...entries.map(({ folders }) => folders.indexOf(folder)));
  return entries.filter(({ folders }) => folders.indexOf(folder) === depth);
}

function entryOf(weight: NamedWeight): Entry {
  const parts = weight.name.replace(/:\d+$/, '').split('/');
  return { folders: parts.slice(0, -1), variable: parts[parts.length - 1] ?? '', weight };
}
