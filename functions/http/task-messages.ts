/** The body of `POST /predict/{model}`, and what it is answered with. */
import { RequestError } from '../../lib/errors.js';
import type { NamedTensor } from '../../lib/protocol/tensor.js';
import type { Prediction, TensorFeeds, TensorOutput, TensorOutputs } from '../../lib/tasks/task-pipeline.js';
import { type HttpRequest, type HttpResponse, jsonResponse, mediaType, refuseEncodedBody } from './http.js';

/** Sent by clients that do not know the type; the content decides anyway. */
const UNKNOWN_TYPES = ['application/octet-stream', ''];

const TEXT_TYPES = ['text/plain', 'application/json'];

/** @throws RequestError `CONTENT_ENCODING_UNSUPPORTED`, `MEDIA_TYPE_UNSUPPORTED` (415) */
export function readTaskBody(request: HttpRequest, accepts: readonly string[]): Uint8Array {
  refuseEncodedBody(request);
  const type = mediaType(request);
  const { content, isBase64 } = request.body;
  // API Gateway hands over texts as they are, and has read a body of any other type as text too, which cannot be undone.
  if (!isBase64 && accepts.includes(type) && TEXT_TYPES.includes(type)) return Buffer.from(content, 'utf8');
  const isReadable = isBase64 || content === '';
  if (isReadable && (accepts.includes(type) || UNKNOWN_TYPES.includes(type))) return Buffer.from(content, 'base64');
  throw new RequestError({
    status: 415,
    code: 'MEDIA_TYPE_UNSUPPORTED',
    message: `The body's Content-Type is ${JSON.stringify(type.slice(0, 80))}.`,
    advice: `Post the bytes themselves as ${[...accepts, 'application/octet-stream'].join(', ')}, for example with curl -H 'content-type: ${accepts[0]}' --data-binary @file.`,
  });
}

export function taskInputs(feeds: TensorFeeds): NamedTensor[] {
  return Object.entries(feeds).map(([name, feed]) => ({ name, ...feed }));
}

/** Tasks read numbers; an output of texts is none of theirs. */
export function taskOutputs(tensors: readonly NamedTensor[]): TensorOutputs {
  return Object.fromEntries(tensors.map((tensor) => [tensor.name, tensor as TensorOutput]));
}

export function taskResponse(
  { name, modelVersion }: { readonly name: string; readonly modelVersion: number },
  predictions: readonly Prediction[],
): HttpResponse {
  return jsonResponse(200, { model_name: name, model_version: String(modelVersion), predictions });
}
