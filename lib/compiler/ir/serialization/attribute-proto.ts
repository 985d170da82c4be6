/** AttributeProto to Attribute and back. */
import { create } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  type TensorProto,
  AttributeProto_AttributeType as Type,
} from 'onnx-buf';
import { ModelFormatError } from '../../../errors.js';
import type { Attribute, AttributeValue } from '../attribute.js';
import type { Graph } from '../graph.js';
import type { Tensor } from '../tensor.js';
import { sameElements, unknownNumber, withFields } from './message.js';

/** What an attribute needs of its surroundings to be read. */
export interface AttributeContext {
  /** What the attribute is, for messages: "attribute 'value' of Constant 'c'". */
  readonly place: string;
  tensor(proto: TensorProto, place: string): Tensor;
  graph(proto: GraphProto, place: string): Graph;
}

/** What an attribute needs of its surroundings to be written. */
export interface AttributeWriter {
  tensor(tensor: Tensor): TensorProto;
  graph(graph: Graph): GraphProto;
}

/** @throws ModelFormatError UNKNOWN_ATTRIBUTE_TYPE, ATTRIBUTE_VALUE */
export function attributeFromProto(proto: AttributeProto, context: AttributeContext): Attribute {
  return { ...readValue(proto, context), origin: proto };
}

function readValue(proto: AttributeProto, context: AttributeContext): AttributeValue {
  const unknown = proto.$unknown?.find((field) => field.no === 20);
  if (unknown !== undefined) {
    throw new ModelFormatError({
      code: 'UNKNOWN_ATTRIBUTE_TYPE',
      message: `The ${context.place} has the type ${unknownNumber(unknown.data)}, which ONNX does not define.`,
      advice: 'The file is damaged, or newer than this version of cdk-onnx: export it with an older ONNX version.',
    });
  }
  if (proto.refAttrName !== '') return { kind: 'reference', value: proto.refAttrName, type: proto.type };
  const type = proto.type === Type.UNDEFINED ? inferredType(proto, context.place) : proto.type;
  switch (type) {
    case Type.FLOAT:
      return { kind: 'float', value: proto.f };
    case Type.INT:
      return { kind: 'int', value: proto.i };
    case Type.STRING:
      return { kind: 'string', value: proto.s };
    case Type.TENSOR:
      return { kind: 'tensor', value: context.tensor(present(proto.t, 'tensor', context.place), context.place) };
    case Type.GRAPH:
      return { kind: 'graph', value: context.graph(present(proto.g, 'graph', context.place), context.place) };
    case Type.FLOATS:
      return { kind: 'floats', value: proto.floats };
    case Type.INTS:
      return { kind: 'ints', value: proto.ints };
    case Type.STRINGS:
      return { kind: 'strings', value: proto.strings };
    case Type.TENSORS:
      return { kind: 'tensors', value: proto.tensors.map((tensor) => context.tensor(tensor, context.place)) };
    case Type.GRAPHS:
      return { kind: 'graphs', value: proto.graphs.map((graph) => context.graph(graph, context.place)) };
    default:
      return { kind: 'opaque', value: proto };
  }
}

/** Files of IR version 1 do not say the type: it is that of the one field that is there. */
function inferredType(proto: AttributeProto, place: string): Type {
  const candidates: Type[] = [];
  const has = (field: keyof AttributeProto) => Object.hasOwn(proto, field);
  if (has('f')) candidates.push(Type.FLOAT);
  if (has('i')) candidates.push(Type.INT);
  if (has('s')) candidates.push(Type.STRING);
  if (has('t')) candidates.push(Type.TENSOR);
  if (has('g')) candidates.push(Type.GRAPH);
  if (proto.floats.length > 0) candidates.push(Type.FLOATS);
  if (proto.ints.length > 0) candidates.push(Type.INTS);
  if (proto.strings.length > 0) candidates.push(Type.STRINGS);
  if (proto.tensors.length > 0) candidates.push(Type.TENSORS);
  if (proto.graphs.length > 0) candidates.push(Type.GRAPHS);
  if (has('sparseTensor')) candidates.push(Type.SPARSE_TENSOR);
  if (has('tp')) candidates.push(Type.TYPE_PROTO);
  if (proto.sparseTensors.length > 0) candidates.push(Type.SPARSE_TENSORS);
  if (proto.typeProtos.length > 0) candidates.push(Type.TYPE_PROTOS);
  const [type, ...others] = candidates;
  if (type === undefined || others.length > 0) {
    throw new ModelFormatError({
      code: 'ATTRIBUTE_VALUE',
      message: `The ${place} names no type and has ${type === undefined ? 'no value' : `${candidates.length} values`}.`,
      advice: 'The file is damaged or was written by a faulty exporter. Export the model again.',
    });
  }
  return type;
}

