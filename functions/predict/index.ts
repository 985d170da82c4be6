/**
 * The function behind every model: Open Inference Protocol V2, TensorFlow Serving's REST API, and the model's task at /predict.
 * The model is opened while the module is loaded, which is Lambda's init phase.
 */
import { basename } from 'node:path';
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { CAPTURE_VARIABLE } from '../../lib/artifact/capture.js';
import { acceptedMediaTypes } from '../../lib/tasks/task-pipeline.js';
import { withCorsHeaders } from '../http/cors.js';
import { errorCode, errorResponse } from '../http/error-response.js';
import type { HttpRequest, HttpResponse } from '../http/http.js';
import { toHttpApiResult } from '../http/http-api-event.js';
import type { InvocationContext } from '../http/invocation-context.js';
import { readEvent } from '../http/read-event.js';
import { MAX_RESULT_BYTES, MAX_STREAM_BYTES } from '../http/result-size.js';
import { errorDetails, type Log, log } from '../log/log.js';
import { writeMetrics } from '../log/metrics.js';
import { type Artifact, readArtifact } from './artifact.js';
import type { RequestCapture } from './capture/request-capture.js';
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

const capture = process.env[CAPTURE_VARIABLE] ? await openCapture() : undefined;

/** Undefined where requests cannot be kept, which fails none of them. */
async function openCapture(): Promise<RequestCapture | undefined> {
  try {
    const { createRequestCapture } = await import('./capture/request-capture.js');
    return createRequestCapture(process.env, theArtifact().manifest);
  } catch (error) {
    const details = errorDetails(error);
    writeMetrics({ message: 'nothing is captured', model: modelName(), values: { CaptureFailures: 1 }, details }, log);
    return undefined;
  }
}

/** Behind every API but the following. */
export async function handler(event: unknown, context?: InvocationContext): Promise<APIGatewayProxyStructuredResultV2> {
  const { result, conclude } = await respond(event, context, {
    maxResponseBytes: MAX_RESULT_BYTES,
    toResult: toHttpApiResult,
  });
  await conclude?.(false);
  return result;
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

interface Answered<Result> {
  readonly result: Result;
  /** What is left to do of a request; told whether the caller has the result. */
  readonly conclude?: (isSent: boolean) => Promise<void>;
}

async function respond<Result>(
  event: unknown,
  context: InvocationContext | undefined,
  { maxResponseBytes, toResult }: Delivery<Result>,
): Promise<Answered<Result>> {
  const observation = new RequestObservation(context, isColdStart);
  isColdStart = false;
  const resultOf = (response: HttpResponse) =>
    toResult(withCorsHeaders(observation.identify(response), event, process.env));
  let request: HttpRequest | undefined;
  const answered = (response: HttpResponse, result: Result): Answered<Result> => {
    if (capture === undefined || request === undefined) return { result };
    const exchange = { id: context?.awsRequestId, request, response };
    return {
      result,
      conclude: (isSent) => capture.end({ ...exchange, isSent }, served.manifest(), observation.log),
    };
  };
  capture?.begin(served.manifest(), observation.log);
  try {
    request = readEvent(event);
    observation.received(request);
    const model = () => theModel(observation.log);
    const answering = answer(request, { ...served, model, maxResponseBytes }, observation.stopwatch);
    const response = await beforeTimeout(answering, () => isLoading, context);
    const result = resultOf(response);
    observation.stopwatch.lap('EncodeTime');
    observation.conclude(modelName(), response.status);
    return answered(response, result);
  } catch (error) {
    const response = errorResponse(error, observation.log);
    observation.conclude(modelName(), response.status, errorCode(error));
    return answered(response, resultOf(response));
  }
}
