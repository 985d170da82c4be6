import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Signature, Task } from '../../../lib/artifact/manifest.js';
import type { Feeds, Label, Sample } from '../../../lib/compiler/data/data-set.js';
import { METRIC_NAMES, metricFor } from '../../../lib/compiler/metrics/metric-for.js';
import { editDistance } from '../../../lib/compiler/metrics/text/edit-distance.js';
import type { RuntimeTensor } from '../../../lib/compiler/runtime/session.js';

const TENSOR: Task = { type: 'tensor' };
const SIGNATURE: Signature = {
  inputs: [{ name: 'x', dataType: 'float32', shape: [1] }],
  outputs: [{ name: 'y', dataType: 'float32', shape: [null, null] }],
};

function floats(numbers: readonly number[], dims: readonly number[] = [1, numbers.length]): RuntimeTensor {
  return { dataType: 'float32', dims, data: Float32Array.from(numbers) };
}

function sampleOf(label?: Label, size?: Sample['size']): Sample {
  return {
    id: 's',
    steps: [{}],
    ...(label === undefined ? {} : { label }),
    ...(size === undefined ? {} : { size }),
  };
}

/** The metric over samples given as [label, output, reference]. */
function judge(
  name: string,
  cases: readonly (readonly [Label | undefined, RuntimeTensor, RuntimeTensor?])[],
  task: Task = TENSOR,
): number {
  const metric = metricFor(name, task, SIGNATURE);
  return metric.aggregate(
    cases.map(([label, y, reference = y]) => metric.observe(sampleOf(label), [{ y }], [{ y: reference }])),
  );
}

const classLabel = (index: number): Label => ({ kind: 'class', index });

describe('metrics by name', () => {
  test('fails for a name that is none, and lists those that are', () => {
    expect(() => metricFor('precision', TENSOR, SIGNATURE)).toThrowError(
      expect.objectContaining({ code: 'METRIC_UNKNOWN', advice: expect.stringContaining('agreement') }),
    );
    expect(() => metricFor('toString', TENSOR, SIGNATURE)).toThrowError(
      expect.objectContaining({ code: 'METRIC_UNKNOWN' }),
    );
  });

  test('fails for boxes of a task that has none', () => {
    expect(() => metricFor('map', TENSOR, SIGNATURE)).toThrowError(expect.objectContaining({ code: 'METRIC_TASK' }));
  });

  test('fails where a label is missing, and names the sample', () => {
    const metric = metricFor('accuracy', TENSOR, SIGNATURE);
    expect(() => metric.observe(sampleOf(), [{ y: floats([1]) }], [{ y: floats([1]) }])).toThrowError(
      expect.objectContaining({ code: 'LABEL_MISSING', message: expect.stringContaining("'s'") }),
    );
  });

  test('an original is perfect against itself', () => {
    for (const name of METRIC_NAMES) {
      const metric = name.startsWith('map') ? undefined : metricFor(name, TENSOR, SIGNATURE);
      if (metric === undefined || metric.needsLabels) continue;
      const y = floats([0.1, 0.7, 0.2]);
      const value = metric.aggregate([metric.observe(sampleOf(), [{ y }], [{ y }])]);
      const best = { snr: 150, kl: 0, 'max-abs': 0, cer: 0, wer: 0 }[name] ?? 1;
      expect(value, name).toBeCloseTo(best, 9);
    }
  });
});

