/** Artifacts of models that refuse some of what their signatures allow. */
import { create, toBinary } from '@bufbuild/protobuf';
import { AttributeProto_AttributeType, AttributeProtoSchema, ModelProtoSchema, TensorProto_DataType } from 'onnx-buf';
import { floatTensor, modelProto, nodeProto, valueInfo } from './onnx-messages.js';
import { type ServedArtifact, writeServedArtifact } from './served-artifact.js';

/** Rows of a table by their numbers: onnxruntime refuses others, and quotes them. */
export function writeTableArtifact(): ServedArtifact {
  const proto = modelProto({
    initializer: [floatTensor('table', [2], [0.25, 0.75])],
    node: [nodeProto('Gather', ['table', 'rows'], ['values'])],
    input: [valueInfo('rows', ['N'], TensorProto_DataType.INT64)],
    output: [valueInfo('values', ['N'])],
  });
  return writeServedArtifact({
    name: 'table',
    model: toBinary(ModelProtoSchema, proto),
    signature: {
      inputs: [{ name: 'rows', dataType: 'int64', shape: ['N'] }],
      outputs: [{ name: 'values', dataType: 'float32', shape: ['N'] }],
    },
  });
}

/** Text to numbers: onnxruntime refuses other text. */
export function writeNumbersArtifact(): ServedArtifact {
  const to = create(AttributeProtoSchema, {
    name: 'to',
    type: AttributeProto_AttributeType.INT,
    i: BigInt(TensorProto_DataType.FLOAT),
  });
  const proto = modelProto({
    node: [nodeProto('Cast', ['text'], ['number'], { attribute: [to] })],
    input: [valueInfo('text', ['N'], TensorProto_DataType.STRING)],
    output: [valueInfo('number', ['N'])],
  });
  return writeServedArtifact({
    name: 'numbers',
    model: toBinary(ModelProtoSchema, proto),
    signature: {
      inputs: [{ name: 'text', dataType: 'string', shape: ['N'] }],
      outputs: [{ name: 'number', dataType: 'float32', shape: ['N'] }],
    },
  });
}

/** Ones in the shape that the input says, as large as it likes. */
export function writeOnesArtifact(): ServedArtifact {
  const proto = modelProto({
    node: [nodeProto('ConstantOfShape', ['shape'], ['ones'])],
    input: [valueInfo('shape', ['N'], TensorProto_DataType.INT64)],
    output: [valueInfo('ones', ['A', 'B'])],
  });
  return writeServedArtifact({
    name: 'ones',
    model: toBinary(ModelProtoSchema, proto),
    signature: {
      inputs: [{ name: 'shape', dataType: 'int64', shape: ['N'] }],
      outputs: [{ name: 'ones', dataType: 'float32', shape: null }],
    },
  });
}
