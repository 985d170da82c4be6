/** A REST API on this machine, made by the CDK alone: events, results, refusals and streams as API Gateway has them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AuthorizationType,
  Cors,
  LambdaIntegration,
  MockIntegration,
  ResponseTransferMode,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { App, Duration, Stack } from 'aws-cdk-lib/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCloudAssembly } from '../../lib/local/cloud-assembly.js';
import { type LocalHost, startLocalHost } from '../../lib/local/local-host.js';
import { readLocalService } from '../../lib/local/local-stack.js';
import { FIXTURE_FUNCTIONS, HOST_ARCHITECTURE } from '../support/local-app.js';

const MIB = 1024 * 1024;
const log: string[] = [];
const folder = mkdtempSync(join(tmpdir(), 'cdk-onnx-test-rest-'));
let host: LocalHost;

const synthesize = (build: (stack: Stack, api: RestApi) => void, binaryMediaTypes = ['*/*']) => {
  const outdir = mkdtempSync(join(folder, 'out-'));
  const app = new App({ outdir });
  const stack = new Stack(app, 'Local');
  build(stack, new RestApi(stack, 'Api', { binaryMediaTypes, cloudWatchRole: false }));
  app.synth();
  return outdir;
};
const functionOf = (stack: Stack, id: string, handler: string, seconds = 3) =>
  new LambdaFunction(stack, id, {
    runtime: Runtime.NODEJS_24_X,
    architecture: HOST_ARCHITECTURE,
    code: Code.fromAsset(join(FIXTURE_FUNCTIONS, 'rest')),
    handler,
    memorySize: 512,
    timeout: Duration.seconds(seconds),
  });

beforeAll(async () => {
  process.env.CDK_VALIDATION = 'false';
  const assembly = synthesize((stack, api) => {
    const buffered = new LambdaIntegration(functionOf(stack, 'Buffered', 'index.handler'), {
      timeout: Duration.seconds(1),
    });
    const streamed = new LambdaIntegration(functionOf(stack, 'Streamed', 'index.streamingHandler'), {
      responseTransferMode: ResponseTransferMode.STREAM,
      timeout: Duration.seconds(2),
    });
    const validator = api.addRequestValidator('Validator', { validateRequestParameters: true });
    for (const name of ['echo', 'values', 'binary', 'sleep', 'throw', 'plain']) {
      api.root.resourceForPath(`/buffered/${name}`).addMethod('ANY', buffered);
    }
    api.root.resourceForPath('/v1/models/faces:predict').addMethod('POST', buffered);
    api.root.resourceForPath('/versions/{version}/echo').addMethod('POST', buffered, {
      authorizationType: AuthorizationType.IAM,
    });
    api.root.resourceForPath('/keyed/echo').addMethod('GET', buffered, { apiKeyRequired: true });
    api.root.resourceForPath('/checked/echo').addMethod('POST', buffered, {
      requestValidator: validator,
      requestParameters: { 'method.request.header.Content-Type': true, 'method.request.header.Accept': false },
    });
    api.root.resourceForPath('/stream/{what}').addMethod('GET', streamed);
    // For an answer that takes a busy machine longer than the others' time.
    const patient = new LambdaIntegration(functionOf(stack, 'Patient', 'index.streamingHandler', 60), {
      responseTransferMode: ResponseTransferMode.STREAM,
      timeout: Duration.seconds(29),
    });
    api.root.resourceForPath('/patient/{what}').addMethod('GET', patient);
  });
  host = await startLocalHost({ assembly, port: 0, maxConcurrency: 3, log: (line) => log.push(line) });
});
afterAll(async () => {
  await host?.close();
  rmSync(folder, { recursive: true, force: true });
});

const get = (path: string, headers: Record<string, string> = {}) => fetch(`${host.url}${path}`, { headers });

