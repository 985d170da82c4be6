import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseRange } from '../../lib/local/http-range.js';
import { LOCAL_CREDENTIALS, type LocalS3, startLocalS3 } from '../../lib/local/local-s3.js';
import { randomBytes } from '../support/random-numbers.js';

const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-s3-'));
const content = randomBytes(2, 1000);
let s3: LocalS3;
beforeAll(async () => {
  writeFileSync(join(folder, 'weights'), content);
  writeFileSync(join(folder, 'empty'), '');
  const objects = { 'bucket/a/b c.data': 'weights', 'bucket/empty': 'empty', 'bucket/gone': 'gone' };
  s3 = await startLocalS3(new Map(Object.entries(objects).map(([name, file]) => [name, join(folder, file)])));
});
afterAll(() => {
  s3.close();
  rmSync(folder, { recursive: true });
});

const authorization = `AWS4-HMAC-SHA256 Credential=${LOCAL_CREDENTIALS.AWS_ACCESS_KEY_ID}/20260101/us-east-1/s3/aws4_request`;
const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(`${s3.url}${path}`, { method, headers: { authorization, ...headers } });
const bodyOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

describe('the S3 of the local host', () => {
  test('gives an object whole', async () => {
    const response = await ask('/bucket/a/b%20c.data?x-id=GetObject');
    expect(response.status).toBe(200);
    expect(response.headers.get('accept-ranges')).toBe('bytes');
    expect(await bodyOf(response)).toEqual(content);
    expect((await bodyOf(await ask('/bucket/empty'))).length).toBe(0);
  });

  test.each([
    ['bytes=0-0', 0, 1],
    ['bytes=10-19', 10, 20],
    ['bytes=990-', 990, 1000],
    ['bytes=990-5000', 990, 1000],
    ['bytes=-7', 993, 1000],
    ['bytes=-5000', 0, 1000],
  ])('gives the range %s', async (range, start, end) => {
    const response = await ask('/bucket/a/b%20c.data', { range });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/1000`);
    expect(await bodyOf(response)).toEqual(content.subarray(start, end));
  });

  test.each(['bytes=5-4', 'bytes=-', 'bytes=0-1,4-5', 'items=0-1', 'nonsense'])(
    'gives an object whole for %s, which is no single range',
    async (range) => {
      const response = await ask('/bucket/a/b%20c.data', { range });
      expect([response.status, (await bodyOf(response)).length]).toEqual([200, 1000]);
    },
  );

  test('tells of an object without giving it', async () => {
    const response = await ask('/bucket/a/b%20c.data', {}, 'HEAD');
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '1000']);
    expect((await bodyOf(response)).length).toBe(0);
  });

  test.each<[number, string, () => Promise<Response>]>([
    [416, 'InvalidRange', () => ask('/bucket/a/b%20c.data', { range: 'bytes=1000-' })],
    [416, 'InvalidRange', () => ask('/bucket/empty', { range: 'bytes=0-0' })],
    [404, 'NoSuchKey', () => ask('/bucket/other')],
    [404, 'NoSuchKey', () => ask('/bucket/gone')],
    [404, 'NoSuchKey', () => ask('/bucket/%E0')],
    [404, 'NoSuchKey', () => ask('/bucket/../etc/passwd')],
    [403, 'AccessDenied', () => fetch(`${s3.url}/bucket/a/b%20c.data`)],
    [403, 'AccessDenied', () => ask('/bucket/a/b%20c.data', { authorization: authorization.replace('AKIA', 'AKIB') })],
    [405, 'MethodNotAllowed', () => ask('/bucket/a/b%20c.data', {}, 'PUT')],
  ])('refuses with %i %s', async (status, code, act) => {
    const response = await act();
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(`<Code>${code}</Code>`);
  });
});

test('a range that is read lies in the object, and is the one that was asked for', () => {
  const position = fc.nat({ max: 2000 });
  fc.assert(
    fc.property(position, position, position, (first, last, bytes) => {
      const range = parseRange(`bytes=${first}-${last}`, bytes);
      if (last < first) expect(range).toBeUndefined();
      else if (first >= bytes) expect(range).toBe('unsatisfiable');
      else expect(range).toEqual({ start: first, end: Math.min(bytes, last + 1) });
    }),
    { seed: 4, numRuns: 500 },
  );
});
