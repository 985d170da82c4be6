/** Hundreds of requests through the real bundles while both targets fail at random: one right answer or one well-formed refusal for each. */
import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { awsError } from '../../support/aws-answers.js';
import type { ServiceFault } from '../../support/faulty-service.js';
import { LogarithmOracle, logarithmRequest } from '../../support/logarithm-requests.js';
import type { FunctionResult } from '../../support/predict-function.js';
import { randomFloats } from '../../support/random-numbers.js';
import { post, RouterEndpoint } from '../../support/router-endpoint.js';
import { writeLogarithmArtifact } from '../../support/served-artifact.js';
import { modelError } from '../../support/triton-on-sagemaker.js';

const REQUESTS = 300;
const TIMEOUT = 1_000;
const SEED = process.env.FAULTS_SEED === 'random' ? randomInt(2 ** 31) : 11;

const artifact = writeLogarithmArtifact();
let endpoint: RouterEndpoint;
let oracle: LogarithmOracle;

beforeAll(async () => {
  endpoint = await RouterEndpoint.start(artifact);
  oracle = await LogarithmOracle.open(artifact.model);
});
afterAll(async () => {
  await endpoint?.close();
  await oracle?.close();
  artifact.remove();
});

const container = (status: number): ServiceFault => {
  const answer = modelError(status, 'made up');
  return { kind: 'answer', status: answer.status, headers: answer.headers, body: answer.body.toString() };
};
const broken: readonly ServiceFault[] = (['reset', 'stall'] as const).flatMap((kind) =>
  (['before-work', 'before-answer', 'within-answer'] as const).map((when): ServiceFault => ({ kind, when })),
);
const LAMBDA_FAULTS: readonly ServiceFault[] = [
  ...broken,
  awsError(429, 'TooManyRequestsException'),
  awsError(500, 'ServiceException'),
  awsError(413, 'RequestTooLargeException'),
  {
    kind: 'answer',
    status: 200,
    headers: { 'x-amz-function-error': 'Unhandled' },
    body: '{"errorType":"Runtime.ExitError"}',
  },
  { kind: 'answer', status: 200, body: '{"half":' },
  { kind: 'cut-short' },
  { kind: 'delay', milliseconds: 300 },
  { kind: 'trickle', pieces: 4, pause: 20 },
];
const GPU_FAULTS: readonly ServiceFault[] = [
  ...broken,
  awsError(429, 'ModelNotReadyException'),
  awsError(503, 'ServiceUnavailable'),
  container(400),
  container(500),
  { kind: 'cut-short' },
  { kind: 'trickle', pieces: 4, pause: 20 },
];

/** In phases: both well, Lambda ill, both ill, the GPU ill. */
function shareOfFaults(request: number, target: 'lambda' | 'gpu'): number {
  const phase = Math.floor((request / REQUESTS) * 6) % 4;
  const isIll = target === 'lambda' ? phase === 1 || phase === 2 : phase >= 2;
  return isIll ? 0.6 : 0.06;
}

it(`each of ${REQUESTS} requests gets one answer in its time, right or well-formed (seed ${SEED})`, async () => {
  const numbers = randomFloats(100_000, SEED, 0, 1).values();
  const random = () => numbers.next().value ?? 0;
  let current = 0;
  // By the request and not by the call: how many calls there are depends on the machine.
  const planned = (target: 'lambda' | 'gpu', faults: readonly ServiceFault[]) =>
    Array.from({ length: REQUESTS }, (_, request) => {
      const [isFaulty, which] = [random() < shareOfFaults(request, target), Math.floor(random() * faults.length)];
      return isFaulty ? faults[which] : undefined;
    });
  const [lambdaFaults, gpuFaults] = [planned('lambda', LAMBDA_FAULTS), planned('gpu', GPU_FAULTS)];
  endpoint.lambdaFault = () => lambdaFaults[current];
  endpoint.gpuFault = () => gpuFaults[current];
  const router = endpoint.router({
    policy: {
      timeout: TIMEOUT,
      cpuTimeout: 250,
      hedgeAfter: 120,
      circuitBreaker: { failures: 3, openFor: 100, maxOpenFor: 400 },
    },
  });
  const counts = new Map<string, number>();
  const count = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1);
  for (; current < REQUESTS; current++) {
    const request = logarithmRequest(current, random() < 0.5 ? 'json' : 'binary', 1 + Math.floor(random() * 300));
    const began = performance.now();
    const result = await post(router, request.path, request.body, request.headers);
    // The deadline is the router's; this process shares a busy machine with it.
    expect(performance.now() - began).toBeLessThan(TIMEOUT + 20_000);
    if (result.statusCode === 200) {
      expect(await oracle.fault(request, result, current)).toBeUndefined();
      count(`${result.headers['x-cdk-onnx-computed-by']}: ${result.headers['x-cdk-onnx-reason']}`);
    } else count(wellFormed(result));
  }
  const lines = router.lines.map((line) => JSON.parse(line)).filter(({ message }) => message === 'request');
  expect(lines).toHaveLength(REQUESTS);
  const paid = lines.filter(({ ExtraLoad }) => ExtraLoad === 1).length;
  expect(endpoint.lambda.worked() + endpoint.gpu.worked()).toBeLessThanOrEqual(REQUESTS + paid);
  expect(paid).toBeLessThanOrEqual(Math.ceil(REQUESTS / 10));
  expect(Math.max(...lines.map(({ RouterTime }) => RouterTime))).toBeLessThan(TIMEOUT + 20_000);
  // The faults did their work: answers came from both, by choice and by need, and some requests were refused.
  for (const what of ['lambda: primary', 'sagemaker: circuit-open', 'sagemaker: hedge', '503']) {
    expect([...counts.keys()].some((each) => each.startsWith(what))).toBe(true);
  }
}, 180_000);

/** The status and code of a refusal as it should be. */
function wellFormed({ statusCode, headers, body, isBase64Encoded }: FunctionResult): string {
  const { error, code, advice, ...others } = JSON.parse(body);
  expect([typeof error, typeof code, typeof advice, others, isBase64Encoded]).toEqual([
    'string',
    'string',
    'string',
    {},
    false,
  ]);
  expect(headers['content-type']).toBe('application/json');
  if (statusCode === 503) expect(headers['retry-after']).toMatch(/^[1-9]\d?$/);
  else expect([statusCode, code]).toEqual([400, 'MODEL_REFUSED']);
  return `${statusCode} ${code}`;
}
