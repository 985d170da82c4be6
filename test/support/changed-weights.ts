/** A served model with other weights: well-formed, of the same size and signature. */
import { readFileSync } from 'node:fs';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, TensorProto_DataType } from 'onnx-buf';
import { type ServedArtifact, writeServedArtifact } from './served-artifact.js';

/** @param change of a tensor of floating point; `index` counts these */
export function withChangedWeights(
  { manifest, model }: ServedArtifact,
  change: (values: Float32Array, index: number) => Float32Array,
): ServedArtifact {
  const proto = fromBinary(ModelProtoSchema, readFileSync(model));
  const tensors = proto.graph?.initializer.filter(({ dataType }) => dataType === TensorProto_DataType.FLOAT) ?? [];
  for (const [index, tensor] of tensors.entries()) {
    const values =
      tensor.rawData.length > 0
        ? new Float32Array(Uint8Array.from(tensor.rawData).buffer)
        : Float32Array.from(tensor.floatData);
    tensor.floatData = [];
    tensor.rawData = Uint8Array.from(new Uint8Array(change(values, index).buffer));
  }
  return writeServedArtifact({ ...manifest, model: toBinary(ModelProtoSchema, proto) });
}
