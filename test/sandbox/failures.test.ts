/** What becomes of requests when an execution environment fails, with Lambda's own runtime client in it. */
import { HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalHost, startLocalHost } from '../../lib/local/local-host.js';
import { type LocalApp, synthesizeLocalApp } from '../support/local-app.js';
import { openSandbox, SANDBOX_NOTE, SANDBOX_SKIPPED, type Sandbox } from '../support/sandbox/sandbox.js';

const LAMBDA_FAILED = { message: 'Internal Server Error' };

describe.skipIf(SANDBOX_SKIPPED)(`under aws-lambda-ric${SANDBOX_NOTE}`, () => {
  let app: LocalApp;
  let sandbox: Sandbox;
  let host: LocalHost;
  const log: string[] = [];
  const get = (path: string) => fetch(`${host.url}${path}`);

  beforeAll(async () => {
    app = synthesizeLocalApp({
      timeoutSeconds: 3,
      routes: [
        { function: 'commonjs', method: HttpMethod.ANY, path: '/{what}' },
        { function: 'module', method: HttpMethod.GET, path: '/module/{id}' },
        { function: 'init-error', method: HttpMethod.GET, path: '/init/error' },
        { function: 'slow-init', method: HttpMethod.GET, path: '/init/slow' },
      ],
    });
    sandbox = openSandbox();
    host = await startLocalHost({
      assembly: app.assembly,
      port: 0,
      maxConcurrency: 3,
      runtime: sandbox.runtime,
      log: (line) => log.push(line),
    });
  });
  afterAll(async () => {
    await host?.close();
    sandbox?.remove();
    app?.remove();
  });

  test('a handler in CommonJS and one as a module with top-level await are found and answer', async () => {
    expect(await (await get('/echo')).json()).toMatchObject({ calls: 1, event: { version: '2.0' } });
    const [first, second] = [await (await get('/module/1')).json(), await (await get('/module/2')).json()];
    expect(first).toMatchObject({ parameters: { id: '1' } });
    expect(second).toMatchObject({ initialized: (first as { initialized: string }).initialized });
  });

  test('the later layer wins where two have the same file', async () => {
    expect(await (await get('/opt')).json()).toMatchObject({
      greeting: 'hello from layer two',
      files: expect.arrayContaining(['greeting/only-in-one.txt', 'greeting/only-in-two.txt']),
    });
  });

  test('requests at once have environments of their own', async () => {
    const answers = await Promise.all(['/sleep?ms=1500', '/sleep?ms=1500', '/sleep?ms=1500'].map(get));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const environments = new Set(log.slice(-3).map((line) => /commonjs#\d+/.exec(line)?.[0]));
    expect(environments.size).toBe(3);
  });

  test.each([
    ['a timeout', '/spin'],
    ['a process that ends', '/crash'],
    ['a rejection that nobody handles', '/reject-later'],
  ])('%s fails its own request, and the next one is answered', async (_, path) => {
    const failed = await get(path);
    expect([failed.status, await failed.json()]).toEqual([500, LAMBDA_FAILED]);
    expect((await get('/echo')).status).toBe(200);
  });

  test('an error of the handler fails its own request and keeps the environment', async () => {
    const failed = await get('/throw');
    expect([failed.status, await failed.json()]).toEqual([500, LAMBDA_FAILED]);
    expect(log.some((line) => line.includes('TypeError: this handler throws'))).toBe(true);
    expect((await get('/echo')).status).toBe(200);
    expect(log.at(-1)).toMatch(/ warm: /);
  });

  test('an error while the module loads fails the request with its reason in the log', async () => {
    expect((await get('/init/error')).status).toBe(500);
    expect(log.some((line) => line.includes('RangeError') && line.includes('the model is not there'))).toBe(true);
  });

  test('an answer of 6 MB arrives, and a longer one is refused by the Runtime API', async () => {
    const bytes = 6 * 1024 * 1024 - 100;
    const whole = await get(`/big?bytes=${bytes}`);
    expect([whole.status, (await whole.text()).length]).toEqual([200, bytes]);
    expect((await get(`/big?bytes=${bytes + 1000}`)).status).toBe(500);
    expect((await get('/echo')).status).toBe(200);
  });

  test('a request of nearly 6 MB arrives whole', async () => {
    const body = 'x'.repeat(5_900_000);
    const sent = { method: 'POST', body, headers: { 'content-type': 'text/plain' } };
    // The echo of all that would be too large for an answer.
    const answer = await fetch(`${host.url}/sleep?ms=0`, sent);
    expect(answer.status).toBe(200);
    expect((await fetch(`${host.url}/echo`, { ...sent, body: `${body}${body}` })).status).toBe(413);
  });
});
