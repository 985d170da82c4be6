import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { type DownloadOptions, download } from '../../../../functions/predict/weights/download.js';
import { type Fault, type FaultyS3, type FaultyS3Options, startFaultyS3 } from '../../../support/faulty-s3.js';
import { randomBytes } from '../../../support/random-numbers.js';
import { refusalOf } from '../../../support/refusal.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-download-'));
const path = join(folder, 'weights');
const KIB = 1024;
const content = randomBytes(3, 1000 * KIB + 7);
const sha256 = createHash('sha256').update(content).digest('hex');
let s3: FaultyS3 | undefined;
let retries: string[] = [];
afterEach(() => s3?.close());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function load(
  served: Omit<FaultyS3Options, 'content'> & { readonly content?: Buffer },
  options: Partial<DownloadOptions> = {},
): Promise<{ readonly digest: string; readonly file: Buffer; readonly loaded: number }> {
  s3 = await startFaultyS3({ content, ...served });
  retries = [];
  let loaded = 0;
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'w+');
    const digest = await download({
      object: s3.object,
      bytes: content.length,
      file,
      rangeBytes: 100 * KIB,
      connections: 4,
      onBytes: (count) => {
        loaded += count;
      },
      onRetry: (reason) => retries.push(reason),
      ...options,
    });
    return { digest, file: readFileSync(path), loaded };
  } finally {
    await file?.close();
  }
}

/** Each fault once, at the requests of these numbers. */
const faultAt = (faults: Readonly<Record<number, Fault>>) => ({
  fault: ({ number }: { readonly number: number }) => faults[number],
});

describe('a download', () => {
  test('brings every byte by ranges, over as many connections as it may open', async () => {
    const { digest, file, loaded } = await load({});
    expect(file.equals(content)).toBe(true);
    expect(digest).toBe(sha256);
    expect(loaded).toBe(content.length);
    expect(s3?.seen).toHaveLength(11);
    expect(s3?.connections()).toBeLessThanOrEqual(4);
    expect(retries).toEqual([]);
  });

  test('brings every byte whatever the sizes', async () => {
    const sizes = fc.record({
      bytes: fc.integer({ min: 0, max: 3000 }),
      rangeBytes: fc.integer({ min: 1, max: 1000 }),
      connections: fc.integer({ min: 1, max: 9 }),
    });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ bytes, rangeBytes, connections }) => {
        fc.pre(bytes / rangeBytes < 60);
        const part = content.subarray(0, bytes);
        const { digest, file } = await load({ content: part }, { bytes, rangeBytes, connections });
        s3?.close();
        expect(file.equals(part)).toBe(true);
        expect(digest).toBe(createHash('sha256').update(part).digest('hex'));
      }),
      { seed: 7, numRuns: 40 },
    );
  });

  test.each<[string, Fault]>([
    ['500 InternalError', { kind: 'answer', status: 500, code: 'InternalError' }],
    ['503 SlowDown', { kind: 'answer', status: 503, code: 'SlowDown' }],
    ['400 RequestTimeout', { kind: 'answer', status: 400, code: 'RequestTimeout' }],
    ['429', { kind: 'answer', status: 429, code: 'TooManyRequests' }],
    ['a connection reset before the answer', { kind: 'reset', afterBytes: -1 }],
    ['a connection reset in the middle', { kind: 'reset', afterBytes: 30 * KIB }],
    ['an answer that ends early', { kind: 'short', bytes: 30 * KIB }],
    ['a connection that falls silent', { kind: 'stall', afterBytes: 30 * KIB }],
    ['a request that nobody answers', { kind: 'stall', afterBytes: -1 }],
  ])('survives %s', async (_, fault) => {
    const { digest, file } = await load(faultAt({ 1: fault, 3: fault, 5: fault }), { stalledMs: 300 });
    expect(digest).toBe(sha256);
    expect(file.equals(content)).toBe(true);
    expect(retries.length).toBeGreaterThanOrEqual(3);
  });

  test('goes on from the last byte that came, not from the start of the range', async () => {
    await load(faultAt({ 1: { kind: 'reset', afterBytes: 64 * KIB } }), { connections: 1, stalledMs: 1000 });
    const [first, second] = s3?.seen ?? [];
    expect(first).toMatchObject({ start: 0, end: 100 * KIB });
    expect(second?.end).toBe(100 * KIB);
    expect(second?.start).toBeGreaterThan(0);
  });

  test('gives a connection up that drips, and keeps one that is only slow', async () => {
    const drips = { bytesPerSecond: 20 * KIB };
    const error = await refusalOf(() =>
      load(drips, { stalledMs: 100, rangeBytes: content.length, bytes: content.length }),
    );
    expect(error).toMatchObject({ code: 'WEIGHTS_UNREACHABLE' });
    s3?.close();
    const { digest } = await load({ bytesPerSecond: 400 * KIB }, { stalledMs: 1000, rangeBytes: content.length });
    expect([digest, retries]).toEqual([sha256, []]);
  });
});

