/** What a request asks for, as far as it decides who can answer. */
import type { HttpRequest } from '../http/http.js';

export interface ServedModel {
  readonly name: string;
  /** Undefined where nobody said. */
  readonly version: string | undefined;
}

/**
 * `tensors`: an inference in V2, which Triton speaks too. `rows`: one in the words of TensorFlow Serving, `task`: one in those of the model's
 * task, which can be translated for it. `job`: what the router answers itself. `other`: metadata, health, descriptions, and what the function
 * refuses.
 */
export type RequestKind = 'tensors' | 'rows' | 'task' | 'other';

export type Route =
  | { readonly kind: RequestKind }
  /** Without an id: all of them, where new ones are made. */
  | { readonly kind: 'job'; readonly id: string | undefined };

const V2_INFER = /^\/v2\/models\/(?<model>[^/]+)(?:\/versions\/(?<version>[^/]+))?\/infer$/;
const V1_PREDICT = /^\/v1\/models\/(?<model>[^/:]+)(?:\/versions\/(?<version>[^/:]+))?:predict$/;
const TASK_PREDICT = /^\/predict\/(?<model>[^/]+)$/;
const JOBS = /^\/v2\/models\/(?<model>[^/]+)\/jobs(?:\/(?<id>[^/]+))?$/;

/** @param hasQueue whether there are jobs */
export function routeOf(request: HttpRequest, served: ServedModel, hasQueue: boolean): Route {
  const job = hasQueue ? JOBS.exec(request.path)?.groups : undefined;
  if (job?.model === served.name) return { kind: 'job', id: job.id };
  return { kind: kindOf(request, served) };
}

function kindOf({ method, path }: HttpRequest, served: ServedModel): RequestKind {
  if (method !== 'POST') return 'other';
  // What another model or version would be, the function knows.
  const infer = V2_INFER.exec(path)?.groups;
  if (infer !== undefined) return isServed(infer, served) ? 'tensors' : 'other';
  const predict = V1_PREDICT.exec(path)?.groups;
  if (predict !== undefined) return isServed(predict, served) ? 'rows' : 'other';
  return TASK_PREDICT.exec(path)?.groups?.model === served.name ? 'task' : 'other';
}

function isServed({ model, version }: Readonly<Record<string, string | undefined>>, served: ServedModel): boolean {
  return model === served.name && (version === undefined || version === served.version);
}
