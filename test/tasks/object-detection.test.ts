import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ImagePreprocessing, ObjectDetectionTask } from '../../lib/artifact/task.js';
import { placePhoto } from '../../lib/tasks/image/placement.js';
import { detectedObjects } from '../../lib/tasks/object-detection.js';
import { createTaskPipeline, type TensorOutput } from '../../lib/tasks/task-pipeline.js';
import { encodePng } from '../support/png-encoder.js';
import { refusalOf } from '../support/refusal.js';

const image: ImagePreprocessing = {
  input: 'x',
  width: 320,
  height: 256,
  resize: 'letterbox',
  layout: 'NCHW',
  channels: 'RGB',
  mean: [0, 0, 0],
  std: [255, 255, 255],
};
const labels = ['cat', 'dog', 'bird'];

/** Objects in the photo, apart from each other, each in a column of its own. */
const scene = fc
  .record({
    photo: fc.record({ width: fc.integer({ min: 300, max: 3000 }), height: fc.integer({ min: 300, max: 3000 }) }),
    resize: fc.constantFrom('letterbox' as const, 'stretch' as const),
    objects: fc.array(
      fc.record({
        // Shares of the column and of the photo's height.
        left: fc.double({ min: 0, max: 0.4, noNaN: true }),
        right: fc.double({ min: 0.6, max: 1, noNaN: true }),
        top: fc.double({ min: 0, max: 0.4, noNaN: true }),
        bottom: fc.double({ min: 0.6, max: 1, noNaN: true }),
        score: fc.double({ min: 0.6, max: 0.99, noNaN: true }),
        label: fc.nat({ max: 2 }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  })
  .map(({ photo, resize, objects }) => ({
    photo,
    resize,
    objects: objects.map(({ left, right, top, bottom, score, label }, column) => ({
      label,
      score,
      xmin: ((column + left) / objects.length) * photo.width,
      xmax: ((column + right) / objects.length) * photo.width,
      ymin: top * photo.height,
      ymax: bottom * photo.height,
    })),
  }));

type Scene = typeof scene extends fc.Arbitrary<infer T> ? T : never;

/** Where the objects are in the model's input: xmin, ymin, xmax, ymax. */
function inputBoxes({ photo, resize, objects }: Scene) {
  const placement = placePhoto({ ...image, resize }, photo);
  const boxes = objects.map(
    ({ xmin, ymin, xmax, ymax }) =>
      [
        xmin * placement.scaleX + placement.offsetX,
        ymin * placement.scaleY + placement.offsetY,
        xmax * placement.scaleX + placement.offsetX,
        ymax * placement.scaleY + placement.offsetY,
      ] as const,
  );
  return { placement, boxes };
}

const tensor = (shape: readonly number[], data: readonly number[]): TensorOutput => ({
  shape,
  data: Float64Array.from(data),
});
const centred = ([xmin, ymin, xmax, ymax]: readonly [number, number, number, number]) => [
  (xmin + xmax) / 2,
  (ymin + ymax) / 2,
  xmax - xmin,
  ymax - ymin,
];

/** The best first; objects of equal score in any order, so they are told apart by their columns. */
function expectScene(found: ReturnType<typeof detectedObjects>, { objects }: Scene) {
  for (const [index, { score }] of found.entries()) {
    if (index > 0) expect(score).toBeLessThanOrEqual(found[index - 1]?.score ?? Number.NaN);
  }
  const expected = [...objects].sort((one, other) => one.xmin - other.xmin);
  const inColumns = [...found].sort((one, other) => one.box.xmin - other.box.xmin);
  expect(inColumns.map(({ label }) => label)).toEqual(expected.map(({ label }) => labels[label]));
  for (const [index, { score, xmin, ymin, xmax, ymax }] of expected.entries()) {
    expect(inColumns[index]?.score).toBeCloseTo(score, 5);
    for (const [side, value] of Object.entries({ xmin, ymin, xmax, ymax })) {
      expect(Math.abs((inColumns[index]?.box[side as 'xmin'] ?? Number.NaN) - value), side).toBeLessThan(0.011);
    }
  }
}

const task = (decoder: ObjectDetectionTask['decoder'], resize: ImagePreprocessing['resize']): ObjectDetectionTask => ({
  type: 'object-detection',
  image: { ...image, resize },
  decoder,
  labels,
});

describe('objects come back in pixels of the photo', () => {
  test('from a YOLO v8 head', () => {
    fc.assert(
      fc.property(scene, (content) => {
        const { placement, boxes } = inputBoxes(content);
        const columns = boxes.map((box, index) => [
          ...centred(box),
          ...labels.map((_, label) =>
            label === content.objects[index]?.label ? (content.objects[index]?.score ?? 0) : 0.1,
          ),
        ]);
        const rows = Array.from({ length: 7 }, (_, row) => columns.map((column) => column[row] ?? 0)).flat();
        const found = detectedObjects(
          task({ type: 'yolo', version: 'v8', output: 'out' }, content.resize),
          { out: tensor([1, 7, boxes.length], rows) },
          placement,
        );
        expectScene(found, content);
      }),
    );
  });

  test('from a YOLO v5 head, whose score is objectness times class', () => {
    fc.assert(
      fc.property(scene, (content) => {
        const { placement, boxes } = inputBoxes(content);
        const rows = boxes.flatMap((box, index) => [
          ...centred(box),
          0.995,
          ...labels.map((_, label) =>
            label === content.objects[index]?.label ? (content.objects[index]?.score ?? 0) / 0.995 : 0.1,
          ),
        ]);
        const found = detectedObjects(
          task({ type: 'yolo', version: 'v5', output: 'out' }, content.resize),
          { out: tensor([1, boxes.length, 8], rows) },
          placement,
        );
        expectScene(found, content);
      }),
    );
  });

  test.each(['xyxy', 'yxyx', 'xywh'] as const)(
    'from decoded boxes in the order %s, in pixels or normalized, with or without labels',
    (order) => {
      fc.assert(
        fc.property(
          scene,
          fc.constantFrom('pixels' as const, 'normalized' as const),
          fc.boolean(),
          (content, units, hasLabels) => {
            const { placement, boxes } = inputBoxes(content);
            const [unitX, unitY] = units === 'pixels' ? [1, 1] : [image.width, image.height];
            const rows = boxes.flatMap((corners) => {
              const [xmin, ymin, xmax, ymax] = [
                corners[0] / unitX,
                corners[1] / unitY,
                corners[2] / unitX,
                corners[3] / unitY,
              ];
              return {
                xyxy: [xmin, ymin, xmax, ymax],
                yxyx: [ymin, xmin, ymax, xmax],
                xywh: [xmin, ymin, xmax - xmin, ymax - ymin],
              }[order];
            });
            const count = boxes.length;
            const outputs = {
              boxes: tensor([1, count, 4], rows),
              scores: hasLabels
                ? tensor(
                    [1, count],
                    content.objects.map(({ score }) => score),
                  )
                : tensor(
                    [1, count, 3],
                    content.objects.flatMap(({ score, label }) =>
                      labels.map((_, index) => (index === label ? score : 0)),
                    ),
                  ),
              labels: {
                shape: [1, count],
                data: BigInt64Array.from(content.objects.map(({ label }) => BigInt(label))),
              },
            };
            const decoder = { type: 'boxes', boxes: 'boxes', scores: 'scores', order, units } as const;
            const found = detectedObjects(
              task(hasLabels ? { ...decoder, labels: 'labels' } : decoder, content.resize),
              outputs,
              placement,
            );
            expectScene(found, content);
          },
        ),
      );
    },
  );

  test('from offsets to anchors, with their keypoints', () => {
    const map = { boxes: 'boxes', scores: 'scores', rows: 4, columns: 5, anchorsPerCell: 2 };
    fc.assert(
      fc.property(scene, fc.nat({ max: 30 }), (content, shift) => {
        const { placement, boxes } = inputBoxes(content);
        const scores = Array<number>(40 * 3).fill(-9);
        const offsets = Array<number>(40 * 8).fill(0);
        for (const [index, box] of boxes.entries()) {
          // Any anchor serves: the offsets say how far away the object is.
          const anchor = (index * 9 + shift) % 40;
          const cell = Math.floor(anchor / 2);
          const anchorX = ((cell % 5) + 0.5) * 64;
          const anchorY = (Math.floor(cell / 5) + 0.5) * 64;
          const [x = 0, y = 0, width = 0, height = 0] = centred(box);
          const { score = 0, label = 0 } = content.objects[index] ?? {};
          scores[anchor * 3 + label] = Math.log(score / (1 - score));
          offsets.splice(
            anchor * 8,
            8,
            x - anchorX,
            y - anchorY,
            width,
            height,
            box[0] - anchorX,
            box[1] - anchorY,
            x - anchorX,
            y - anchorY,
          );
        }
        const outputs = { boxes: tensor([1, 40, 8], offsets), scores: tensor([1, 40, 3], scores) };
        const found = detectedObjects(
          task({ type: 'anchors', featureMaps: [map], keypoints: 2 }, content.resize),
          outputs,
          placement,
        );
        expectScene(found, content);
        for (const { box, keypoints } of found) {
          expect(keypoints?.[0]?.x).toBeCloseTo(box.xmin, 1);
          expect(keypoints?.[0]?.y).toBeCloseTo(box.ymin, 1);
          expect(keypoints?.[1]?.x).toBeCloseTo((box.xmin + box.xmax) / 2, 1);
        }
      }),
    );
  });
});

describe('the answer', () => {
  const placement = placePhoto({ ...image, resize: 'stretch' }, { width: 640, height: 512 });
  const decoder = { type: 'boxes', boxes: 'boxes', scores: 'scores', order: 'xyxy', units: 'pixels' } as const;
  const detect = (rows: readonly (readonly number[])[], more: Partial<ObjectDetectionTask> = {}) =>
    detectedObjects(
      { ...task(decoder, 'stretch'), labels: ['cat'], ...more },
      {
        boxes: tensor(
          [rows.length, 4],
          rows.flatMap((row) => row.slice(0, 4)),
        ),
        scores: tensor(
          [rows.length],
          rows.map((row) => row[4] ?? 0),
        ),
      },
      placement,
    );

  test('is clipped to the photo, and says nothing of boxes outside of it or without area', () => {
    const found = detect([
      [-10, -10, 20, 20, 0.9],
      [300, 200, 400, 300, 0.8],
      [330, 10, 350, 40, 0.7],
      [50, 50, 50, 80, 0.7],
      [Number.NaN, 0, 10, 10, 0.7],
      [Number.NEGATIVE_INFINITY, 0, 10, 10, 0.95],
      [100, 100, 120, 120, Number.NaN],
    ]);
    expect(found).toEqual([
      { label: 'cat', score: 0.9, box: { xmin: 0, ymin: 0, xmax: 40, ymax: 40 } },
      { label: 'cat', score: 0.8, box: { xmin: 600, ymin: 400, xmax: 640, ymax: 512 } },
    ]);
  });

  test('holds no score below the threshold, which is 0.5 unless the task says otherwise', () => {
    const rows = [
      [0, 0, 10, 10, 0.5],
      [20, 0, 30, 10, 0.49],
      [40, 0, 50, 10, 0.2],
    ];
    expect(detect(rows)).toHaveLength(1);
    expect(detect(rows, { scoreThreshold: 0.2 })).toHaveLength(3);
    expect(detect(rows, { scoreThreshold: 0.2, maxDetections: 2 })).toHaveLength(2);
  });

  test('is refused where the model answers in another shape than the task says', async () => {
    const outputs = { boxes: tensor([1, 2, 5], Array<number>(10).fill(0)), scores: tensor([1, 2], [1, 1]) };
    const refusal = await refusalOf(() =>
      detectedObjects({ ...task(decoder, 'stretch'), labels: ['cat'] }, outputs, placement),
    );
    expect(refusal.code).toBe('TASK_OUTPUT_SHAPE');
    expect(refusal.message).toContain('boxes has shape [1,2,5]');
    const missing = await refusalOf(() => detectedObjects(task(decoder, 'stretch'), {}, placement));
    expect(missing.message).toContain('boxes is not among');
  });
});

describe('the pipeline of a detection task', () => {
  const signature = {
    inputs: [{ name: 'x', dataType: 'float32' as const, shape: [1, 3, 256, 320] }],
    outputs: [{ name: 'out', dataType: 'float32' as const, shape: [1, 7, null] }],
  };

  test('goes from the body to feeds, and from outputs to objects', async () => {
    const pipeline = createTaskPipeline(task({ type: 'yolo', version: 'v8', output: 'out' }, 'letterbox'), signature);
    const png = encodePng({
      width: 640,
      height: 256,
      depth: 8,
      colorType: 0,
      samples: Array<number>(640 * 256).fill(51),
    });
    const prepared = await pipeline?.prepare(png);
    expect(Object.keys(prepared?.feeds ?? {})).toEqual(['x']);
    expect(prepared?.feeds.x).toMatchObject({ dataType: 'float32', shape: [1, 3, 256, 320] });
    expect(prepared?.feeds.x?.data[128 * 320]).toBeCloseTo(0.2, 5);
    expect(prepared?.feeds.x?.data[0]).toBe(0);
    const out = tensor([1, 7, 1], [160, 128, 40, 20, 0.1, 0.7, 0.2]);
    expect(prepared?.conclude({ out })).toEqual([
      { label: 'dog', score: 0.7, box: { xmin: 280, ymin: 108, xmax: 360, ymax: 148 } },
    ]);
    await expect(pipeline?.prepare(Buffer.from('no picture'))).rejects.toMatchObject({ status: 415 });
  });

  test('puts what the task says behind a transparent picture', async () => {
    const settings = task({ type: 'yolo', version: 'v8', output: 'out' }, 'stretch');
    const image = { ...settings.image, background: [51, 102, 153] } as const;
    const clear = encodePng({ width: 1, height: 1, depth: 8, colorType: 6, samples: [255, 0, 0, 0] });
    const prepared = await createTaskPipeline({ ...settings, image }, signature)?.prepare(clear);
    const channels = [0, 1, 2].map((channel) => Number(prepared?.feeds.x?.data[channel * 256 * 320]).toFixed(4));
    expect(channels).toEqual(['0.2000', '0.4000', '0.6000']);
  });

  test('holds to the limits of its options', async () => {
    const settings = task({ type: 'yolo', version: 'v8', output: 'out' }, 'stretch');
    const pipeline = createTaskPipeline(settings, signature, { pictureLimits: { maxPixels: 5 } });
    const png = encodePng({ width: 2, height: 3, depth: 8, colorType: 0, samples: [1, 2, 3, 4, 5, 6] });
    await expect(pipeline?.prepare(png)).rejects.toMatchObject({ status: 413, code: 'PICTURE_TOO_LARGE' });
  });

  test('is refused for outputs that the model lacks, and absent for tensors', async () => {
    const wrong = task({ type: 'yolo', version: 'v8', output: 'output0' }, 'letterbox');
    expect((await refusalOf(() => createTaskPipeline(wrong, signature))).code).toBe('TASK_OUTPUT_MISSING');
    const half = { ...signature, outputs: [{ name: 'output0', dataType: 'float16' as const, shape: null }] };
    expect((await refusalOf(() => createTaskPipeline(wrong, half))).code).toBe('TASK_OUTPUT_TYPE');
    expect(createTaskPipeline({ type: 'tensor' }, signature)).toBeUndefined();
  });
});
