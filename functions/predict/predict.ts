/** `POST /predict/{model}`: what the task makes of a raw body. */
import { RequestError } from '../../lib/errors.js';
import type { NamedTensor } from '../../lib/protocol/tensor.js';
import type { TaskPipeline, TensorOutput } from '../../lib/tasks/task-pipeline.js';
import { type HttpRequest, type HttpResponse, jsonResponse, mediaType, refuseEncodedBody } from './http.js';
import type { Model } from './model.js';
import type { Stopwatch } from './stopwatch.js';

/** Sent by clients that do not know the type; the content decides anyway. */
const UNKNOWN_TYPES = ['application/octet-stream', ''];

/** @throws RequestError for what is wrong with the body */
export async function predict(
  request: HttpRequest,
  { artifact, run }: Model,
  pipeline: TaskPipeline,
  stopwatch: Stopwatch,
): Promise<HttpResponse> {
  const { name, modelVersion, signature } = artifact.manifest;
  const { feeds, conclude } = await pipeline.prepare(requestBytes(request, pipeline.accepts));
  const inputs: NamedTensor[] = Object.entries(feeds).map(([input, feed]) => ({ name: input, ...feed }));
  stopwatch.lap('DecodeTime');
  const results = await run(
    inputs,
    signature.outputs.map((output) => output.name),
  );
  stopwatch.lap('InferenceTime');
  const outputs = Object.fromEntries(results.map((tensor) => [tensor.name, tensor as TensorOutput]));
  return jsonResponse(200, {
    model_name: name,
    model_version: String(modelVersion),
    predictions: conclude(outputs),
  });
}

function requestBytes(request: HttpRequest, accepts: readonly string[]): Uint8Array {
  refuseEncodedBody(request);
  const type = mediaType(request);
  const { content, isBase64 } = request.body;
  // API Gateway has read a body of any other type as text, and that cannot be undone.
  const isReadable = isBase64 || content === '';
  if (isReadable && (accepts.includes(type) || UNKNOWN_TYPES.includes(type))) return Buffer.from(content, 'base64');
  throw new RequestError({
    status: 415,
    code: 'MEDIA_TYPE_UNSUPPORTED',
    message: `The body's Content-Type is ${JSON.stringify(type.slice(0, 80))}.`,
    advice: `Post the bytes themselves as ${[...accepts, 'application/octet-stream'].join(', ')}, for example with curl -H 'content-type: ${accepts[0]}' --data-binary @file.`,
  });
}