function present<T>(value: T | undefined, what: string, place: string): T {
  if (value !== undefined) return value;
  throw new ModelFormatError({
    code: 'ATTRIBUTE_VALUE',
    message: `The ${place} should hold a ${what} and holds none.`,
    advice: 'The file is damaged or was written by a faulty exporter. Export the model again.',
  });
}

/** The message that an attribute was read from if it still says the same, else a new one. */
export function attributeToProto(name: string, attribute: Attribute, writer: AttributeWriter): AttributeProto {
  const { origin } = attribute;
  if (attribute.kind === 'opaque')
    return attribute.value.name === name ? attribute.value : withFields(attribute.value, { name });
  const before = origin !== undefined && kindOf(origin) === attribute.kind ? origin : undefined;
  const fields = fieldsOf(attribute, writer);
  if (before !== undefined) {
    const keys = Object.keys(fields) as (keyof typeof fields)[];
    if (before.name === name && keys.every((key) => sameField(before[key], fields[key]))) return before;
    return withFields(before, {
      ...fields,
      name,
      type: attribute.kind === 'reference' ? attribute.type : TYPES[attribute.kind],
    });
  }
  const proto = create(AttributeProtoSchema, {
    name,
    type: attribute.kind === 'reference' ? attribute.type : TYPES[attribute.kind],
  });
  return withFields(proto, fields);
}

const TYPES = {
  float: Type.FLOAT,
  int: Type.INT,
  string: Type.STRING,
  tensor: Type.TENSOR,
  graph: Type.GRAPH,
  floats: Type.FLOATS,
  ints: Type.INTS,
  strings: Type.STRINGS,
  tensors: Type.TENSORS,
  graphs: Type.GRAPHS,
} as const;

type ValueFields = Partial<
  Pick<
    AttributeProto,
    'f' | 'i' | 's' | 't' | 'g' | 'floats' | 'ints' | 'strings' | 'tensors' | 'graphs' | 'refAttrName'
  >
>;

function fieldsOf(attribute: Exclude<Attribute, { kind: 'opaque' }>, writer: AttributeWriter): ValueFields {
  switch (attribute.kind) {
    case 'float':
      return { f: attribute.value };
    case 'int':
      return { i: attribute.value };
    case 'string':
      return { s: attribute.value as Uint8Array<ArrayBuffer> };
    case 'tensor':
      return { t: writer.tensor(attribute.value) };
    case 'graph':
      return { g: writer.graph(attribute.value) };
    case 'floats':
      return { floats: attribute.value as number[] };
    case 'ints':
      return { ints: attribute.value as bigint[] };
    case 'strings':
      return { strings: attribute.value as Uint8Array<ArrayBuffer>[] };
    case 'tensors':
      return { tensors: attribute.value.map((tensor) => writer.tensor(tensor)) };
    case 'graphs':
      return { graphs: attribute.value.map((graph) => writer.graph(graph)) };
    case 'reference':
      return { refAttrName: attribute.value };
  }
}

function kindOf(proto: AttributeProto): AttributeValue['kind'] | undefined {
  if (proto.refAttrName !== '') return 'reference';
  const type = proto.type === Type.UNDEFINED ? inferredType(proto, `attribute '${proto.name}'`) : proto.type;
  return (Object.keys(TYPES) as (keyof typeof TYPES)[]).find((kind) => TYPES[kind] === type);
}

function sameField(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    return a === b || (a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index]));
  }
  return Array.isArray(a) && Array.isArray(b) ? a === b || sameElements(a, b) : Object.is(a, b);
}
