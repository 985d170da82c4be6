import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { Architecture } from 'aws-cdk-lib/aws-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalHost, startLocalHost } from '../../lib/local/local-host.js';
import { HOST_ARCHITECTURE, type LocalApp, synthesizeLocalApp } from '../support/local-app.js';

// A temporary folder of this file's own: other files run beside it, and one test counts what is left behind.
const temporary = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-local-'));
process.env.TMPDIR = temporary;
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

const MIB = 1024 * 1024;
const log: string[] = [];
let app: LocalApp;
let host: LocalHost;

beforeAll(async () => {
  app = synthesizeLocalApp({
    timeoutSeconds: 2,
    routes: [
      { function: 'commonjs', method: HttpMethod.ANY, path: '/{what}' },
      { function: 'commonjs', method: HttpMethod.POST, path: '/echo/{rest+}' },
      { function: 'module', method: HttpMethod.GET, path: '/module/{id}' },
      { function: 'module', method: HttpMethod.GET, path: '/module/literal' },
      { function: 'init-error', method: HttpMethod.GET, path: '/init/error' },
    ],
  });
  host = await startLocalHost({ assembly: app.assembly, port: 0, maxConcurrency: 4, log: (line) => log.push(line) });
});

afterAll(async () => {
  await host?.close();
  app?.remove();
});

const get = (path: string) => fetch(`${host.url}${path}`);
const getJson = async (path: string) => (await get(path)).json();

describe('a request becomes an event of payload format 2.0', () => {
  test('with lower-case joined headers, cookies, query, path and a text body', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const sent = request(`${host.url}/echo/a%20b/c?x=1&x=2&y=%C3%A9`, {
        method: 'POST',
        headers: { 'X-Twice': ['one', 'two'], Cookie: 'a=1; b=2', 'Content-Type': 'application/json; charset=utf-8' },
      });
      sent.on('error', reject);
      sent.on('response', async (response) => resolve(Buffer.concat(await response.toArray()).toString()));
      sent.end('{"é":1}');
    });
    const { event } = JSON.parse(answer);
    expect(event).toMatchObject({
      version: '2.0',
      routeKey: 'POST /echo/{rest+}',
      rawPath: '/echo/a%20b/c',
      rawQueryString: 'x=1&x=2&y=%C3%A9',
      cookies: ['a=1', 'b=2'],
      headers: { 'x-twice': 'one,two', 'x-forwarded-proto': 'http' },
      queryStringParameters: { x: '1,2', y: 'é' },
      pathParameters: { rest: 'a b/c' },
      requestContext: { http: { method: 'POST', path: '/echo/a%20b/c' }, stage: '$default' },
      body: '{"é":1}',
      isBase64Encoded: false,
    });
    expect(event.headers).not.toHaveProperty('cookie');
  });

  test.each([
    ['image/jpeg', true],
    ['application/octet-stream', true],
    ['application/x-www-form-urlencoded', true],
    ['text/plain', false],
    ['application/json', false],
    ['application/xml', false],
    ['application/javascript', false],
  ])('a body of type %s is base64: %s', async (type, isBase64Encoded) => {
    const body = isBase64Encoded ? Buffer.from([0xff, 0xd8, 0, 1]) : Buffer.from('text');
    const response = await fetch(`${host.url}/echo`, { method: 'POST', body, headers: { 'content-type': type } });
    const { event } = (await response.json()) as { event: { body: string; isBase64Encoded: boolean } };
    expect(event.isBase64Encoded).toBe(isBase64Encoded);
    expect(Buffer.from(event.body, isBase64Encoded ? 'base64' : 'utf8')).toEqual(body);
  });

  test('compressed JSON is base64, no body is no body', async () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    const compressed = await (await fetch(`${host.url}/echo`, { method: 'POST', body: 'x', headers })).json();
    expect(compressed).toMatchObject({ event: { isBase64Encoded: true, body: 'eA==' } });
    const { event } = (await getJson('/echo')) as { event: Record<string, unknown> };
    expect(event).not.toHaveProperty('body');
    expect(event.isBase64Encoded).toBe(false);
  });
});

