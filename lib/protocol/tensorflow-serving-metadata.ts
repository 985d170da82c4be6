/**
 * TensorFlow Serving's documents about a model: the JSON of GetModelStatusResponse and GetModelMetadataResponse.
 * https://www.tensorflow.org/tfx/serving/api_rest#model_status_api
 */
import type { DataType, Manifest, TensorSignature } from '../artifact/manifest.js';
import { SIGNATURE_NAME } from './tensorflow-serving-request.js';

const TENSORFLOW_NAMES: Readonly<Record<DataType, string>> = {
  bool: 'DT_BOOL',
  uint8: 'DT_UINT8',
  uint16: 'DT_UINT16',
  uint32: 'DT_UINT32',
  uint64: 'DT_UINT64',
  int8: 'DT_INT8',
  int16: 'DT_INT16',
  int32: 'DT_INT32',
  int64: 'DT_INT64',
  float16: 'DT_HALF',
  float32: 'DT_FLOAT',
  float64: 'DT_DOUBLE',
  string: 'DT_STRING',
};

/** Of a model that can answer; one that cannot has no status but the error of the request. */
export function tensorFlowModelStatus({ modelVersion }: Pick<Manifest, 'modelVersion'>) {
  return {
    model_version_status: [
      { version: String(modelVersion), state: 'AVAILABLE', status: { error_code: 'OK', error_message: '' } },
    ],
  };
}

export function tensorFlowModelMetadata({
  name,
  modelVersion,
  signature,
}: Pick<Manifest, 'name' | 'modelVersion' | 'signature'>) {
  const definition = {
    inputs: tensorInfos(signature.inputs),
    outputs: tensorInfos(signature.outputs),
    method_name: 'tensorflow/serving/predict',
  };
  return {
    model_spec: { name, signature_name: '', version: String(modelVersion) },
    metadata: { signature_def: { signature_def: { [SIGNATURE_NAME]: definition } } },
  };
}

function tensorInfos(tensors: readonly TensorSignature[]) {
  return Object.fromEntries(tensors.map((tensor) => [tensor.name, tensorInfo(tensor)]));
}

/** Sizes are texts, as protobuf's JSON writes int64; -1 stands for one that is not fixed. */
function tensorInfo({ name, dataType, shape }: TensorSignature) {
  return {
    dtype: TENSORFLOW_NAMES[dataType],
    tensor_shape: {
      dim: (shape ?? []).map((size) => ({
        size: typeof size === 'number' ? String(size) : '-1',
        name: typeof size === 'string' ? size : '',
      })),
      unknown_rank: shape === null,
    },
    name,
  };
}
