/** The handler against a mock of the SDK's client: what it asks for, what it never asks for, and what it tells CloudFormation. */
import {
  DeleteFunctionCommand,
  DeleteLayerVersionCommand,
  LambdaClient,
  ListAliasesCommand,
  ListVersionsByFunctionCommand,
  ResourceConflictException,
  ResourceNotFoundException,
} from '@aws-sdk/client-lambda';
import type { CloudFormationCustomResourceEvent, Context } from 'aws-lambda';
import { mockClient } from 'aws-sdk-client-mock';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { handler } from '../../../functions/version-retention/index.js';
import { type CallbackServer, startCallbackServer } from '../../support/cloudformation-callback.js';

const MODEL = 'arn:aws:lambda:eu-west-1:123456789012:layer:Vision-faces';
const lambda = mockClient(LambdaClient);
let callback: CallbackServer;
let lines: string[];
beforeAll(async () => {
  callback = await startCallbackServer();
  vi.spyOn(process.stdout, 'write').mockImplementation((line) => lines.push(String(line)) > 0);
});
afterAll(async () => {
  vi.restoreAllMocks();
  await callback.close();
});
beforeEach(() => {
  lambda.reset();
  lines = [];
});

const properties = (version: string, keepVersions = '2') => ({
  ServiceToken: 'arn:aws:lambda:eu-west-1:123456789012:function:retention',
  Functions: [{ FunctionName: 'faces', Version: version, KeepVersions: keepVersions }],
  LayerArns: [MODEL],
});
const update = (before: object = properties('5'), now: object = properties('6')) =>
  ({
    RequestType: 'Update',
    ServiceToken: 'token',
    ResponseURL: callback.url,
    StackId: 'arn:aws:cloudformation:eu-west-1:123456789012:stack/Vision/1',
    RequestId: 'request',
    LogicalResourceId: 'VersionRetentionResource',
    PhysicalResourceId: 'physical',
    ResourceType: 'Custom::CdkOnnxVersionRetention',
    ResourceProperties: now,
    OldResourceProperties: before,
  }) as unknown as CloudFormationCustomResourceEvent;
const run = async (event: CloudFormationCustomResourceEvent, milliseconds = 300_000) => {
  await handler(event, { getRemainingTimeInMillis: () => milliseconds } as Context);
  return callback.answers.at(-1);
};

/** Versions 1 to 6, each with a layer version of its own, the alias on the newest. */
const sixVersions = () => {
  const version = (name: string, layer = name) => ({ Version: name, Layers: [{ Arn: `${MODEL}:${layer}` }] });
  lambda
    .on(ListVersionsByFunctionCommand)
    .resolves({ Versions: [version('4'), version('5'), version('6')] })
    .on(ListVersionsByFunctionCommand, { FunctionName: 'faces' })
    .resolves({ Versions: [version('$LATEST', '6'), version('1'), version('2'), version('3')], NextMarker: '3' })
    .on(ListVersionsByFunctionCommand, { FunctionName: 'faces', Marker: '3' })
    .resolves({ Versions: [version('4'), version('5'), version('6')] });
  lambda.on(ListAliasesCommand).resolves({ Aliases: [{ Name: 'live', FunctionVersion: '6' }] });
  lambda.on(DeleteFunctionCommand).resolves({});
  lambda.on(DeleteLayerVersionCommand).resolves({});
};
const deletedVersions = () => lambda.commandCalls(DeleteFunctionCommand).map(({ args }) => args[0].input);
const deletedLayers = () => lambda.commandCalls(DeleteLayerVersionCommand).map(({ args }) => args[0].input);