describe('shares of right answers', () => {
  test('accuracy counts the largest score', () => {
    const right = [classLabel(1), floats([0.1, 0.9])] as const;
    const wrong = [classLabel(0), floats([0.1, 0.9])] as const;
    expect(judge('accuracy', [right, right, wrong, right])).toBe(0.75);
  });

  test('what is no number is no answer', () => {
    expect(judge('accuracy', [[classLabel(1), floats([0.1, Number.NaN])]])).toBe(0);
    expect(judge('agreement', [[undefined, floats([Number.NaN]), floats([0.9])]])).toBe(0);
  });

  test('agreement asks on which side of a half a single score lies, and of rows each', () => {
    expect(judge('agreement', [[undefined, floats([0.6]), floats([0.9])]])).toBe(1);
    expect(judge('agreement', [[undefined, floats([0.4]), floats([0.9])]])).toBe(0);
    const rows = floats([1, 0, 0, 1, 1, 0, 0, 1], [4, 2]);
    const others = floats([1, 0, 1, 0, 1, 0, 0, 1], [4, 2]);
    expect(judge('agreement', [[undefined, others, rows]])).toBe(0.75);
  });

  test('of a map [N, C, H, W] the classes of pixels are compared', () => {
    // Two channels, 1 x 2 pixels: the first pixel is of class 0, the second of class 1.
    const map = floats([0.9, 0.1, 0.1, 0.9], [1, 2, 1, 2]);
    const other = floats([0.9, 0.8, 0.1, 0.2], [1, 2, 1, 2]);
    expect(judge('agreement', [[undefined, other, map]])).toBe(0.5);
  });

  test('F1 is that of the textbook', () => {
    const scores = (index: number, classes: number) =>
      floats(Array.from({ length: classes }, (_, at) => (at === index ? 1 : 0)));
    // Of class 1: two right, one missed, one made up.
    const cases = [
      [1, 1],
      [1, 1],
      [1, 0],
      [0, 1],
      [0, 0],
    ].map(([expected = 0, found = 0]) => [classLabel(expected), scores(found, 2)] as const);
    expect(judge('f1', cases)).toBeCloseTo(4 / 6, 12);
    expect(judge('f1-macro', cases)).toBeCloseTo((4 / 6 + 2 / 4) / 2, 12);
    const three = [...cases, [classLabel(2), scores(2, 3)] as const];
    expect(judge('f1', three)).toBeCloseTo((4 / 6 + 2 / 4 + 1) / 3, 12);
  });

  test('IoU of a binarized map is that of its mask, summed over samples', () => {
    const mask = floats([0.9, 0.8, 0.1, 0.2], [1, 1, 2, 2]);
    const half = floats([0.9, 0.1, 0.1, 0.2], [1, 1, 2, 2]);
    expect(judge('iou', [[undefined, half, mask]])).toBe(0.5);
    expect(
      judge('iou', [
        [undefined, half, mask],
        [undefined, mask],
      ]),
    ).toBe(0.75);
    const empty = floats([0, 0, 0, 0], [1, 1, 2, 2]);
    expect(judge('iou', [[undefined, empty, empty]])).toBe(1);
  });

  test('IoU of classes is their mean', () => {
    const expected: Label = { kind: 'outputs', outputs: { y: floats([1, 1, 0, 0, 0, 0, 1, 1], [1, 2, 1, 4]) } };
    const found = floats([1, 1, 1, 0, 0, 0, 0, 1], [1, 2, 1, 4]);
    expect(judge('iou', [[expected, found]])).toBeCloseTo((2 / 3 + 1 / 2) / 2, 12);
  });
});

