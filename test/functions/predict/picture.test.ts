/** A photo in, faces out, through the function's own bundle. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NODES_UNDER_TEST, requireNode } from '../../support/node24.js';
import { type PreparedFunction, prepareFunction, type RunningFunction } from '../../support/predict-function.js';
import { type ServedArtifact, writeFaceArtifact } from '../../support/served-artifact.js';

const PHOTO = readFileSync(join(import.meta.dirname, '../../../node_modules/@vladmandic/face-api/demo/sample1.jpg'));

let prepared: PreparedFunction;
let faces: ServedArtifact;
const started: RunningFunction[] = [];

beforeAll(async () => {
  prepared = await prepareFunction();
  faces = writeFaceArtifact();
});
afterAll(async () => {
  await Promise.all(started.map((each) => each.stop()));
  faces.remove();
  prepared.remove();
});

describe.each(NODES_UNDER_TEST)('a photo posted on $name', (target) => {
  it('comes back as boxes of faces in its own pixels', async ({ skip }) => {
    const running = await prepared.start({ artifact: faces.folder, node: requireNode(target, skip) });
    started.push(running);
    for (const type of ['image/jpeg', 'application/octet-stream', 'image/png']) {
      const result = await running.post('/predict/faces', PHOTO, { 'content-type': type });
      expect(result.statusCode, result.body).toBe(200);
      const { model_name, model_version, predictions } = JSON.parse(result.body);
      expect({ model_name, model_version }).toEqual({ model_name: 'faces', model_version: '3' });
      expect(predictions.length).toBeGreaterThan(0);
      for (const { label, score, box, keypoints } of predictions) {
        expect(label).toBe('face');
        expect(score).toBeGreaterThan(0.5);
        expect(box.xmax - box.xmin).toBeGreaterThan(20);
        expect(box.ymax - box.ymin).toBeGreaterThan(20);
        expect(keypoints).toHaveLength(6);
      }
    }
  });

  it('is refused where it is none', async ({ skip }) => {
    const running = await prepared.start({ artifact: faces.folder, node: requireNode(target, skip) });
    started.push(running);
    for (const [body, type, status, code] of [
      [Buffer.from('GIF89a'), 'image/jpeg', 415, 'PICTURE_FORMAT_UNKNOWN'],
      [PHOTO.subarray(0, 1000), 'image/jpeg', 400, 'PICTURE_DAMAGED'],
      ['', 'image/jpeg', 400, 'PICTURE_MISSING'],
      ['{}', 'application/json', 415, 'MEDIA_TYPE_UNSUPPORTED'],
      [PHOTO, 'multipart/form-data; boundary=x', 415, 'MEDIA_TYPE_UNSUPPORTED'],
    ] as const) {
      const result = await running.post('/predict/faces', body, { 'content-type': type });
      expect({ status: result.statusCode, code: JSON.parse(result.body).code }).toEqual({ status, code });
    }
    expect((await running.post('/predict/faces', PHOTO, { 'content-type': 'image/jpeg' })).statusCode).toBe(200);
  });
});