describe('a result becomes an answer', () => {
  test('binary, cookies, no statusCode, malformed', async () => {
    const binary = await get('/binary');
    expect(binary.headers.get('content-type')).toBe('image/png');
    expect([...new Uint8Array(await binary.arrayBuffer())]).toEqual([0, 255, 1, 254]);
    const cookies = await get('/cookies');
    expect([cookies.status, cookies.headers.getSetCookie()]).toEqual([204, ['a=1', 'b=2; HttpOnly']]);
    expect(await getJson('/plain')).toEqual({ no: 'statusCode' });
    for (const path of ['/malformed', '/bad-header', '/bad-cookie']) {
      const malformed = await get(path);
      expect([malformed.status, await malformed.json()], path).toEqual([500, { message: 'Internal Server Error' }]);
    }
  });

  test('no route is a 404 as of API Gateway', async () => {
    for (const path of ['/', '/a/b/c/d', '/init/nothing', '/module/a/b']) {
      const response = await get(path);
      expect([path, response.status, await response.json()]).toEqual([path, 404, { message: 'Not Found' }]);
    }
  });

  test('a literal route wins over a parameter', async () => {
    expect(await getJson('/module/literal')).toMatchObject({ routeKey: 'GET /module/literal', parameters: {} });
    expect(await getJson('/module/7')).toMatchObject({ routeKey: 'GET /module/{id}', parameters: { id: '7' } });
  });
});

