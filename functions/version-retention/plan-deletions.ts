/** A version of a function as Lambda lists it; `$LATEST` is one of them. */
export interface FunctionVersion {
  readonly version: string;
  readonly layerVersionArns: readonly string[];
}

export interface FunctionState {
  readonly name: string;
  /** How many published versions stay, the newest ones; Infinity keeps all. */
  readonly keepVersions: number;
  readonly versions: readonly FunctionVersion[];
  /** Versions that stay whatever their age: those of aliases, and those that a rollback of the deployment returns to. */
  readonly inUse: ReadonlySet<string>;
}

export interface Deletion {
  readonly functionName: string;
  readonly version: string;
  /** Layer versions that no remaining version of any function uses; they go first, so that an interruption leaves what names them. */
  readonly layerVersionArns: readonly string[];
}

/**
 * What to delete, oldest first: of each function the published versions that are neither among the newest nor in use, and with
 * them what nobody else uses of the layers given.
 *
 * @param layerArns without a version: layers of these functions alone
 */
export function planDeletions(functions: readonly FunctionState[], layerArns: readonly string[]): readonly Deletion[] {
  const doomed = functions.map(oldVersions);
  const stillUsed = new Set(
    functions.flatMap((state, index) =>
      state.versions
        .filter((version) => doomed[index]?.includes(version) !== true)
        .flatMap((version) => version.layerVersionArns),
    ),
  );
  const ownLayers = new Set(layerArns);
  const isUnused = (arn: string) => ownLayers.has(withoutVersion(arn)) && !stillUsed.has(arn);
  return functions.flatMap(({ name }, index) =>
    (doomed[index] ?? []).map(({ version, layerVersionArns }) => ({
      functionName: name,
      version,
      layerVersionArns: layerVersionArns.filter(isUnused),
    })),
  );
}

/** Published versions are numbered upwards and a number is never given twice, so the highest is the newest. */
function oldVersions({ versions, keepVersions, inUse }: FunctionState): readonly FunctionVersion[] {
  return versions
    .filter(({ version }) => /^[0-9]+$/.test(version))
    .sort((left, right) => Number(right.version) - Number(left.version))
    .slice(keepVersions)
    .filter(({ version }) => !inUse.has(version))
    .reverse();
}

function withoutVersion(layerVersionArn: string): string {
  return layerVersionArn.slice(0, layerVersionArn.lastIndexOf(':'));
}
