import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ImageClassificationTask } from '../../lib/artifact/task.js';
import { classPredictions } from '../../lib/tasks/class-predictions.js';
import { createTaskPipeline } from '../../lib/tasks/task-pipeline.js';
import { encodePng } from '../support/png-encoder.js';
import { refusalOf } from '../support/refusal.js';

const labels = ['ant', 'bee', 'cow', 'dog', 'eel', 'fox', 'gnu'];
const task: ImageClassificationTask = {
  type: 'image-classification',
  image: {
    input: 'x',
    width: 2,
    height: 2,
    resize: 'crop',
    layout: 'NCHW',
    channels: 'grayscale',
    mean: [0],
    std: [1],
  },
  output: 'scores',
  labels,
};
const outputs = (values: readonly number[]) => ({
  scores: { shape: [1, values.length], data: Float64Array.from(values) },
});

describe('classes of a picture', () => {
  test('come best first, five unless the task says otherwise, each with its own score', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -20, max: 20, noNaN: true }), { minLength: 7, maxLength: 7 }),
        fc.integer({ min: 1, max: 9 }),
        (values, top) => {
          const predictions = classPredictions({ ...task, top }, outputs(values));
          expect(predictions).toHaveLength(Math.min(top, 7));
          expect(predictions.map(({ score }) => score)).toEqual(
            [...values].sort((one, other) => other - one).slice(0, top),
          );
          for (const { label, score } of predictions) expect(values[labels.indexOf(label)]).toBe(score);
          expect(classPredictions(task, outputs(values))).toHaveLength(5);
        },
      ),
    );
  });

  test('of softmax sum to 1, also far from 0; of sigmoid each lie between 0 and 1', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -2000, max: 2000, noNaN: true }), { minLength: 7, maxLength: 7 }),
        (values) => {
          const shares = classPredictions({ ...task, activation: 'softmax', top: 7 }, outputs(values));
          expect(shares.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 9);
          for (const { score } of classPredictions({ ...task, activation: 'sigmoid', top: 7 }, outputs(values))) {
            expect(score >= 0 && score <= 1).toBe(true);
          }
        },
      ),
    );
    const [first] = classPredictions({ ...task, activation: 'softmax' }, outputs([0, 0, 0, 0, 0, 0, Math.log(6)]));
    expect(first?.label).toBe('gnu');
    expect(first?.score).toBeCloseTo(0.5, 9);
  });

  test('are asked for with a picture', async () => {
    const pipeline = createTaskPipeline(task, {
      inputs: [{ name: 'x', dataType: 'float32', shape: ['batch', 1, 2, 2] }],
      outputs: [{ name: 'scores', dataType: 'float32', shape: ['batch', 7] }],
    });
    const prepared = await pipeline?.prepare(
      encodePng({ width: 2, height: 2, depth: 8, colorType: 0, samples: [1, 2, 3, 4] }),
    );
    [1, 2, 3, 4].forEach((value, index) => {
      expect(prepared?.feeds.x?.data[index]).toBeCloseTo(value, 4);
    });
    expect(prepared?.conclude(outputs([1, 2, 3, 4, 5, 6, 7]))[0]).toEqual({ label: 'gnu', score: 7 });
    expect((await refusalOf(() => prepared?.conclude(outputs([1, 2])))).code).toBe('TASK_OUTPUT_SHAPE');
  });
});
