/** The bytes of an ONNX file piece by piece: what protobuf's writer would make whole, without its copies of the weights. */
import { toBinary } from '@bufbuild/protobuf';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { GraphProtoSchema, type ModelProto, ModelProtoSchema, type TensorProto, TensorProtoSchema } from 'onnx-buf';
import { MAX_PROTOBUF_BYTES, tooLarge } from './decode.js';

/** Tensors from here on are passed through: their bytes lie between those of the other fields. */
const PASSED_BYTES = 64 * 1024;

const MODEL_GRAPH = 7;
const GRAPH_INITIALIZER = 5;
const TENSOR_RAW_DATA = 9;

interface Chunks {
  readonly length: number;
  readonly pieces: readonly Uint8Array[];
}

/**
 * The same bytes as `encodeModel`. Weights in raw_data of the graph's initializers are views on what the message holds.
 * @throws ModelFormatError MODEL_TOO_LARGE above 2 GiB
 */
export function modelChunks(model: ModelProto): readonly Uint8Array[] {
  const { length, pieces } = modelOf(model);
  if (length > MAX_PROTOBUF_BYTES) throw tooLarge(length);
  return pieces;
}

function modelOf(model: ModelProto): Chunks {
  const { graph } = model;
  // The writer has a place of its own for unknown fields.
  if (graph === undefined || model.$unknown !== undefined || graph.$unknown !== undefined) {
    return whole(toBinary(ModelProtoSchema, model));
  }
  const initializers = joined(graph.initializer.map((tensor) => field(GRAPH_INITIALIZER, tensorOf(tensor))));
  const graphBytes = toBinary(GraphProtoSchema, without(graph, { initializer: [] }));
  const inner = between(graphBytes, GRAPH_INITIALIZER, initializers);
  const modelBytes = toBinary(ModelProtoSchema, without(model, { graph: undefined }));
  return between(modelBytes, MODEL_GRAPH, field(MODEL_GRAPH, inner));
}

function tensorOf(tensor: TensorProto): Chunks {
  const { rawData } = tensor;
  if (rawData === undefined || rawData.byteLength < PASSED_BYTES || tensor.$unknown !== undefined) {
    return whole(toBinary(TensorProtoSchema, tensor));
  }
  const rest = toBinary(TensorProtoSchema, without(tensor, { rawData: undefined }));
  return between(rest, TENSOR_RAW_DATA, field(TENSOR_RAW_DATA, whole(rawData)));
}

function whole(bytes: Uint8Array): Chunks {
  return { length: bytes.byteLength, pieces: [bytes] };
}

function joined(parts: readonly Chunks[]): Chunks {
  return {
    length: parts.reduce((sum, { length }) => sum + length, 0),
    pieces: parts.flatMap(({ pieces }) => pieces),
  };
}

/** A field of a message: tag, length, content. */
function field(number: number, content: Chunks): Chunks {
  if (content.length > MAX_PROTOBUF_BYTES) throw tooLarge(content.length);
  const head = new BinaryWriter().tag(number, WireType.LengthDelimited).uint32(content.length).finish();
  return joined([whole(head), content]);
}

/** `added` in a message that lacks the field `number`, where it belongs: fields are written in the order of their numbers. */
function between(message: Uint8Array, number: number, added: Chunks): Chunks {
  const reader = new BinaryReader(message);
  let position = 0;
  while (position < message.byteLength) {
    const [next, wireType] = reader.tag();
    if (next > number) break;
    reader.skip(wireType, next);
    position = reader.pos;
  }
  return joined([whole(message.subarray(0, position)), added, whole(message.subarray(position))]);
}

/** A copy with one field replaced; a field that is deleted is read from the prototype, as the writer does. */
function without<Message extends object>(
  message: Message,
  changes: { readonly [Key in keyof Message]?: Message[Key] | undefined },
): Message {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(message)), message) as Message;
  for (const key of Object.keys(changes) as (keyof Message)[]) {
    const value = changes[key];
    if (value === undefined) delete copy[key];
    else copy[key] = value;
  }
  return copy;
}
