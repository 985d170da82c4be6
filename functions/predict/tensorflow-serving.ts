/** `POST /v1/models/{model}:predict`, as TensorFlow Serving answers it. */
import { decodeText } from '../../lib/protocol/json-document.js';
import { decodePredictRequest } from '../../lib/protocol/tensorflow-serving-request.js';
import { encodePredictResponse } from '../../lib/protocol/tensorflow-serving-response.js';
import { type HttpRequest, type HttpResponse, jsonResponse, refuseEncodedBody } from './http.js';
import type { Model } from './model.js';
import type { Stopwatch } from './stopwatch.js';

/**
 * Any Content-Type will do, as with TensorFlow Serving: its documentation posts with curl, which calls the body a form.
 *
 * @throws RequestError for what is wrong with the request, or with an answer in JSON
 */
export async function tensorFlowPredict(
  request: HttpRequest,
  { artifact, run }: Model,
  stopwatch: Stopwatch,
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
  return jsonResponse(200, encodePredictResponse(form, outputs));
}