describe('the environment of a function', () => {
  test("holds Lambda's variables and context, and no credentials", async () => {
    process.env.AWS_SECRET_ACCESS_KEY = 'not for functions';
    const context = (await getJson('/context')) as Record<string, unknown> & { environment: Record<string, string> };
    delete process.env.AWS_SECRET_ACCESS_KEY;
    expect(context).toMatchObject({
      memoryLimitInMB: '512',
      functionVersion: '$LATEST',
      remaining: expect.any(Number),
    });
    expect(context.remaining).toBeGreaterThan(1000);
    expect(context.remaining).toBeLessThanOrEqual(2000);
    const { environment } = context;
    expect(environment).toMatchObject({
      TABLE: 'a table',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
      AWS_REGION: 'us-east-1',
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      LAMBDA_TASK_ROOT: context.cwd,
    });
    expect(Object.keys(environment).filter((name) => /SECRET|VITEST|npm_|NODE_OPTIONS/i.test(name))).toEqual([]);
    expect(environment.CDK_ONNX_ARTIFACT).toMatch(/opt-\d+\/models\/commonjs$/);
    expect(environment.CDK_ONNX_ARTIFACT).not.toMatch(/^\/opt/);
  });

  test('has its layers unpacked in order, the last one winning', async () => {
    expect(await getJson('/opt')).toEqual({
      files: ['greeting', 'greeting/index.js', 'greeting/only-in-one.txt', 'greeting/only-in-two.txt'],
      greeting: 'hello from layer two',
    });
  });

  test('is started once and reused; the log tells cold from warm', async () => {
    log.length = 0;
    const first = (await getJson('/module/1')) as { initialized: string };
    const second = (await getJson('/module/2')) as { initialized: string };
    expect(second.initialized).toBe(first.initialized);
    expect(log.at(-1)).toMatch(/^GET \/module\/2 200 module#\d+ warm: run \d+ ms/);
  });

  test('writes its lines into the log, with its name in front', async () => {
    log.length = 0;
    await get('/log');
    await sleep(50);
    expect(log).toEqual(
      expect.arrayContaining(['commonjs | first line', 'commonjs | second line', 'commonjs | to stderr']),
    );
  });
});

describe('failures', () => {
  test.each([
    ['/throw', /commonjs#\d+ (warm|cold).*; TypeError: this handler throws$/],
    ['/crash', /; the environment ended: exit code 7$/],
    ['/reject-later', /; Runtime.UnhandledPromiseRejection: nobody caught this$/],
    ['/throw-later', /; Runtime.UncaughtException: nobody caught this either$/],
    ['/recurse', /; RangeError: Maximum call stack size exceeded$/],
    ['/abort', /; the environment ended: signal SIGABRT$/],
    ['/kill?signal=SIGKILL', /; the environment ended: signal SIGKILL$/],
    ['/kill?signal=SIGSEGV', /; the environment ended: signal SIGSEGV$/],
    // A promise that nothing can settle any more: Node.js ends, or the function's time does.
    ['/hang', /; (the environment ended: exit code 13|timed out after 2 s)$/],
    ['/init/error', /; init failed: RangeError: the model is not there$/],
    ['/spin', /; timed out after 2 s$/],
  ])('%s is a 500, and the next request gets a working environment', async (path, line) => {
    log.length = 0;
    const response = await get(path);
    expect([response.status, await response.json()]).toEqual([500, { message: 'Internal Server Error' }]);
    expect(log.filter((entry) => entry.startsWith('GET')).at(-1)).toMatch(line);
    expect((await get('/echo')).status).toBe(200);
  });

  test('JavaScript that wants more than the memory of its function ends the environment', async () => {
    const lines: string[] = [];
    const greedy = synthesizeLocalApp({
      timeoutSeconds: 28,
      routes: [{ function: 'commonjs', method: HttpMethod.ANY, path: '/{what}' }],
    });
    const greedyHost = await startLocalHost({ assembly: greedy.assembly, port: 0, log: (line) => lines.push(line) });
    expect((await fetch(`${greedyHost.url}/hog`)).status).toBe(500);
    expect(lines.at(-1)).toMatch(/^GET \/hog 500 .*; the environment ended: signal SIGABRT$/);
    expect((await fetch(`${greedyHost.url}/echo`)).status).toBe(200);
    await greedyHost.close();
    greedy.remove();
  });

  test('after a timeout the old process is gone', async () => {
    const { pid } = (await getJson('/sleep?ms=0')) as { pid: number };
    expect((await get('/spin')).status).toBe(500);
    expect(isRunning(pid)).toBe(false);
  });

  test("an error does not end the environment, and its call does not count as another's", async () => {
    const before = (await getJson('/sleep?ms=0')) as { pid: number; calls: number };
    await get('/throw');
    expect(await getJson('/sleep?ms=0')).toEqual({ pid: before.pid, calls: before.calls + 2 });
  });
});

describe('sizes', () => {
  const post = (bytes: number) =>
    fetch(`${host.url}/sleep?ms=0`, {
      method: 'POST',
      body: Buffer.alloc(bytes),
      headers: { 'content-type': 'application/octet-stream' },
    });

  test('a body that makes an event of up to 6 MB passes, base64 included', async () => {
    expect((await post(4.4 * MIB)).status).toBe(200);
    const tooLarge = await post(4.6 * MIB);
    expect([tooLarge.status, await tooLarge.json()]).toEqual([413, { message: 'Request Entity Too Large' }]);
  });

  test('a body above 10 MB is refused, declared or streamed', async () => {
    const declared = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request(`${host.url}/echo`, { method: 'POST', headers: { 'content-length': String(11 * MIB) } });
      sent.on('error', reject);
      sent.on('response', (response) => resolve(response.statusCode));
      sent.write('x');
    });
    expect(declared).toBe(413);
    const streamed = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request(`${host.url}/echo`, { method: 'POST' });
      sent.on('error', (error: NodeJS.ErrnoException) => (error.code === 'EPIPE' ? undefined : reject(error)));
      sent.on('response', (response) => resolve(response.statusCode));
      sent.end(Buffer.alloc(11 * MIB));
    });
    expect(streamed).toBe(413);
  });

  test('an answer above 6 MB is a 500', async () => {
    log.length = 0;
    expect((await get(`/big?bytes=${5.9 * MIB}`)).status).toBe(200);
    expect((await get(`/big?bytes=${6.1 * MIB}`)).status).toBe(500);
    expect(log.at(-1)).toMatch(/Function.ResponseSizeTooLarge/);
    expect((await get('/echo')).status).toBe(200);
  });
});

