/** The answer to `POST /v2/models/{model}/infer`: JSON, or JSON followed by raw tensors. */
import { RequestError } from '../errors.js';
import { quoted } from './bad-request.js';
import { binaryBytes } from './binary-tensor.js';
import { v2DataType } from './data-types.js';
import type { NamedTensor, TensorForm } from './tensor.js';
import { writeJsonData } from './write-json-data.js';

export interface InferResponse {
  readonly modelName: string;
  readonly modelVersion: string;
  /** The request's, echoed. */
  readonly id?: string | undefined;
  readonly outputs: readonly (NamedTensor & { readonly form: TensorForm })[];
}

export interface EncodedInfer {
  /** The JSON document. */
  readonly text: string;
  /** What follows it, in order; views on the tensors' own memory. Empty where every tensor is in the document. */
  readonly binary: readonly Uint8Array[];
}

/**
 * @throws RequestError `NON_FINITE_OUTPUT`: JSON has no way to write infinities and NaN
 */
export function encodeInferResponse({ modelName, modelVersion, id, outputs }: InferResponse): EncodedInfer {
  const encoded = outputs.map((output) => encodeTensor(output, output.form));
  const head = [
    `"model_name":${JSON.stringify(modelName)}`,
    `"model_version":${JSON.stringify(modelVersion)}`,
    ...(id === undefined ? [] : [`"id":${JSON.stringify(id)}`]),
  ];
  return {
    text: `{${head.join(',')},"outputs":[${encoded.map(({ text }) => text).join(',')}]}`,
    binary: encoded.flatMap(({ bytes }) => (bytes === undefined ? [] : [bytes])),
  };
}

/** A tensor's entry in the document, and where it is binary the bytes that follow the document. */
export function encodeTensor(
  tensor: NamedTensor,
  form: TensorForm,
): { readonly text: string; readonly bytes?: Uint8Array } {
  const { name, dataType, shape } = tensor;
  const head = `"name":${JSON.stringify(name)},"datatype":"${v2DataType(dataType)}","shape":[${shape.join(',')}]`;
  if (form === 'binary') {
    const bytes = binaryBytes(tensor.data);
    return { text: `{${head},"parameters":{"binary_data_size":${bytes.byteLength}}}`, bytes };
  }
  const data = writeJsonData(tensor);
  if (data.kind === 'text') return { text: `{${head},"data":${data.text}}` };
  throw new RequestError({
    status: 422,
    code: 'NON_FINITE_OUTPUT',
    message: `Element ${data.index} of the tensor ${quoted(name)} is infinite or not a number, which JSON cannot write.`,
    advice: 'Ask for the binary form: "parameters": { "binary_data_output": true } in the request.',
  });
}
