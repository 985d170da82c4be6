/** What a request asks for, as far as it decides who can answer. */
import type { HttpRequest } from '../http/http.js';

export interface ServedModel {
  readonly name: string;
  /** Undefined where nobody said. */
  readonly version: string | undefined;
}

/**
 * `tensors`: an inference in V2, which Triton speaks too. `lambda-inference`: one in the words of TensorFlow Serving or of the model's
 * task, which only Lambda understands. `job`: what the router answers itself. `other`: metadata, health, descriptions, and what the
 * function refuses.
 */
export type RequestKind = 'tensors' | 'lambda-inference' | 'other';

export type Route =
  | { readonly kind: RequestKind }
  /** Without an id: all of them, where new ones are made. */
  | { readonly kind: 'job'; readonly id: string | undefined };

const V2_INFER = /^\/v2\/models\/(?<model>[^/]+)(?:\/versions\/(?<version>[^/]+))?\/infer$/;
const LAMBDA_INFERENCES = [/^\/v1\/models\/[^/:]+(?:\/versions\/[^/:]+)?:predict$/, /^\/predict\/[^/]+$/];

const JOBS = /^\/v2\/models\/(?<model>[^/]+)\/jobs(?:\/(?<id>[^/]+))?$/;

/** @param hasQueue whether there are jobs */
export function routeOf(request: HttpRequest, served: ServedModel, hasQueue: boolean): Route {
  const job = hasQueue ? JOBS.exec(request.path)?.groups : undefined;
  if (job?.model === served.name) return { kind: 'job', id: job.id };
  return { kind: kindOf(request, served) };
}

function kindOf({ method, path }: HttpRequest, served: ServedModel): RequestKind {
  if (method !== 'POST') return 'other';
  const named = V2_INFER.exec(path)?.groups;
  if (named !== undefined) {
    const isServed = named.model === served.name && (named.version === undefined || named.version === served.version);
    // What another model or version would be, the function knows.
    return isServed ? 'tensors' : 'other';
  }
  return LAMBDA_INFERENCES.some((route) => route.test(path)) ? 'lambda-inference' : 'other';
}
