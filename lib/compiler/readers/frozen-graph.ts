/** Frozen graphs of TensorFlow: a GraphDef in a file, its variables made constants. */
import { readWholeFile } from '../formats/file.js';
import { MAX_PROTOBUF_BYTES } from '../formats/onnx/decode.js';
import { decodeGraphDef } from '../formats/tensorflow/decode-graph-def.js';
import type { Model } from '../ir/model.js';
import { validateStructure } from '../ir/validation.js';
import type { Reader } from './reader.js';
import type { ModelSource } from './source.js';
import { convertGraph } from './tensorflow/convert-graph.js';
import { defaultSignature } from './tensorflow/default-signature.js';
import { inlineFunctions } from './tensorflow/functions/inline-functions.js';

/**
 * Inputs are the placeholders, outputs the nodes that nothing reads, each by its name.
 * @throws ModelFormatError for bytes that are no GraphDef, ReaderError as `convertGraph`
 */
export async function readFrozenGraph(path: string): Promise<Model> {
  const graph = decodeGraphDef(await readWholeFile(path, MAX_PROTOBUF_BYTES));
  const signature = defaultSignature(graph);
  const roots = signature.outputs.map(({ tensor }) => tensor);
  const model = convertGraph(inlineFunctions(graph, roots), signature);
  validateStructure(model);
  return model;
}

/** GraphDef.node comes first: a message of two short texts, name (1) and op (2), the latter in CamelCase. */
export function isFrozenGraph({ head }: ModelSource): boolean {
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
  read: readFrozenGraph,
};
