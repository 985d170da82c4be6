/** `:predict` of TensorFlow Serving in the words of V2, for Triton, and Triton's answer back. Lambda gets such a request as it came. */
import type { Signature } from '../../../lib/artifact/manifest.js';
import { encodeTensor } from '../../../lib/protocol/infer-response.js';
import { decodeText } from '../../../lib/protocol/json-document.js';
import { readInferResponse } from '../../../lib/protocol/read-infer-response.js';
import type { NamedTensor } from '../../../lib/protocol/tensor.js';
import { decodePredictRequest, type PredictForm } from '../../../lib/protocol/tensorflow-serving-request.js';
import { encodePredictResponse } from '../../../lib/protocol/tensorflow-serving-response.js';
import { type HttpRequest, type HttpResponse, jsonResponse, refuseEncodedBody } from '../../http/http.js';
import { HEADER_LENGTH } from '../../http/infer-body.js';
import type { BinaryInferBody } from '../targets/triton-body.js';

export interface TranslatedRequest {
  readonly body: BinaryInferBody;
  readonly form: PredictForm;
}

/** @throws RequestError for what is wrong with the request, as the function that predicts says it */
export function translateRequest(request: HttpRequest, signature: Signature): TranslatedRequest {
  refuseEncodedBody(request);
  const { content, isBase64 } = request.body;
  const text = isBase64 ? decodeText(Buffer.from(content, 'base64'), false) : content;
  const { form, inputs } = decodePredictRequest(text, signature);
  const encoded = inputs.map((tensor) => encodeTensor(atTriton(tensor), 'binary'));
  const outputs = signature.outputs.map(({ name }) => ({ name, parameters: { binary_data: true } }));
  const document = Buffer.from(
    `{"inputs":[${encoded.map((each) => each.text).join(',')}],"outputs":${JSON.stringify(outputs)}}`,
  );
  const tensors = encoded.flatMap(({ bytes }) => (bytes === undefined ? [] : [bytes]));
  return { form, body: { kind: 'bytes', bytes: Buffer.concat([document, ...tensors]), headerLength: document.length } };
}

/**
 * Undefined for what is no answer to it.
 *
 * @throws RequestError `NON_FINITE_OUTPUT`, `OUTPUT_WITHOUT_ROWS`, as the function that predicts does
 */
export function translateResponse(
  { headers, body }: HttpResponse,
  form: PredictForm,
  signature: Signature,
): HttpResponse | undefined {
  const bytes = typeof body === 'string' ? Buffer.from(body) : Buffer.concat(body);
  const length = headers[HEADER_LENGTH];
  const tensors = readTensors(bytes, length === undefined ? undefined : Number(length), signature);
  return tensors === undefined ? undefined : jsonResponse(200, encodePredictResponse(form, tensors));
}

function readTensors(
  bytes: Buffer,
  headerLength: number | undefined,
  { outputs }: Signature,
): readonly NamedTensor[] | undefined {
  try {
    return readInferResponse(bytes, headerLength, outputs).map((tensor, index) =>
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
