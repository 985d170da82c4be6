/** Requests of tasks, answered by the GPU as Lambda answers them: the same bytes from the real router and the real function. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { awsError } from '../../../support/aws-answers.js';
import { errorOf } from '../../../support/error-answer.js';
import type { LoopbackFunction } from '../../../support/loopback-lambda.js';
import { encodePng } from '../../../support/png-encoder.js';
import { randomFloats } from '../../../support/random-numbers.js';
import { realModels } from '../../../support/real-models.js';
import { post, RouterEndpoint } from '../../../support/router-endpoint.js';
import { requestLines, whereAndWhy } from '../../../support/router-test.js';
import { samplePhoto } from '../../../support/sample-photos.js';
import {
  type ServedArtifact,
  writeFaceArtifact,
  writeServedArtifact,
  writeTaskArtifact,
} from '../../../support/served-artifact.js';
import { soundModel, textModel, wordModel } from '../../../support/task-models.js';
import { encodeWav } from '../../../support/wav-writer.js';

const throttled = () => awsError(429, 'TooManyRequestsException');

/** Silero's, with its rate as a scalar that each window brings along. */
function writeVoiceArtifact(): ServedArtifact {
  return writeServedArtifact({
    name: 'voice',
    model: readFileSync(realModels.sileroV5),
    signature: {
      inputs: [
        { name: 'input', dataType: 'float32', shape: [null, null] },
        { name: 'state', dataType: 'float32', shape: [2, 1, 128] },
        { name: 'sr', dataType: 'int64', shape: [] },
      ],
      outputs: [
        { name: 'output', dataType: 'float32', shape: [null, 1] },
        { name: 'stateN', dataType: 'float32', shape: [null, null, null] },
      ],
    },
    task: {
      type: 'voice-activity',
      audio: {
        ...{ input: 'input', sampleRateInput: 'sr', sampleRate: 16_000, window: 512, context: 64 },
        state: [{ input: 'state', output: 'stateN' }],
      },
      output: 'output',
      threshold: 0,
      minSpeech: 0.01,
    },
  });
}

const noise = (seconds: number) => encodeWav(randomFloats(16_000 * seconds, 1, -0.5, 0.5));
const png = encodePng({ width: 24, height: 16, colorType: 2, depth: 8, samples: Array(24 * 16 * 3).fill(90) });

type Case = readonly [string, string | Uint8Array, string, number];
const endpoints: Readonly<
  Record<string, { readonly artifact: () => ServedArtifact; readonly cases: readonly Case[] }>
> = {
  faces: {
    artifact: writeFaceArtifact,
    cases: [
      ['a photo', samplePhoto('sample1.jpg'), 'image/jpeg', 200],
      ['another one, of a type that nobody named', samplePhoto('sample2.jpg'), 'application/octet-stream', 200],
      ['a picture of nothing', png, 'image/png', 200],
      ['half a photo', samplePhoto('sample1.jpg').slice(0, 5_000), 'image/jpeg', 400],
      ['a text', 'faces', 'text/plain', 415],
    ],
  },
  texts: {
    artifact: () => writeTaskArtifact('texts', textModel()),
    cases: [
      ['a text', 'You have won a prize', 'text/plain; charset=utf-8', 200],
      ['a text in JSON', '{"text":"ä 日本"}', 'application/json', 200],
      ['white space', ' ', 'text/plain', 400],
      ['another member in JSON', '{"txt":"a"}', 'application/json', 400],
    ],
  },
  words: {
    artifact: () => writeTaskArtifact('words', wordModel()),
    cases: [['a text for a tokenizer.json', 'a a aa a', 'text/plain', 200]],
  },
  sounds: {
    artifact: () => writeTaskArtifact('sounds', soundModel()),
    cases: [
      ['a sound, window by window', noise(2), 'audio/wav', 200],
      ['what is no sound', Buffer.from('ID3'), 'audio/wav', 415],
    ],
  },
  voice: { artifact: writeVoiceArtifact, cases: [['a sound with its rate', noise(1), 'audio/wav', 200]] },
};