describe('concurrency', () => {
  test('one request at a time per environment, as many environments as it needs, at most four', async () => {
    const answers = await Promise.all(
      Array.from({ length: 9 }, () => getJson('/sleep?ms=300') as Promise<{ pid: number }>),
    );
    const perProcess = groupByPid(answers);
    expect(perProcess.size).toBe(4);
  });
});

describe('starting', () => {
  test('a port in use is a clear error', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    await expect(startLocalHost({ assembly: app.assembly, port })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: `Port ${port} on 127.0.0.1 is in use.`,
    });
    other.close();
  });

  test('an assembly for another architecture is refused on Linux', async () => {
    const other = HOST_ARCHITECTURE.name === 'arm64' ? Architecture.X86_64 : Architecture.ARM_64;
    const foreign = synthesizeLocalApp({
      architecture: other,
      routes: [{ function: 'module', method: HttpMethod.GET, path: '/m' }],
    });
    await expect(startLocalHost({ assembly: foreign.assembly, port: 0 })).rejects.toMatchObject({
      code: 'ARCHITECTURE_MISMATCH',
    });
    foreign.remove();
  });

  test('an init beyond its limit is started again within the timeout of the function', async () => {
    const lines: string[] = [];
    const slow = synthesizeLocalApp({
      timeoutSeconds: 10,
      routes: [{ function: 'slow-init', method: HttpMethod.GET, path: '/slow' }],
    });
    const slowHost = await startLocalHost({
      assembly: slow.assembly,
      port: 0,
      initLimitMs: 500,
      log: (line) => lines.push(line),
    });
    const response = await fetch(`${slowHost.url}/slow`);
    expect([response.status, await response.text()]).toEqual([200, 'awake']);
    expect(lines.join('\n')).toMatch(/init took more than 500 ms/);
    expect(lines.join('\n')).toMatch(/cold: init [1-9]\d{3} ms/);
    await slowHost.close();
    slow.remove();
  });

  test('the API gives up before the function: 503', async () => {
    const lines: string[] = [];
    const impatient = synthesizeLocalApp({
      apiTimeoutSeconds: 1,
      timeoutSeconds: 5,
      routes: [{ function: 'commonjs', method: HttpMethod.GET, path: '/sleep' }],
    });
    const impatientHost = await startLocalHost({
      assembly: impatient.assembly,
      port: 0,
      log: (line) => lines.push(line),
    });
    const response = await fetch(`${impatientHost.url}/sleep?ms=1800`);
    expect([response.status, await response.json()]).toEqual([503, { message: 'Service Unavailable' }]);
    await expect.poll(() => lines.at(-1), { timeout: 10_000 }).toMatch(/after the API had given up$/);
    await impatientHost.close();
    impatient.remove();
  });
});

test('closing leaves no process and no folder behind, whatever the functions do', async () => {
  const before = temporaryFolders();
  const closing = await startLocalHost({ assembly: app.assembly, port: 0 });
  const { pid, grandchild } = (await (await fetch(`${closing.url}/grandchild`)).json()) as Record<string, number>;
  const underWay = fetch(`${closing.url}/spin`).catch(() => undefined);
  await sleep(500);
  expect(isRunning(Number(pid)) && isRunning(Number(grandchild))).toBe(true);
  await closing.close();
  await underWay;
  await sleep(50);
  expect(isRunning(Number(pid))).toBe(false);
  expect(isRunning(Number(grandchild))).toBe(false);
  expect(temporaryFolders()).toEqual(before);
  expect(existsSync(app.assembly)).toBe(true);
  await expect(fetch(closing.url)).rejects.toThrow();
});

/** A process that ended and that nobody has asked about yet counts as gone. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync('/proc/self/stat') || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

function groupByPid<T extends { readonly pid: number }>(answers: readonly T[]): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const answer of answers) groups.set(answer.pid, [...(groups.get(answer.pid) ?? []), answer]);
  return groups;
}

function temporaryFolders(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('cdk-onnx-local-'));
}
