/** The handler against mocks of the SDK's clients: what it asks for, where its requests come from, and what it tells CodeDeploy. */
import { CodeDeployClient, PutLifecycleEventHookExecutionStatusCommand } from '@aws-sdk/client-codedeploy';
import { InvokeCommand, type InvokeCommandOutput, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import type { Context } from 'aws-lambda';
import { mockClient } from 'aws-sdk-client-mock';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { handler } from '../../../functions/pre-traffic/index.js';
import type { ReplaySettings } from '../../../lib/artifact/replay.js';

const FUNCTION = 'arn:aws:lambda:eu-west-1:123456789012:function:faces';
const EVENT = { DeploymentId: 'd-1', LifecycleEventHookExecutionId: 'e-1' };
const lambda = mockClient(LambdaClient);
const codeDeploy = mockClient(CodeDeployClient);
const s3 = mockClient(S3Client);
let lines: Record<string, unknown>[];
beforeAll(() => {
  vi.spyOn(process.stdout, 'write').mockImplementation((line) => lines.push(JSON.parse(String(line))) > 0);
});
afterAll(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});
beforeEach(() => {
  for (const mock of [lambda, codeDeploy, s3]) mock.reset();
  codeDeploy.on(PutLifecycleEventHookExecutionStatusCommand).resolves({});
  lines = [];
});

const settings: ReplaySettings = {
  model: 'faces',
  source: { kind: 'bucket', bucket: 'captures', prefix: 'seen/' },
  compare: 'values',
  tolerance: { absolute: 0.01, relative: 0 },
  maxRequests: 10,
  maxDifferentShare: 0,
  invocationTimeout: 1000,
};
const run = async (changes: Partial<ReplaySettings> = {}) => {
  vi.stubEnv('CDK_ONNX_NEW_VERSION', `${FUNCTION}:2`);
  vi.stubEnv('CDK_ONNX_LIVE_ALIAS', `${FUNCTION}:live`);
  vi.stubEnv('CDK_ONNX_REPLAY', JSON.stringify({ ...settings, ...changes }));
  await handler(EVENT, { getRemainingTimeInMillis: () => 300_000 } as Context);
  return codeDeploy.commandCalls(PutLifecycleEventHookExecutionStatusCommand).map(({ args }) => args[0].input);
};
const SUCCEEDED = [{ deploymentId: 'd-1', lifecycleEventHookExecutionId: 'e-1', status: 'Succeeded' }];
const FAILED = [{ ...SUCCEEDED[0], status: 'Failed' }];

/** What the client makes of bytes. */
type Payload = NonNullable<InvokeCommandOutput['Payload']>;
const payload = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)) as unknown as Payload;
const result = (body: unknown, statusCode = 200, headers = { 'content-type': 'application/json' }) => ({
  statusCode,
  headers,
  body: JSON.stringify(body),
});
const score = (value: number, label = 'cat') => result({ model_version: '1', predictions: [{ label, score: value }] });
/** What the two versions return for everything but readiness. */
const versionsReturn = (live: unknown, next: unknown, { liveVersion = '1' } = {}) => {
  lambda.on(InvokeCommand).callsFake(({ FunctionName, Payload }) => {
    const { rawPath } = JSON.parse(Buffer.from(Payload).toString());
    const isNew = FunctionName.endsWith(':2');
    const ExecutedVersion = isNew ? '2' : liveVersion;
    const returned = rawPath.endsWith('/ready') ? result({}) : isNew ? next : live;
    const error = (returned as { readonly errorType?: string }).errorType;
    return {
      ExecutedVersion,
      Payload: payload(returned),
      ...(error === undefined ? {} : { FunctionError: 'Unhandled' }),
    };
  });
};
const record = (body: string, more: object = {}) =>
  `${JSON.stringify({ id: body, request: { method: 'POST', path: '/predict/faces', headers: {}, body }, ...more })}\n`;
/** Objects by day and name. */
const bucketHolds = (objects: Readonly<Record<string, string>>) => {
  s3.on(ListObjectsV2Command).callsFake(({ Prefix, ContinuationToken }) => {
    const keys = Object.keys(objects)
      .filter((key) => key.startsWith(Prefix))
      .sort();
    const page = ContinuationToken === undefined ? keys.slice(0, 2) : keys.slice(2);
    return {
      Contents: page.map((Key) => ({ Key, Size: objects[Key]?.length ?? 0 })),
      ...(ContinuationToken === undefined && keys.length > 2 ? { NextContinuationToken: 'more' } : {}),
    };
  });
  s3.on(GetObjectCommand).callsFake(({ Key }) => ({ Body: { transformToString: async () => objects[Key] } }));
};
const keyOf = (daysAgo: number, name: string) =>
  `seen/faces/${new Date(Date.now() - daysAgo * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '/')}/${name}`;
const bodiesSent = () =>
  lambda
    .commandCalls(InvokeCommand)
    .filter(({ args }) => args[0].input.FunctionName?.endsWith(':2'))
    .map(({ args }) => JSON.parse(Buffer.from(args[0].input.Payload as Uint8Array).toString()).body);

