import {
  DeleteFunctionCommand,
  DeleteLayerVersionCommand,
  type LambdaClient,
  ResourceNotFoundException,
} from '@aws-sdk/client-lambda';
import type { Deletion } from './plan-deletions.js';

export interface DeletionFailure {
  /** The version's or the layer version's name. */
  readonly resource: string;
  readonly reason: string;
}

export interface DeletionOutcome {
  readonly deleted: readonly string[];
  readonly failed: readonly DeletionFailure[];
}

/** Carries out a plan. What fails is told and left for the next time, and keeps nothing else from being deleted. */
export async function deleteVersions(
  client: LambdaClient,
  plan: readonly Deletion[],
  signal: AbortSignal,
): Promise<DeletionOutcome> {
  const deleted: string[] = [];
  const failed: DeletionFailure[] = [];
  const attempt = async (resource: string, send: () => Promise<unknown>): Promise<boolean> => {
    try {
      await send();
    } catch (error) {
      if (!(error instanceof ResourceNotFoundException)) {
        failed.push({ resource, reason: String(error) });
        return false;
      }
    }
    deleted.push(resource);
    return true;
  };
  for (const { functionName, version, layerVersionArns } of plan) {
    let layersAreGone = true;
    for (const arn of layerVersionArns) {
      if (signal.aborted) break;
      if (deleted.includes(arn)) continue;
      if (!(await attempt(arn, () => client.send(deleteLayerVersion(arn), { abortSignal: signal }))))
        layersAreGone = false;
    }
    if (signal.aborted) break;
    // The version names its layers: it stays until they are gone.
    if (!layersAreGone) continue;
    await attempt(`${functionName}:${version}`, () =>
      client.send(new DeleteFunctionCommand({ FunctionName: functionName, Qualifier: version }), {
        abortSignal: signal,
      }),
    );
  }
  return { deleted, failed };
}

/** `arn:aws:lambda:eu-west-1:123456789012:layer:name:7`, of this account and region as the function is. */
function deleteLayerVersion(arn: string): DeleteLayerVersionCommand {
  const [version, name] = arn.split(':').reverse();
  return new DeleteLayerVersionCommand({ LayerName: name, VersionNumber: Number(version) });
}
