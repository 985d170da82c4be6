/** Whatever a request carries, wherever, and however it ends: none of it is in the log, at its most talkative. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorDetails, errorDetailsWithoutTexts } from '../../../functions/log/log.js';
import { encodeInferRequest } from '../../support/encode-infer-request.js';
import { logLines, requestLines } from '../../support/log-lines.js';
import {
  type FunctionResult,
  httpEvent,
  type PreparedFunction,
  prepareFunction,
  type RunningFunction,
} from '../../support/predict-function.js';
import { writeNumbersArtifact, writeOnesArtifact, writeTableArtifact } from '../../support/refusing-models.js';
import { samplePhoto } from '../../support/sample-photos.js';
import { type ServedArtifact, writeEchoArtifact, writeFaceArtifact } from '../../support/served-artifact.js';

const TEXT = 'kanarienvogel';
/** Exact as a float32, too. */
const NUMBER = 5_550_123;
const CANARIES = [TEXT, String(NUMBER), Buffer.from(TEXT).toString('base64').slice(0, -4)];
const CONTEXT = { awsRequestId: '3f9c4f0e-9f0c-4a86-a6a5-94b1d1b5a0c1' };

let prepared: PreparedFunction;
const artifacts: ServedArtifact[] = [];
const started: RunningFunction[] = [];
let echo: RunningFunction;
let numbers: RunningFunction;
let table: RunningFunction;
let faces: RunningFunction;
let ones: RunningFunction;

