/** Which graph and which signature of a SavedModel is meant. */
import type { MetaGraph, Signature } from '../../formats/tensorflow/decode-saved-model.js';
import { ReaderError } from '../reader-error.js';

export interface SignatureOptions {
  /** Default 'serving_default', else the only one. */
  readonly signature?: string | undefined;
  /** All tags of the graph. Default 'serve' alone, else the only graph. */
  readonly tags?: readonly string[] | undefined;
}

/**
 * The graph with exactly the tags asked for; by default that of 'serve' alone (others are for GPUs and TPUs), else one that has it among
 * others, else the only one.
 * @throws ReaderError SAVED_MODEL_EMPTY, SAVED_MODEL_TAGS
 */
export function chooseMetaGraph(graphs: readonly MetaGraph[], { tags }: SignatureOptions): MetaGraph {
  const key = (each: readonly string[]) => [...each].sort().join();
  const exact = graphs.find((graph) => key(graph.tags) === key(tags ?? ['serve']));
  const serving = graphs.filter((graph) => graph.tags.includes('serve'));
  const found = exact ?? (tags === undefined ? (only(serving) ?? only(graphs)) : undefined);
  if (found !== undefined) return found;
  if (graphs.length === 0) {
    throw new ReaderError({
      code: 'SAVED_MODEL_EMPTY',
      message: 'The SavedModel holds no graph.',
      advice: 'The file is damaged; export the model again.',
    });
  }
  const lists = graphs.map((graph) => `[${graph.tags.join(', ')}]`).join(' and ');
  throw new ReaderError({
    code: 'SAVED_MODEL_TAGS',
    message: `The SavedModel has graphs tagged ${lists}, and ${tags === undefined ? 'none is plainly the one to serve' : `none tagged [${tags.join(', ')}]`}.`,
    advice: "Export the model with the tag 'serve' alone.",
  });
}

/** Signatures that TensorFlow adds for itself. */
const INTERNAL = /^__saved_model_(init|train)_op$/;

/**
 * 'serving_default', else the only signature there is.
 * @throws ReaderError SIGNATURE_UNKNOWN, SIGNATURE_AMBIGUOUS, SIGNATURE_MISSING; the messages list what there is
 */
export function chooseSignature(graph: MetaGraph, { signature: wanted }: SignatureOptions): [string, Signature] {
  const all = [...graph.signatures].filter(([name]) => !INTERNAL.test(name));
  const named = all.find(([name]) => name === (wanted ?? 'serving_default'));
  if (named !== undefined) return named;
  const [first, second] = all;
  if (wanted === undefined && first !== undefined && second === undefined) return first;
  const list = all.map(
    ([name, each]) => `${name}(${[...each.inputs.keys()].join(', ')}) → ${[...each.outputs.keys()].join(', ')}`,
  );
  if (first === undefined) {
    const functions =
      graph.rootFunctions.length === 0 ? '' : ` It has functions without one: ${graph.rootFunctions.join(', ')}.`;
    throw new ReaderError({
      code: 'SIGNATURE_MISSING',
      message: `The SavedModel has no signature, which names inputs and outputs.${functions}`,
      advice:
        'Save it with one: tf.saved_model.save(model, folder, signatures=model.f.get_concrete_function(tf.TensorSpec(…))), or model.export(folder) in Keras 3.',
    });
  }
  if (wanted !== undefined) {
    throw new ReaderError({
      code: 'SIGNATURE_UNKNOWN',
      message: `The SavedModel has no signature '${wanted}'. It has ${list.join('; ')}.`,
      advice: 'Name one of these.',
    });
  }
  throw new ReaderError({
    code: 'SIGNATURE_AMBIGUOUS',
    message: `The SavedModel has ${all.length} signatures and none is called 'serving_default': ${list.join('; ')}.`,
    advice: 'Name one: `signature` in model.json, --signature of `convert` and `inspect`.',
  });
}

function only<Item>(items: readonly Item[]): Item | undefined {
  return items.length === 1 ? items[0] : undefined;
}
