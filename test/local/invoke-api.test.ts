/** Lambda's Invoke API of the local host, as the AWS SDK speaks it. */
import {
  InvocationType,
  InvokeCommand,
  type InvokeCommandInput,
  type InvokeCommandOutput,
  LambdaClient,
  LogType,
} from '@aws-sdk/client-lambda';
import { HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findFunction } from '../../lib/local/function-name.js';
import { type LocalHost, startLocalHost } from '../../lib/local/local-host.js';
import type { LocalFunction } from '../../lib/local/local-stack.js';
import { type LocalApp, synthesizeLocalApp } from '../support/local-app.js';

const MIB = 1024 * 1024;
const log: string[] = [];
let app: LocalApp;
let host: LocalHost;
let client: LambdaClient;
/** The logical id of the function test/fixtures/functions/commonjs. */
let name: string;

beforeAll(async () => {
  app = synthesizeLocalApp({
    timeoutSeconds: 2,
    routes: [
      { function: 'commonjs', method: HttpMethod.GET, path: '/echo' },
      { function: 'init-error', method: HttpMethod.GET, path: '/init' },
    ],
  });
  host = await startLocalHost({ assembly: app.assembly, port: 0, region: 'eu-west-1', log: (line) => log.push(line) });
  name = nameOf('commonjs');
  client = new LambdaClient({
    endpoint: host.url,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
    maxAttempts: 1,
  });
});
afterAll(async () => {
  client?.destroy();
  await host?.close();
  app?.remove();
});

function nameOf(label: string): string {
  return host.service.functions.find((each) => each.label === label)?.names[0] ?? '';
}

const event = (what: string, query: Readonly<Record<string, string>> = {}) =>
  JSON.stringify({ rawPath: `/${what}`, queryStringParameters: query });

function invoke(what: string, input: Partial<InvokeCommandInput> = {}): Promise<InvokeCommandOutput> {
  return client.send(new InvokeCommand({ FunctionName: name, Payload: event(what), ...input }));
}

function payloadOf(output: InvokeCommandOutput): Record<string, unknown> {
  return JSON.parse(Buffer.from(output.Payload ?? []).toString());
}

