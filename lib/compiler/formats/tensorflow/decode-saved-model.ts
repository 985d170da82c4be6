/** saved_model.pb to plain data: graphs, signatures, and what leads from variables to the checkpoint. */
import type { ScanLimits } from '../protobuf/wire-scan.js';
import { typeName } from './data-type.js';
import { decodeMessage, graphFromProto } from './decode-graph-def.js';
import type { GraphDef, TensorFlowShape, TensorFlowType } from './graph-def.js';
import {
  type MetaGraphDef,
  SavedModelSchema,
  type SavedObjectGraph,
  type SignatureDef,
  type TensorInfoEntry,
  TrackableObjectGraphSchema,
} from './protocol/tensorflow_pb.js';
import { openShape } from './tensor-proto.js';

export interface TensorInfo {
  /** `node:0`; undefined for sparse, ragged and other composite tensors. */
  readonly tensor: string | undefined;
  readonly dataType: TensorFlowType;
  readonly shape: TensorFlowShape;
}

export interface Signature {
  readonly inputs: ReadonlyMap<string, TensorInfo>;
  readonly outputs: ReadonlyMap<string, TensorInfo>;
  readonly methodName: string;
}

export interface MetaGraph {
  readonly tags: readonly string[];
  /** Of the TensorFlow that wrote it: '2.21.0'. */
  readonly tensorFlowVersion: string;
  readonly graph: GraphDef;
  readonly signatures: ReadonlyMap<string, Signature>;
  /** The node that restores the variables when it runs; undefined where there are none. */
  readonly restoreNode: string | undefined;
  /** Whether Keras wrote it, all of whose inputs share a batch. */
  readonly isKeras: boolean;
  /** Functions that the root object offers by name, whether they have a signature or not. */
  readonly rootFunctions: readonly string[];
}

/** @throws ModelFormatError as `decodeGraphDef` */
export function decodeSavedModel(bytes: Uint8Array, limits?: Partial<ScanLimits>): readonly MetaGraph[] {
  return decodeMessage(SavedModelSchema, bytes, 'TensorFlow SavedModel', limits).metaGraphs.map(metaGraph);
}

function metaGraph(proto: MetaGraphDef): MetaGraph {
  const { metaInfoDef, graphDef, saverDef, signatureDef, objectGraphDef } = proto;
  const restore = saverDef?.restoreOpName ?? '';
  return {
    tags: metaInfoDef?.tags ?? [],
    tensorFlowVersion: metaInfoDef?.tensorflowVersion ?? '',
    graph: graphFromProto(graphDef),
    signatures: new Map(
      signatureDef.flatMap(({ key, value }) => (value === undefined ? [] : [[key, signature(value)] as const])),
    ),
    restoreNode: restore === '' ? undefined : restore,
    isKeras: isKeras(objectGraphDef),
    rootFunctions: rootFunctions(objectGraphDef),
  };
}

function signature({ inputs, outputs, methodName }: SignatureDef): Signature {
  return { inputs: tensorInfos(inputs), outputs: tensorInfos(outputs), methodName };
}

function tensorInfos(entries: readonly TensorInfoEntry[]): ReadonlyMap<string, TensorInfo> {
  const infos = new Map<string, TensorInfo>();
  // A map has no order on the wire: names make the same one every time, output_2 before output_10.
  for (const { key, value } of [...entries].sort((a, b) => a.key.localeCompare(b.key, 'en', { numeric: true }))) {
    if (value === undefined) continue;
    const tensor = value.encoding.case === 'name' ? value.encoding.value : undefined;
    infos.set(key, { tensor, dataType: typeName(value.dtype), shape: openShape(value.tensorShape) });
  }
  return infos;
}

/** Saved by Keras 2, or by the `export` of either Keras, whose archive has a list of the model's assets. */
function isKeras(objects: SavedObjectGraph | undefined): boolean {
  const [root, ...others] = objects?.nodes ?? [];
  const all = [root, ...others].map((each) => each?.userObject?.identifier ?? '');
  const names = (root?.children ?? []).map(({ localName }) => localName);
  return (
    all.some((each) => each.startsWith('_tf_keras')) ||
    ['_all_variables', '_misc_assets'].every((each) => names.includes(each))
  );
}

function rootFunctions(objects: SavedObjectGraph | undefined): string[] {
  const [root] = objects?.nodes ?? [];
  return (root?.children ?? [])
    .filter(({ nodeId }) => (objects?.nodes[nodeId]?.function?.concreteFunctions.length ?? 0) > 0)
    .map(({ localName }) => localName);
}

/** By the full name of a variable, the key of its tensor in the checkpoint; names that two variables share are left out. */
export function checkpointKeys(objectGraph: Uint8Array): ReadonlyMap<string, string> {
  const { nodes } = decodeMessage(TrackableObjectGraphSchema, objectGraph, 'graph of objects in the checkpoint');
  const keys = new Map<string, string>();
  const shared = new Set<string>();
  for (const { name, fullName, checkpointKey } of nodes.flatMap(({ attributes }) => attributes)) {
    if (name !== 'VARIABLE_VALUE' || fullName === '') continue;
    if (keys.has(fullName)) shared.add(fullName);
    keys.set(fullName, checkpointKey);
  }
  for (const name of shared) keys.delete(name);
  return keys;
}
