/** What the real bundle keeps of answers that it streams: as much as of others, and behind them, where nobody waits. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { CAPTURE_VARIABLE, type CapturedInference, type CaptureSettings } from '../../../../lib/artifact/capture.js';
import { builtInRuntime } from '../../../../lib/local/execution-environment.js';
import type { ServiceFault } from '../../../support/faulty-service.js';
import { LOOPBACK_CREDENTIALS, LoopbackFunction } from '../../../support/loopback-lambda.js';
import { LoopbackS3 } from '../../../support/loopback-s3.js';
import { type PreparedFunction, prepareFunction } from '../../../support/predict-function.js';
import { type ServedArtifact, writeEchoArtifact } from '../../../support/served-artifact.js';

const SETTINGS: CaptureSettings = {
  bucket: 'kept',
  prefix: 'captures/',
  share: 1,
  maxBodyBytes: 1_000_000,
  headers: [],
  inputs: {},
  outputs: {},
  // A buffered answer's record would wait for the next request.
  wait: false,
};
const INFER = '/v2/models/echo/infer';

let prepared: PreparedFunction;
let echo: ServedArtifact;
let s3: LoopbackS3;
let fault: ServiceFault | undefined;
const started: LoopbackFunction[] = [];

beforeAll(async () => {
  prepared = await prepareFunction();
  echo = writeEchoArtifact([{ name: 'x', dataType: 'float32', shape: ['N'] }]);
  s3 = await LoopbackS3.start({ bucket: 'kept', allows: { put: ['captures/echo/'], get: [] }, fault: () => fault });
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.close()));
  s3.objects.clear();
  fault = undefined;
});
afterAll(async () => {
  prepared.remove();
  echo.remove();
  await s3.service.close();
});

/** One environment of the function, as behind a REST API that streams. */
function streaming(settings: Partial<CaptureSettings> = {}): LoopbackFunction {
  const runtime = builtInRuntime(1769);
  const variable = `${CAPTURE_VARIABLE}=${JSON.stringify({ ...SETTINGS, ...settings })}`;
  const running = new LoopbackFunction({
    name: 'predict',
    codeFolder: join(prepared.folder, 'task/predict'),
    optFolder: join(prepared.folder, 'opt'),
    handler: 'index.streamingHandler',
    maxConcurrency: 1,
    // The local host keeps no requests and takes the variable away; its runtime client gets it all the same.
    runtime: { command: '/usr/bin/env', arguments: [variable, runtime.command, ...runtime.arguments] },
    environment: {
      CDK_ONNX_ARTIFACT: echo.folder,
      ...LOOPBACK_CREDENTIALS,
      AWS_ENDPOINT_URL_S3: s3.service.url,
    },
  });
  started.push(running);
  return running;
}

/** As a REST API sends it. */
const restEvent = (path: string, body: string) => ({
  resource: path,
  path,
  httpMethod: 'POST',
  headers: { 'Content-Type': 'application/json' },
  requestContext: { requestId: 'r', stage: 'live', path: `/live${path}`, httpMethod: 'POST', resourcePath: path },
  body,
  isBase64Encoded: false,
});
const numbers = (data: readonly number[]) =>
  JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [data.length], data }] });
const records = (): readonly CapturedInference[] =>
  [...s3.objects.values()].flatMap(({ body }) =>
    body
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as CapturedInference),
  );
/** Without a further request: on a machine that is busy it takes a while. */
const untilWritten = (count: number) =>
  expect.poll(() => records().length, { timeout: 60_000, interval: 20 }).toBe(count);

it('writes the record of a streamed answer behind it, although it is told not to wait', async () => {
  const answer = await streaming().invokeStreamed(restEvent(INFER, numbers([1.5, -2])));
  expect([answer.statusCode, JSON.parse(String(answer.body)).outputs[0].data]).toEqual([200, [1.5, -2]]);
  await untilWritten(1);
  expect(records()).toMatchObject([
    {
      model: 'echo',
      request: { method: 'POST', path: INFER, body: numbers([1.5, -2]), isBase64: false, redacted: false },
      response: { status: 200, body: String(answer.body), isBase64: false, redacted: false },
    },
  ]);
});

it('keeps binary tensors, which are written in pieces, as the bytes that were sent', async () => {
  const body = JSON.stringify({ ...JSON.parse(numbers([0.5, 7])), parameters: { binary_data_output: true } });
  const answer = await streaming().invokeStreamed(restEvent(INFER, body));
  expect(answer.headers['content-type']).toBe('application/octet-stream');
  await untilWritten(1);
  const { response } = records()[0] as CapturedInference;
  expect(response.headers).toMatchObject({
    'inference-header-content-length': answer.headers['inference-header-content-length'],
  });
  expect(Buffer.from(response.body, response.isBase64 ? 'base64' : 'utf8').equals(answer.body)).toBe(true);
});

it('redacts, and keeps refusals, as of other answers', async () => {
  const running = streaming({ inputs: { x: 'drop' }, outputs: { x_out: 'drop' } });
  const answer = await running.invokeStreamed(restEvent(INFER, numbers([8765.5])));
  expect(String(answer.body)).toContain('8765.5');
  await untilWritten(1);
  expect((await running.invokeStreamed(restEvent(INFER, '{"inputs":[]}'))).statusCode).toBe(400);
  await untilWritten(2);
  expect(records().map(({ response }) => [response.status, response.redacted])).toEqual([
    [200, true],
    [400, true],
  ]);
  expect(JSON.stringify(records())).not.toContain('8765');
});

it('leaves out what no result could have held, which the caller gets whole', async () => {
  const count = 2 ** 21;
  const body = JSON.stringify({
    ...JSON.parse(numbers(Array.from({ length: count }, (_, index) => index % 7))),
    parameters: { binary_data_output: true },
  });
  const answer = await streaming().invokeStreamed(restEvent(INFER, body));
  const head = Number(answer.headers['inference-header-content-length']);
  expect([answer.statusCode, answer.body.length - head]).toEqual([200, 4 * count]);
  await untilWritten(1);
  for (const side of [records()[0]?.request, records()[0]?.response]) {
    expect(side).toMatchObject({ body: '', redacted: true });
  }
});

it('streams whole answers while S3 does not answer, and writes later ones', async () => {
  const running = streaming();
  const called = s3.service.calls.length;
  fault = { kind: 'stall', when: 'before-work' };
  const answer = await running.invokeStreamed(restEvent(INFER, numbers([1])));
  expect(JSON.parse(String(answer.body)).outputs[0].data).toEqual([1]);
  await expect.poll(() => s3.service.calls.length, { timeout: 60_000, interval: 20 }).toBe(called + 1);
  const second = await running.invokeStreamed(restEvent(INFER, numbers([2])));
  expect(JSON.parse(String(second.body)).outputs[0].data).toEqual([2]);
  fault = undefined;
  // What began before is given up in its time; the record behind it goes with one of the next requests.
  const bodies = () => records().map(({ request }) => request.body);
  await expect
    .poll(
      async () => {
        await running.invokeStreamed(restEvent(INFER, numbers([3])));
        return bodies();
      },
      { timeout: 60_000, interval: 100 },
    )
    .toContain(numbers([2]));
  expect(bodies()).not.toContain(numbers([1]));
}, 120_000);
