/**
 * The hook in front of a gradual deployment: CodeDeploy invokes it before the new version gets traffic, and shifts none when it says
 * Failed. https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html#appspec-hooks-lambda
 */
import { CodeDeployClient, PutLifecycleEventHookExecutionStatusCommand } from '@aws-sdk/client-codedeploy';
import { LambdaClient } from '@aws-sdk/client-lambda';
import type { Context } from 'aws-lambda';
import { RECORDINGS_VARIABLE, type ReplaySettings } from '../../lib/artifact/replay.js';
import { errorDetails, log } from '../log/log.js';
import { type HookConfiguration, readConfiguration } from './configuration.js';
import { askThrough } from './invoke.js';
import { type ReplayResult, replay } from './replay.js';
import { bucketRequests } from './requests/bucket-requests.js';
import { layerRequests } from './requests/layer-requests.js';
import type { ReplayedRequest } from './requests/replayed-request.js';

export interface LifecycleEvent {
  readonly DeploymentId: string;
  readonly LifecycleEventHookExecutionId: string;
}

/** Left for saying what came of it: CodeDeploy waits an hour for a hook that never says. */
const REPORT_MS = 20_000;

const codeDeploy = new CodeDeployClient({
  maxAttempts: 5,
  requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000, throwOnRequestTimeout: true },
});

/** @throws Error when CodeDeploy cannot be told */
export async function handler(event: LifecycleEvent, context: Context): Promise<void> {
  const { DeploymentId: deploymentId, LifecycleEventHookExecutionId: lifecycleEventHookExecutionId } = event;
  const status = (await passes(deploymentId, context)) ? 'Succeeded' : 'Failed';
  await codeDeploy.send(
    new PutLifecycleEventHookExecutionStatusCommand({ deploymentId, lifecycleEventHookExecutionId, status }),
  );
}

/** Whatever goes wrong here was not shown to be well. */
async function passes(deploymentId: string, context: Context): Promise<boolean> {
  const deadline = AbortSignal.timeout(Math.max(0, context.getRemainingTimeInMillis() - REPORT_MS));
  try {
    const result = await beforeDeadline(deadline, () => run(readConfiguration(process.env), deadline));
    log(result.passes ? 'INFO' : 'ERROR', 'replay', { deploymentId, ...result });
    return result.passes;
  } catch (error) {
    log('ERROR', 'replay broke off', { deploymentId, ...errorDetails(error) });
    return false;
  }
}

async function run({ newVersion, liveAlias, settings }: HookConfiguration, signal: AbortSignal): Promise<ReplayResult> {
  const client = new LambdaClient({
    // What is throttled is asked again, for half a minute or so.
    maxAttempts: 8,
    requestHandler: {
      connectionTimeout: 3_000,
      requestTimeout: settings.invocationTimeout,
      throwOnRequestTimeout: true,
    },
  });
  return await replay({
    ask: askThrough(client, signal),
    newVersion,
    liveAlias,
    settings,
    recorded: await recordedRequests(settings),
    log,
  });
}

function beforeDeadline<Value>(deadline: AbortSignal, work: () => Promise<Value>): Promise<Value> {
  const late = new Promise<never>((_, reject) => {
    deadline.addEventListener('abort', () => reject(new Error('out of time')));
  });
  return Promise.race([work(), late]);
}

async function recordedRequests(settings: ReplaySettings): Promise<AsyncIterable<ReplayedRequest> | undefined> {
  const { source, model } = settings;
  switch (source.kind) {
    case 'generated':
      return undefined;
    case 'layer':
      return layerRequests(process.env[RECORDINGS_VARIABLE] ?? '/opt');
    case 'bucket': {
      const { S3Client } = await import('@aws-sdk/client-s3');
      const client = new S3Client({
        requestHandler: { connectionTimeout: 3_000, requestTimeout: 20_000, throwOnRequestTimeout: true },
      });
      return bucketRequests(client, { ...source, model });
    }
  }
}
