import type { Task } from '../artifact/task.js';

export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
}

/** What an endpoint answers whatever the model: Open Inference Protocol V2, and its own description. */
export const SERVER_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/v2' },
  { method: 'GET', path: '/v2/health/live' },
  { method: 'GET', path: '/v2/health/ready' },
  { method: 'GET', path: '/v2/models' },
  { method: 'GET', path: '/openapi.json' },
];

/**
 * The literal routes of one model: V2, TensorFlow Serving's REST API, and `/predict` where the task says more than tensors. A version is a parameter: the function
 * knows its model's, and says which one there is.
 */
export function modelRoutes(modelName: string, taskType: Task['type']): readonly Route[] {
  const routes: Route[] = [
    ...v2Routes(`/v2/models/${modelName}`),
    ...v2Routes(`/v2/models/${modelName}/versions/{version}`),
    ...v1Routes(`/v1/models/${modelName}`),
    { method: 'POST', path: `/v1/models/${modelName}:predict` },
    ...v1Routes(`/v1/models/${modelName}/versions/{version}`),
    // A parameter is a whole segment of a path, so this one holds `<version>:predict`.
    { method: 'POST', path: `/v1/models/${modelName}/versions/{version}` },
  ];
  if (taskType !== 'tensor') routes.push({ method: 'POST', path: `/predict/${modelName}` });
  return routes;
}

/** Of a model whose requests may become jobs: an upload begins, it is done, and what became of it. */
export function jobRoutes(modelName: string): readonly Route[] {
  const jobs = `/v2/models/${modelName}/jobs`;
  return [
    { method: 'POST', path: jobs },
    { method: 'POST', path: `${jobs}/{id}` },
    { method: 'GET', path: `${jobs}/{id}` },
  ];
}

function v2Routes(path: string): Route[] {
  return [
    { method: 'GET', path },
    { method: 'GET', path: `${path}/ready` },
    { method: 'POST', path: `${path}/infer` },
  ];
}

function v1Routes(path: string): Route[] {
  return [
    { method: 'GET', path },
    { method: 'GET', path: `${path}/metadata` },
  ];
}
