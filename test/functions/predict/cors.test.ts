import { describe, expect, test } from 'vitest';
import { withCorsHeaders } from '../../../functions/http/cors.js';

const response = { status: 200, headers: { 'content-type': 'text/plain' }, body: 'x' };
const headersFor = (policy: object | undefined, event: unknown) =>
  withCorsHeaders(response, event, policy === undefined ? {} : { CDK_ONNX_CORS: JSON.stringify(policy) }).headers;
const from = (origin: string, name = 'Origin') => ({ headers: { [name]: origin } });
const closed = {
  allowOrigins: ['https://a.example', 'https://b.example'],
  allowCredentials: true,
  exposeHeaders: ['X-A'],
};

describe('headers that let a page read an answer', () => {
  test('are none where nobody asked for them', () => {
    expect(withCorsHeaders(response, from('https://a.example'), {})).toBe(response);
  });

  test.each(['Origin', 'origin', 'ORIGIN'])('name an origin that is allowed, sent as %s', (name) => {
    expect(headersFor(closed, from('https://b.example', name))).toEqual({
      'content-type': 'text/plain',
      vary: 'Origin',
      'access-control-allow-origin': 'https://b.example',
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'X-A',
    });
  });

  test.each([
    ['another origin', from('https://c.example')],
    ['the beginning of an allowed one', from('https://a.example.evil.example')],
    ['none', { headers: {} }],
    ['no headers', { headers: null }],
    ['no event', undefined],
  ])('name nobody for %s, and keep caches from mixing answers', (_, event) => {
    expect(headersFor(closed, event)).toEqual({ 'content-type': 'text/plain', vary: 'Origin' });
  });

  test('name everybody where everybody may read', () => {
    const open = { allowOrigins: ['*'], allowCredentials: false, exposeHeaders: [] };
    expect(headersFor(open, from('https://c.example'))).toEqual({
      'content-type': 'text/plain',
      'access-control-allow-origin': '*',
    });
  });
});
