/**
 * The function behind every model: Open Inference Protocol V2, TensorFlow Serving's REST API, and the model's task at /predict.
 * The model is opened while the module is loaded, which is Lambda's init phase.
 */
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { RequestError } from '../../lib/errors.js';
import { PICTURE_MEDIA_TYPES } from '../../lib/tasks/image/image-pipeline.js';
import { type Artifact, readArtifact } from './artifact.js';
import { errorResponse, modelNotReady } from './error-response.js';
import type { HttpRequest } from './http.js';
import { fromHttpApiEvent, isHttpApiEvent, toHttpApiResult } from './http-api-event.js';
import { beforeTimeout, duringInitPhase, type InvocationContext } from './loading.js';
import { errorDetails, log } from './log.js';
import { memoizedUntilRejected } from './memoized.js';
import { openModel } from './model.js';
import { readModelList } from './model-list.js';
import { fromRestApiEvent, isRestApiEvent } from './rest-api-event.js';
import { answer, type Served } from './routes.js';
import { withWeights } from './weights/fetch-weights.js';

/** Put here by functions/build.mjs. */
declare const CDK_ONNX_VERSION: string;

let artifact: Artifact | undefined;
let isLoading = false;

function theArtifact(): Artifact {
  artifact ??= readArtifact(process.env);
  return artifact;
}

const served: Served = {
  version: CDK_ONNX_VERSION,
  accepts: PICTURE_MEDIA_TYPES,
  manifest: () => {
    try {
      return theArtifact().manifest;
    } catch (error) {
      throw modelNotReady(error);
    }
  },
  models: () => readModelList(process.env, served.manifest()),
  model: memoizedUntilRejected(async () => {
    isLoading = true;
    try {
      return await openModel(await withWeights(theArtifact(), process.env), process.env);
    } catch (error) {
      throw modelNotReady(error);
    } finally {
      isLoading = false;
    }
  }),
};

const opening = served.model().catch((error: unknown) => {
  // The function lives on: it says what is wrong, and each request tries again.
  log('ERROR', 'the model could not be opened', errorDetails(error));
});
await duringInitPhase(opening, process.env);

export async function handler(event: unknown, context?: InvocationContext): Promise<APIGatewayProxyStructuredResultV2> {
  try {
    return toHttpApiResult(await beforeTimeout(answer(readEvent(event), served), () => isLoading, context));
  } catch (error) {
    return toHttpApiResult(errorResponse(error));
  }
}

/** @throws RequestError `EVENT_UNKNOWN` */
function readEvent(event: unknown): HttpRequest {
  if (isHttpApiEvent(event)) return fromHttpApiEvent(event);
  if (isRestApiEvent(event)) return fromRestApiEvent(event);
  throw new RequestError({
    status: 400,
    code: 'EVENT_UNKNOWN',
    message:
      'The function was invoked with neither an HTTP API event of payload format 2.0 nor a REST API proxy event.',
    advice:
      'Put it behind an HTTP API with that payload format, as InferenceApi does, or a REST API with proxy integration.',
  });
}
