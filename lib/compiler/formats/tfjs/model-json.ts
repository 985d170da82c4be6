/** TensorFlow.js's model.json: a topology, Keras's or a GraphDef's, and where its weights are. */
import { dirname, resolve } from 'node:path';
import { ModelFormatError } from '../../../errors.js';
import { readWholeFile } from '../file.js';
import { parseJsonBytes } from '../json.js';
import { JsonField } from '../json-field.js';
import { ExternalDataFolder } from '../onnx/external-data.js';
import { readWeights, type TfjsWeights } from './weights-manifest.js';

/** `layers`: Keras's topology. `graph`: a GraphDef as JSON. */
export type TfjsKind = 'layers' | 'graph';

export interface TfjsModelFile {
  readonly kind: TfjsKind;
  /** The whole document. */
  readonly document: JsonField;
  readonly topology: JsonField;
  /** By the name of the variable or constant. */
  readonly weights: TfjsWeights;
}

/** Graphs are text of some kilobytes per thousand nodes; V8's longest text has 512 MiB. */
const MAX_JSON_BYTES = 2 ** 28;

/**
 * Reads model.json and the shards beside it.
 * @throws ModelFormatError JSON_INVALID, JSON_DEPTH, JSON_FIELD, TFJS_TOPOLOGY (there is none, or it is of neither kind), what reading files throws,
 * and what `readWeights` throws
 */
export async function readTfjsModel(path: string): Promise<TfjsModelFile> {
  const bytes = await readWholeFile(path, MAX_JSON_BYTES);
  const document = new JsonField(parseJsonBytes(bytes, 'model.json'), '');
  const kind = kindOf(document);
  if (kind === undefined) throw withoutTopology(document);
  const weights = readWeights(document.field('weightsManifest'), new ExternalDataFolder(dirname(resolve(path))));
  return { kind, document, topology: document.field('modelTopology'), weights };
}

/** What a document holds, told by its topology: `format` came late and is often missing. */
export function kindOf(document: JsonField): TfjsKind | undefined {
  const topology = document.field('modelTopology');
  if (topology.field('node').exists) return 'graph';
  const layers = ['model_config', 'class_name', 'keras_version', 'modelConfig', 'className'];
  return layers.some((name) => topology.field(name).exists) ? 'layers' : undefined;
}

/**
 * What kind of model.json a file is, by its first bytes; `undecided` where they show that it is one and not of which kind.
 * undefined: something else.
 */
export function sniffTfjs(head: Uint8Array): TfjsKind | 'undecided' | undefined {
  const text = new TextDecoder('latin1').decode(head);
  if (!/^\s*\{/.test(text) || !/"(modelTopology|weightsManifest)"\s*:/.test(text)) return undefined;
  if (/"format"\s*:\s*"graph-model"|"modelTopology"\s*:\s*\{\s*"(node|library|versions)"/.test(text)) return 'graph';
  if (/"format"\s*:\s*"layers-model"|"(model_config|keras_version|modelConfig)"\s*:/.test(text)) return 'layers';
  return /"modelTopology"\s*:\s*\{\s*"class_name"/.test(text) ? 'layers' : 'undecided';
}

function withoutTopology(document: JsonField): ModelFormatError {
  const found = document.field('modelTopology').exists
    ? `whose topology is neither Keras's nor a graph (it has ${document
        .field('modelTopology')
        .members()
        .slice(0, 5)
        .map(([name]) => `'${name}'`)
        .join(', ')})`
    : 'without modelTopology: weights, and nothing that says what is done with them';
  return new ModelFormatError({
    code: 'TFJS_TOPOLOGY',
    message: `This is a TensorFlow.js file ${found}.`,
    advice: 'Export the whole model: tf.Model.save() or tensorflowjs_converter write both into model.json.',
  });
}
