/** Frozen graphs of TensorFlow: a GraphDef in a file, its variables made constants. */
import { readWholeFile } from '../../formats/file.js';
import { MAX_PROTOBUF_BYTES } from '../../formats/onnx/decode.js';
import { decodeGraphDef } from '../../formats/tensorflow/decode-graph-def.js';
import type { Model } from '../../ir/model.js';
import { validateStructure } from '../../ir/validation.js';
import { convertGraph } from './convert-graph.js';
import { defaultSignature } from './default-signature.js';
import { inlineFunctions } from './functions/inline-functions.js';

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
