import type { Task } from '../artifact/task.js';

export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
}

/** What an endpoint answers whatever the model: Open Inference Protocol V2. */
export const SERVER_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/v2' },
  { method: 'GET', path: '/v2/health/live' },
  { method: 'GET', path: '/v2/health/ready' },
];

/** The literal routes of one model: V2, and `/predict` where the task says more than tensors. */
export function modelRoutes(modelName: string, taskType: Task['type']): readonly Route[] {
  const routes: Route[] = [
    { method: 'GET', path: `/v2/models/${modelName}` },
    { method: 'GET', path: `/v2/models/${modelName}/ready` },
    { method: 'POST', path: `/v2/models/${modelName}/infer` },
  ];
  if (taskType !== 'tensor') routes.push({ method: 'POST', path: `/predict/${modelName}` });
  return routes;
}
