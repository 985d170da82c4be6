/** What a browser sees of an HTTP API with a CORS configuration, and of one without. */
import { CorsHttpMethod, HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { Duration } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { preflightAnswer, withCors } from '../../lib/local/cors.js';
import { type LocalHost, startLocalHost } from '../../lib/local/local-host.js';
import { type LocalApp, synthesizeLocalApp } from '../support/local-app.js';

const PAGE = 'https://app.example';
const routes = [
  { function: 'commonjs', method: HttpMethod.GET, path: '/{what}' },
  { function: 'commonjs', method: HttpMethod.ANY, path: '/any/{what}' },
];
const log: string[] = [];
const apps: LocalApp[] = [];
const hosts: LocalHost[] = [];
let shared: LocalHost;
let closed: LocalHost;

async function serve(app: LocalApp): Promise<LocalHost> {
  apps.push(app);
  const host = await startLocalHost({ assembly: app.assembly, port: 0, log: (line) => log.push(line) });
  hosts.push(host);
  return host;
}

beforeAll(async () => {
  shared = await serve(
    synthesizeLocalApp({
      routes,
      cors: {
        allowOrigins: [PAGE, 'http://localhost:8080'],
        allowMethods: [CorsHttpMethod.GET, CorsHttpMethod.POST],
        allowHeaders: ['authorization', 'content-type'],
        exposeHeaders: ['inference-header-content-length'],
        allowCredentials: true,
        maxAge: Duration.minutes(10),
      },
    }),
  );
  closed = await serve(synthesizeLocalApp({ routes }));
});
afterAll(async () => {
  await Promise.all(hosts.map((host) => host.close()));
  for (const app of apps) app.remove();
});

function preflight(host: LocalHost, path: string, origin: string) {
  return fetch(`${host.url}${path}`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'GET' },
  });
}

function corsHeaders({ headers }: Response): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')));
}

describe('with a configuration', () => {
  it('the API answers a preflight itself, of a route, of ANY route and of none', async () => {
    log.length = 0;
    for (const path of ['/echo', '/any/echo', '/no/such/route/at/all']) {
      const answer = await preflight(shared, path, PAGE);
      expect([path, answer.status, await answer.text()]).toEqual([path, 204, '']);
      expect(corsHeaders(answer)).toEqual({
        'access-control-allow-origin': PAGE,
        'access-control-allow-methods': 'GET,POST',
        'access-control-allow-headers': 'authorization,content-type',
        'access-control-allow-credentials': 'true',
        'access-control-max-age': '600',
      });
    }
    expect(log.join('\n')).not.toMatch(/run \d+ ms/);
  });

  it('an origin that is not allowed learns nothing', async () => {
    for (const origin of ['https://other.example', 'http://app.example', `${PAGE}.evil.example`, 'null']) {
      const answer = await preflight(shared, '/echo', origin);
      expect([origin, answer.status, corsHeaders(answer)]).toEqual([origin, 204, {}]);
      expect(corsHeaders(await fetch(`${shared.url}/echo`, { headers: { origin } }))).toEqual({});
    }
  });

  it('OPTIONS that asks for no method is no preflight: it goes to its route, or is not found', async () => {
    const headers = { origin: PAGE };
    expect((await fetch(`${shared.url}/any/x`, { method: 'OPTIONS', headers })).status).toBe(200);
    expect((await fetch(`${shared.url}/echo`, { method: 'OPTIONS', headers })).status).toBe(404);
  });

  it("an answer carries the configuration's headers in place of the function's own, an error too", async () => {
    const expected = {
      'access-control-allow-origin': PAGE,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'inference-header-content-length',
    };
    const answer = await fetch(`${shared.url}/own-cors`, { headers: { origin: PAGE } });
    expect([answer.status, await answer.text(), answer.headers.get('x-other')]).toEqual([200, 'text', 'stays']);
    expect(corsHeaders(answer)).toEqual(expected);
    const failed = await fetch(`${shared.url}/throw`, { headers: { origin: PAGE } });
    expect([failed.status, corsHeaders(failed)]).toEqual([500, expected]);
    expect(corsHeaders(await fetch(`${shared.url}/own-cors`))).toEqual({});
  });
});

describe('without one', () => {
  it('OPTIONS is a method like others, and the headers are those of the function', async () => {
    expect((await preflight(closed, '/echo', PAGE)).status).toBe(404);
    expect((await preflight(closed, '/any/x', PAGE)).status).toBe(200);
    const answer = await fetch(`${closed.url}/own-cors`, { headers: { origin: PAGE } });
    expect(corsHeaders(answer)).toEqual({ 'access-control-allow-origin': 'https://of-the-function.example' });
  });
});

describe('origins with a star', () => {
  const cors = (...allowOrigins: string[]) => ({
    allowOrigins,
    allowMethods: ['*'],
    allowHeaders: [],
    exposeHeaders: [],
    allowCredentials: false,
    maxAgeSeconds: undefined,
  });
  const answer = { status: 200, headers: { 'content-type': 'text/plain' }, body: Buffer.from('x') };

  it.each([
    ['*', 'http://a.example', '*'],
    ['https://*', PAGE, PAGE],
    ['https://*', 'http://app.example', undefined],
    ['http://*', 'http://localhost:1', 'http://localhost:1'],
  ])('%s allows %s as %s', (allowed, origin, expected) => {
    expect(withCors(answer, cors(allowed), origin).headers['access-control-allow-origin']).toBe(expected);
    expect(preflightAnswer(cors(allowed), origin).headers).toEqual(
      expected === undefined ? {} : { 'access-control-allow-origin': expected, 'access-control-allow-methods': '*' },
    );
  });
});
