/** What the real bundle keeps in an S3 on loopback: by when, of what, and what becomes of requests when S3 fails. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventOf } from '../../../../functions/pre-traffic/requests/replayed-request.js';
import { CAPTURE_VARIABLE, type CapturedInference, type CaptureSettings } from '../../../../lib/artifact/capture.js';
import { readEmbeddedMetrics } from '../../../support/embedded-metric-format.js';
import type { ServiceFault } from '../../../support/faulty-service.js';
import { logLines } from '../../../support/log-lines.js';
import { LOOPBACK_CREDENTIALS, LOOPBACK_REGION } from '../../../support/loopback-lambda.js';
import { LoopbackS3 } from '../../../support/loopback-s3.js';
import {
  httpEvent,
  type PreparedFunction,
  prepareFunction,
  type RunningFunction,
} from '../../../support/predict-function.js';
import { samplePhoto } from '../../../support/sample-photos.js';
import { type ServedArtifact, writeEchoArtifact, writeFaceArtifact } from '../../../support/served-artifact.js';

const SETTINGS: CaptureSettings = {
  bucket: 'kept',
  prefix: 'captures/',
  share: 1,
  maxBodyBytes: 1_000_000,
  headers: [],
  inputs: {},
  outputs: {},
  wait: true,
};
const INFER = '/v2/models/echo/infer';
const numbers = (...data: number[]) =>
  JSON.stringify({
    inputs: [
      { name: 'age', datatype: 'FP32', shape: [data.length], data },
      { name: 'name', datatype: 'BYTES', shape: [1], data: ['Ada'] },
    ],
  });

let prepared: PreparedFunction;
let echo: ServedArtifact;
let faces: ServedArtifact;
let s3: LoopbackS3;
let fault: ((call: number) => ServiceFault | undefined) | undefined;
const started: RunningFunction[] = [];

beforeAll(async () => {
  prepared = await prepareFunction();
  echo = writeEchoArtifact([
    { name: 'age', dataType: 'float32', shape: ['N'] },
    { name: 'name', dataType: 'string', shape: ['M'] },
  ]);
  faces = writeFaceArtifact();
  s3 = await LoopbackS3.start({
    bucket: 'kept',
    allows: { put: ['captures/echo/', 'captures/faces/'], get: [] },
    fault: ({ number }) => fault?.(number),
  });
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.stop()));
  s3.objects.clear();
  fault = undefined;
});
afterAll(async () => {
  prepared.remove();
  echo.remove();
  faces.remove();
  await s3.service.close();
});

async function start(settings: Partial<CaptureSettings> = {}, artifact = echo): Promise<RunningFunction> {
  const running = await prepared.start({
    artifact: artifact.folder,
    environment: {
      [CAPTURE_VARIABLE]: JSON.stringify({ ...SETTINGS, ...settings }),
      ...LOOPBACK_CREDENTIALS,
      AWS_REGION: LOOPBACK_REGION,
      AWS_ENDPOINT_URL_S3: s3.service.url,
    },
  });
  started.push(running);
  return running;
}
const records = (): readonly CapturedInference[] =>
  [...s3.objects.values()].flatMap(({ body }) =>
    body
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as CapturedInference),
  );
/** On a machine that is busy, S3 takes longer than an answer waits. */
const PATIENTLY = { timeout: 30_000, interval: 50 };
const untilWritten = (running: RunningFunction, count: number) =>
  expect
    .poll(async () => {
      await running.get('/v2/health/live');
      return records().length;
    }, PATIENTLY)
    .toBe(count);
const onlyRecord = () => {
  expect(records()).toHaveLength(1);
  return records()[0] as CapturedInference;
};
const countsOf = async (running: RunningFunction) => {
  const counts: Record<string, number> = {};
  for (const line of await logLines(running)) {
    if (line._aws === undefined) continue;
    for (const { name, value } of readEmbeddedMetrics(line)) {
      if (name.startsWith('Capture')) counts[name] = (counts[name] ?? 0) + Number(value);
    }
  }
  return counts;
};

