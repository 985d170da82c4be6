/** Bytes of a GraphDef (a frozen graph's file, a field of others) to plain data. */
import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { ModelFormatError } from '../../../errors.js';
import { type ScanLimits, scanMessage } from '../protobuf/wire-scan.js';
import { attributesFromProto } from './attr-value.js';
import { typeName } from './data-type.js';
import type { ArgumentDef, FunctionDef, GraphDef, NodeDef } from './graph-def.js';
import {
  type ArgDef,
  type FunctionDef as FunctionProto,
  GraphDefSchema,
  type GraphDef as GraphProto,
  type NodeDef as NodeProto,
} from './protocol/tensorflow_pb.js';
import { WriteOutBudget } from './tensor-proto.js';

/**
 * The graph in `bytes`. Constants in tensor_content are views on `bytes`, not copies: they must not change afterwards.
 * @throws ModelFormatError MODEL_EMPTY, PROTOBUF_… with byte offset and field path, TENSOR_SHAPE, TENSOR_SIZE, FUNCTION_DUPLICATE,
 * FUNCTION_ARGUMENT
 */
export function decodeGraphDef(bytes: Uint8Array, limits?: Partial<ScanLimits>): GraphDef {
  return graphFromProto(decodeMessage(GraphDefSchema, bytes, 'TensorFlow GraphDef', limits));
}

/**
 * Any of TensorFlow's messages, scanned before it is decoded.
 * @param format what errors call the file
 * @throws ModelFormatError MODEL_EMPTY, PROTOBUF_…
 */
export function decodeMessage<Schema extends DescMessage>(
  schema: Schema,
  bytes: Uint8Array,
  format: string,
  limits?: Partial<ScanLimits>,
): MessageShape<Schema> {
  if (bytes.byteLength === 0) {
    throw new ModelFormatError({
      code: 'MODEL_EMPTY',
      message: `The ${format} is empty.`,
      advice: 'Download or export the model again.',
    });
  }
  scanMessage(schema, bytes, { ...limits, format });
  try {
    // A Buffer's subarrays are Buffers; weights should be what their type says.
    const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return fromBinary(schema, view, { readUnknownFields: false });
  } catch (cause) {
    throw new ModelFormatError({
      code: 'PROTOBUF_DECODE',
      message: `The ${format} cannot be decoded: ${cause instanceof Error ? cause.message : String(cause)}.`,
      advice: 'The file is damaged. Download or export it again.',
      cause,
    });
  }
}

export function graphFromProto(proto: GraphProto | undefined): GraphDef {
  const budget = new WriteOutBudget();
  const functions = new Map<string, FunctionDef>();
  for (const each of proto?.library?.function ?? []) {
    const read = functionFromProto(each, budget);
    if (functions.has(read.name)) throw invalid('FUNCTION_DUPLICATE', `two functions are called '${read.name}'`);
    functions.set(read.name, read);
  }
  return { nodes: (proto?.node ?? []).map((node) => nodeFromProto(node, budget, '')), functions };
}

function nodeFromProto({ name, op, input, attr }: NodeProto, budget: WriteOutBudget, inside: string): NodeDef {
  const attributes = attributesFromProto(attr, budget, `${op} '${name}'${inside}`);
  return { name, op, inputs: input, attributes };
}

function functionFromProto(proto: FunctionProto, budget: WriteOutBudget): FunctionDef {
  const name = proto.signature?.name ?? '';
  const inside = ` of function '${name}'`;
  return {
    name,
    inputs: (proto.signature?.inputArg ?? []).map((argument) => argumentFromProto(argument, name)),
    outputs: (proto.signature?.outputArg ?? []).map((argument) => argumentFromProto(argument, name)),
    nodes: proto.nodeDef.map((node) => nodeFromProto(node, budget, inside)),
    returns: new Map(proto.ret.map(({ key, value }) => [key, value])),
    controlReturns: proto.controlRet.map(({ value }) => value),
    attributes: attributesFromProto(proto.attr, budget, `function '${name}'`),
  };
}

function argumentFromProto(proto: ArgDef, of: string): ArgumentDef {
  const { name, type, typeAttr, numberAttr, typeListAttr } = proto;
  if (numberAttr !== '' || typeListAttr !== '') {
    throw invalid('FUNCTION_ARGUMENT', `argument '${name}' of function '${of}' is a list, which is not supported`);
  }
  return { name, dataType: typeName(type), ...(typeAttr === '' ? {} : { typeAttribute: typeAttr }) };
}

function invalid(code: string, what: string): ModelFormatError {
  return new ModelFormatError({
    code,
    message: `Not a valid TensorFlow graph: ${what}.`,
    advice: 'The file is damaged or was written by a program that is not known here; export the model again.',
  });
}
