/**
 * In front of the function that predicts: hands requests on to it, and inferences to SageMaker where it does not, cannot or should not
 * answer. A function that is throttled, has crashed or computes cannot do that itself.
 */
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { withCorsHeaders } from '../http/cors.js';
import { errorCode, errorResponse } from '../http/error-response.js';
import type { HttpResponse } from '../http/http.js';
import { toHttpApiResult } from '../http/http-api-event.js';
import type { InvocationContext } from '../http/invocation-context.js';
import { readEvent } from '../http/read-event.js';
import { MAX_RESULT_BYTES, resultBytes } from '../http/result-size.js';
import { errorDetails, log } from '../log/log.js';
import { createRouter, MODEL_VARIABLE, type Router } from './configuration.js';
import { computedBy, failureResponse, rejectionResponse } from './decided-response.js';
import { RouterObservation } from './observation.js';
import { type Routed, routeRequest } from './route-request.js';

let router: Router | undefined;
let isColdStart = process.env.AWS_LAMBDA_INITIALIZATION_TYPE === 'on-demand';

function theRouter(): Router {
  router ??= createRouter(process.env);
  return router;
}

try {
  theRouter();
} catch (error) {
  // Every request says it again, to those who sent it.
  log('ERROR', 'the router cannot work', errorDetails(error));
}

export async function handler(event: unknown, context?: InvocationContext): Promise<APIGatewayProxyStructuredResultV2> {
  const observation = new RouterObservation(context, isColdStart);
  isColdStart = false;
  const model = process.env[MODEL_VARIABLE] ?? 'unknown';
  const resultOf = (response: HttpResponse) =>
    toHttpApiResult(withCorsHeaders(observation.identify(response), event, process.env));
  let routed: Routed | undefined;
  try {
    const request = readEvent(event);
    observation.received(request);
    routed = await routeRequest(theRouter(), event, request, context);
    const result = toResult(routed, event, resultOf);
    observation.conclude({
      model,
      status: result.statusCode ?? 200,
      routed,
      circuits: theRouter().dispatcher.circuits,
    });
    return result;
  } catch (error) {
    const response = errorResponse(error, observation.log);
    observation.conclude({ model, status: response.status, code: errorCode(error), routed });
    return resultOf(response);
  }
}

function toResult(
  { isInference, decision, job }: Routed,
  event: unknown,
  resultOf: (response: HttpResponse) => APIGatewayProxyStructuredResultV2,
): APIGatewayProxyStructuredResultV2 {
  if (job !== undefined) return resultOf(job.response);
  if (decision === undefined) throw new TypeError('a request came to neither a decision nor a job');
  switch (decision.kind) {
    case 'failed':
      return resultOf(failureResponse(decision));
    case 'rejected':
      return resultOf(rejectionResponse(decision));
    case 'answered': {
      const { answer, by, reason } = decision;
      const added = isInference ? computedBy(by, reason) : {};
      if (answer.kind === 'response') {
        return resultOf({ ...answer.response, headers: { ...answer.response.headers, ...added } });
      }
      const { result } = answer;
      const headers = { ...result.headers, ...added } as Readonly<Record<string, string>>;
      // The body stays as it is: only what stands around it is written anew.
      const { headers: all } = withCorsHeaders({ status: result.statusCode, headers, body: '' }, event, process.env);
      const complete = { ...result, headers: all };
      // A result that just fits does so without what is added here; Lambda would drop one that does not.
      return resultBytes(complete) > MAX_RESULT_BYTES ? result : complete;
    }
  }
}