describe('an update', () => {
  beforeEach(sixVersions);

  test('deletes what is beyond the newest on every page, each with its version, layers first', async () => {
    await run(update());
    expect(deletedVersions()).toEqual(['1', '2', '3', '4'].map((Qualifier) => ({ FunctionName: 'faces', Qualifier })));
    expect(deletedLayers()).toEqual(
      [1, 2, 3, 4].map((VersionNumber) => ({ LayerName: 'Vision-faces', VersionNumber })),
    );
    expect(JSON.parse(lines.join(''))).toMatchObject({ level: 'INFO', failed: [] });
  });

  test('leaves what any alias points to, on every page of them, with weighted routing too', async () => {
    lambda.on(ListAliasesCommand).resolves({
      Aliases: [{ FunctionVersion: '6', RoutingConfig: { AdditionalVersionWeights: { 2: 0.1 } } }],
      NextMarker: 'next',
    });
    lambda.on(ListAliasesCommand, { FunctionName: 'faces', Marker: 'next' }).resolves({
      Aliases: [{ FunctionVersion: '3' }],
    });
    await run(update());
    expect(deletedVersions().map(({ Qualifier }) => Qualifier)).toEqual(['1', '4']);
    expect(deletedLayers().map(({ VersionNumber }) => VersionNumber)).toEqual([1, 4]);
  });

  test('leaves what the deployment replaced, because a rollback returns to it', async () => {
    await run(update(properties('3'), properties('6', '1')));
    expect(deletedVersions().map(({ Qualifier }) => Qualifier)).toEqual(['1', '2', '4', '5']);
  });

  test('leaves all versions of a function that the stack did not know before', async () => {
    await run(update({ ...properties('5'), Functions: [] }));
    expect(deletedVersions()).toEqual([]);
  });

  test('goes on after a failure, and leaves the version whose layer is left', async () => {
    lambda
      .on(DeleteLayerVersionCommand, { LayerName: 'Vision-faces', VersionNumber: 1 })
      .rejects(new Error('Rate exceeded'))
      .on(DeleteFunctionCommand, { FunctionName: 'faces', Qualifier: '2' })
      .rejects(new ResourceConflictException({ message: 'an alias points to it', $metadata: {} }))
      .on(DeleteFunctionCommand, { FunctionName: 'faces', Qualifier: '3' })
      .rejects(new ResourceNotFoundException({ message: 'it is gone', $metadata: {} }));
    expect((await run(update()))?.body.Status).toBe('SUCCESS');
    expect(deletedVersions().map(({ Qualifier }) => Qualifier)).toEqual(['2', '3', '4']);
    expect(JSON.parse(lines.join(''))).toMatchObject({
      level: 'WARN',
      deleted: [`${MODEL}:2`, `${MODEL}:3`, 'faces:3', `${MODEL}:4`, 'faces:4'],
      failed: [
        { resource: `${MODEL}:1`, reason: expect.stringContaining('Rate exceeded') },
        { resource: 'faces:2', reason: expect.stringContaining('an alias points to it') },
      ],
    });
  });

  test('deletes nothing where it cannot see everything, and says so', async () => {
    lambda.on(ListAliasesCommand).rejects(new Error('not authorized'));
    expect((await run(update()))?.body.Status).toBe('SUCCESS');
    expect([deletedVersions(), deletedLayers()]).toEqual([[], []]);
    expect(JSON.parse(lines.join(''))).toMatchObject({ level: 'ERROR', errorMessage: 'Error: not authorized' });
  });

  test.each([
    [{ Functions: 'faces' }, 'Functions is no list'],
    [{ LayerArns: [7] }, 'LayerArns is 7'],
    [{ Functions: [{ FunctionName: 'faces', Version: '6', KeepVersions: '0' }] }, 'KeepVersions is 0'],
    [{ Functions: [{ FunctionName: 'faces', Version: '6' }] }, 'KeepVersions is undefined'],
    [{ Functions: [{ FunctionName: '', Version: '6', KeepVersions: '2' }] }, 'FunctionName is ""'],
    [{ Functions: [null] }, 'KeepVersions is undefined'],
  ])('deletes nothing for properties that are not the construct’s: %o', async (wrong, message) => {
    expect((await run(update(properties('5'), { ...properties('6'), ...wrong })))?.body.Status).toBe('SUCCESS');
    expect(lambda.calls()).toEqual([]);
    expect(lines.join('')).toContain(JSON.stringify(`Error: ${message}`));
  });

  test('ends in time when Lambda does not answer, and deletes nothing afterwards', async () => {
    let answered = false;
    const answer = new Promise((resolve) => setTimeout(resolve, 2000, {})).finally(() => {
      answered = true;
    });
    lambda.on(ListVersionsByFunctionCommand).callsFake(() => answer);
    expect((await run(update(), 30_100))?.body.Status).toBe('SUCCESS');
    expect(answered).toBe(false);
    expect(lines.join('')).toContain('out of time');
    await answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(deletedVersions()).toEqual([]);
  });
});

describe('CloudFormation', () => {
  beforeEach(sixVersions);

  test.each(['Create', 'Delete'])('is told at once that a %s went well, and nothing is called', async (RequestType) => {
    const answer = await run({ ...update(), RequestType } as CloudFormationCustomResourceEvent);
    expect(answer?.body.Status).toBe('SUCCESS');
    expect(lambda.calls()).toEqual([]);
  });

  test('hears of one resource for good, in the form that its signed URL takes', async () => {
    const created = await run({ ...update(), RequestType: 'Create', PhysicalResourceId: undefined } as never);
    expect(created).toEqual({
      contentType: undefined,
      body: {
        Status: 'SUCCESS',
        PhysicalResourceId: 'VersionRetentionResource',
        StackId: update().StackId,
        RequestId: 'request',
        LogicalResourceId: 'VersionRetentionResource',
      },
    });
    expect((await run(update()))?.body.PhysicalResourceId).toBe('physical');
  });

  test('is told again when it does not listen, and Lambda learns when it never does', async () => {
    const before = callback.answers.length;
    callback.statuses.push(503);
    await run(update());
    expect(callback.answers.length).toBe(before + 1);
    callback.statuses.push(503, 503, 503, 503);
    await expect(run(update())).rejects.toThrow('503');
  }, 30_000);
});
