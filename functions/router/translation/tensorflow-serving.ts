/** `:predict` of TensorFlow Serving in the words of V2, for Triton, and Triton's answer back. Lambda gets such a request as it came. */
import type { Signature } from '../../../lib/artifact/manifest.js';
import { decodeText } from '../../../lib/protocol/json-document.js';
import { decodePredictRequest } from '../../../lib/protocol/tensorflow-serving-request.js';
import { encodePredictResponse } from '../../../lib/protocol/tensorflow-serving-response.js';
import { type HttpRequest, jsonResponse, refuseEncodedBody } from '../../http/http.js';
import type { Outcome } from '../policy/outcome.js';
import type { TargetAnswer } from '../targets/answer.js';
import { type AskTriton, askForTensors } from './triton-tensors.js';

/** @throws RequestError for what is wrong with the request or the answer, as the function that predicts says it */
export async function answerRows(
  request: HttpRequest,
  signature: Signature,
  ask: AskTriton,
): Promise<Outcome<TargetAnswer>> {
  refuseEncodedBody(request);
  const { content, isBase64 } = request.body;
  const text = isBase64 ? decodeText(Buffer.from(content, 'base64'), false) : content;
  const { form, inputs } = decodePredictRequest(text, signature);
  const answer = await askForTensors(ask, { id: request.requestId, inputs }, signature);
  if (answer.kind === 'none') return answer.outcome;
  const response = jsonResponse(200, encodePredictResponse(form, answer.tensors));
  return { kind: 'answer', answer: { kind: 'response', response } };
}
