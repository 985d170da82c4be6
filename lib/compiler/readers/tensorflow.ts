/** TensorFlow's own files: SavedModels (the folder, or saved_model.pb in it) and frozen graphs. */
import type { Reader } from './reader.js';
import type { ModelSource } from './source.js';

export const savedModelReader: Reader = {
  name: 'TensorFlow SavedModel',
  hasSignatures: true,
  match: (source) => (source.kind === 'folder' ? source.entries.includes('saved_model.pb') : isSavedModelFile(source)),
  read: async (path, options) => (await import('./tensorflow/read-saved-model.js')).readSavedModel(path, options),
};

/** Version 1 of the schema, then a MetaGraphDef, which begins with its MetaInfoDef. */
function isSavedModelFile({ head }: ModelSource): boolean {
  if (head[0] !== 0x08 || head[1] !== 0x01 || head[2] !== 0x12) return false;
  let at = 3;
  while ((head[at] ?? 0) > 0x7f) at++;
  return head[at + 1] === 0x0a;
}

/** GraphDef.node comes first: a message of two short texts, name (1) and op (2), the latter in CamelCase. */
function isFrozenGraph({ head }: ModelSource): boolean {
  if (head[0] !== 0x0a) return false;
  let at = 1;
  while ((head[at] ?? 0) > 0x7f) at++;
  const nameLength = head[at + 2] ?? 0;
  const op = at + 3 + nameLength;
  const text = String.fromCharCode(...head.subarray(op + 2, op + 18));
  return head[at + 1] === 0x0a && nameLength < 0x80 && head[op] === 0x12 && /^_?[A-Z]\w+/.test(text);
}

export const frozenGraphReader: Reader = {
  name: 'TensorFlow frozen graph',
  match: isFrozenGraph,
  read: async (path) => (await import('./tensorflow/read-frozen-graph.js')).readFrozenGraph(path),
};
