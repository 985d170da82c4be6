/** TensorFlow.js models: Keras's layers or a graph, told apart by their topology. */
import { readFileSync } from 'node:fs';
import { parseJsonBytes } from '../formats/json.js';
import { JsonField } from '../formats/json-field.js';
import { kindOf, sniffTfjs, type TfjsKind } from '../formats/tfjs/model-json.js';
import type { Reader } from './reader.js';
import type { ModelSource } from './source.js';

/**
 * A file whose first bytes do not say which of the two kinds it is, such as one that begins with its weights, is looked through. One without
 * a topology, or damaged, is the graph's: somebody must say what it lacks.
 */
function tfjsKindOf({ head, path, kind }: ModelSource): TfjsKind | undefined {
  const sniffed = kind === 'file' ? sniffTfjs(head) : undefined;
  if (sniffed !== 'undecided') return sniffed;
  try {
    return kindOf(new JsonField(parseJsonBytes(readFileSync(path), path), '')) ?? 'graph';
  } catch {
    return 'graph';
  }
}

export const tfjsLayersReader: Reader = {
  name: 'TensorFlow.js layers',
  match: (source) => tfjsKindOf(source) === 'layers',
  read: async (path) => (await import('./keras/read-tfjs-layers.js')).readTfjsLayers(path),
};

export const tfjsGraphReader: Reader = {
  name: 'TensorFlow.js graph',
  match: (source) => tfjsKindOf(source) === 'graph',
  read: async (path) => (await import('./tensorflow/read-tfjs-graph.js')).readTfjsGraph(path),
};
