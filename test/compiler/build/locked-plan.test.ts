/** Weights that were rounded by data: to safetensors and back, and what a hostile file cannot bring in. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ArchitectureLock, LOCK_WEIGHTS_FILE } from '../../../lib/artifact/lock.js';
import type { IntegerType } from '../../../lib/artifact/recipe.js';
import { loadPlan, storePlan } from '../../../lib/compiler/build/locked-plan.js';
import { encodeSafetensors } from '../../../lib/compiler/formats/safetensors.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { EMPTY_PLAN, type QuantizationPlan } from '../../../lib/compiler/quantize/plan.js';
import { refusalOf } from '../../support/refusal.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-locked-plan-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const TYPES: Readonly<Record<IntegerType, readonly ['int8' | 'uint8' | 'int16' | 'uint16', number, number]>> = {
  int8: ['int8', -128, 127],
  uint8: ['uint8', 0, 255],
  int16: ['int16', -32_768, 32_767],
  uint16: ['uint16', 0, 65_535],
  int4: ['int8', -8, 7],
  uint4: ['uint8', 0, 15],
};

function planWith(
  dataType: IntegerType,
  dims: readonly number[],
  integers: readonly number[],
  scales: number,
  axis = 0,
) {
  const parameters = {
    tensor: 'w',
    dataType,
    scale: Array<number>(scales).fill(0.5),
    zeroPoint: Array<number>(scales).fill(0),
    axis,
  };
  const [stored] = TYPES[dataType];
  return {
    ...EMPTY_PLAN,
    quantizedWeights: new Map([['w', { integers: Tensor.fromNumbers(stored, dims, integers), parameters }]]),
  } satisfies QuantizationPlan;
}

/** Twelve elements of four bits. */
function inBlocks(scale: readonly number[]) {
  const integers = Tensor.fromNumbers(
    'uint8',
    [6, 2],
    Array.from({ length: 12 }, (_, index) => index),
  );
  return { integers, parameters: { tensor: 'w', dataType: 'uint4' as const, scale, zeroPoint: scale.map(() => 8) } };
}

/** Writes a plan's tensors and reads the plan again, with what its lock says changed. */
async function throughLock(plan: QuantizationPlan, edit: (json: string) => string = (json) => json) {
  const { locked, tensors } = storePlan(plan);
  writeFileSync(join(folder, LOCK_WEIGHTS_FILE), encodeSafetensors(tensors));
  const lock = JSON.parse(edit(JSON.stringify(locked))) as ArchitectureLock;
  return await loadPlan(folder, lock);
}

describe('weights in a lock', () => {
  it('come back to the bit, of every integer type', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...(Object.keys(TYPES) as IntegerType[])),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 0, max: 7 }),
        fc.integer(),
        async (dataType, rows, columns, seed) => {
          const [, least, greatest] = TYPES[dataType];
          const spread = greatest - least + 1;
          const values = Array.from(
            { length: rows * columns },
            (_, index) => least + (Math.abs(seed + index * 97) % spread),
          );
          const plan = planWith(dataType, [rows, columns], values, rows);
          const back = await throughLock(plan);
          const [[, before] = []] = plan.quantizedWeights;
          const [[, after] = []] = back.quantizedWeights;
          expect(after?.parameters).toEqual(before?.parameters);
          expect(after?.integers.dims).toEqual([rows, columns]);
          expect(after?.integers.numbers()).toEqual(values);
        },
      ),
      { seed: 4, numRuns: 60 },
    );
  });

  it('come back in blocks, whose scales have no axis and any sign', async () => {
    const { parameters, integers } = inBlocks([0.5, -0.25, 0.125]);
    const plan = { ...EMPTY_PLAN, quantizedWeights: new Map([['w', { integers, parameters }]]) };
    expect((await throughLock(plan)).quantizedWeights.get('w')?.parameters).toEqual(parameters);
    const many = inBlocks(Array<number>(13).fill(1));
    const error = await refusalOf(() => throughLock({ ...EMPTY_PLAN, quantizedWeights: new Map([['w', many]]) }));
    expect([error.code, error.message]).toEqual(['LOCK_INVALID', expect.stringContaining('13 scales of blocks')]);
  });

  it('share what architectures agree on: the same content has one name', () => {
    const one = storePlan(planWith('int8', [2], [1, 2], 2));
    const same = storePlan(planWith('int8', [2], [1, 2], 2));
    const other = storePlan(planWith('int8', [2], [1, 3], 2));
    expect([...same.tensors.keys()]).toEqual([...one.tensors.keys()]);
    expect([...other.tensors.keys()]).not.toEqual([...one.tensors.keys()]);
  });
});

describe('a lock whose weights do not fit is refused', () => {
  it.each<[string, QuantizationPlan, (json: string) => string]>([
    [
      'integers beyond 4 bits',
      planWith('int8', [2], [-8, 8], 2),
      (json) => json.replace('"dataType":"int8"', '"dataType":"int4"'),
    ],
    [
      'integers of another type',
      planWith('int8', [2], [0, 1], 2),
      (json) => json.replace('"dataType":"int8"', '"dataType":"uint8"'),
    ],
    [
      'scales for other channels',
      planWith('int8', [2, 3], [0, 1, 2, 3, 4, 5], 2),
      (json) => json.replace('"axis":0', '"axis":1'),
    ],
    ['an axis that is none', planWith('int8', [2], [0, 1], 2), (json) => json.replace('"axis":0', '"axis":7')],
    [
      'a weight that is not in the file',
      planWith('int8', [2], [0, 1], 2),
      (json) => json.replace('"stored":"w#', '"stored":"v#'),
    ],
  ])('%s', async (_, plan, edit) => {
    expect((await refusalOf(() => throughLock(plan, edit))).code).toBe('LOCK_INVALID');
  });
});