describe.each(Object.entries(endpoints))('the model %s', (name, { artifact: write, cases }) => {
  const artifact = write();
  let endpoint: RouterEndpoint;
  let router: LoopbackFunction;
  beforeAll(async () => {
    endpoint = await RouterEndpoint.start(artifact);
    router = endpoint.router({ environment: { CDK_ONNX_MODEL_INTERFACE: artifact.folder } });
  });
  beforeEach(() => {
    endpoint.lambdaFault = undefined;
    endpoint.gpuFault = undefined;
  });
  afterAll(async () => {
    await endpoint?.close();
    artifact.remove();
  });

  it.each(cases)('answers %s alike', async (_, body, type, status) => {
    const ask = () => post(router, `/predict/${name}`, body, { 'content-type': type });
    const lambda = await ask();
    expect(whereAndWhy(lambda)).toEqual([status, 'lambda', 'primary']);
    endpoint.lambdaFault = throttled;
    const gpu = await ask();
    expect([gpu.statusCode, gpu.body, gpu.headers['content-type']]).toEqual([status, lambda.body, 'application/json']);
    if (status === 200) expect(whereAndWhy(gpu)).toEqual([200, 'sagemaker', 'throttled']);
  });

  if (name === 'faces') {
    it('sends what is too large for Lambda to the GPU at once', async () => {
      const large = endpoint.router({
        policy: { maxCpuPayload: 5_000 },
        environment: { CDK_ONNX_MODEL_INTERFACE: artifact.folder },
      });
      const { lambda } = endpoint.asked;
      const result = await post(large, '/predict/faces', samplePhoto('sample1.jpg'), { 'content-type': 'image/jpeg' });
      expect(whereAndWhy(result)).toEqual([200, 'sagemaker', 'payload-too-large']);
      expect(JSON.parse(result.body).predictions.length).toBeGreaterThan(0);
      expect(endpoint.asked.lambda).toBe(lambda);
    });

    it('decodes none for the GPU where that would take what is left of its time', async () => {
      const hurried = endpoint.router({
        policy: { timeout: 1_000, cpuTimeout: 900 },
        environment: { CDK_ONNX_MODEL_INTERFACE: artifact.folder },
      });
      const { gpu } = endpoint.asked;
      endpoint.lambdaFault = throttled;
      const result = await post(hurried, '/predict/faces', samplePhoto('sample1.jpg'), {
        'content-type': 'image/jpeg',
      });
      expect(errorOf(result)).toMatchObject({ status: 503, code: 'DEADLINE_EXCEEDED' });
      expect(endpoint.asked.gpu).toBe(gpu);
    });

    it('takes no larger picture than its own memory has room for', async () => {
      const small = endpoint.router({
        memoryMiB: 257,
        environment: { CDK_ONNX_MODEL_INTERFACE: artifact.folder },
      });
      endpoint.lambdaFault = throttled;
      const result = await post(small, '/predict/faces', samplePhoto('sample1.jpg'), { 'content-type': 'image/jpeg' });
      expect(errorOf(result)).toMatchObject({ status: 413, code: 'PICTURE_TOO_LARGE' });
    });
  }

  if (name === 'sounds') {
    it('ends a sequence where a window has no answer', async () => {
      endpoint.lambdaFault = throttled;
      const { gpu } = endpoint.asked;
      endpoint.gpuFault = () => (endpoint.asked.gpu === gpu + 3 ? awsError(503, 'ServiceUnavailable') : undefined);
      const result = await post(router, '/predict/sounds', noise(1), { 'content-type': 'audio/wav' });
      expect([result.statusCode, errorOf(result).code]).toEqual([503, 'TARGETS_UNAVAILABLE']);
      expect(endpoint.asked.gpu).toBe(gpu + 3);
      expect(requestLines(router).at(-1)).toMatchObject({ attempts: [{}, { code: 'ServiceUnavailable' }] });
    });
  }

  if (name === 'texts') {
    it('does not take what the task cannot read for an answer', async () => {
      endpoint.lambdaFault = throttled;
      for (const shape of [[1], [1, 3], [2, 2]]) {
        const data = Array(shape.reduce((product, size) => product * size, 1)).fill(0.5);
        const body = JSON.stringify({ outputs: [{ name: 'scores', datatype: 'FP32', shape, data }] });
        const headers = { 'content-type': 'application/json' };
        endpoint.gpuFault = () => ({ kind: 'answer', status: 200, headers, body });
        const result = await post(router, '/predict/texts', 'a', { 'content-type': 'text/plain' });
        expect([shape, result.statusCode, errorOf(result).code]).toEqual([shape, 503, 'TARGETS_UNAVAILABLE']);
      }
      expect(requestLines(router).at(-1)).toMatchObject({ attempts: [{}, { code: 'answering ANSWER_INVALID' }] });
    });

    it('is Lambda’s alone where the router cannot read what the model takes, and the log says so once', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-interface-'));
      writeFileSync(join(folder, 'interface.json'), '{"schemaVersion":9}');
      const blind = endpoint.router({ environment: { CDK_ONNX_MODEL_INTERFACE: folder } });
      const ask = () => post(blind, '/predict/texts', 'a', { 'content-type': 'text/plain' });
      expect(whereAndWhy(await ask())).toEqual([200, 'lambda', 'primary']);
      endpoint.lambdaFault = throttled;
      expect(errorOf(await ask())).toMatchObject({ status: 503, code: 'LAMBDA_UNAVAILABLE' });
      const errors = blind.lines.filter((line) => line.includes('MANIFEST_VERSION_UNKNOWN'));
      expect(errors).toHaveLength(1);
      rmSync(folder, { recursive: true });
    });

    it('knows no other model', async () => {
      const { gpu } = endpoint.asked;
      const result = await post(router, '/predict/other', 'a', { 'content-type': 'text/plain' });
      expect(errorOf(result)).toMatchObject({ status: 404, code: 'MODEL_UNKNOWN' });
      expect(endpoint.asked.gpu).toBe(gpu);
    });
  }
});