beforeAll(async () => {
  prepared = await prepareFunction();
  const start = async (artifact: ServedArtifact) => {
    artifacts.push(artifact);
    const environment = { POWERTOOLS_LOG_LEVEL: 'TRACE', AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand' };
    const running = await prepared.start({ artifact: artifact.folder, environment });
    started.push(running);
    return running;
  };
  echo = await start(
    writeEchoArtifact([
      { name: 'number', dataType: 'float32', shape: ['N'] },
      { name: 'text', dataType: 'string', shape: ['N'] },
    ]),
  );
  numbers = await start(writeNumbersArtifact());
  table = await start(writeTableArtifact());
  faces = await start(writeFaceArtifact());
  ones = await start(writeOnesArtifact());
});
afterAll(async () => {
  await Promise.all(started.map((each) => each.stop()));
  for (const artifact of artifacts) artifact.remove();
  prepared.remove();
});

const INFER = '/v2/models/echo/infer';
const number = { name: 'number', datatype: 'FP32', shape: [1], data: [NUMBER] };
const text = { name: 'text', datatype: 'BYTES', shape: [1], data: [TEXT] };
const inputs = (...list: readonly object[]) => JSON.stringify({ inputs: list });

interface Sent {
  readonly to?: () => RunningFunction;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Members of the event besides. */
  readonly event?: Readonly<Record<string, unknown>>;
  readonly requestContext?: Readonly<Record<string, unknown>>;
}

function binary(): { readonly body: Uint8Array; readonly headers: Readonly<Record<string, string>> } {
  const encoded = encodeInferRequest({
    inputs: [
      { name: 'number', dataType: 'float32', shape: [1], data: Float32Array.of(NUMBER), form: 'binary' },
      { name: 'text', dataType: 'string', shape: [1], data: [TEXT], form: 'binary' },
    ],
    outputForm: 'binary',
  });
  return {
    body: Buffer.concat([Buffer.from(encoded.text), ...encoded.binary]),
    headers: { 'inference-header-content-length': String(Buffer.byteLength(encoded.text)) },
  };
}

async function send({
  to = () => echo,
  path = INFER,
  method = 'POST',
  event = {},
  ...rest
}: Sent): Promise<FunctionResult> {
  return await to().invoke({ ...httpEvent({ method, path, ...rest }), ...event }, CONTEXT);
}

async function expectSilence(running: RunningFunction, result: FunctionResult): Promise<void> {
  const output = await running.flushedOutput();
  for (const canary of CANARIES) expect(output, `${result.statusCode} ${result.body}`).not.toContain(canary);
  // The lines are there and are of this request, so the silence says something.
  expect(requestLines(await logLines(running)).at(-1)).toMatchObject({
    status: result.statusCode,
    function_request_id: CONTEXT.awsRequestId,
  });
}

describe('a request that is answered with', () => {
  it.each<[string, Sent]>([
    ['tensors in JSON', { body: inputs(number, text) }],
    ['binary tensors', binary()],
    ['its own id', { body: JSON.stringify({ id: TEXT, inputs: [number, text] }) }],
    [
      'rows, of TensorFlow Serving',
      { path: '/v1/models/echo:predict', body: JSON.stringify({ instances: [{ number: NUMBER, text: TEXT }] }) },
    ],
    [
      'predictions for a photo',
      { to: () => faces, path: '/predict/faces', body: Buffer.concat([samplePhoto('sample1.jpg'), Buffer.from(TEXT)]) },
    ],
    [
      'tensors, with canaries in all that surrounds them',
      {
        body: inputs(number, text),
        headers: {
          authorization: `Bearer ${TEXT}`,
          cookie: `session=${TEXT}`,
          'user-agent': TEXT,
          'x-api-key': TEXT,
          'x-amzn-trace-id': `Root=${TEXT}`,
          'x-correlation-id': `not an id, ${TEXT}`,
          'x-forwarded-for': TEXT,
          [TEXT]: TEXT,
        },
        event: {
          rawQueryString: `key=${TEXT}`,
          queryStringParameters: { key: TEXT },
          cookies: [TEXT],
          pathParameters: { proxy: TEXT },
          stageVariables: { [TEXT]: TEXT },
        },
        requestContext: { authorizer: { jwt: { claims: { sub: TEXT } } }, accountId: TEXT, domainName: TEXT },
      },
    ],
  ])('%s leaves nothing of it in the log', async (_, sent) => {
    const result = await send(sent);
    expect(result.statusCode, result.body).toBe(200);
    await expectSilence(sent.to?.() ?? echo, result);
  });
});

describe('a request that is refused for', () => {
  it.each<[string, string, Sent]>([
    ['half a document', 'JSON_INVALID', { body: `{"inputs": "${TEXT}` }],
    ['a document of its own kind', 'OBJECT_EXPECTED', { body: `"${TEXT}"` }],
    ['another input', 'UNKNOWN_INPUT', { body: inputs({ ...number, name: TEXT }, text) }],
    ['a value of another kind', '', { body: inputs({ ...number, data: [TEXT] }, text) }],
    ['a number where text should be', '', { body: inputs(number, { ...text, data: [NUMBER] }) }],
    ['another type', '', { body: inputs({ ...number, datatype: TEXT }, text) }],
    ['another shape', '', { body: inputs({ ...number, shape: [NUMBER] }, text) }],
    ['an output that is none', '', { body: JSON.stringify({ inputs: [number, text], outputs: [{ name: TEXT }] }) }],
    ['a number that is too large', '', { body: inputs({ ...number, data: [Number(`${NUMBER}e300`)] }, text) }],
    ['binary data as text', 'BINARY_BODY_AS_TEXT', { body: TEXT, headers: { 'inference-header-content-length': '3' } }],
    [
      'a length of letters',
      'HEADER_LENGTH_INVALID',
      { body: '', headers: { 'inference-header-content-length': TEXT } },
    ],
    ['a type of its own', 'MEDIA_TYPE_UNSUPPORTED', { body: 'x', headers: { 'content-type': `text/${TEXT}` } }],
    ['a coding of its own', 'CONTENT_ENCODING_UNSUPPORTED', { body: 'x', headers: { 'content-encoding': TEXT } }],
    ['another model', 'MODEL_UNKNOWN', { path: `/v2/models/${TEXT}/infer` }],
    ['another version', 'MODEL_VERSION_UNKNOWN', { path: `/v2/models/echo/versions/${NUMBER}/infer` }],
    ['another path', 'ROUTE_UNKNOWN', { path: `/${TEXT}` }],
    ['another method', 'METHOD_NOT_ALLOWED', { method: TEXT }],
    ['being no event', 'EVENT_UNKNOWN', { event: { version: TEXT } }],
    ['no picture', 'PICTURE_FORMAT_UNKNOWN', { to: () => faces, path: '/predict/faces', body: Buffer.from(TEXT) }],
    ['rows of another kind', '', { path: '/v1/models/echo:predict', body: JSON.stringify({ instances: [TEXT] }) }],
    [
      'another signature',
      '',
      { path: '/v1/models/echo:predict', body: JSON.stringify({ signature_name: TEXT, instances: [NUMBER] }) },
    ],
    [
      'a number that onnxruntime quotes',
      'INFERENCE_FAILED',
      {
        to: () => table,
        path: '/v2/models/table/infer',
        body: inputs({ name: 'rows', datatype: 'INT64', shape: [1], data: [NUMBER] }),
      },
    ],
    [
      'a text that onnxruntime cannot read',
      'INFERENCE_FAILED',
      { to: () => numbers, path: '/v2/models/numbers/infer', body: inputs({ ...text, name: 'text' }) },
    ],
    [
      'the memory that it needs',
      'OUT_OF_MEMORY',
      {
        to: () => ones,
        path: '/v2/models/ones/infer',
        body: inputs({ name: 'shape', datatype: 'INT64', shape: [3], data: [NUMBER, 2 ** 20, 64] }),
      },
    ],
    // What no caller of an API can send, but whoever may invoke the function: Node.js quotes it.
    ['a fault of ours', '', { event: { body: NUMBER, isBase64Encoded: true } }],
    ['a fault of ours that is a header', '', { headers: { 'content-type': NUMBER as unknown as string } }],
  ])('%s leaves nothing of it in the log but a code', async (_, code, sent) => {
    const result = await send(sent);
    const { code: told } = JSON.parse(result.body);
    expect(result.statusCode, result.body).toBeGreaterThanOrEqual(400);
    if (code !== '') expect(told).toBe(code);
    await expectSilence(sent.to?.() ?? echo, result);
    expect(requestLines(await logLines(sent.to?.() ?? echo)).at(-1)).toMatchObject({ code: told });
  });
});

describe('an error of a request', () => {
  it('is known by its name, its code and its place', () => {
    const error = Object.assign(new TypeError(`${TEXT}\n    at ${TEXT}`, { cause: new Error(TEXT) }), { code: 'ERR' });
    const details = errorDetailsWithoutTexts(error);
    expect(details).toMatchObject({
      error: { name: 'TypeError', code: 'ERR', stack: expect.stringMatching(/^ +at /) },
    });
    expect(JSON.stringify(details)).not.toContain(TEXT);
    expect(JSON.stringify(errorDetailsWithoutTexts(TEXT))).not.toContain(TEXT);
    // Whoever changes the message hides where it ends in the stack.
    error.message = 'another';
    expect(JSON.stringify(errorDetailsWithoutTexts(error))).not.toContain(TEXT);
  });

  it('is told in full only where no request had a part in it', () => {
    const chain = new Error('outer', { cause: new Error('middle', { cause: 'inner' }) });
    expect(errorDetails(chain)).toMatchObject({
      error: { message: 'outer', cause: { message: 'middle', cause: 'inner' } },
    });
    const circle = new Error('circle');
    circle.cause = circle;
    expect(() => JSON.stringify(errorDetails(circle))).not.toThrow();
  });
});
