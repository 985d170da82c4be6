/** An endpoint with a router for the tests of a file, and what they ask of it. */
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { LogarithmOracle, type LogarithmRequest, logarithmRequest } from './logarithm-requests.js';
import type { LoopbackFunction } from './loopback-lambda.js';
import type { FunctionResult } from './predict-function.js';
import { post, RouterEndpoint } from './router-endpoint.js';
import { writeLogarithmArtifact } from './served-artifact.js';

export interface RouterTest {
  readonly endpoint: RouterEndpoint;
  /** Sends an inference; a prediction must be the right one. */
  infer(router: LoopbackFunction, form?: 'json' | 'binary', count?: number): Promise<FunctionResult>;
  /** What is wrong with an answer to a request that `logarithmRequest` made. */
  fault(request: LogarithmRequest, result: FunctionResult, seed: number): Promise<string | undefined>;
}

/** For the top of a file: started before its tests, without faults before each, closed after them. */
export function setUpRouterTest(): RouterTest {
  const artifact = writeLogarithmArtifact();
  let endpoint: RouterEndpoint | undefined;
  let oracle: LogarithmOracle | undefined;
  let seed = 0;
  beforeAll(async () => {
    endpoint = await RouterEndpoint.start(artifact);
    oracle = await LogarithmOracle.open(artifact.model);
  });
  beforeEach(() => {
    if (endpoint === undefined) return;
    endpoint.lambdaFault = undefined;
    endpoint.gpuFault = undefined;
    endpoint.queueFault = undefined;
    endpoint.s3Fault = undefined;
    endpoint.s3.clockOffset = 0;
  });
  afterAll(async () => {
    await endpoint?.close();
    await oracle?.close();
    artifact.remove();
  });
  return {
    get endpoint() {
      if (endpoint === undefined) throw new Error('the endpoint starts before the tests');
      return endpoint;
    },
    fault: async (request, result, seed) => (oracle === undefined ? 'no oracle' : oracle.fault(request, result, seed)),
    infer: async (router, form = 'json', count = 4) => {
      seed += 1;
      const request = logarithmRequest(seed, form, count);
      const result = await post(router, request.path, request.body, request.headers);
      if (result.statusCode === 200) expect(await oracle?.fault(request, result, seed)).toBeUndefined();
      return result;
    },
  };
}

/** Of an answer: its status, and what its headers say of where it was computed. */
export function whereAndWhy({ statusCode, headers }: FunctionResult) {
  return [statusCode, headers['x-cdk-onnx-computed-by'], headers['x-cdk-onnx-reason']];
}

/** What the router wrote of requests that are over. */
export function requestLines(router: LoopbackFunction) {
  return router.lines.map((line) => JSON.parse(line)).filter(({ message }) => message === 'request');
}