describe('what lasts is refused with a code, at once', () => {
  const region = {
    kind: 'answer',
    status: 301,
    code: 'PermanentRedirect',
    headers: { 'x-amz-bucket-region': 'us-west-2' },
  } as const;
  const malformed = {
    kind: 'answer',
    status: 400,
    code: 'AuthorizationHeaderMalformed',
    body: '<Region>us-west-2</Region>',
  } as const;
  test.each<[string, string, Fault, RegExp]>([
    [
      '403',
      'WEIGHTS_ACCESS_DENIED',
      { kind: 'answer', status: 403, code: 'AccessDenied' },
      /403 AccessDenied for s3:\/\/bucket\/weights/,
    ],
    ['404', 'WEIGHTS_NOT_FOUND', { kind: 'answer', status: 404, code: 'NoSuchKey' }, /404 NoSuchKey/],
    ['a bucket in another region', 'WEIGHTS_REGION', region, /is in us-west-2, the function in eu-west-1/],
    ['a signature for another region', 'WEIGHTS_REGION', malformed, /is in us-west-2, the function in eu-west-1/],
    ['another 400', 'WEIGHTS_REFUSED', { kind: 'answer', status: 400, code: 'InvalidRequest' }, /400 InvalidRequest/],
  ])('%s: %s', async (_, code, fault, message) => {
    const error = await refusalOf(() => load({ fault: () => fault }));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(retries).toEqual([]);
    expect(s3?.seen.length).toBeLessThanOrEqual(4);
  });

  test.each([
    ['shorter', content.length - 1],
    ['longer', content.length + 1],
  ])('an object that is %s than the manifest says: WEIGHTS_SIZE', async (_, bytes) => {
    const longer = Buffer.concat([content, Buffer.alloc(1)]).subarray(0, bytes);
    expect(await refusalOf(() => load({ content: longer }))).toMatchObject({
      code: 'WEIGHTS_SIZE',
      message: expect.stringContaining(`has ${bytes} bytes; the manifest says ${content.length}`),
    });
  });

  test('an object so short that ranges lie behind its end: WEIGHTS_SIZE', async () => {
    const fault = () => ({ kind: 'answer', status: 416, code: 'InvalidRange' }) as const;
    expect(await refusalOf(() => load({ fault }))).toMatchObject({ code: 'WEIGHTS_SIZE' });
  });

  test('a server that fails for ever: WEIGHTS_UNREACHABLE, after six attempts of a range', async () => {
    const fault = () => ({ kind: 'answer', status: 503, code: 'SlowDown' }) as const;
    const error = await refusalOf(() => load({ fault }, { connections: 1 }));
    expect(error).toMatchObject({ code: 'WEIGHTS_UNREACHABLE', message: expect.stringContaining('503 SlowDown') });
    expect([s3?.seen.length, retries.length]).toEqual([6, 5]);
  });

  test('nobody at the address: WEIGHTS_UNREACHABLE', async () => {
    s3 = await startFaultyS3({ content });
    const { object } = s3;
    s3.close();
    const error = await refusalOf(() => load({}, { object, connections: 2 }));
    expect(error).toMatchObject({ code: 'WEIGHTS_UNREACHABLE', message: expect.stringContaining('ECONNREFUSED') });
  });
});
