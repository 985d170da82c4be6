/** A CloudFormation custom resource: after each deployment that published a version, the oldest versions and their layers go. */
import { LambdaClient } from '@aws-sdk/client-lambda';
import type { CloudFormationCustomResourceEvent, CloudFormationCustomResourceUpdateEvent, Context } from 'aws-lambda';
import { reportSuccess } from './cloudformation-response.js';
import { type DeletionOutcome, deleteVersions } from './delete-versions.js';
import { functionStates } from './function-states.js';
import { planDeletions } from './plan-deletions.js';
import { readProperties } from './resource-properties.js';

/** What reporting may take at most, with all its attempts: CloudFormation would wait for a function that ran out of time, then roll back. */
const REPORT_MS = 30_000;

const client = new LambdaClient({
  // Lambda's control plane throttles an account at a few calls a second.
  maxAttempts: 8,
  requestHandler: { connectionTimeout: 3000, requestTimeout: 10_000, throwOnRequestTimeout: true },
});

export async function handler(event: CloudFormationCustomResourceEvent, context: Context): Promise<void> {
  // A stack that is created has no old versions, and one that is deleted takes its functions with it.
  if (event.RequestType === 'Update') await removeOldVersions(event, context.getRemainingTimeInMillis() - REPORT_MS);
  await reportSuccess(event);
}

async function removeOldVersions(event: CloudFormationCustomResourceUpdateEvent, milliseconds: number): Promise<void> {
  const deadline = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const outOfTime = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => {
        deadline.abort();
        reject(new Error('out of time; the next deployment goes on'));
      },
      Math.max(0, milliseconds),
    );
  });
  try {
    const { deleted, failed } = await Promise.race([apply(event, deadline.signal), outOfTime]);
    log(failed.length === 0 ? 'INFO' : 'WARN', 'old versions', { deleted, failed });
  } catch (error) {
    log('ERROR', 'old versions are left', { errorMessage: String(error) });
  } finally {
    clearTimeout(timer);
  }
}

async function apply(event: CloudFormationCustomResourceUpdateEvent, signal: AbortSignal): Promise<DeletionOutcome> {
  const now = readProperties(event.ResourceProperties);
  const states = await functionStates(client, now, readProperties(event.OldResourceProperties));
  return deleteVersions(client, planDeletions(states, now.layerArns), signal);
}

function log(level: 'INFO' | 'WARN' | 'ERROR', message: string, details: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ level, message, ...details })}\n`);
}
