import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseModelConfiguration } from '../../lib/artifact/schema.js';
import type { DetectedObject } from '../../lib/tasks/prediction.js';
import { createTaskPipeline, type TaskPipeline } from '../../lib/tasks/task-pipeline.js';
import { matchDetections } from '../support/detection-metrics.js';
import { realModels } from '../support/real-models.js';
import { markedFaces, samplePhoto, samplePhotoNames } from '../support/sample-photos.js';
import { sessionSignature } from '../support/session-signature.js';

const modelFile = join(import.meta.dirname, '../../models/faces/model.json');

let session: InferenceSession;
let pipeline: TaskPipeline;

beforeAll(async () => {
  session = await InferenceSession.create(realModels.blazefaceBack, { logSeverityLevel: 3 });
  const { task } = parseModelConfiguration(readFileSync(modelFile, 'utf8'), modelFile);
  const created = createTaskPipeline(task, sessionSignature(session));
  if (created === undefined) throw new Error('the model of faces has no task');
  pipeline = created;
});

async function facesIn(photo: Uint8Array): Promise<readonly DetectedObject[]> {
  const { feeds, conclude } = await pipeline.prepare(photo);
  const tensors = Object.entries(feeds).map(([name, { data, shape }]) => [
    name,
    new Tensor('float32', data as Float32Array, shape),
  ]);
  const outputs = await session.run(Object.fromEntries(tensors));
  const shaped = Object.entries(outputs).map(([name, { dims, data }]) => [name, { shape: dims, data }]);
  return conclude(Object.fromEntries(shaped)) as readonly DetectedObject[];
}

describe('the face detector of models/faces', () => {
  test('finds at least 21 of the 22 faces of the six photos, with at most one box that is none', async () => {
    const matches = await Promise.all(
      samplePhotoNames.map(async (name) => ({
        name,
        marked: markedFaces(name).length,
        ...matchDetections(await facesIn(samplePhoto(name)), markedFaces(name)),
      })),
    );
    const total = (read: (match: (typeof matches)[number]) => number) =>
      matches.reduce((sum, match) => sum + read(match), 0);
    expect(total(({ marked }) => marked)).toBe(22);
    expect(
      total(({ found }) => found),
      JSON.stringify(matches),
    ).toBeGreaterThanOrEqual(21);
    expect(
      total(({ extra }) => extra.length),
      JSON.stringify(matches),
    ).toBeLessThanOrEqual(1);
  });

  test('puts the eyes above the nose above the mouth, within the box', async () => {
    const faces = await facesIn(samplePhoto('sample6.jpg'));
    expect(faces).toHaveLength(4);
    for (const { label, score, box, keypoints = [] } of faces) {
      expect(label).toBe('face');
      expect(score).toBeGreaterThan(0.5);
      expect(keypoints).toHaveLength(6);
      const [rightEye, leftEye, nose, mouth] = keypoints;
      if (!rightEye || !leftEye || !nose || !mouth) throw new Error('six keypoints, and yet not four');
      expect(rightEye.x).toBeLessThan(leftEye.x);
      expect(Math.max(rightEye.y, leftEye.y)).toBeLessThan(nose.y);
      expect(nose.y).toBeLessThan(mouth.y);
      for (const { x, y } of [rightEye, leftEye, nose, mouth]) {
        expect(x > box.xmin && x < box.xmax && y > box.ymin && y < box.ymax).toBe(true);
      }
    }
  });

  test('finds no face where there is none', async () => {
    const { encodePng } = await import('../support/png-encoder.js');
    const plain = encodePng({ width: 64, height: 64, depth: 8, colorType: 0, samples: Array<number>(4096).fill(128) });
    expect(await facesIn(plain)).toEqual([]);
  });
});
