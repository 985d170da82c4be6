/** Short forms for ONNX messages in tests. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProto_DataType,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf';

type GraphShape = Exclude<MessageInitShape<typeof GraphProtoSchema>, { $typeName: string }>;
type ModelShape = Exclude<MessageInitShape<typeof ModelProtoSchema>, { $typeName: string }>;
type NodeShape = Exclude<MessageInitShape<typeof NodeProtoSchema>, { $typeName: string }>;

export function modelProto(graph: GraphShape, rest: ModelShape = {}): ModelProto {
  return create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [{ domain: '', version: 17n }],
    graph: { name: 'g', ...graph },
    ...rest,
  });
}

export function nodeProto(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  rest: NodeShape = {},
): NodeProto {
  return create(NodeProtoSchema, { opType, input: [...input], output: [...output], ...rest });
}

/** A float32 value unless said otherwise; a string is a symbolic dimension. */
export function valueInfo(
  name: string,
  dims: readonly (number | string)[] = [],
  elemType: number = TensorProto_DataType.FLOAT,
): ValueInfoProto {
  const dim = dims.map((size) =>
    typeof size === 'number'
      ? { value: { case: 'dimValue' as const, value: BigInt(size) } }
      : { value: { case: 'dimParam' as const, value: size } },
  );
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: 'tensorType', value: { elemType, shape: { dim } } } },
  });
}

export function floatTensor(name: string, dims: readonly number[], values: readonly number[]): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: dims.map(BigInt),
    dataType: TensorProto_DataType.FLOAT,
    rawData: new Uint8Array(Float32Array.from(values).buffer),
  });
}

export function graphAttribute(name: string, graph: GraphShape): AttributeProto {
  return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.GRAPH, g: graph });
}

/** x → Relu → y. */
export function reluModel(): ModelProto {
  return modelProto({
    node: [nodeProto('Relu', ['x'], ['y'])],
    input: [valueInfo('x', [1])],
    output: [valueInfo('y', [1])],
  });
}
