import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHttpAnswer } from '../../lib/local/http-answer.js';
import { type ReceivedRequest, toHttpEvent } from '../../lib/local/http-event.js';

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

test('the body in an event is the body that was sent, whatever its bytes and type', () => {
  const types = fc.constantFrom('image/png', 'application/octet-stream', '', 'multipart/form-data; boundary=x');
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), types, (bytes, type) => {
      const event = toHttpEvent(received({ body: Buffer.from(bytes), rawHeaders: ['Content-Type', type] }));
      expect(event.isBase64Encoded).toBe(true);
      expect([...Buffer.from(event.body ?? '', 'base64')]).toEqual([...bytes]);
    }),
    { seed: 3 },
  );
});

test('a text body is itself', () => {
  const types = fc.constantFrom(
    'text/plain',
    'TEXT/HTML; charset=utf-8',
    'application/json',
    'Application/JSON;charset=utf-8',
  );
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), types, (text, type) => {
      const event = toHttpEvent(received({ body: Buffer.from(text), rawHeaders: ['content-type', type] }));
      expect([event.isBase64Encoded, event.body]).toEqual([false, text]);
    }),
    { seed: 3 },
  );
});

test('every query parameter arrives, repeated ones joined by commas', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string({ minLength: 1 }), fc.string())), (pairs) => {
      const query = new URLSearchParams(pairs).toString();
      const event = toHttpEvent(received({ target: `/x?${query}` }));
      const expected: Record<string, string> = Object.create(null);
      for (const [name, value] of new URLSearchParams(query)) {
        expected[name] = name in expected ? `${expected[name]},${value}` : value;
      }
      expect({ ...event.queryStringParameters }).toEqual({ ...expected });
      expect(event.rawQueryString).toBe(query);
    }),
    { seed: 3 },
  );
});

test('the time is in the common log format, in UTC', () => {
  expect(toHttpEvent(received({})).requestContext).toMatchObject({
    time: '24/Nov/2026:06:05:04 +0000',
    timeEpoch: Date.UTC(2026, 10, 24, 6, 5, 4),
  });
});

test('a binary result survives, and headers of the connection do not', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const answer = toHttpAnswer({
        statusCode: 200,
        headers: { 'Content-Length': '1', 'Transfer-Encoding': 'chunked', 'X-Number': 5 },
        body: Buffer.from(bytes).toString('base64'),
        isBase64Encoded: true,
      });
      expect([...(answer?.body ?? [])]).toEqual([...bytes]);
      expect(answer?.headers).toEqual({ 'content-type': 'text/plain;charset=UTF-8', 'x-number': '5' });
    }),
    { seed: 3 },
  );
});

test.each([
  { statusCode: 99 },
  { statusCode: 'x' },
  { statusCode: 200, body: {} },
  { statusCode: 200, headers: { a: [] } },
])('API Gateway does not understand %j', (result) => {
  expect(toHttpAnswer(result)).toBeUndefined();
});

test.each<[unknown, string]>([
  ['text', 'text'],
  [null, 'null'],
  [[1], '[1]'],
  [{ a: 1 }, '{"a":1}'],
])('a result without a status code, %j, is the body of a 200', (result, body) => {
  expect(toHttpAnswer(result)).toMatchObject({ status: 200, body: Buffer.from(body) });
});
