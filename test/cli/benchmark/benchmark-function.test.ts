/** Against the local host, which is the real function behind the real Invoke API; what it does not do is answered by a mock of the SDK. */
import { join } from 'node:path';
import {
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
  ResourceNotFoundException,
  TooManyRequestsException,
} from '@aws-sdk/client-lambda';
import { mockClient } from 'aws-sdk-client-mock';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { benchmarkFunction } from '../../../lib/cli/benchmark/benchmark-function.js';
import { invocationCost } from '../../../lib/cost/invocation-cost.js';
import { refusalOf } from '../../support/refusal.js';
import { type ServedEndpoint, serveEndpoint } from '../../support/served-endpoint.js';
import { runCommand } from '../run-command.js';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const PHOTO = join(ROOT, 'node_modules/@vladmandic/face-api/demo/sample1.jpg');
const { signal } = new AbortController();
/** Bytes as the SDK gives them. */
const payload = (text: string) => Object.assign(Uint8Array.from(Buffer.from(text)), { transformToString: () => text });

describe('a served function', () => {
  let endpoint: ServedEndpoint;
  let name: string;
  let environment: Record<string, string>;
  beforeAll(async () => {
    endpoint = await serveEndpoint();
    name = endpoint.host.service.functions[0]?.names[0] ?? '';
    environment = {
      AWS_ENDPOINT_URL_LAMBDA: endpoint.host.url,
      AWS_ACCESS_KEY_ID: 'any',
      AWS_SECRET_ACCESS_KEY: 'any',
      AWS_REGION: 'us-east-1',
      AWS_MAX_ATTEMPTS: '1',
    };
  });
  afterAll(() => endpoint?.close());

  test('is measured through the SDK, its cold starts apart, with what it costs', async () => {
    const flags = ['--requests', '12', '--concurrency', '3', '--json'];
    const { code, stdout, stderr } = await runCommand(['benchmark', '--function', name, ...flags], { environment });
    expect(stderr).not.toMatch(/^[A-Z_]+: /m);
    const benchmark = JSON.parse(stdout);
    expect(code).toBe(0);
    expect(benchmark).toMatchObject({ model: 'faces', memorySize: 1769, answered: 12, throttled: 0, failed: {} });
    // One environment answered for the signature; three requests at a time want two more.
    expect(benchmark.cold.count).toBeGreaterThanOrEqual(1);
    expect(benchmark.cold.count + benchmark.warm.count).toBe(12);
    expect(benchmark.cold.init.p50).toBeGreaterThan(benchmark.warm.duration.p50);
    for (const times of [benchmark.warm, benchmark.cold]) expect(times.duration.p50).toBeLessThan(times.roundTrip.p50);
    expect(benchmark.cost.cold).toBeGreaterThan(benchmark.cost.warm);
  });

  test('is sent samples of yours, as the task reads them', async () => {
    const flags = ['--requests', '2', '--data', PHOTO, '--model-json', join(ROOT, 'models/faces')];
    const { code, stdout } = await runCommand(['benchmark', '--function', name, ...flags], { environment });
    expect(code).toBe(0);
    expect(stdout).toMatch(/2 of 2 answered/);
    expect(stdout).not.toMatch(/made-up/);
    expect(stdout).toMatch(/a million requests: \$\d+\.\d\d warm/);
  });

  test.each<[string, readonly string[], RegExp]>([
    ['that is not there', ['--function', 'nobody'], /BENCHMARK_INVOKE: nobody could not be invoked: ResourceNotFound/],
    ['for a model that it lacks', ['--function', 'NAME', '--model', 'nobody'], /BENCHMARK_REFUSED.*404/],
    ['and a model at once', ['some.onnx', '--function', 'NAME'], /USAGE/],
  ])('is refused %s', async (_, args, message) => {
    const flags = args.map((arg) => (arg === 'NAME' ? name : arg));
    const { code, stderr } = await runCommand(['benchmark', ...flags], { environment });
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });
});

