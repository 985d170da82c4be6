import { describe, expect, test } from 'vitest';
import type { LocalFunction, LocalRoute } from '../../lib/local/local-stack.js';
import { chooseRuntime, lambdaArchitecture } from '../../lib/local/opt-folder.js';
import { RouteTable } from '../../lib/local/route-table.js';

const route = (routeKey: string): LocalRoute => ({
  routeKey,
  authorization: 'NONE',
  // Matching looks at keys alone.
  function: {} as LocalFunction,
  timeoutMs: 1,
  payloadFormatVersion: '2.0',
  cors: undefined,
});

describe('the route of a request', () => {
  const table = new RouteTable(
    [
      'ANY /{proxy+}',
      'GET /pets/{id}',
      'ANY /pets/{id}',
      'GET /pets/new',
      'GET /pets/{id}/toys',
      '$default',
      'POST /v1/models/faces:predict',
    ].map(route),
  );
  test.each([
    ['GET', '/pets/new', 'GET /pets/new', {}],
    ['GET', '/pets/7', 'GET /pets/{id}', { id: '7' }],
    ['PUT', '/pets/7', 'ANY /pets/{id}', { id: '7' }],
    ['PUT', '/pets/new', 'ANY /pets/{id}', { id: 'new' }],
    ['GET', '/pets/a%2Fb', 'GET /pets/{id}', { id: 'a/b' }],
    ['GET', '/pets/7/toys', 'GET /pets/{id}/toys', { id: '7' }],
    ['GET', '/pets/7/food', 'ANY /{proxy+}', { proxy: 'pets/7/food' }],
    ['GET', '/pets/%', 'GET /pets/{id}', { id: '%' }],
    ['POST', '/v1/models/faces:predict', 'POST /v1/models/faces:predict', {}],
    ['GET', '/', '$default', {}],
  ])('%s %s is %s', (method, path, routeKey, pathParameters) => {
    expect(table.match(method, path)).toMatchObject({ route: { routeKey }, pathParameters });
  });

  test('is none without a match: paths are literal, to the last slash', () => {
    const literal = new RouteTable([route('GET /v2/health/ready')]);
    for (const [method, path] of [
      ['POST', '/v2/health/ready'],
      ['GET', '/v2/health/ready/'],
      ['GET', '/v2/health'],
      ['GET', '/V2/health/ready'],
    ]) {
      expect(literal.match(String(method), String(path))).toBeUndefined();
    }
  });
});

describe('which onnxruntime runs a function', () => {
  test.each([
    ['linux', 'x64', 'x86_64', 'layer'],
    ['linux', 'arm64', 'arm64', 'layer'],
    ['linux', 'x64', 'arm64', 'impossible'],
    ['linux', 'arm64', 'x86_64', 'impossible'],
    ['darwin', 'arm64', 'arm64', 'installed'],
    ['darwin', 'arm64', 'x86_64', 'installed'],
    ['win32', 'x64', 'x86_64', 'installed'],
  ] as const)('on %s %s a function for %s: %s', (platform, host, architecture, kind) => {
    const choice = chooseRuntime(platform, host, architecture);
    expect(choice.kind).toBe(kind);
    if (choice.kind !== 'layer') expect(choice.reason).toContain(platform === 'linux' ? host : platform);
  });

  test('architectures have other names on Lambda', () => {
    expect([lambdaArchitecture('x64'), lambdaArchitecture('arm64')]).toEqual(['x86_64', 'arm64']);
  });
});
