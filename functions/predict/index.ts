/**
 * The function behind every model: Open Inference Protocol V2, TensorFlow Serving's REST API, and the model's task at /predict.
 * The model is opened while the module is loaded, which is Lambda's init phase.
 */
import { basename } from 'node:path';
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { acceptedMediaTypes } from '../../lib/tasks/task-pipeline.js';
import { withCorsHeaders } from '../http/cors.js';
import { errorCode, errorResponse } from '../http/error-response.js';
import type { HttpResponse } from '../http/http.js';
import { toHttpApiResult } from '../http/http-api-event.js';
import type { InvocationContext } from '../http/invocation-context.js';
import { readEvent } from '../http/read-event.js';
import { MAX_RESULT_BYTES, MAX_STREAM_BYTES } from '../http/result-size.js';
import { errorDetails, type Log, log } from '../log/log.js';
import { writeMetrics } from '../log/metrics.js';
import { type Artifact, readArtifact } from './artifact.js';
import { beforeTimeout, duringInitPhase, isStartedForRequest } from './loading.js';
import { memoizedUntilRejected } from './memoized.js';
import { openModel } from './model.js';
import { readModelList } from './model-list.js';
import { modelNotReady } from './model-not-ready.js';
import { RequestObservation } from './observation.js';
import { answer, type Served } from './routes.js';
import { streamingHandlerOf, toStreamedResult } from './streamed-response.js';
import { withWeights } from './weights/fetch-weights.js';

/** Put here by functions/build.mjs. */
declare const CDK_ONNX_VERSION: string;

let artifact: Artifact | undefined;
let isLoading = false;

function theArtifact(): Artifact {
  artifact ??= readArtifact(process.env);
  return artifact;
}

/** For the log: a layer's folder has the model's name, whether its manifest can be read or not. */
function modelName(): string {
  return artifact?.manifest.name ?? (basename(process.env.CDK_ONNX_ARTIFACT ?? '') || 'unknown');
}

const theModel = memoizedUntilRejected(async (logOfOpening: Log) => {
  isLoading = true;
  try {
    const model = await openModel(await withWeights(theArtifact(), process.env), process.env, logOfOpening);
    const { threads, times } = model.opening;
    const { contentHash } = model.artifact.manifest;
    const line = { message: 'model ready', model: modelName(), values: times, details: { contentHash, threads } };
    writeMetrics(line, logOfOpening);
    return model;
  } catch (error) {
    // Here and not where a request fails by it: no request had a part in it, so the log may have all of it.
    logOfOpening('ERROR', 'the model could not be opened', errorDetails(error));
    throw modelNotReady(error);
  } finally {
    isLoading = false;
  }
});

const served: Omit<Served, 'model' | 'maxResponseBytes'> = {
  version: CDK_ONNX_VERSION,
  accepts: () => acceptedMediaTypes(served.manifest().task),
  manifest: () => {
    try {
      return theArtifact().manifest;
    } catch (error) {
      throw modelNotReady(error);
    }
  },
  models: () => readModelList(process.env, served.manifest()),
};

/** Until the first request; not where Lambda started the environment before anybody waited for it. */
let isColdStart = isStartedForRequest(process.env);

// Where it fails the function lives on: the log says what is wrong, and each request tries again.
await duringInitPhase(
  theModel(log).catch(() => undefined),
  process.env,
);

/** Behind every API but the following. */
export function handler(event: unknown, context?: InvocationContext): Promise<APIGatewayProxyStructuredResultV2> {
  return respond(event, context, { maxResponseBytes: MAX_RESULT_BYTES, toResult: toHttpApiResult });
}

/** Behind a REST API that streams. */
export const streamingHandler = streamingHandlerOf((event, context) =>
  respond(event, context, { maxResponseBytes: MAX_STREAM_BYTES, toResult: toStreamedResult }),
);

interface Delivery<Result> {
  readonly maxResponseBytes: number;
  /** May throw for a response that it cannot hand over; then it gets that error's. */
  toResult(response: HttpResponse): Result;
}

async function respond<Result>(
  event: unknown,
  context: InvocationContext | undefined,
  { maxResponseBytes, toResult }: Delivery<Result>,
): Promise<Result> {
  const observation = new RequestObservation(context, isColdStart);
  isColdStart = false;
  const resultOf = (response: HttpResponse) =>
    toResult(withCorsHeaders(observation.identify(response), event, process.env));
  try {
    const request = readEvent(event);
    observation.received(request);
    const model = () => theModel(observation.log);
    const answered = answer(request, { ...served, model, maxResponseBytes }, observation.stopwatch);
    const response = await beforeTimeout(answered, () => isLoading, context);
    const result = resultOf(response);
    observation.stopwatch.lap('EncodeTime');
    observation.conclude(modelName(), response.status);
    return result;
  } catch (error) {
    const response = errorResponse(error, observation.log);
    observation.conclude(modelName(), response.status, errorCode(error));
    return resultOf(response);
  }
}
