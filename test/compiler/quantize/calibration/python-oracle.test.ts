import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Feeds } from '../../../../lib/compiler/data/data-set.js';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import { writeModel } from '../../../../lib/compiler/ir/serialization/write.js';
import { calibrate } from '../../../../lib/compiler/quantize/calibration/calibrate.js';
import { dataSet, floats, floatValues, prepared } from '../../../support/calibration-data.js';
import { writeNpy } from '../../../support/numpy-writer.js';
import { pythonIfMade } from '../../../support/python-environment.js';
import { QUANTIZATION_REQUIREMENTS } from '../../../support/quantization-python.js';
import { randomFloats } from '../../../support/random-numbers.js';

const python = pythonIfMade(QUANTIZATION_REQUIREMENTS);
const oracle = join(import.meta.dirname, 'python_calibrater.py');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-calibrate-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface PythonRanges {
  readonly ranges: Readonly<Record<string, readonly [number, number]>>;
}

async function pythonRanges(
  model: Model,
  samples: readonly Feeds[],
  method: string,
  options: Readonly<Record<string, unknown>> = {},
): Promise<PythonRanges['ranges']> {
  const path = join(folder, 'model.onnx');
  await writeModel(model, path);
  const files = samples.map((feeds, index) => {
    return Object.entries(feeds).map(([name, { dims, data }]) => {
      const file = join(folder, `${index}-${name.replace(/\W/g, '_')}.npy`);
      writeFileSync(file, writeNpy(dims, data as Float32Array));
      return [name, file];
    });
  });
  const request = { model: path, augmented: join(folder, 'augmented.onnx'), samples: files, method, options };
  const reply = execFileSync(python ?? '', [oracle], {
    input: JSON.stringify(request),
    encoding: 'utf8',
    stdio: 'pipe',
  });
  return (JSON.parse(reply) as PythonRanges).ranges;
}

const realCases = [
  ['blazefaceBack', 'input:0', [1, 256, 256, 3], -1, 1],
  ['ocrDetector', 'x', [1, 3, 160, 192], -2, 2.5],
  ['ocrAngleClassifier', 'x', [2, 3, 48, 192], -1, 1],
] as const;

describe.skipIf(python === undefined)(
  'beside onnxruntime’s calibraters (skipped: needs its Python environment)',
  () => {
    it.each(realCases)('finds the extremes of %s within 1e-5', async (name, input, dims, low, high) => {
      const model = await prepared(name);
      const count = dims.reduce<number>((product, dim) => product * dim, 1);
      const samples = [1, 2, 3].map((seed) => ({ [input]: floats(dims, randomFloats(count, seed, low, high)) }));
      const values = floatValues(model);
      const calibration = await calibrate(model, dataSet(samples.map((feeds) => [feeds])), {
        values,
        methods: ['min-max'],
      });
      const expected = await pythonRanges(model, samples, 'minmax');
      expect(Object.keys(expected).length).toBeGreaterThan(50);
      for (const [value, [min, max]] of Object.entries(expected)) {
        const range = calibration.range(value, { kind: 'min-max' });
        // What a Sigmoid leaves of large negative numbers is their rounding, several times over.
        const width = Math.max(max - min, value.startsWith('sigmoid') ? 1 : 1e-6);
        expect(Math.abs((range?.min ?? Number.NaN) - min) / width, value).toBeLessThanOrEqual(1e-5);
        expect(Math.abs((range?.max ?? Number.NaN) - max) / width, value).toBeLessThanOrEqual(1e-5);
      }
    });

    // Its default cuts both sides where the larger of them is cut; here each side is cut by itself.
    it('cuts off what the percentile calibrater cuts off, to the width of its bins', async () => {
      const model = await prepared('ocrAngleClassifier');
      const samples = [1, 2, 3, 4].map((seed) => ({
        x: floats([1, 3, 48, 192], randomFloats(3 * 48 * 192, seed)),
      }));
      const values = floatValues(model);
      const calibration = await calibrate(model, dataSet(samples.map((feeds) => [feeds])), {
        values,
        maxElements: 1_000_000,
      });
      const expected = await pythonRanges(model, samples, 'percentile', { symmetric: false });
      const distances = Object.entries(expected).flatMap(([value, [min, max]]) => {
        const statistics = calibration.statistics.get(value);
        const range = calibration.range(value, { kind: 'percentile', percentile: 99.999 });
        if (range === undefined || statistics === undefined) return [];
        const width = statistics.max - statistics.min || 1;
        return [Math.max(Math.abs(range.min - min), Math.abs(range.max - max)) / width];
      });
      expect(distances.length).toBeGreaterThan(50);
      expect(median(distances)).toBeLessThan(1 / 1024);
      expect(Math.max(...distances)).toBeLessThan(1 / 256);
    });
  },
);

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}