describe('differences of outputs', () => {
  test('SNR is the ratio of energies over all samples, of the worst output', () => {
    const cases = [
      [undefined, floats([3, 0]), floats([3, 0.1])],
      [undefined, floats([1, 0]), floats([1, 0])],
    ] as const;
    expect(judge('snr', cases)).toBeCloseTo(
      10 * Math.log10((9 + Math.fround(0.1) ** 2 + 1) / Math.fround(0.1) ** 2),
      6,
    );
    const metric = metricFor('snr', TENSOR, SIGNATURE);
    const two = (a: number, b: number): Feeds => ({ a: floats([a]), b: floats([b]) });
    expect(metric.aggregate([metric.observe(sampleOf(), [two(1, 2)], [two(1, 1)])])).toBe(0);
  });

  test('an answer of another shape, or none, is nothing but noise', () => {
    expect(judge('snr', [[undefined, floats([1, 2, 3]), floats([1, 2])]])).toBe(-150);
    expect(judge('max-abs', [[undefined, floats([Number.NaN]), floats([1])]])).toBe(Number.POSITIVE_INFINITY);
    expect(judge('cosine', [[undefined, floats([1, 2, 3]), floats([1, 2])]])).toBe(-1);
  });

  test('cosine looks at directions, max-abs at the largest step', () => {
    expect(judge('cosine', [[undefined, floats([2, 4]), floats([1, 2])]])).toBeCloseTo(1, 12);
    expect(judge('cosine', [[undefined, floats([0, 1]), floats([1, 0])]])).toBeCloseTo(0, 12);
    expect(judge('max-abs', [[undefined, floats([2, 4]), floats([1, 2])]])).toBe(2);
  });

  test('KL takes probabilities as they are, and scores through softmax', () => {
    const expected = 0.5 * Math.log(0.5 / 0.25) + 0.5 * Math.log(0.5 / 0.75);
    expect(judge('kl', [[undefined, floats([0.25, 0.75]), floats([0.5, 0.5])]])).toBeCloseTo(expected, 6);
    const [p, q] = [floats([2, 2]), floats([0, Math.log(3)])];
    expect(judge('kl', [[undefined, q, p]])).toBeCloseTo(expected, 6);
  });

  test('float16 outputs are read as numbers', () => {
    const half: RuntimeTensor = { dataType: 'float16', dims: [1, 2], data: Uint16Array.of(0x3c00, 0x4000) };
    const other: RuntimeTensor = { dataType: 'float16', dims: [1, 2], data: Uint16Array.of(0x3c00, 0x4200) };
    expect(judge('max-abs', [[undefined, half, other]])).toBe(1);
  });
});

