/** The handler with the real SDK against a server on loopback that refuses each call a few times, as Lambda's control plane does. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CloudFormationCustomResourceEvent, Context } from 'aws-lambda';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type CallbackServer, startCallbackServer } from '../../support/cloudformation-callback.js';

const REFUSALS = 2;
const LAYER = 'arn:aws:lambda:eu-west-1:123456789012:layer:Vision-faces';
const calls: string[] = [];
let lambda: Server;
let callback: CallbackServer;
beforeAll(async () => {
  const answers: Readonly<Record<string, object>> = {
    'GET /2015-03-31/functions/faces/versions': {
      Versions: ['$LATEST', '1', '2', '3'].map((Version) => ({ Version, Layers: [{ Arn: `${LAYER}:${Version}` }] })),
    },
    'GET /2015-03-31/functions/faces/aliases': { Aliases: [{ FunctionVersion: '3' }] },
    'DELETE /2015-03-31/functions/faces?Qualifier=1': {},
    'DELETE /2018-10-31/layers/Vision-faces/versions/1': {},
  };
  lambda = createServer((request, response) => {
    const call = `${request.method} ${request.url}`;
    calls.push(call);
    const refused = calls.filter((other) => other === call).length <= REFUSALS;
    const [status, type] = refused
      ? [429, 'TooManyRequestsException']
      : answers[call] === undefined
        ? [404, 'ResourceNotFoundException']
        : [request.method === 'GET' ? 200 : 204, ''];
    response.writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': type });
    response.end(status === 204 ? undefined : JSON.stringify(answers[call] ?? { message: 'Rate exceeded' }));
  });
  await new Promise<void>((resolve) => lambda.listen(0, '127.0.0.1', resolve));
  callback = await startCallbackServer();
  vi.stubEnv('AWS_ENDPOINT_URL_LAMBDA', `http://127.0.0.1:${(lambda.address() as AddressInfo).port}`);
  vi.stubEnv('AWS_REGION', 'eu-west-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await callback.close();
  await new Promise((resolve) => lambda.close(resolve));
});

test('calls that are throttled are made again until they are answered', async () => {
  vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
  // The client takes its endpoint when the module is loaded.
  const { handler } = await import('../../../functions/version-retention/index.js');
  const properties = (Version: string) => ({
    Functions: [{ FunctionName: 'faces', Version, KeepVersions: '2' }],
    LayerArns: [LAYER],
  });
  const event = {
    RequestType: 'Update',
    ResponseURL: callback.url,
    PhysicalResourceId: 'physical',
    ResourceProperties: properties('3'),
    OldResourceProperties: properties('2'),
  } as unknown as CloudFormationCustomResourceEvent;
  await handler(event, { getRemainingTimeInMillis: () => 60_000 } as Context);
  expect(calls).toEqual(
    [
      'GET /2015-03-31/functions/faces/versions',
      'GET /2015-03-31/functions/faces/aliases',
      'DELETE /2018-10-31/layers/Vision-faces/versions/1',
      'DELETE /2015-03-31/functions/faces?Qualifier=1',
    ].flatMap((call) => Array(REFUSALS + 1).fill(call)),
  );
  expect(callback.answers.map(({ body }) => body.Status)).toEqual(['SUCCESS']);
});