describe('a request becomes an event of a REST API', () => {
  test('with headers as they were written, values one by one, path parameters and a base64 body', async () => {
    const body = await new Promise<string>((resolve, reject) => {
      const sent = request(`${host.url}/versions/a%20b/echo?x=1&x=2&y=%C3%A9`, {
        method: 'POST',
        headers: { 'X-Twice': ['one', 'two'], 'Content-Type': 'application/json' },
      });
      sent.on('error', reject);
      sent.on('response', async (response) => resolve(Buffer.concat(await response.toArray()).toString()));
      sent.end('{"é":1}');
    });
    const event = JSON.parse(body);
    expect(event).toMatchObject({
      resource: '/versions/{version}/echo',
      path: '/versions/a%20b/echo',
      httpMethod: 'POST',
      headers: { 'X-Twice': 'two', 'X-Forwarded-Proto': 'http' },
      multiValueHeaders: { 'X-Twice': ['one', 'two'], 'Content-Type': ['application/json'] },
      queryStringParameters: { x: '2', y: 'é' },
      multiValueQueryStringParameters: { x: ['1', '2'], y: ['é'] },
      pathParameters: { version: 'a b' },
      stageVariables: null,
      requestContext: { stage: 'prod', path: '/prod/versions/a%20b/echo', resourcePath: '/versions/{version}/echo' },
      isBase64Encoded: true,
    });
    expect(Buffer.from(event.body, 'base64').toString()).toBe('{"é":1}');
    expect(event).not.toHaveProperty('version');
  });

  test('with nulls for what is not there', async () => {
    expect(await (await get('/buffered/echo')).json()).toMatchObject({
      queryStringParameters: null,
      multiValueQueryStringParameters: null,
      pathParameters: null,
      body: null,
      isBase64Encoded: false,
    });
  });

  test('also below its stage, and the function does not see the stage', async () => {
    const event = await (await get('/prod/buffered/echo?a=1')).json();
    expect(event).toMatchObject({ path: '/buffered/echo', queryStringParameters: { a: '1' } });
  });

  test('at a path with a colon in its last segment', async () => {
    const answer = await fetch(`${host.url}/v1/models/faces:predict`, { method: 'POST' });
    expect(answer.status).toBe(502);
  });

  test('where a type is not binary, the body is text, and base64 answers stay base64 for whom does not accept the type', async () => {
    const assembly = synthesize(
      (stack, api) => {
        const integration = new LambdaIntegration(functionOf(stack, 'F', 'index.handler'));
        for (const name of ['echo', 'binary']) api.root.addResource(name).addMethod('ANY', integration);
      },
      ['image/*'],
    );
    const other = await startLocalHost({ assembly, port: 0 });
    const post = async (type: string) => {
      const answer = await fetch(`${other.url}/echo`, {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': type },
      });
      return (await answer.json()) as Record<string, unknown>;
    };
    expect(await post('application/json')).toMatchObject({ isBase64Encoded: false, body: '{}' });
    expect(await post('image/png')).toMatchObject({ isBase64Encoded: true, body: 'e30=' });
    const binary = async (accept: string) =>
      Buffer.from(await (await fetch(`${other.url}/binary`, { headers: { accept } })).arrayBuffer());
    expect((await binary('*/*')).toString()).toBe('AP8B/g==');
    expect([...(await binary('image/png'))]).toEqual([0, 255, 1, 254]);
    await other.close();
  });
});

describe('a result becomes an answer', () => {
  test('with several values of a header, and bytes', async () => {
    const values = await get('/buffered/values');
    expect([values.status, values.headers.get('one'), values.headers.getSetCookie()]).toEqual([
      201,
      '1',
      ['a=1', 'b=2'],
    ]);
    expect([...new Uint8Array(await (await get('/buffered/binary')).arrayBuffer())]).toEqual([0, 255, 1, 254]);
  });

  test.each([
    ['/buffered/plain', 502, 'Internal server error'],
    ['/buffered/throw', 502, 'Internal server error'],
    ['/buffered/sleep', 504, 'Endpoint request timed out'],
    ['/nothing/here', 403, 'Missing Authentication Token'],
    ['/keyed/echo', 403, 'Forbidden'],
  ])('%s is %i: %s', async (path, status, message) => {
    const answer = await get(path);
    expect([answer.status, await answer.json()]).toEqual([status, { message }]);
  });

  test('only with a key where one is required, and with the headers that a validator asks for', async () => {
    expect((await get('/keyed/echo', { 'x-api-key': 'any' })).status).toBe(200);
    const without = await fetch(`${host.url}/checked/echo`, { method: 'POST' });
    expect([without.status, await without.json()]).toEqual([
      400,
      { message: 'Missing required request parameters: [content-type]' },
    ]);
    const headers = { 'content-type': 'text/plain' };
    expect((await fetch(`${host.url}/checked/echo`, { method: 'POST', body: 'x', headers })).status).toBe(200);
  });

  test('a body whose event is above 6 MB is a 413', async () => {
    const answer = await fetch(`${host.url}/buffered/echo`, { method: 'POST', body: Buffer.alloc(4.7 * MIB) });
    expect([answer.status, await answer.json()]).toEqual([413, { message: 'Request Too Long' }]);
  });
});

