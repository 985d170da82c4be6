import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ReceivedRequest } from '../../lib/local/http-event.js';
import { readStreamHead, toRestAnswer } from '../../lib/local/rest-answer.js';
import type { RestRoute } from '../../lib/local/rest-api-routes.js';
import { isBinary, toRestEvent } from '../../lib/local/rest-event.js';

const received = (change: Partial<ReceivedRequest>): ReceivedRequest => ({
  method: 'POST',
  target: '/x',
  rawHeaders: [],
  body: Buffer.alloc(0),
  sourceIp: '127.0.0.1',
  routeKey: 'POST /x',
  pathParameters: {},
  requestId: 'id',
  time: Date.UTC(2026, 10, 24, 6, 5, 4),
  ...change,
});
const route = (binaryMediaTypes: readonly string[]): RestRoute => ({
  resource: '/x',
  stage: 'prod',
  binaryMediaTypes,
  apiKeyRequired: false,
  requiredHeaders: [],
  streaming: false,
});

describe('the event of a REST API', () => {
  test('holds the body that was sent, whatever its bytes and type', () => {
    const types = fc.constantFrom('image/png', 'application/json', 'text/plain; charset=utf-8', undefined);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), types, (bytes, type) => {
        const rawHeaders = type === undefined ? [] : ['Content-Type', type];
        const event = toRestEvent(received({ body: Buffer.from(bytes), rawHeaders }), route(['*/*']));
        expect(event.isBase64Encoded).toBe(true);
        expect([...Buffer.from(event.body ?? '', 'base64')]).toEqual([...bytes]);
      }),
      { seed: 5 },
    );
  });

  test('holds every value of every query parameter, and the last one by itself', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ minLength: 1 }), fc.string()), { minLength: 1 }), (pairs) => {
        const target = `/x?${new URLSearchParams(pairs)}`;
        const sent = [...new URLSearchParams(new URLSearchParams(pairs).toString())];
        const event = toRestEvent(received({ target }), route([]));
        for (const [name] of sent) {
          const values = sent.filter(([other]) => other === name).map(([, value]) => value);
          if (name === '__proto__') continue;
          expect(event.multiValueQueryStringParameters?.[name]).toEqual(values);
          expect(event.queryStringParameters?.[name]).toBe(values.at(-1));
        }
      }),
      { seed: 5 },
    );
  });

  test.each([
    ['image/png', ['image/*'], true],
    ['IMAGE/PNG; q=1', ['image/png'], true],
    ['text/plain', ['image/*'], false],
    ['*/*', ['image/*'], false],
    ['*/*', ['*/*'], true],
    [undefined, ['application/json'], true],
    [undefined, [], false],
  ])('takes %s for binary where %j is: %s', (type, binaryMediaTypes, expected) => {
    expect(isBinary(type, binaryMediaTypes)).toBe(expected);
  });
});

describe('a streamed answer', () => {
  const bytesOf = (head: unknown, body: Uint8Array) =>
    Buffer.concat([Buffer.from(JSON.stringify(head)), Buffer.alloc(8), body]);
  /** Cut into pieces of the given lengths, the last one taking what is left. */
  const piecesOf = (bytes: Buffer, lengths: readonly number[]) => {
    const pieces: Buffer[] = [];
    let offset = 0;
    for (const length of lengths) {
      pieces.push(bytes.subarray(offset, offset + length));
      offset += length;
    }
    return [...pieces, bytes.subarray(offset)].filter((piece) => piece.length > 0);
  };

  test('is read the same in whatever pieces it comes, and its body is left to the byte', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array(),
        fc.array(fc.integer({ min: 1, max: 30 })),
        fc.integer({ min: 100, max: 599 }),
        async (body, lengths, statusCode) => {
          const head = { statusCode, headers: { 'Content-Type': 'a/b', Connection: 'close', 'X-É': 'é' } };
          const stream = Readable.from(piecesOf(bytesOf(head, body), lengths), { objectMode: false });
          const read = await readStreamHead(stream);
          expect(read).toMatchObject({ status: statusCode, headers: { 'content-type': 'a/b', 'x-é': 'é' } });
          expect(read?.headers).not.toHaveProperty('connection');
          const rest = Buffer.concat([read?.rest ?? Buffer.alloc(0), ...((await stream.toArray()) as Buffer[])]);
          expect([...rest]).toEqual([...body]);
        },
      ),
      { seed: 5 },
    );
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['no delimiter', Buffer.from('{"statusCode":200}')],
    ['no JSON', Buffer.from('no JSON\0\0\0\0\0\0\0\0')],
    ['no status', bytesOf({ headers: {} }, Buffer.alloc(0))],
    ['a status that is none', bytesOf({ statusCode: 1000 }, Buffer.alloc(0))],
    ['a header that is none', bytesOf({ statusCode: 200, headers: { a: {} } }, Buffer.alloc(0))],
    ['a prelude beyond 16 KB', bytesOf({ statusCode: 200, headers: { a: 'x'.repeat(20_000) } }, Buffer.alloc(0))],
  ])('with %s is none', async (_, bytes) => {
    expect(await readStreamHead(Readable.from([bytes], { objectMode: false }))).toBeUndefined();
  });
});

test.each([
  [null],
  ['text'],
  [{ body: 'x' }],
  [{ statusCode: 99 }],
  [{ statusCode: 200, body: {} }],
  [{ statusCode: 200, multiValueHeaders: { a: 'b' } }],
])('API Gateway does not understand %j', (result) => {
  expect(toRestAnswer(result, undefined, ['*/*'])).toBeUndefined();
});

test('a result without headers is JSON, and one without a body is empty', () => {
  expect(toRestAnswer({ statusCode: 204 }, undefined, ['*/*'])).toEqual({
    status: 204,
    headers: { 'content-type': 'application/json' },
    body: Buffer.alloc(0),
  });
});
