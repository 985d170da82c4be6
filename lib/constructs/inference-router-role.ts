import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Stack } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import type { AsynchronousGpuEndpoint } from './asynchronous-gpu-endpoint.js';
import { acknowledgeTracesAndNetwork, joinVpc, writeLogs, writeTraces } from './inference-function-role.js';
import {
  DECRYPT_OBJECT,
  ENCRYPT_OBJECT,
  INVOKE_ENDPOINT,
  INVOKE_ENDPOINT_ASYNC,
  INVOKE_FUNCTION,
  READ_OBJECT,
  WRITE_OBJECT,
} from './permissions.js';
import { acknowledgeWildcard } from './wildcard-finding.js';

/** In front of the keys of what the router remembers of jobs, beside the queue's requests and results. */
const JOB_PREFIX = 'jobs/';

export interface InferenceRouterRoleOptions {
  readonly modelName: string;
  readonly logGroup: ILogGroup;
  readonly tracing: boolean;
  readonly vpc: boolean;
  /** Of the alias of the function that predicts. */
  readonly functionArn: string;
  readonly endpointArn: string | undefined;
  readonly queue: AsynchronousGpuEndpoint | undefined;
}

/** The role of a router: the one function, the one endpoint, and of the queue's bucket what jobs are made of. */
export function createRouterRole(scope: Construct, id: string, options: InferenceRouterRoleOptions): Role {
  const { functionArn, endpointArn, queue } = options;
  const role = new Role(scope, id, {
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    description: `Routes requests for the model ${options.modelName}`,
    inlinePolicies: {
      WriteLogs: writeLogs(options.logGroup),
      ...(options.tracing ? { WriteTraces: writeTraces() } : {}),
      ...(options.vpc ? { JoinVpc: joinVpc() } : {}),
      InvokeFunction: documentOf({ actions: INVOKE_FUNCTION, resources: [functionArn] }),
      ...(endpointArn === undefined
        ? {}
        : { InvokeEndpoint: documentOf({ actions: INVOKE_ENDPOINT, resources: [endpointArn] }) }),
      ...(queue === undefined ? {} : { QueueJobs: queueJobs(Stack.of(scope), queue) }),
    },
  });
  if (options.tracing || options.vpc) acknowledgeTracesAndNetwork(role);
  if (queue !== undefined) {
    for (const resource of new Set([...written(queue), ...read(queue)])) {
      acknowledgeWildcard(role, resource, 'Jobs have ids that requests bring about; the prefix is the queue’s alone.');
    }
  }
  return role;
}

/** No list: a key that is missing looks like one that may not be read. */
function queueJobs(stack: Stack, queue: AsynchronousGpuEndpoint): PolicyDocument {
  const { encryptionKey } = queue;
  return documentOf(
    { actions: INVOKE_ENDPOINT_ASYNC, resources: [queue.endpointArn] },
    { actions: WRITE_OBJECT, resources: written(queue) },
    { actions: READ_OBJECT, resources: read(queue) },
    ...(encryptionKey === undefined
      ? []
      : [
          {
            actions: [...DECRYPT_OBJECT, ...ENCRYPT_OBJECT],
            resources: [encryptionKey.keyArn],
            conditions: { StringEquals: { 'kms:ViaService': `s3.${stack.region}.${stack.urlSuffix}` } },
          },
        ]),
  );
}

function written(queue: AsynchronousGpuEndpoint): string[] {
  return [queue.requestPrefix, JOB_PREFIX].map((prefix) => queue.bucket.arnForObjects(`${prefix}*`));
}

/** Requests too: an upload is looked at before it is started. */
function read(queue: AsynchronousGpuEndpoint): string[] {
  return [queue.requestPrefix, JOB_PREFIX, queue.resultPrefix, queue.failurePrefix].map((prefix) =>
    queue.bucket.arnForObjects(`${prefix}*`),
  );
}

function documentOf(...statements: readonly ConstructorParameters<typeof PolicyStatement>[0][]): PolicyDocument {
  return new PolicyDocument({ statements: statements.map((statement) => new PolicyStatement(statement)) });
}