describe('a record', () => {
  it('is the request and the answer as they were, and gives the same answer when it is sent again', async () => {
    const running = await start();
    const answer = await running.invoke(
      httpEvent({ method: 'POST', path: INFER, body: numbers(1.5, -2), headers: { 'x-caller': 'me' } }),
      { awsRequestId: '3f9c4f0e-9f0c-4a86-a6a5-94b1d1b5a0c1' },
    );
    expect([...s3.objects.keys()]).toEqual([
      expect.stringMatching(/^captures\/echo\/\d{4}\/\d\d\/\d\d\/\d\d\/[0-9a-f-]{36}\.jsonl$/),
    ]);
    const record = onlyRecord();
    expect(record).toEqual({
      schemaVersion: 1,
      id: '3f9c4f0e-9f0c-4a86-a6a5-94b1d1b5a0c1',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      model: 'echo',
      modelVersion: 3,
      contentHash: '0'.repeat(64),
      request: {
        method: 'POST',
        path: INFER,
        headers: { 'content-type': 'application/json' },
        body: numbers(1.5, -2),
        isBase64: false,
        redacted: false,
      },
      response: {
        status: 200,
        headers: { 'content-type': 'application/json' },
        body: answer.body,
        isBase64: false,
        redacted: false,
      },
    });
    expect(await countsOf(running)).toEqual({ CapturedRequests: 1 });
    const { path, body, headers } = record.request;
    expect((await running.post(path, body, headers)).body).toBe(answer.body);
  });

  it('holds pictures and binary answers as base64', async () => {
    const running = await start({}, faces);
    const photo = samplePhoto('sample1.jpg');
    const answer = await running.post('/predict/faces', photo, { 'content-type': 'image/jpeg' });
    expect(answer.statusCode).toBe(200);
    const { request, response } = onlyRecord();
    expect(request).toMatchObject({ isBase64: true, redacted: false, headers: { 'content-type': 'image/jpeg' } });
    expect(Buffer.from(request.body, 'base64').equals(photo)).toBe(true);
    expect(response.body).toBe(answer.body);
  });

  it('has headers that were asked for, and never those that let others act for the caller', async () => {
    const running = await start({ headers: ['x-tenant', 'authorization', 'cookie', 'x-api-key'] });
    const secrets = { authorization: 'Bearer geheim', cookie: 'id=geheim', 'x-api-key': 'geheim' };
    await running.post(INFER, numbers(1), { 'x-tenant': 'blue', 'x-other': 'geheim', ...secrets });
    expect(onlyRecord().request.headers).toEqual({ 'content-type': 'application/json', 'x-tenant': 'blue' });
    expect([...s3.objects.values()].join()).not.toContain('geheim');
  });

  it('leaves bodies out that are too large', async () => {
    const running = await start({ maxBodyBytes: 500 });
    const answer = await running.post(INFER, numbers(...Array.from({ length: 500 }, (_, index) => index)));
    expect(answer.statusCode).toBe(200);
    const { request, response } = onlyRecord();
    for (const side of [request, response]) expect(side).toMatchObject({ body: '', redacted: true });
  });

  it('is there of refused requests, and of none that asks for no inference', async () => {
    const running = await start();
    await running.post(INFER, '{"inputs":[]}');
    await running.get('/v2/models/echo');
    await running.get('/v2/health/ready');
    expect(onlyRecord().response).toMatchObject({ status: 400, body: expect.stringContaining('"error"') });
  });
});

it('what a deployment replays is not kept again, so that it is forgotten when it should be', async () => {
  const running = await start();
  const replayed = eventOf({
    name: 'a record',
    method: 'POST',
    path: INFER,
    headers: { 'content-type': 'application/json' },
    body: numbers(1),
    isBase64: false,
  });
  expect((await running.invoke(replayed)).statusCode).toBe(200);
  await running.post(INFER, numbers(2));
  expect(onlyRecord().request.body).toBe(numbers(2));
});

