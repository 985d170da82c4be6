/** A SavedModel folder as one frozen graph without calls: what its signature computes. */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { readWholeFile, unreadable } from '../../formats/file.js';
import { MAX_PROTOBUF_BYTES } from '../../formats/onnx/decode.js';
import {
  checkpointKeys,
  decodeSavedModel,
  type MetaGraph,
  type Signature,
  type TensorInfo,
} from '../../formats/tensorflow/decode-saved-model.js';
import type {
  AttrValue,
  GraphDef,
  NodeDef,
  TensorFlowShape,
  TensorFlowTensor,
  TensorFlowType,
} from '../../formats/tensorflow/graph-def.js';
import { TensorBundle } from '../../formats/tensorflow/tensor-bundle.js';
import { ReaderError } from '../reader-error.js';
import { expandCalls } from './functions/expand-calls.js';
import { freezeVariables, isVariable } from './functions/freeze-variables.js';
import { nodeOf, parseReference } from './functions/references.js';
import { restoredVariables } from './functions/restored-variables.js';
import { skipIdentities, sourcesOf } from './functions/skip-identities.js';
import { chooseMetaGraph, chooseSignature, type SignatureOptions } from './signature-choice.js';

export interface FrozenInput {
  /** As the signature has it. */
  readonly name: string;
  /** Of the Placeholder in the graph. */
  readonly node: string;
  readonly dataType: TensorFlowType;
  /** Sizes of -1 are open. */
  readonly shape: TensorFlowShape;
}

export interface FrozenOutput {
  /** As the signature has it. */
  readonly name: string;
  /** `node:1` */
  readonly tensor: string;
}

export interface FrozenSavedModel {
  readonly graph: GraphDef;
  readonly signature: string;
  readonly inputs: readonly FrozenInput[];
  readonly outputs: readonly FrozenOutput[];
  /** Whether all inputs have the same batch. */
  readonly isKeras: boolean;
}

/** Where every SavedModel has its variables. */
const PREFIX = 'variables/variables';
/** Of the checkpoint's graph of objects. */
const OBJECT_GRAPH = '_CHECKPOINTABLE_OBJECT_GRAPH';

/**
 * @param path the folder, or saved_model.pb in it
 * @throws ModelFormatError for files that are damaged or missing; ReaderError SAVED_MODEL_…, SIGNATURE_…, FUNCTION_…, MODEL_STATEFUL,
 * VARIABLE_…
 */
export async function readFrozenSavedModel(path: string, options: SignatureOptions = {}): Promise<FrozenSavedModel> {
  const isFolder = await isFolderAt(path);
  const file = isFolder ? join(path, 'saved_model.pb') : path;
  const metaGraph = chooseMetaGraph(decodeSavedModel(await readWholeFile(file, MAX_PROTOBUF_BYTES)), options);
  const [name, signature] = chooseSignature(metaGraph, options);
  const inputs = signatureInputs(signature, name);
  const outputs = signatureOutputs(signature, name);
  const nodes = withPlaceholders(metaGraph.graph.nodes, inputs);
  const roots = outputs.map(({ tensor }) => nodeOf(tensor));
  const expanded = expandCalls({ ...metaGraph.graph, nodes }, roots);
  const hasVariables = [expanded, ...expanded.functions.values()].some((graph) => graph.nodes.some(isVariable));
  const variables = hasVariables ? await openVariables(metaGraph, isFolder ? path : dirname(file)) : undefined;
  const frozen = variables === undefined ? expanded : freezeVariables(expanded, variables);
  // Outputs of the call that a signature is, where they are computed.
  const source = sourcesOf(frozen.nodes);
  const computed = outputs.map((output) => ({ ...output, tensor: source(output.tensor) }));
  const graph = skipIdentities(
    frozen,
    computed.map(({ tensor }) => nodeOf(tensor)),
  );
  return { graph, signature: name, inputs, outputs: computed, isKeras: metaGraph.isKeras };
}

