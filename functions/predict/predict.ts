/** `POST /predict/{model}`: what the task makes of a raw body. */
import { RequestError } from '../../lib/errors.js';
import type { NamedTensor } from '../../lib/protocol/tensor.js';
import type { TaskPipeline, TensorFeeds, TensorOutput, TensorOutputs } from '../../lib/tasks/task-pipeline.js';
import { type HttpRequest, type HttpResponse, jsonResponse, mediaType, refuseEncodedBody } from '../http/http.js';
import type { Model } from './model.js';
import type { Stopwatch } from './stopwatch.js';

/** Sent by clients that do not know the type; the content decides anyway. */
const UNKNOWN_TYPES = ['application/octet-stream', ''];

const TEXT_TYPES = ['text/plain', 'application/json'];

/** @throws RequestError for what is wrong with the body */
export async function predict(
  request: HttpRequest,
  { artifact, run }: Model,
  pipeline: TaskPipeline,
  stopwatch: Stopwatch,
): Promise<HttpResponse> {
  const { name, modelVersion, signature } = artifact.manifest;
  const prepared = await pipeline.prepare(requestBytes(request, pipeline.accepts), mediaType(request));
  stopwatch.lap('DecodeTime');
  const names = signature.outputs.map((output) => output.name);
  const runOnce = async (feeds: TensorFeeds): Promise<TensorOutputs> => {
    const inputs: NamedTensor[] = Object.entries(feeds).map(([input, feed]) => ({ name: input, ...feed }));
    const results = await run(inputs, names);
    return Object.fromEntries(results.map((tensor) => [tensor.name, tensor as TensorOutput]));
  };
  let outputs = await runOnce(prepared.feeds);
  for (let next = prepared.next?.(outputs); next !== undefined; next = prepared.next?.(outputs)) {
    outputs = await runOnce(next);
  }
  stopwatch.lap('InferenceTime');
  return jsonResponse(200, {
    model_name: name,
    model_version: String(modelVersion),
    predictions: prepared.conclude(outputs),
  });
}

function requestBytes(request: HttpRequest, accepts: readonly string[]): Uint8Array {
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
