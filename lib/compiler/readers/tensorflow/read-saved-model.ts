/** TensorFlow SavedModels: the folder, or saved_model.pb in it. */
import type { Model } from '../../ir/model.js';
import { convertGraph } from './convert-graph.js';
import { readFrozenSavedModel } from './frozen-saved-model.js';
import type { SignatureOptions } from './signature-choice.js';

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