async function isFolderAt(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function signatureInputs({ inputs }: Signature, signature: string): FrozenInput[] {
  return [...inputs].map(([name, info]) => {
    const { node, index } = parseReference(tensorName(name, info, signature));
    if (index !== 0) {
      throw new ReaderError({
        code: 'SIGNATURE_INPUT',
        message: `Input '${name}' of signature '${signature}' is output ${index} of the node '${node}', which cannot be replaced alone.`,
        advice: 'Export the model with a placeholder as input.',
      });
    }
    return { name, node, dataType: info.dataType, shape: info.shape };
  });
}

function signatureOutputs({ outputs }: Signature, signature: string): FrozenOutput[] {
  return [...outputs].map(([name, info]) => ({ name, tensor: tensorName(name, info, signature) }));
}

function tensorName(name: string, { tensor }: TensorInfo, signature: string): string {
  if (tensor !== undefined && tensor !== '') return tensor;
  throw new ReaderError({
    code: 'SIGNATURE_COMPOSITE',
    message: `'${name}' of signature '${signature}' is a sparse, ragged or other composite tensor.`,
    advice: 'Export a signature that takes and returns dense tensors.',
  });
}

/** The nodes that the signature feeds, as placeholders: TF1's may be any node. */
function withPlaceholders(nodes: readonly NodeDef[], inputs: readonly FrozenInput[]): NodeDef[] {
  const fed = new Map(inputs.map((input) => [input.node, input]));
  return nodes.map((node) => {
    const input = fed.get(node.name);
    if (input === undefined) return node;
    const own = node.op === 'Placeholder' ? node.attributes.get('shape') : undefined;
    const shape = input.shape ?? (own?.kind === 'shape' ? own.value : undefined);
    const attributes = new Map<string, AttrValue>([
      ['dtype', { kind: 'type', value: input.dataType }],
      ['shape', { kind: 'shape', value: shape }],
    ]);
    return { name: node.name, op: 'Placeholder', inputs: [], attributes };
  });
}

/** Gives variables their values in the checkpoint: by what the graph itself restores, else by their names. */
async function openVariables(metaGraph: MetaGraph, folder: string): Promise<(variable: NodeDef) => TensorFlowTensor> {
  const bundle = await openBundle(folder);
  const { graph, restoreNode } = metaGraph;
  const restored = restoreNode === undefined ? new Map() : restoredVariables(graph, nodeOf(restoreNode));
  let objectKeys: ReadonlyMap<string, string> | undefined;
  return (variable) => {
    const place = restored.get(variable.name);
    if (place !== undefined)
      return place.part === 'whole' ? bundle.tensor(place.key) : bundle.part(place.key, place.part);
    const names = [sharedName(variable), variable.name].filter((name) => name !== '');
    const key = names.find((name) => bundle.has(name));
    if (key !== undefined) return bundle.tensor(key);
    objectKeys ??= checkpointKeys(bundle.text(OBJECT_GRAPH) ?? new Uint8Array());
    const object = names.map((name) => objectKeys?.get(name)).find((each) => each !== undefined);
    // Missing under its own name, if under no other.
    return bundle.tensor(object ?? names[0] ?? '');
  };
}

async function openBundle(folder: string): Promise<TensorBundle> {
  try {
    return await TensorBundle.open(folder, PREFIX);
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'MODEL_NOT_FOUND')) throw cause;
    throw new ReaderError({
      code: 'VARIABLES_MISSING',
      message: `The SavedModel ${basename(folder)} has variables, and there is no file ${join(folder, `${PREFIX}.index`)}.`,
      advice: "Copy the whole folder: the values are in 'variables'.",
      cause,
    });
  }
}

const decoder = new TextDecoder();

function sharedName({ attributes }: NodeDef): string {
  const value = attributes.get('shared_name');
  return value?.kind === 'string' ? decoder.decode(value.value) : '';
}
