import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  EPHEMERAL_STORAGE_MIB,
  formatBytes,
  MEMORY_MIB,
  planSize,
  UNZIPPED_LIMIT_BYTES,
} from '../../lib/artifact/size-plan.js';

const MIB = 1024 * 1024;
const runtimeBytes = 26_200_000;
const functionBytes = 1_800_000;
const plan = (modelBytes: number) => planSize({ runtimeBytes, functionBytes, modelBytes });
const largestLayer = UNZIPPED_LIMIT_BYTES - runtimeBytes - functionBytes;

describe('how a model travels', () => {
  test('to the last byte of the unzipped limit: as a layer', () => {
    expect(plan(largestLayer)).toMatchObject({ kind: 'layer', totalBytes: 262_144_000, spareBytes: 0 });
    expect(plan(600_000)).toMatchObject({ kind: 'layer', spareBytes: 233_544_000 });
  });

  test('one byte more: from S3, with the /tmp and memory that it takes', () => {
    expect(plan(largestLayer + 1)).toMatchObject({ kind: 's3', ephemeralStorageMiB: 512, minMemoryMiB: 416 });
    expect(plan(4000 * MIB)).toMatchObject({ kind: 's3', ephemeralStorageMiB: 4032, minMemoryMiB: 4192 });
  });

  test('beyond what /tmp and memory take: not at all, and it says what would fit', () => {
    const tooLarge = plan(11_000 * MIB);
    expect(tooLarge.kind).toBe('too-large');
    const { maxModelBytes } = tooLarge as { maxModelBytes: number };
    expect(plan(maxModelBytes).kind).toBe('s3');
    expect(plan(maxModelBytes + 1).kind).toBe('too-large');
  });

  test('a runtime that alone is above the limit leaves no way', () => {
    expect(planSize({ runtimeBytes: 301_125_480, functionBytes, modelBytes: 1 }).kind).toBe('too-large');
  });

  test('each says why, with the numbers', () => {
    expect(plan(600_000).reason).toBe(
      "runtime 26,200,000 bytes (26.2 MB) + function 1,800,000 bytes (1.8 MB) + model 600,000 bytes = 28,600,000 bytes (28.6 MB) unzipped, within Lambda's 262,144,000 bytes (262.1 MB): the model is a layer, 233,544,000 bytes (233.5 MB) to spare.",
    );
    expect(plan(4000 * MIB).reason).toMatch(
      /above Lambda's 262,144,000 .* 4032 MiB of \/tmp and at least 4192 MiB of memory/,
    );
    expect(plan(11_000 * MIB).reason).toMatch(
      /11032 MiB of \/tmp \(10240 at most\) and 11192 MiB of memory \(10240 at most\)/,
    );
  });

  test('sizes that are no byte counts are refused', () => {
    for (const bytes of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => plan(bytes)).toThrow(new RangeError(`modelBytes must be a whole number of bytes, got ${bytes}`));
    }
  });

  test('a larger model never travels more easily, and what is planned fits', () => {
    const size = fc.nat({ max: 20_000 * MIB });
    const order = ['layer', 's3', 'too-large'];
    fc.assert(
      fc.property(size, size, (a, b) => {
        const [smaller, larger] = [plan(Math.min(a, b)), plan(Math.max(a, b))];
        expect(order.indexOf(smaller.kind)).toBeLessThanOrEqual(order.indexOf(larger.kind));
        if (larger.kind === 'layer') expect(larger.totalBytes + larger.spareBytes).toBe(UNZIPPED_LIMIT_BYTES);
        if (larger.kind !== 's3') return;
        expect(larger.ephemeralStorageMiB * MIB).toBeGreaterThanOrEqual(larger.modelBytes);
        expect(larger.ephemeralStorageMiB).toBeLessThanOrEqual(EPHEMERAL_STORAGE_MIB.max);
        expect(larger.minMemoryMiB).toBeLessThanOrEqual(MEMORY_MIB.max);
      }),
      { seed: 20, numRuns: 500 },
    );
  });
});

test('bytes are exact, with MB where that helps', () => {
  expect([0, 999_999, 1_000_000].map(formatBytes)).toEqual(['0 bytes', '999,999 bytes', '1,000,000 bytes (1.0 MB)']);
});