describe('transcripts', () => {
  const texts = (text: string): RuntimeTensor => ({ dataType: 'string', dims: [1], data: [text] });

  test('CER and WER count edits of what was to be read', () => {
    expect(judge('cer', [[{ kind: 'text', text: 'kitten' }, texts('sitting')]])).toBe(0.5);
    expect(judge('wer', [[{ kind: 'text', text: 'the cat sat' }, texts('the mat sat')]])).toBeCloseTo(1 / 3, 12);
    expect(judge('wer', [[{ kind: 'text', text: '' }, texts('noise')]])).toBe(1);
  });

  test('of CTC scores the best path is read: repeats and blanks go', () => {
    const path = (classes: readonly number[]) =>
      floats(
        classes.flatMap((index) => [0, 1, 2].map((at) => (at === index ? 1 : 0))),
        [1, classes.length, 3],
      );
    expect(judge('cer', [[undefined, path([1, 1, 0, 1, 2]), path([1, 0, 1, 2, 2])]])).toBe(0);
    expect(judge('cer', [[undefined, path([1, 1, 1, 2]), path([1, 0, 1, 2])]])).toBeCloseTo(1 / 3, 12);
  });

  test('the distance is one of a metric space', () => {
    const word = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(word, word, word, (a, b, c) => {
        const [x, y, z] = [[...a], [...b], [...c]];
        expect(editDistance(x, y)).toBe(editDistance(y, x));
        expect(editDistance(x, x)).toBe(0);
        expect(editDistance(x, z)).toBeLessThanOrEqual(editDistance(x, y) + editDistance(y, z));
        expect(editDistance(x, y)).toBeGreaterThanOrEqual(Math.abs(x.length - y.length));
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe('mAP', () => {
  const task: Task = {
    type: 'object-detection',
    image: {
      input: 'x',
      width: 100,
      height: 100,
      resize: 'stretch',
      layout: 'NCHW',
      channels: 'RGB',
      mean: [0, 0, 0],
      std: [1, 1, 1],
    },
    decoder: { type: 'boxes', boxes: 'boxes', scores: 'scores', order: 'xyxy', units: 'pixels' },
    labels: ['cup', 'hat'],
    scoreThreshold: 0.1,
    iouThreshold: 0.9,
  };
  interface Box {
    readonly label: 'cup' | 'hat';
    readonly score: number;
    readonly at: readonly [number, number, number, number];
  }
  const outputs = (boxes: readonly Box[]): Feeds => ({
    boxes: floats(
      boxes.flatMap(({ at }) => at),
      [1, boxes.length, 4],
    ),
    scores: floats(
      boxes.flatMap(({ label, score }) => (label === 'cup' ? [score, 0] : [0, score])),
      [1, boxes.length, 2],
    ),
  });
  const truth = (boxes: readonly Box[]): Label => ({
    kind: 'boxes',
    boxes: boxes.map(({ label, at: [x, y, right, bottom] }) => ({ label, x, y, width: right - x, height: bottom - y })),
  });
  const mapOf = (name: string, images: readonly (readonly [readonly Box[], readonly Box[]])[]) => {
    const metric = metricFor(name, task, SIGNATURE);
    const size = { width: 100, height: 100 };
    return metric.aggregate(
      images.map(([expected, found]) => metric.observe(sampleOf(truth(expected), size), [outputs(found)], [{}])),
    );
  };
  const cup: Box = { label: 'cup', score: 0.9, at: [10, 10, 30, 30] };
  const hat: Box = { label: 'hat', score: 0.8, at: [50, 50, 90, 90] };

  test('is 1 for the truth and 0 for nothing', () => {
    expect(
      mapOf('map', [
        [
          [cup, hat],
          [cup, hat],
        ],
      ]),
    ).toBe(1);
    expect(mapOf('map', [[[cup, hat], []]])).toBe(0);
  });

  test('counts thresholds that a shifted box still meets', () => {
    // 20 x 20 shifted by 4: 16/24 = 0.667, which meets 0.5, 0.55, 0.6 and 0.65.
    const shifted: Box = { ...cup, at: [14, 10, 34, 30] };
    expect(mapOf('map50', [[[cup], [shifted]]])).toBe(1);
    expect(mapOf('map', [[[cup], [shifted]]])).toBeCloseTo(0.4, 12);
  });

  test('counts boxes that are none by their rank', () => {
    const wrong: Box = { label: 'cup', score: 0.95, at: [60, 60, 70, 70] };
    const late: Box = { ...wrong, score: 0.2 };
    expect(mapOf('map50', [[[cup], [wrong, cup]]])).toBeCloseTo(0.5, 12);
    expect(mapOf('map50', [[[cup], [cup, late]]])).toBe(1);
    // One of two found: 51 of the 101 recalls have precision 1.
    expect(
      mapOf('map50', [
        [[cup], [cup]],
        [[cup], []],
      ]),
    ).toBeCloseTo(51 / 101, 12);
  });

  test('leaves out classes without a true box, and takes a second box on the same object for none', () => {
    expect(mapOf('map50', [[[cup], [cup, hat]]])).toBe(1);
    const twin: Box = { ...cup, score: 0.95, at: [12, 10, 32, 30] };
    expect(
      mapOf('map50', [
        [
          [cup, hat],
          [twin, cup, hat],
        ],
      ]),
    ).toBe(1);
    const second: Box = { ...cup, at: [40, 10, 60, 30], score: 0.5 };
    expect(
      mapOf('map50', [
        [
          [cup, second],
          [twin, cup, second],
        ],
      ]),
    ).toBeCloseTo((51 + 50 * (2 / 3)) / 101, 12);
  });

  test('without labels the original stands for them; the label of a stranger is an error', () => {
    const metric = metricFor('map', task, SIGNATURE);
    const reference = outputs([cup, hat]);
    expect(metric.aggregate([metric.observe(sampleOf(), [reference], [reference])])).toBe(1);
    const label: Label = { kind: 'boxes', boxes: [{ label: 'dog', x: 0, y: 0, width: 1, height: 1 }] };
    expect(() => metric.observe(sampleOf(label), [reference], [reference])).toThrowError(
      expect.objectContaining({ code: 'LABEL_UNKNOWN' }),
    );
    const agreement = metricFor('agreement', task, SIGNATURE);
    const value = agreement.aggregate([agreement.observe(sampleOf(), [outputs([cup])], [reference])]);
    expect(value).toBeCloseTo(2 / 3, 12);
  });
});