describe('what only AWS does', () => {
  const lambda = mockClient(LambdaClient);
  afterEach(() => lambda.reset());

  const METADATA = {
    name: 'm',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
  };
  const answer = (body: unknown, log?: string, statusCode = 200) => ({
    StatusCode: 200,
    Payload: payload(JSON.stringify({ statusCode, body: JSON.stringify(body), isBase64Encoded: false })),
    ...(log === undefined ? {} : { LogResult: Buffer.from(log).toString('base64') }),
  });
  const report = (milliseconds: number, init = '') =>
    `REPORT RequestId: x\tDuration: ${milliseconds}.00 ms\tBilled Duration: ${milliseconds} ms\tMemory Size: 1024 MB\tMax Memory Used: 90 MB\t${init}`;
  const pathOf = (payload: unknown) => JSON.parse(Buffer.from(payload as Uint8Array).toString()).rawPath as string;

  /** Answers metadata truly, and inferences as told. */
  function answering(infer: (count: number) => unknown): void {
    let count = 0;
    lambda.on(InvokeCommand).callsFake(({ Payload }) => {
      const path = pathOf(Payload);
      if (path === '/v2/models') return answer({ models: [{ name: 'm', version: '1' }] });
      if (path === '/v2/models/m') return answer(METADATA);
      count += 1;
      return infer(count);
    });
  }
  const run = (requests: number, concurrency = 1) =>
    benchmarkFunction({
      function: 'arn:aws:lambda:eu-central-1:123456789012:function:f:live',
      requests,
      concurrency,
      signal,
    });

  test('throttles are counted, not retried, and end a benchmark that gets nothing else', async () => {
    const throttle = () => {
      throw new TooManyRequestsException({ message: 'Rate exceeded', $metadata: {} });
    };
    answering((count) => (count % 2 === 0 ? throttle() : answer({}, report(10))));
    expect(await run(10)).toMatchObject({ answered: 5, throttled: 5 });
    answering(throttle);
    expect((await refusalOf(() => run(1000, 4))).code).toBe('BENCHMARK_THROTTLED');
  });

  test('cost follows the architecture of its configuration and what was billed', async () => {
    lambda.on(GetFunctionConfigurationCommand).resolves({ Architectures: ['x86_64'], MemorySize: 2048 });
    answering((count) => answer({}, report(100, count === 1 ? 'Init Duration: 250.00 ms\t' : '')));
    const { cost, cold, warm, architecture, memorySize, maxMemoryUsed } = await run(4);
    expect({ architecture, memorySize, maxMemoryUsed }).toEqual({
      architecture: 'x86_64',
      memorySize: 2048,
      maxMemoryUsed: 90,
    });
    expect([cold?.count, cold?.init?.p50, warm?.count]).toEqual([1, 250, 3]);
    const each = invocationCost({ architecture: 'x86_64', memorySize: 2048, milliseconds: 100 });
    expect(cost.warm).toBeCloseTo(each * 1e6, 9);
  });

  test('answers without a report have a latency and no cost', async () => {
    answering(() => answer({}));
    const { warm, cold, cost } = await run(3);
    expect([warm?.count, warm?.duration, cold, cost.warm]).toEqual([3, null, null, null]);
  });

  test('functions that fail are told by what they said', async () => {
    answering((count) =>
      count === 1
        ? {
            StatusCode: 200,
            FunctionError: 'Unhandled',
            Payload: payload('{"errorType":"Runtime.ExitError"}'),
          }
        : answer({ error: 'busy', code: 'MODEL_LOADING' }, undefined, 503),
    );
    const { answered, failed, warm } = await run(3);
    expect([answered, warm]).toEqual([0, null]);
    expect(Object.entries(failed)).toEqual([
      ['{"errorType":"Runtime.ExitError"}', 1],
      [expect.stringMatching(/^503: .*MODEL_LOADING/), 2],
    ]);
  });

  test('never more requests are under way than asked for', async () => {
    let under = 0;
    let most = 0;
    answering(async () => {
      under += 1;
      most = Math.max(most, under);
      await new Promise((resolve) => setTimeout(resolve, 2));
      under -= 1;
      return answer({}, report(1));
    });
    expect((await run(40, 5)).answered).toBe(40);
    expect(most).toBe(5);
  });

  test('a function that is none of ours, and one that is not there, are refused', async () => {
    lambda.on(InvokeCommand).callsFake(() => answer({ hello: 'world' }));
    expect((await refusalOf(() => run(1))).code).toBe('BENCHMARK_NO_MODEL');
    lambda.on(InvokeCommand).callsFake(() => {
      throw new ResourceNotFoundException({ message: 'Function not found', $metadata: {} });
    });
    expect(await refusalOf(() => run(1))).toMatchObject({
      code: 'BENCHMARK_INVOKE',
      advice: expect.stringContaining('lambda:InvokeFunction'),
    });
  });
});
