/** Graph to GraphProto: the message that it was read from where it still says the same, else a copy with what differs. */
import { create } from '@bufbuild/protobuf';
import {
  type GraphProto,
  GraphProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type SparseTensorProto,
  type TensorProto,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import { GraphError } from '../../../errors.js';
import type { Graph } from '../graph.js';
import type { Node } from '../node.js';
import type { Tensor } from '../tensor.js';
import type { Value, ValueType } from '../value.js';
import { type AttributeWriter, attributeToProto } from './attribute-proto.js';
import { normalizedDomain } from './graph-from-proto.js';
import { sameElements, withFields } from './message.js';
import { sameType, typeFromProto, typeToProto } from './type-proto.js';

/** Writes a constant: an initializer by its name, an attribute's tensor without one. */
export type TensorWriter = (tensor: Tensor, name: string | undefined) => TensorProto;

export function graphToProto(graph: Graph, writeTensor: TensorWriter): GraphProto {
  const origin = graph.origin ?? create(GraphProtoSchema);
  const inputEntry = entryFinder(origin.input);
  const outputEntry = entryFinder(origin.output);
  const changes = changedLists(origin, {
    node: graph.nodes.map((node) => nodeToProto(node, writeTensor)),
    initializer: [...graph.initializers].map((value) => writeTensor(constantOf(value), value.name)),
    sparseInitializer: [...graph.sparseInitializers].map(([value, sparse]) => namedSparse(sparse, value.name)),
    input: graph.inputs.map((value) => valueInfo(value, inputEntry(value))),
    output: graph.outputs.map((value) => valueInfo(value, outputEntry(value))),
    valueInfo: valueInfos(graph, origin.valueInfo, definedNames(origin)),
  });
  const name = graph.name === origin.name ? {} : { name: graph.name };
  return Object.keys({ ...changes, ...name }).length === 0 ? origin : withFields(origin, { ...changes, ...name });
}

/** The lists that are not what the message holds already. */
export function changedLists<T extends object>(
  origin: T,
  lists: { readonly [K in keyof T]?: T[K] & readonly unknown[] },
) {
  const changed: { [K in keyof T]?: T[K] } = {};
  for (const key of Object.keys(lists) as (keyof T)[]) {
    const list = lists[key];
    if (list !== undefined && !sameElements(list, origin[key] as readonly unknown[])) changed[key] = list;
  }
  return changed;
}

function constantOf(value: Value): Tensor {
  if (value.initializer !== undefined) return value.initializer;
  throw new GraphError({
    code: 'INITIALIZER_WITHOUT_TENSOR',
    message: `The initializer '${value.name}' has no tensor.`,
    advice: 'This is a fault of cdk-onnx: please report it with the model.',
  });
}

function namedSparse(sparse: SparseTensorProto, name: string): SparseTensorProto {
  if (sparse.values === undefined || sparse.values.name === name) return sparse;
  return withFields(sparse, { values: withFields(sparse.values, { name }) });
}

/** How the tensors and graphs in attributes are written. */
export function attributeWriter(writeTensor: TensorWriter): AttributeWriter {
  return {
    tensor: (tensor) => writeTensor(tensor, undefined),
    graph: (graph) => graphToProto(graph, writeTensor),
  };
}

export function nodeToProto(node: Node, writeTensor: TensorWriter): NodeProto {
  const origin = node.origin ?? create(NodeProtoSchema);
  const writer = attributeWriter(writeTensor);
  const attribute = [...node.attributes].map(([name, value]) => attributeToProto(name, value, writer));
  const changes = {
    ...changedLists(origin, {
      input: node.inputs.map((value) => value?.name ?? ''),
      output: node.outputs.map((value) => value?.name ?? ''),
      attribute,
    }),
    ...(node.opType === origin.opType ? {} : { opType: node.opType }),
    ...(node.name === origin.name ? {} : { name: node.name === '' ? undefined : node.name }),
    ...(node.overload === origin.overload ? {} : { overload: node.overload === '' ? undefined : node.overload }),
    ...(node.domain === normalizedDomain(origin.domain)
      ? {}
      : { domain: node.domain === '' ? undefined : node.domain }),
  };
  return Object.keys(changes).length === 0 ? origin : withFields(origin, changes);
}

/** Finds the message of a list that speaks of a value: the one it was read from, else one by its first name. */
function entryFinder(entries: readonly ValueInfoProto[]): (value: Value) => ValueInfoProto | undefined {
  const known = new Set(entries);
  const byName = new Map<string, ValueInfoProto>();
  for (const entry of entries) if (!byName.has(entry.name)) byName.set(entry.name, entry);
  return (value) => {
    const { origin } = value;
    return origin !== undefined && known.has(origin) ? origin : (byName.get(origin?.name ?? value.name) ?? origin);
  };
}

/** A message for a value: `entry` where name and type still hold. */
function valueInfo(value: Value, entry: ValueInfoProto | undefined): ValueInfoProto {
  if (entry === undefined) {
    const proto = create(ValueInfoProtoSchema, { name: value.name });
    const type = currentType(value);
    if (type !== undefined) proto.type = typeToProto(type);
    return proto;
  }
  const retyped = isRetyped(value, entry);
  if (entry.name === value.name && !retyped) return entry;
  const type = currentType(value);
  return withFields(entry, {
    name: value.name,
    ...(retyped ? { type: type === undefined ? undefined : typeToProto(type, entry.type) } : {}),
  });
}

function currentType(value: Value): ValueType | undefined {
  const { initializer, type } = value;
  if (initializer === undefined || holds(type, initializer)) return type;
  return { kind: 'tensor', elementType: initializer.elementType, shape: initializer.dims };
}

/** Whether a value's type is not what was read. Several messages may speak of one value and disagree: that is left as it is. */
function isRetyped(value: Value, entry: ValueInfoProto): boolean {
  if (value.initializer !== undefined) {
    const declared = typeFromProto(entry.type, value.name);
    return declared !== undefined && !holds(declared, value.initializer);
  }
  return !sameType(value.type, typeFromProto(value.origin?.type, value.name));
}

function holds(type: ValueType | undefined, tensor: Tensor): boolean {
  if (type?.kind !== 'tensor' || type.elementType !== tensor.elementType) return false;
  const { shape } = type;
  if (shape === undefined) return true;
  return (
    shape.length === tensor.dims.length &&
    shape.every((dim, axis) => typeof dim !== 'number' || dim === tensor.dims[axis])
  );
}

/**
 * value_info in its old order: entries of values that are gone are dropped, entries that never spoke of a value of this graph stay
 * as long as none takes their name, and values that got a type since are added at the end.
 */
export function valueInfos(
  graph: Graph,
  entries: readonly ValueInfoProto[],
  defined: ReadonlySet<string>,
): ValueInfoProto[] {
  const byOrigin = new Map<ValueInfoProto, Value>();
  const byFirstName = new Map<string, Value>();
  const names = new Set<string>();
  const computed: Value[] = [];
  const add = (value: Value) => {
    names.add(value.name);
    if (value.origin === undefined) return;
    byOrigin.set(value.origin, value);
    if (!byFirstName.has(value.origin.name)) byFirstName.set(value.origin.name, value);
  };
  graph.inputs.forEach(add);
  graph.initializers.forEach(add);
  for (const value of graph.sparseInitializers.keys()) add(value);
  for (const node of graph.nodes) {
    for (const value of node.outputs) {
      if (value === undefined) continue;
      add(value);
      computed.push(value);
    }
  }
  const result: ValueInfoProto[] = [];
  const described = new Set<Value>();
  for (const entry of entries) {
    const value = byOrigin.get(entry) ?? byFirstName.get(entry.name);
    if (value !== undefined) {
      described.add(value);
      const typeTaken = currentType(value) === undefined && isRetyped(value, entry);
      if (!typeTaken) result.push(valueInfo(value, entry));
    } else if (!defined.has(entry.name) && !names.has(entry.name)) result.push(entry);
  }
  for (const value of computed) {
    if (value.type !== undefined && !described.has(value) && !value.isGraphOutput)
      result.push(valueInfo(value, value.origin));
  }
  return result;
}

function definedNames(proto: GraphProto): Set<string> {
  const names = new Set([...proto.input, ...proto.initializer].map(({ name }) => name));
  for (const sparse of proto.sparseInitializer) names.add(sparse.values?.name ?? '');
  for (const node of proto.node) for (const name of node.output) names.add(name);
  return names;
}
