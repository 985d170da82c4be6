/** TensorFlow SavedModels: the folder, or saved_model.pb in it. */
import type { Model } from '../ir/model.js';
import type { Reader } from './reader.js';
import type { ModelSource } from './source.js';
import { convertGraph } from './tensorflow/convert-graph.js';
import { readFrozenSavedModel } from './tensorflow/frozen-saved-model.js';
import type { SignatureOptions } from './tensorflow/signature-choice.js';

/**
 * What the signature computes: 'serving_default', else the only one. Inputs and outputs have the signature's names; functions are inlined and
 * variables are constants.
 * @throws ModelFormatError and ReaderError as `readFrozenSavedModel` and `convertGraph`
 */
export async function readSavedModel(path: string, options: SignatureOptions = {}): Promise<Model> {
  const { graph, inputs, outputs, isKeras } = await readFrozenSavedModel(path, options);
  const isOneBatch = isKeras || inputs.filter(({ shape }) => (shape?.[0] ?? 0) < 0).length === 1;
  const openSize = (input: string, axis: number) => (axis === 0 && isOneBatch ? 'N' : `${input}_dim${axis}`);
  const signature = {
    inputs: inputs.map(({ name, node, dataType, shape }) => ({
      name,
      tensor: node,
      dataType,
      ...(shape === undefined ? {} : { shape }),
    })),
    outputs,
  };
  return convertGraph(graph, signature, { openSize });
}

export const savedModelReader: Reader = {
  name: 'TensorFlow SavedModel',
  match: (source) => (source.kind === 'folder' ? source.entries.includes('saved_model.pb') : isSavedModelFile(source)),
  read: (path) => readSavedModel(path),
};

/** Version 1 of the schema, then a MetaGraphDef, which begins with its MetaInfoDef. */
function isSavedModelFile({ head }: ModelSource): boolean {
  if (head[0] !== 0x08 || head[1] !== 0x01 || head[2] !== 0x12) return false;
  let at = 3;
  while ((head[at] ?? 0) > 0x7f) at++;
  return head[at + 1] === 0x0a;
}