describe('redaction', () => {
  it.each(['drop', 'replace'] as const)('%s keeps nothing of a tensor, in any protocol', async (redaction) => {
    const running = await start({ inputs: { name: redaction }, outputs: { name_out: redaction } });
    const secret = 'Kanarienvogel';
    const v2 = numbers(36).replace('Ada', secret);
    const rows = JSON.stringify({ instances: [{ age: 36, name: secret }] });
    const columns = JSON.stringify({ inputs: { age: [36], name: [secret] } });
    const answers = [
      await running.post(INFER, v2),
      await running.post('/v1/models/echo:predict', rows),
      await running.post('/v1/models/echo:predict', columns),
    ];
    for (const answer of answers) {
      expect(answer.statusCode).toBe(200);
      expect(answer.body).toContain(secret);
    }
    await running.post(INFER, v2.replace('"shape":[1],"data":["', '"shape":["'));
    await untilWritten(running, 4);
    for (const { request, response } of records()) {
      expect([request.redacted, response.redacted]).toEqual([true, true]);
      expect(`${request.body} ${response.body}`).not.toContain(secret);
    }
    const [first, second, third, refused] = records();
    for (const kept of [first, second, third]) expect(kept?.request.body).toContain('36');
    const replaced = redaction === 'replace';
    expect(first?.request.body.includes('"name":"name"')).toBe(replaced);
    expect(second?.request.body.includes('"name":""')).toBe(replaced);
    expect(third?.response.body).toContain('age_out');
    expect(refused).toMatchObject({ request: { body: '' }, response: { status: 400, body: '' } });
  });

  it('of a tensor that the model does not have keeps nothing at all, and says so', async () => {
    const running = await start({ inputs: { nmae: 'drop' } });
    expect((await running.post(INFER, numbers(1))).statusCode).toBe(200);
    expect(records()).toEqual([]);
    expect(await countsOf(running)).toEqual({ CaptureFailures: 1 });
    expect(running.output).toContain('redacts nmae');
  });
});

describe('writing', () => {
  it('waits for the next request, unless it is told not to, and takes all that waits as one object', async () => {
    const running = await start({ wait: false });
    await running.post(INFER, numbers(1));
    expect(records()).toEqual([]);
    await untilWritten(running, 1);
    expect(records().map(({ request }) => request.body)).toEqual([numbers(1)]);
    fault = () => ({ kind: 'delay', milliseconds: 3_000 });
    await running.post(INFER, numbers(2));
    const written = s3.service.worked();
    // Writes the record before it, and does not wait until S3 has it.
    await running.post(INFER, numbers(3));
    expect(s3.service.worked()).toBe(written);
    for (const number of [4, 5]) await running.post(INFER, numbers(number));
    fault = undefined;
    await untilWritten(running, 5);
    expect(s3.objects.size).toBeLessThan(5);
    await expect.poll(() => countsOf(running), PATIENTLY).toEqual({ CapturedRequests: 5 });
  });

  it.each<[string, ServiceFault, number]>([
    ['refuses', { kind: 'answer', status: 403 }, 1],
    ['resets connections before it has done anything', { kind: 'reset', when: 'before-work' }, 3],
    ['fails', { kind: 'answer', status: 503 }, 3],
  ])('that S3 %s fails no request and is counted', async (_, what, attempts) => {
    const running = await start();
    const before = s3.service.calls.length;
    fault = () => what;
    const answer = await running.post(INFER, numbers(7));
    expect(answer.statusCode).toBe(200);
    expect(JSON.parse(answer.body).outputs[0].data).toEqual([7]);
    await expect.poll(() => countsOf(running), PATIENTLY).toEqual({ CaptureFailures: 1 });
    expect(s3.service.calls.length - before).toBe(attempts);
    fault = undefined;
    await running.post(INFER, numbers(8));
    await untilWritten(running, 1);
    expect(records().map(({ request }) => request.body)).toEqual([numbers(8)]);
    await expect.poll(() => countsOf(running), PATIENTLY).toEqual({ CaptureFailures: 1, CapturedRequests: 1 });
  });

  it('to an S3 that never answers lets the answer go after a second', async () => {
    const running = await start();
    fault = () => ({ kind: 'stall', when: 'before-work' });
    const begin = performance.now();
    expect((await running.post(INFER, numbers(7))).statusCode).toBe(200);
    expect(performance.now() - begin).toBeGreaterThan(900);
    expect(performance.now() - begin).toBeLessThan(30_000);
  });

  it('keeps the share that it should', async () => {
    const running = await start({ share: 0.25 });
    for (let number = 0; number < 200; number += 1) await running.post(INFER, numbers(number));
    // Beyond these bounds once in a million: a binomial distribution with a deviation of 6.1 around 50.
    expect(records().length).toBeGreaterThan(20);
    expect(records().length).toBeLessThan(80);
  }, 60_000);

  it('has no part in a function that is not told to', async () => {
    const running = await prepared.start({ artifact: echo.folder });
    started.push(running);
    await running.post(INFER, numbers(1));
    expect(await countsOf(running)).toEqual({});
  });
});
