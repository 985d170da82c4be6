/** `POST /v1/models/{model}:predict`, as TensorFlow Serving answers it. */
import { decodeText } from '../../lib/protocol/json-document.js';
import { elementCount } from '../../lib/protocol/shape.js';
import { decodePredictRequest } from '../../lib/protocol/tensorflow-serving-request.js';
import { encodePredictResponse } from '../../lib/protocol/tensorflow-serving-response.js';
import { type HttpRequest, type HttpResponse, jsonResponse, refuseEncodedBody } from '../http/http.js';
import { checkTextSize } from '../http/result-size.js';
import type { AnswerOptions } from './answer-options.js';
import type { Model } from './model.js';

/**
 * Any Content-Type will do, as with TensorFlow Serving: its documentation posts with curl, which calls the body a form.
 *
 * @throws RequestError for what is wrong with the request, or with an answer in JSON
 */
export async function tensorFlowPredict(
  request: HttpRequest,
  { artifact, run }: Model,
  { stopwatch, maxResponseBytes }: AnswerOptions,
): Promise<HttpResponse> {
  refuseEncodedBody(request);
  const { signature } = artifact.manifest;
  const { content, isBase64 } = request.body;
  const text = isBase64 ? decodeText(Buffer.from(content, 'base64'), false) : content;
  const { form, inputs } = decodePredictRequest(text, signature);
  stopwatch.lap('DecodeTime');
  const outputs = await run(
    inputs,
    signature.outputs.map(({ name }) => name),
  );
  stopwatch.lap('InferenceTime');
  for (const { shape } of outputs) checkTextSize(nestedTexts(shape), maxResponseBytes);
  return jsonResponse(200, encodePredictResponse(form, outputs));
}

/** How many texts a tensor is written as: its elements, or the empty rows of one that has none. */
function nestedTexts(shape: readonly number[]): number {
  const firstEmpty = shape.indexOf(0);
  return elementCount(firstEmpty < 0 ? shape : shape.slice(0, firstEmpty));
}