describe('a stream becomes an answer', () => {
  test('with its status, headers and cookies, of more than a result may hold', async () => {
    log.length = 0;
    const bytes = 20 * MIB + 1;
    const answer = await get(`/patient/bytes?bytes=${bytes}`);
    expect(answer.status).toBe(202);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/plain',
      'x-many': '1, 2',
      'set-cookie': 'a=1',
    });
    const body = Buffer.from(await answer.arrayBuffer());
    expect(body.equals(Buffer.alloc(bytes, 'x'))).toBe(true);
    await expect.poll(() => log.at(-1)).toMatch(/^GET \/patient\/bytes\?bytes=\d+ 202 Patient/);
  });

  test('as it is written', async () => {
    const answer = await get('/stream/slow?ms=400');
    const [first] = await Promise.all([answer.body?.getReader().read()]);
    expect(Buffer.from(first?.value ?? []).toString()).toBe('first');
  });

  test('whose function fails before its first byte is a 502, and so is one without a prelude', async () => {
    for (const path of ['/stream/throw', '/stream/bare']) {
      const answer = await get(path);
      expect([path, answer.status, await answer.json()]).toEqual([path, 502, { message: 'Internal server error' }]);
    }
  });

  test.each([
    ['break', /; RangeError: in the middle$/],
    ['reject', /; Runtime.UnhandledPromiseRejection: nobody caught this$/],
    ['exit', /; the environment ended: exit code 3$/],
    ['slow?ms=2500', /cut off \(no answer within 2000 ms\)$/],
  ])('that ends too early (%s) breaks off for the caller, and the next request is served', async (what, line) => {
    log.length = 0;
    const answer = await get(`/stream/${what}`);
    expect(answer.status).toBe(202);
    await expect(answer.text()).rejects.toThrow();
    await expect.poll(() => log.find((entry) => line.test(entry))).toBeDefined();
    expect(await (await get('/stream/bytes?bytes=3')).text()).toBe('xxx');
  });

  test('whose caller goes away ends all the same', async () => {
    log.length = 0;
    const stop = new AbortController();
    const answer = await fetch(`${host.url}/stream/bytes?bytes=${30 * MIB}`, { signal: stop.signal });
    await answer.body?.getReader().read();
    stop.abort();
    await expect.poll(() => log.some((line) => line.includes('/stream/bytes')), { timeout: 5000 }).toBe(true);
    await sleep(50);
    expect(await (await get('/stream/bytes?bytes=3')).text()).toBe('xxx');
  });
});

describe('an assembly with a REST API', () => {
  const serviceOf = (build: (stack: Stack, api: RestApi) => void) =>
    readLocalService(readCloudAssembly(synthesize(build)));

  test('names what is not done here', () => {
    const { warnings, routes } = serviceOf((stack, api) => {
      const model = api.addModel('Model', { schema: {} });
      const resource = api.root.addResource('x', { defaultCorsPreflightOptions: { allowOrigins: Cors.ALL_ORIGINS } });
      resource.addMethod('POST', new LambdaIntegration(functionOf(stack, 'F', 'index.handler')), {
        apiKeyRequired: true,
        requestModels: { 'application/json': model },
      });
    });
    expect(routes.map(({ routeKey }) => routeKey)).toEqual(['POST /x']);
    expect(warnings.join('\n')).toMatch(/CORS preflight.*\n.*x-api-key.*\n.*JSON schemas/);
  });

  test('is refused where a method leads to no function', () => {
    expect(() => serviceOf((_, api) => api.root.addMethod('GET', new MockIntegration()))).toThrow(
      expect.objectContaining({ code: 'LOCAL_INTEGRATION' }),
    );
  });
});
