/** Tensors as V2 in binary for Triton, and those of its answer. */
import type { Signature } from '../../../lib/artifact/manifest.js';
import { encodeTensor } from '../../../lib/protocol/infer-response.js';
import { readInferResponse } from '../../../lib/protocol/read-infer-response.js';
import type { NamedTensor } from '../../../lib/protocol/tensor.js';
import type { HttpResponse } from '../../http/http.js';
import { HEADER_LENGTH } from '../../http/infer-body.js';
import type { Outcome } from '../policy/outcome.js';
import type { TargetAnswer } from '../targets/answer.js';
import type { BinaryInferBody } from '../targets/triton-body.js';

export type AskTriton = (body: BinaryInferBody) => Promise<Outcome<TargetAnswer>>;

/** What Triton was asked for, or how asking it ended otherwise. */
export type TritonAnswer =
  | { readonly kind: 'tensors'; readonly tensors: readonly NamedTensor[] }
  | { readonly kind: 'none'; readonly outcome: Outcome<TargetAnswer> };

/** What is no answer of the model's, though it came as one. */
export const INVALID_ANSWER: Outcome<never> = { kind: 'connection', phase: 'answering', code: 'ANSWER_INVALID' };

export interface TensorRequest {
  /** The caller's request, so that Triton's log and what is captured there can be told by it. */
  readonly id: string | undefined;
  readonly inputs: readonly NamedTensor[];
}

/** Asks for every output; they come in the signature's order. */
export async function askForTensors(
  ask: AskTriton,
  request: TensorRequest,
  signature: Signature,
): Promise<TritonAnswer> {
  const outcome = await ask(encodeTensors(request, signature));
  if (outcome.kind !== 'answer' || outcome.answer.kind !== 'response') return { kind: 'none', outcome };
  const tensors = readTensors(outcome.answer.response, signature);
  return tensors === undefined ? { kind: 'none', outcome: INVALID_ANSWER } : { kind: 'tensors', tensors };
}

export function encodeTensors({ id, inputs }: TensorRequest, signature: Signature): BinaryInferBody {
  const encoded = inputs.map((tensor) => encodeTensor(atTriton(tensor), 'binary'));
  const outputs = signature.outputs.map(({ name }) => ({ name, parameters: { binary_data: true } }));
  const head = id === undefined ? '' : `"id":${JSON.stringify(id)},`;
  const document = Buffer.from(
    `{${head}"inputs":[${encoded.map((each) => each.text).join(',')}],"outputs":${JSON.stringify(outputs)}}`,
  );
  const tensors = encoded.flatMap(({ bytes }) => (bytes === undefined ? [] : [bytes]));
  return { kind: 'bytes', bytes: Buffer.concat([document, ...tensors]), headerLength: document.length };
}

/** Undefined for what is no answer to it. */
export function readTensors(
  { headers, body }: HttpResponse,
  { outputs }: Signature,
): readonly NamedTensor[] | undefined {
  const bytes = typeof body === 'string' ? Buffer.from(body) : Buffer.concat(body);
  const length = headers[HEADER_LENGTH];
  try {
    return readInferResponse(bytes, length === undefined ? undefined : Number(length), outputs).map((tensor, index) =>
      // Triton's [1] for a scalar.
      outputs[index]?.shape?.length === 0 && tensor.data.length === 1 ? { ...tensor, shape: [] } : tensor,
    );
  } catch {
    return undefined;
  }
}

/** A scalar is [1] in config.pbtxt, which knows no other. */
function atTriton(tensor: NamedTensor): NamedTensor {
  return tensor.shape.length === 0 ? { ...tensor, shape: [1] } : tensor;
}
