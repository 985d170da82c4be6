/** Inferences that can only become jobs: too large for Lambda by the policy, while there is no GPU. */
import { awsError } from './aws-answers.js';
import { type LogarithmRequest, logarithmRequest } from './logarithm-requests.js';
import type { LoopbackFunction } from './loopback-lambda.js';
import type { FunctionResult } from './predict-function.js';
import { post } from './router-endpoint.js';
import type { RouterTest } from './router-test.js';

/** It executes nothing then, so that a job is no second execution. */
export const GPU_COLD = () => awsError(429, 'ModelNotReadyException');
export const QUEUE_POLICY = { onGpuUnavailable: 'queue', maxCpuBatch: 3 };

export interface SentJob {
  readonly request: LogarithmRequest;
  readonly result: FunctionResult;
  /** Empty where it became no job. */
  readonly location: string;
}

export function jobRequests(test: RouterTest) {
  return {
    queueRouter: (policy: object = {}): LoopbackFunction =>
      test.endpoint.router({ hasQueue: true, policy: { ...QUEUE_POLICY, ...policy } }),
    sendJob: async (
      router: LoopbackFunction,
      seed: number,
      key?: string,
      form: 'json' | 'binary' = 'json',
    ): Promise<SentJob> => {
      test.endpoint.gpuFault ??= GPU_COLD;
      const request = logarithmRequest(seed, form, 8);
      const headers = { ...request.headers, ...(key === undefined ? {} : { 'idempotency-key': key }) };
      const result = await post(router, request.path, request.body, headers);
      return { request, result, location: result.headers.location ?? '' };
    },
  };
}

export const documentOf = ({ body }: FunctionResult) => JSON.parse(body) as Readonly<Record<string, unknown>>;
