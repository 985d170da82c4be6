import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Manifest, TensorSignature } from '../../lib/artifact/manifest.js';
import { curlLine, findPicture } from '../../lib/cli/curl-lines.js';
import { decodePredictRequest } from '../../lib/protocol/tensorflow-serving-request.js';

const url = 'http://localhost:3000';
const withInputs = (...inputs: TensorSignature[]) =>
  ({ name: 'm', signature: { inputs, outputs: [] }, task: { type: 'tensor' } }) as unknown as Manifest;
const line = (method: string, path: string, manifest?: Manifest, picture?: string) =>
  curlLine({ url, method, path, manifest, picture });

describe('a line to paste', () => {
  test('asks a GET route', () => {
    expect(line('GET', '/v2/health/ready')).toBe('curl http://localhost:3000/v2/health/ready');
  });

  test('brings a key where the route wants one', () => {
    const options = { url, manifest: undefined, picture: undefined, apiKeyRequired: true };
    expect(curlLine({ ...options, method: 'GET', path: '/v2' })).toBe(
      "curl -H 'x-api-key: any' http://localhost:3000/v2",
    );
    expect(curlLine({ ...options, method: 'POST', path: '/predict/m' })).toContain("-H 'x-api-key: any'");
  });

  test('posts a picture with its type, quoted for the shell', () => {
    expect(line('POST', '/predict/faces', withInputs(), "my photos/it's.png")).toBe(
      "curl --data-binary @'my photos/it'\\''s.png' -H 'content-type: image/png' http://localhost:3000/predict/faces",
    );
    expect(line('POST', '/predict/faces')).toContain('@photo.jpg');
  });

  test('posts a text or a sound to a model of those', () => {
    const withTask = (type: string) => ({ ...withInputs(), task: { type } }) as unknown as Manifest;
    expect(line('POST', '/predict/m', withTask('text-classification'))).toBe(
      "curl -d 'What is this about?' -H 'content-type: text/plain' http://localhost:3000/predict/m",
    );
    expect(line('POST', '/predict/m', withTask('voice-activity'))).toBe(
      "curl --data-binary @sound.wav -H 'content-type: audio/wav' http://localhost:3000/predict/m",
    );
  });

  test('holds a small request itself', () => {
    const manifest = withInputs(
      { name: 'x', dataType: 'int64', shape: ['batch', 2] },
      { name: 'on', dataType: 'bool', shape: [] },
    );
    expect(line('POST', '/v2/models/m/infer', manifest)).toBe(
      `curl -H 'content-type: application/json' -d '{"inputs":[{"name":"x","shape":[1,2],"datatype":"INT64","data":[0,0]},{"name":"on","shape":[],"datatype":"BOOL","data":[false]}]}' http://localhost:3000/v2/models/m/infer`,
    );
  });

  test('has Node.js make a large one: what a shell hears is valid V2 JSON of the right size', () => {
    const manifest = withInputs(
      { name: "it's", dataType: 'float32', shape: [1, 128, null, 3] },
      { name: 't', dataType: 'string', shape: [1] },
    );
    const [program = ''] = line('POST', '/v2/models/m/infer', manifest).split(' | curl ');
    const { inputs } = JSON.parse(execFileSync('/bin/sh', ['-c', program], { encoding: 'utf8' }));
    expect(inputs).toEqual([
      { name: "it's", shape: [1, 128, 1, 3], datatype: 'FP32', data: Array(384).fill(0) },
      { name: 't', shape: [1], datatype: 'BYTES', data: [''] },
    ]);
  });
});

describe('a line for TensorFlow Serving', () => {
  const PATH = '/v1/models/m:predict';

  test('nests a small request as its tensors are', () => {
    const manifest = withInputs(
      { name: 'x', dataType: 'int64', shape: ['batch', 2] },
      { name: 'on', dataType: 'bool', shape: [] },
    );
    expect(line('POST', PATH, manifest)).toBe(
      `curl -H 'content-type: application/json' -d '{"inputs":{"x":[[0,0]],"on":false}}' http://localhost:3000${PATH}`,
    );
  });

  test('has Node.js make a large one, which the decoder takes', () => {
    const manifest = withInputs(
      { name: 'x', dataType: 'float32', shape: [1, 64, null, 3] },
      { name: 'on', dataType: 'bool', shape: [] },
      { name: 't', dataType: 'string', shape: ['N'] },
    );
    const [program = ''] = line('POST', PATH, manifest).split(' | curl ');
    const text = execFileSync('/bin/sh', ['-c', program], { encoding: 'utf8' });
    const { inputs } = decodePredictRequest(text, manifest.signature);
    expect(inputs).toEqual([
      { name: 'x', dataType: 'float32', shape: [1, 64, 1, 3], data: new Float32Array(192) },
      { name: 'on', dataType: 'bool', shape: [], data: new Uint8Array(1) },
      { name: 't', dataType: 'string', shape: [1], data: [''] },
    ]);
  });
});

describe('a picture of the samples', () => {
  let project: string;
  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-curl-'));
    mkdirSync(join(project, 'models', 'own', 'samples', 'evaluation'), { recursive: true });
    writeFileSync(join(project, 'models', 'own', 'samples', 'evaluation', 'a.JPG'), '');
    mkdirSync(join(project, 'models', 'listed', 'samples'), { recursive: true });
    mkdirSync(join(project, 'node_modules', 'photos'), { recursive: true });
    writeFileSync(join(project, 'node_modules', 'photos', 'b.png'), '');
    const sources = ['# from packages', 'module:not-installed/x.jpg', 'module:photos/b.png', ''].join('\n');
    writeFileSync(join(project, 'models', 'listed', 'samples', 'sources.txt'), sources);
  });
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  test.each([
    ['own', 'models/own/samples/evaluation/a.JPG'],
    ['listed', 'node_modules/photos/b.png'],
    ['absent', undefined],
  ])('%s', (model, expected) => {
    const found = findPicture(project, model);
    expect(found === undefined ? undefined : relative(project, found)).toBe(expected);
  });
});