describe('an invocation', () => {
  it('hands the payload over as it is, and the result back', async () => {
    const output = await invoke('plain');
    expect(output).toMatchObject({ StatusCode: 200, ExecutedVersion: '$LATEST' });
    expect(output.FunctionError).toBeUndefined();
    expect(payloadOf(output)).toEqual({ no: 'statusCode' });
    const echo = payloadOf(await invoke('echo')) as { body: string };
    expect(JSON.parse(echo.body).event).toEqual(JSON.parse(event('echo')));
  });

  it('finds the function by name, partial ARN, ARN, alias and version, as API Gateway does by the same ARN', async () => {
    const [version = ''] = host.service.functions.find(({ names }) => names.includes(name))?.versions.values() ?? [];
    const arn = `arn:aws:lambda:eu-west-1:000000000000:function:${name}`;
    for (const [FunctionName, Qualifier, executed] of [
      [name, undefined, '$LATEST'],
      [`${name}:$LATEST`, undefined, '$LATEST'],
      [`000000000000:function:${name}`, undefined, '$LATEST'],
      [arn, undefined, '$LATEST'],
      [`${arn}:live`, undefined, version],
      [arn, 'live', version],
      [`${name}:live`, 'live', version],
      [name, version, version],
    ] as const) {
      const output = await invoke('plain', { FunctionName, Qualifier });
      expect([FunctionName, output.ExecutedVersion]).toEqual([FunctionName, executed]);
    }
  });

  it('without a payload gets an empty object', async () => {
    const output = await invoke('', { Payload: '' });
    // The fixture reads a path of it.
    expect(payloadOf(output)).toMatchObject({ errorType: 'TypeError', errorMessage: expect.stringContaining('split') });
  });

  it('of type Event is answered at once, and its end is in the log', async () => {
    log.length = 0;
    const output = await invoke('sleep', {
      InvocationType: InvocationType.Event,
      Payload: event('sleep', { ms: '700' }),
    });
    expect([output.StatusCode, Buffer.from(output.Payload ?? []).length]).toEqual([202, 0]);
    expect(log.filter((line) => line.startsWith('invoked'))).toEqual([]);
    await vi.waitFor(() => expect(log.at(-1)).toMatch(/^invoked commonjs#\d+ (warm|cold).* run \d+ ms/), 10_000);
  });

  it('of type DryRun runs nothing', async () => {
    log.length = 0;
    expect((await invoke('plain', { InvocationType: InvocationType.DryRun })).StatusCode).toBe(204);
    expect(log.filter((line) => line.startsWith('invoked'))).toEqual([]);
  });

  it('with LogType Tail brings the end of its log', async () => {
    const output = await invoke('log', { LogType: LogType.Tail });
    const lines = Buffer.from(output.LogResult ?? '', 'base64').toString();
    expect(lines).toMatch(/^START RequestId: \S+ Version: \$LATEST\n/);
    for (const line of ['first line', 'second line', 'to stderr']) expect(lines).toContain(`\n${line}\n`);
    expect(lines).toMatch(/\nEND RequestId: \S+\nREPORT RequestId: .*\tMemory Size: 512 MB/);
    expect((await invoke('plain')).LogResult).toBeUndefined();
  });
});

describe('a function that fails', () => {
  it.each([
    ['throw', { errorType: 'TypeError', errorMessage: 'this handler throws' }],
    ['crash', { errorType: 'Runtime.ExitError', errorMessage: expect.stringContaining('exit code 7') }],
    ['spin', { errorType: 'Sandbox.Timedout', errorMessage: expect.stringMatching(/Task timed out after 2.00 sec/) }],
    ['reject-later', { errorType: 'Runtime.UnhandledPromiseRejection', errorMessage: 'nobody caught this' }],
  ])('by %s is a 200 with FunctionError, and the next invocation gets a working environment', async (what, error) => {
    const output = await invoke(what);
    expect(output).toMatchObject({ StatusCode: 200, FunctionError: 'Unhandled' });
    expect(payloadOf(output)).toMatchObject(error);
    expect((await invoke('plain')).FunctionError).toBeUndefined();
  });

  it('by throwing tells where', async () => {
    expect(payloadOf(await invoke('throw')).trace).toEqual(
      expect.arrayContaining(['TypeError: this handler throws', expect.stringContaining('index.js')]),
    );
  });

  it('while it is initialized says so', async () => {
    const output = await invoke('', { FunctionName: nameOf('init-error') });
    expect(output.FunctionError).toBe('Unhandled');
    expect(payloadOf(output)).toMatchObject({ errorMessage: expect.stringContaining('the model is not there') });
  });

  it('by an answer above 6 MB', async () => {
    const output = await invoke('', { Payload: event('big', { bytes: String(6.1 * MIB) }) });
    expect(payloadOf(output)).toMatchObject({ errorType: 'Function.ResponseSizeTooLarge' });
  });
});

describe('a call that Lambda refuses', () => {
  const other = 'arn:aws:lambda:us-east-2:000000000000:function:';
  it.each<[string, number, () => Partial<InvokeCommandInput>]>([
    ['ResourceNotFoundException', 404, () => ({ FunctionName: 'nobody' })],
    ['ResourceNotFoundException', 404, () => ({ Qualifier: 'no-alias' })],
    ['ResourceNotFoundException', 404, () => ({ FunctionName: `${other}${name}` })],
    ['InvalidParameterValueException', 400, () => ({ FunctionName: `${name}:live`, Qualifier: '$LATEST' })],
    ['InvalidParameterValueException', 400, () => ({ InvocationType: 'Sometimes' as InvocationType })],
    ['InvalidRequestContentException', 400, () => ({ Payload: '{' })],
    ['RequestTooLargeException', 413, () => ({ Payload: `"${'x'.repeat(6 * MIB)}"` })],
    ['RequestTooLargeException', 413, () => ({ Payload: `"${'x'.repeat(MIB)}"`, InvocationType: 'Event' })],
  ])('is a %s, status %i', async (exception, status, input) => {
    await expect(invoke('plain', input())).rejects.toMatchObject({
      name: exception,
      $metadata: { httpStatusCode: status, requestId: expect.any(String) },
    });
  });

  it('is not one just below the limit', async () => {
    const padding = 'x'.repeat(6 * MIB - 40);
    const output = await invoke('', { Payload: JSON.stringify({ rawPath: '/plain', padding }) });
    expect(payloadOf(output)).toEqual({ no: 'statusCode' });
  });
});

it('another method or path of the API is none of it', async () => {
  const path = `${host.url}/2015-03-31/functions/${name}/invocations`;
  expect((await fetch(path)).status).toBe(404);
  expect((await fetch(`${path}/more`, { method: 'POST' })).status).toBe(404);
  expect((await fetch(`${host.url}/2015-03-31/functions/%E0%A4%A/invocations`, { method: 'POST' })).status).toBe(404);
});

describe('names of functions', () => {
  const known = (id: string, versions: readonly string[] = []) =>
    ({
      id,
      names: [id.split('/')[1] ?? ''],
      versions: new Map(versions.map((version) => [version, '7'])),
    }) as unknown as LocalFunction;

  it('that two stacks share are refused', () => {
    const functions = [known('A/F'), known('B/F')];
    expect(findFunction(functions, 'F', undefined, 'r')).toEqual({ kind: 'ambiguous', ids: ['A/F', 'B/F'] });
  });

  it('come in every form that Lambda takes, with the qualifier where the caller likes', () => {
    const word = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
    const prefixes = ['', '000000000000:function:', 'arn:aws:lambda:eu-west-1:000000000000:function:'];
    fc.assert(
      fc.property(word, fc.option(word, { nil: undefined }), fc.constantFrom(...prefixes), fc.boolean(), (...given) => {
        const [functionName, qualifier, prefix, inName] = given;
        const target = known(`Stack/${functionName}`, qualifier === undefined ? [] : [qualifier]);
        const suffix = qualifier !== undefined && inName ? `:${qualifier}` : '';
        const query = inName ? undefined : qualifier;
        const found = findFunction([known('Other/$'), target], `${prefix}${functionName}${suffix}`, query, 'eu-west-1');
        expect(found).toEqual({
          kind: 'found',
          function: target,
          qualifier,
          version: qualifier === undefined ? '$LATEST' : '7',
        });
      }),
      { seed: 7 },
    );
  });
});
