import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Lock } from '../../lib/artifact/lock.js';
import { migrateLock } from '../../lib/artifact/lock-migration.js';
import { lockText } from '../../lib/artifact/lock-text.js';
import { parseLock } from '../../lib/artifact/schema.js';
import { refusalOf } from '../support/refusal.js';

const SHA = 'a'.repeat(64);
const LOCK: Lock = {
  lockVersion: 1,
  tool: '0.1.0',
  onnxruntime: '1.30.0',
  digests: { source: SHA, normalizedGraph: SHA, modelJson: SHA, data: { calibration: SHA } },
  architectures: {
    arm64: {
      recipes: [
        {
          node: { output: 'y', opType: 'Conv', weights: SHA },
          recipe: {
            scheme: 'int8-static',
            activations: 'uint8',
            weights: 'int8',
            perChannel: true,
            reduceRange: false,
          },
        },
        {
          node: { output: 'z', opType: 'MatMul', weights: SHA },
          recipe: { scheme: 'matmul-nbits', bits: 4, blockSize: 32, symmetric: true, accuracyLevel: 4 },
        },
      ],
      activations: [{ tensor: 'x', dataType: 'uint8', scale: [0.007874016], zeroPoint: [128] }],
      weights: [
        {
          tensor: 'w',
          stored: 'w#1',
          parameters: { tensor: 'w', dataType: 'int4', scale: [0.5, 0.25], zeroPoint: [0, 0], axis: 1 },
        },
      ],
      session: { graphOptimizationLevel: 'all', configEntries: { 'session.disable_prepacking': '1' } },
      artifact: { contentHash: SHA, files: SHA, bytes: 12 },
      measured: [{ metric: 'run', value: 1.25, unit: 'ms', cpu: 'some CPU' }],
    },
  },
};

describe('the text of a lock', () => {
  it('brings back the lock, numbers to the bit', () => {
    const float32 = fc.float({ min: Math.fround(1e-30), noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.array(float32, { minLength: 1, maxLength: 600 }), (scale) => {
        const parameters = {
          tensor: 'ключ "x"\u2028',
          dataType: 'int8' as const,
          scale,
          zeroPoint: scale.map(() => 0),
          axis: 0,
        };
        const { arm64 } = LOCK.architectures;
        if (arm64 === undefined) throw new Error('there');
        const lock: Lock = { ...LOCK, architectures: { x86_64: { ...arm64, activations: [parameters] } } };
        expect(parseLock(lockText(lock), 'lock')).toEqual(lock);
      }),
      { seed: 3, numRuns: 50 },
    );
  });

  it('has a node a line, so that a change of one is a line of a diff', () => {
    const lines = lockText(LOCK).split('\n');
    expect(lines.filter((line) => line.includes('"recipe"'))).toHaveLength(2);
    expect(lines.at(-1)).toBe('');
  });
});

/** As JSON is: anything may stand anywhere. */
interface LooseLock {
  lockVersion: unknown;
  hooks?: unknown;
  digests: Record<string, unknown>;
  architectures: {
    arm64: {
      recipes: { recipe: Record<string, unknown> }[];
      activations: Record<string, unknown>[];
    };
    riscv?: unknown;
  };
}

/** An element that a test knows to be there. */
function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new Error(`nothing at ${index}`);
  return found;
}

describe('a lock is refused', () => {
  const broken = (change: (json: LooseLock) => unknown) => {
    const json = JSON.parse(lockText(LOCK)) as LooseLock;
    change(json);
    return JSON.stringify(json);
  };
  it.each<[string, string, string, RegExp]>([
    ['that is no JSON', '{', 'LOCK_INVALID', /not JSON/],
    ['that is a list', '[]', 'LOCK_INVALID', /not valid/],
    [
      'of a newer version',
      broken((json) => {
        json.lockVersion = 2;
      }),
      'LOCK_VERSION',
      /lockVersion 2/,
    ],
    [
      'of a version before the first',
      broken((json) => {
        json.lockVersion = 0;
      }),
      'LOCK_VERSION',
      /lockVersion 0/,
    ],
    [
      'whose version is no number',
      broken((json) => {
        json.lockVersion = 'constructor';
      }),
      'LOCK_INVALID',
      /lockVersion/,
    ],
    [
      'with a key that nobody knows',
      broken((json) => {
        json.hooks = ['rm -rf /'];
      }),
      'LOCK_INVALID',
      /hooks/,
    ],
    [
      'with a digest that is none',
      broken((json) => {
        json.digests.source = '../x';
      }),
      'LOCK_INVALID',
      /digests.source/,
    ],
    [
      'with an architecture that Lambda lacks',
      broken((json) => {
        json.architectures.riscv = json.architectures.arm64;
      }),
      'LOCK_INVALID',
      /riscv/,
    ],
    [
      'with a scheme that nobody knows',
      broken((json) => {
        at(json.architectures.arm64.recipes, 0).recipe.scheme = 'int1';
      }),
      'LOCK_INVALID',
      /recipes.0/,
    ],
    [
      'with a scale of 0',
      broken((json) => {
        at(json.architectures.arm64.activations, 0).scale = [0];
      }),
      'LOCK_INVALID',
      /activations.0.scale/,
    ],
    [
      'with a scale that JSON made null of',
      broken((json) => {
        at(json.architectures.arm64.activations, 0).scale = [null];
      }),
      'LOCK_INVALID',
      /activations.0.scale/,
    ],
    [
      'with more scales than zero points',
      broken((json) => {
        at(json.architectures.arm64.activations, 0).scale = [1, 2];
      }),
      'LOCK_INVALID',
      /zero point/,
    ],
    [
      'with several scales along no axis',
      broken((json) =>
        Object.assign(at(json.architectures.arm64.activations, 0), { scale: [1, 2], zeroPoint: [0, 0] }),
      ),
      'LOCK_INVALID',
      /axis/,
    ],
    [
      'with a block size that is none',
      broken((json) => {
        at(json.architectures.arm64.recipes, 1).recipe.blockSize = 1.5;
      }),
      'LOCK_INVALID',
      /blockSize/,
    ],
  ])('%s', async (_, text, code, message) => {
    const error = await refusalOf(() => parseLock(text, 'model.lock.json'));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(error.advice).toMatch(/\w+/);
  });
});

describe('an older lock', () => {
  const migrations = {
    1: (lock: Readonly<Record<string, unknown>>) => ({ ...lock, tool: `${String(lock.tool)}, migrated` }),
    2: ({ tool, ...rest }: Readonly<Record<string, unknown>>) => ({ ...rest, maker: tool }),
  };

  it('is brought up step by step', () => {
    expect(migrateLock({ lockVersion: 1, tool: 'a' }, 'lock', { migrations, version: 3 })).toEqual({
      lockVersion: 3,
      maker: 'a, migrated',
    });
    expect(migrateLock({ lockVersion: 2, tool: 'a' }, 'lock', { migrations, version: 3 })).toEqual({
      lockVersion: 3,
      maker: 'a',
    });
  });

  it('without a migration names the command that makes a new one', async () => {
    const error = await refusalOf(() => migrateLock({ lockVersion: 1 }, 'lock', { migrations: {}, version: 2 }));
    expect(error).toMatchObject({ code: 'LOCK_VERSION', advice: expect.stringContaining('cdk-onnx optimize') });
  });

  it('of a newer version asks for a newer tool', async () => {
    const error = await refusalOf(() => migrateLock({ lockVersion: 9 }, 'lock', { migrations, version: 3 }));
    expect(error.advice).toMatch(/update/);
  });
});
