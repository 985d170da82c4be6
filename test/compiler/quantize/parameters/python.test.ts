import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { quantizeBias, roomForBias } from '../../../../lib/compiler/quantize/parameters/quantize-bias.js';
import { quantizeWeight } from '../../../../lib/compiler/quantize/parameters/quantize-weight.js';
import { activationParameters } from '../../../../lib/compiler/quantize/parameters/scale-and-zero-point.js';
import { requirePython } from '../../../support/python.js';
import { PythonWorker } from '../../../support/python-worker.js';
import { QUANTIZATION_REQUIREMENTS } from '../../../support/quantization-python.js';
import { randomFloats } from '../../../support/random-numbers.js';

let worker: PythonWorker | undefined;
beforeEach(({ skip }) => {
  const python = requirePython(QUANTIZATION_REQUIREMENTS, skip);
  worker ??= new PythonWorker(python, join(import.meta.dirname, 'python_quantizer.py'));
}, 600_000);
afterAll(() => worker?.stop());

const ask = <Answer>(name: string, values: Record<string, unknown>) => worker?.call(name, values) as Promise<Answer>;

/** Every exponent, with what is likely to round at a half. */
const floats = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true, min: Math.fround(-1e37), max: Math.fround(1e37) }),
  fc.integer({ min: -1024, max: 1024 }).map((number) => number / 8),
  fc.double({ min: -8, max: 8, noNaN: true }).map(Math.fround),
);
const ranges = fc.tuple(floats, floats).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) }));
const activationTypes = ['uint8', 'int8', 'uint16', 'int16'] as const;
const weightTypes = ['int8', 'uint8', 'int16', 'int4', 'uint4'] as const;

describe('bit for bit what onnxruntime.quantization computes', () => {
  it.each(activationTypes.flatMap((dataType) => [true, false].map((symmetric) => ({ dataType, symmetric }))))(
    'scale and zero point of $dataType, symmetric: $symmetric',
    async ({ dataType, symmetric }) => {
      for (const reduceRange of [false, true]) {
        const samples = fc.sample(ranges, { numRuns: 3000, seed: 7 });
        const expected = await ask<[number, number][]>('parameters', {
          ranges: samples.map(({ min, max }) => [min, max]),
          data_type: dataType,
          symmetric,
          reduce_range: reduceRange,
        });
        const actual = samples.map((range) => {
          const { scale, zeroPoint } = activationParameters('x', range, { dataType, symmetric, reduceRange });
          return [scale[0], zeroPoint[0]];
        });
        expect(actual).toEqual(expected);
      }
    },
  );

  it.each(weightTypes)('weights as %s, per tensor and per channel', async (dataType) => {
    const dims = [6, 5, 4];
    for (let seed = 0; seed < 12; seed++) {
      const numbers = Array.from(randomFloats(120, seed), (number, index) =>
        Math.fround(seed % 3 === 0 ? Math.round(number * 64) / 32 : number * 10 ** ((index % 7) - 3)),
      );
      const tensor = Tensor.fromNumbers('float32', dims, numbers);
      for (const axis of [undefined, 0, 1, 2]) {
        for (const symmetric of [true, false]) {
          for (const reduceRange of [false, true]) {
            const expected = await ask<[number[], number[], number[]]>('weight', {
              numbers,
              dims,
              data_type: dataType,
              symmetric,
              reduce_range: reduceRange,
              ...(axis === undefined ? {} : { axis }),
            });
            const { integers, parameters } = quantizeWeight('w', tensor, {
              dataType,
              symmetric,
              reduceRange,
              ...(axis === undefined ? {} : { axis }),
            });
            expect([parameters.scale, parameters.zeroPoint, integers.numbers()]).toEqual(expected);
          }
        }
      }
    }
  });

  it('biases, with weight scales raised where int32 would overflow', async () => {
    let raised = 0;
    for (let seed = 0; seed < 60; seed++) {
      const perChannel = seed % 2 === 0;
      const numbers = Array.from(randomFloats(8, seed), (number) => Math.fround(number * 10 ** (seed % 5)));
      const inputScale = Math.fround(10 ** -(seed % 9));
      const weightScale = Array.from(randomFloats(perChannel ? 8 : 1, seed + 1, 0.1, 1), (number) =>
        Math.fround(number * 10 ** -(seed % 7)),
      );
      const expected = await ask<number[][]>('bias', {
        numbers,
        input_scale: inputScale,
        weight_scale: weightScale,
        per_channel: perChannel,
      });
      const tensor = Tensor.fromNumbers('float32', [8], numbers);
      const before = {
        tensor: 'w',
        dataType: 'int8' as const,
        scale: weightScale,
        zeroPoint: weightScale.map(() => 0),
        ...(perChannel ? { axis: 0 } : {}),
      };
      const after = roomForBias(before, tensor, inputScale);
      if (after !== before) raised++;
      const { integers, scale } = quantizeBias(tensor, inputScale, after.scale);
      expect([after.scale, scale, integers.numbers()]).toEqual(expected);
    }
    expect(raised).toBeGreaterThan(5);
    expect(raised).toBeLessThan(55);
  });
});
