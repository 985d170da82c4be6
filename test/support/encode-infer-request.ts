/** The caller's side of `POST /v2/models/{model}/infer`. */

import type { RequestedOutput } from '../../lib/protocol/infer-request.js';
import { type EncodedInfer, encodeTensor } from '../../lib/protocol/infer-response.js';
import type { NamedTensor, TensorForm } from '../../lib/protocol/tensor.js';

export interface InferRequestOptions {
  readonly id?: string;
  readonly inputs: readonly (NamedTensor & { readonly form: TensorForm })[];
  /** Default: all, in JSON. */
  readonly outputs?: readonly RequestedOutput[];
  /** How outputs come back that `outputs` does not name. */
  readonly outputForm?: TensorForm;
}

/** @throws RequestError `NON_FINITE_OUTPUT` for an input in JSON that holds infinities or NaN */
export function encodeInferRequest({ id, inputs, outputs, outputForm }: InferRequestOptions): EncodedInfer {
  const encoded = inputs.map((input) => encodeTensor(input, input.form));
  const members = [
    ...(id === undefined ? [] : [`"id":${JSON.stringify(id)}`]),
    ...(outputForm === undefined ? [] : [`"parameters":{"binary_data_output":${outputForm === 'binary'}}`]),
    `"inputs":[${encoded.map(({ text }) => text).join(',')}]`,
    ...(outputs === undefined ? [] : [`"outputs":${JSON.stringify(outputs.map(outputEntry))}`]),
  ];
  return {
    text: `{${members.join(',')}}`,
    binary: encoded.flatMap(({ bytes }) => (bytes === undefined ? [] : [bytes])),
  };
}

function outputEntry({ name, form }: RequestedOutput) {
  return { name, parameters: { binary_data: form === 'binary' } };
}