describe('captured requests', () => {
  test('are the newest of the bucket, page by page and day by day, as many as are asked for', async () => {
    bucketHolds({
      [keyOf(0, '08/a.jsonl')]: record('a'),
      [keyOf(0, '09/b.jsonl')]: `${record('b1')}\n${record('b2')}`,
      [keyOf(0, '10/c.jsonl')]: record('c'),
      [keyOf(1, '10/d.jsonl')]: record('d'),
      [keyOf(2, '10/e.jsonl')]: record('e'),
      [keyOf(0, '11/note.txt')]: 'nothing of ours',
    });
    versionsReturn(score(0.9), score(0.9));
    expect(await run({ maxRequests: 5 })).toEqual(SUCCEEDED);
    expect(bodiesSent()).toEqual([undefined, 'c', 'b1', 'b2', 'a', 'd']);
    expect(lines).toEqual([expect.objectContaining({ message: 'replay', deploymentId: 'd-1', compared: 5 })]);
  });

  test('that are redacted or were refused are not sent', async () => {
    bucketHolds({
      [keyOf(0, '08/a.jsonl')]: [
        record('refused', { response: { status: 400, body: '{}' } }),
        record('redacted', { request: { method: 'POST', path: '/predict/faces', body: '', redacted: true } }),
        record('good', { response: { status: 200, body: '', redacted: true } }),
      ].join(''),
    });
    versionsReturn(score(0.9), score(0.9));
    expect(await run()).toEqual(SUCCEEDED);
    expect(bodiesSent()).toEqual([undefined, 'good']);
  });

  test('of which there are none yet are generated', async () => {
    bucketHolds({});
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [-1, 3] }];
    versionsReturn(result({ inputs, outputs: [] }), result({ outputs: [] }));
    expect(await run()).toEqual(SUCCEEDED);
    expect(lines[0]).toMatchObject({ message: 'there are no recorded requests, so some are generated' });
    expect(bodiesSent()).toHaveLength(4);
  });
});

describe('answers', () => {
  beforeEach(() => bucketHolds({ [keyOf(0, '08/a.jsonl')]: record('a') + record('b') + record('c') + record('d') }));

  test.each<[string, unknown, unknown, object[]]>([
    ['within the tolerance', score(0.9), score(0.905), SUCCEEDED],
    ['beyond it', score(0.9), score(0.92), FAILED],
    ['with another label', score(0.9), score(0.9, 'dog'), FAILED],
    [
      'of another model version',
      score(0.9),
      result({ model_version: '2', predictions: [{ label: 'cat', score: 0.9 }] }),
      SUCCEEDED,
    ],
    ['with another status', score(0.9), result({ code: 'JSON_INVALID' }, 400), FAILED],
    ['that are refused by both', result({ code: 'A' }, 400), result({ code: 'A' }, 400), SUCCEEDED],
    ['that are refused for other reasons', result({ code: 'A' }, 400), result({ code: 'B' }, 400), FAILED],
    ['of a version that crashes', score(0.9), { errorType: 'Runtime.ExitError' }, FAILED],
    ['of a live version that crashes', { errorType: 'Runtime.ExitError' }, score(0.9), SUCCEEDED],
    ['that are none', score(0.9), { hello: 'world' }, FAILED],
  ])('%s', async (_, live, next, expected) => {
    versionsReturn(live, next);
    expect(await run()).toEqual(expected);
  });

  test('that a function streams are read as others', async () => {
    const streamed = (value: number) =>
      `{"statusCode":200,"headers":{"Content-Type":"application/json"}}${'\0'.repeat(8)}${score(value).body}`;
    versionsReturn(streamed(0.9), streamed(0.9));
    expect(await run()).toEqual(SUCCEEDED);
    expect(lines.at(-1)).toMatchObject({ compared: 4 });
    versionsReturn(streamed(0.9), streamed(0.5));
    expect((await run()).at(-1)).toEqual(FAILED[0]);
  });

  test('may differ by a share, and by anything but their form where predictions may change', async () => {
    let asked = 0;
    lambda.on(InvokeCommand).callsFake(({ FunctionName, Payload }) => {
      const { rawPath } = JSON.parse(Buffer.from(Payload).toString());
      const isNew = FunctionName.endsWith(':2');
      if (isNew) asked += 1;
      const returned = rawPath.endsWith('/ready') ? result({}) : score(isNew && asked === 3 ? 0.1 : 0.9);
      return { ExecutedVersion: isNew ? '2' : '1', Payload: payload(returned) };
    });
    expect(await run({ maxDifferentShare: 0.25 })).toEqual(SUCCEEDED);
    expect(lines.at(-1)).toMatchObject({ compared: 4, different: 1 });
    versionsReturn(score(0.9), score(0.1, 'dog'));
    expect((await run({ compare: 'form' })).at(-1)).toEqual(SUCCEEDED[0]);
  });
});

test('a version that is not ready fails, whatever it would answer', async () => {
  bucketHolds({});
  lambda
    .on(InvokeCommand)
    .resolves({ FunctionError: 'Unhandled', Payload: payload({ errorType: 'Runtime.ImportModuleError' }) });
  expect(await run()).toEqual(FAILED);
  expect(lines[0]).toMatchObject({
    message: 'the new version is not ready',
    answer: { code: 'Runtime.ImportModuleError' },
  });
});

test('a live version that is the new one is compared with nothing', async () => {
  bucketHolds({ [keyOf(0, '08/a.jsonl')]: record('a') });
  versionsReturn(score(0.9), score(0.1), { liveVersion: '2' });
  expect(await run()).toEqual(SUCCEEDED);
  expect(lines.map(({ message }) => message)).toEqual([
    'there is no other version to compare with',
    'nothing could be compared',
    'replay',
  ]);
});

test('what cannot be reported is thrown, so that Lambda has it in its errors', async () => {
  bucketHolds({});
  versionsReturn(result({ inputs: [] }), result({}));
  codeDeploy.on(PutLifecycleEventHookExecutionStatusCommand).rejects(new Error('no'));
  await expect(run()).rejects.toThrow('no');
});
