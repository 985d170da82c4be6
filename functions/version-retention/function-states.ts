import { type LambdaClient, paginateListAliases, paginateListVersionsByFunction } from '@aws-sdk/client-lambda';
import type { FunctionState, FunctionVersion } from './plan-deletions.js';
import type { RetentionProperties } from './resource-properties.js';

/**
 * What Lambda has of the functions, one after the other: its control plane takes few calls a second.
 *
 * @param before what the stack said before this deployment; a function that it did not know loses nothing yet, because nothing
 *   tells which version a rollback would return to
 */
export async function functionStates(
  client: LambdaClient,
  now: RetentionProperties,
  before: RetentionProperties,
): Promise<readonly FunctionState[]> {
  const states: FunctionState[] = [];
  for (const { name, version, keepVersions } of now.functions) {
    const previous = before.functions.find((other) => other.name === name);
    states.push({
      name,
      keepVersions: previous === undefined ? Number.POSITIVE_INFINITY : keepVersions,
      versions: await listVersions(client, name),
      // Aliases after versions, so that one which moves in between is seen where it is and not where it was.
      inUse: new Set([
        version,
        ...(previous === undefined ? [] : [previous.version]),
        ...(await aliasedVersions(client, name)),
      ]),
    });
  }
  return states;
}

async function listVersions(client: LambdaClient, functionName: string): Promise<FunctionVersion[]> {
  const versions: FunctionVersion[] = [];
  for await (const page of paginateListVersionsByFunction({ client }, { FunctionName: functionName })) {
    for (const { Version, Layers } of page.Versions ?? []) {
      if (Version === undefined) continue;
      versions.push({ version: Version, layerVersionArns: (Layers ?? []).flatMap(({ Arn }) => Arn ?? []) });
    }
  }
  return versions;
}

/** With weighted routing an alias has two versions. */
async function aliasedVersions(client: LambdaClient, functionName: string): Promise<string[]> {
  const versions: string[] = [];
  for await (const page of paginateListAliases({ client }, { FunctionName: functionName })) {
    for (const { FunctionVersion, RoutingConfig } of page.Aliases ?? []) {
      if (FunctionVersion !== undefined) versions.push(FunctionVersion);
      versions.push(...Object.keys(RoutingConfig?.AdditionalVersionWeights ?? {}));
    }
  }
  return versions;
}
