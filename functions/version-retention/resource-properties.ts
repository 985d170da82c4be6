/** What the stack tells of its functions; CloudFormation passes numbers as text. */
export interface RetainedFunction {
  readonly name: string;
  /** The published version that the stack's alias points to. */
  readonly version: string;
  readonly keepVersions: number;
}

export interface RetentionProperties {
  readonly functions: readonly RetainedFunction[];
  /** ARNs without a version, of layers that only these functions use. */
  readonly layerArns: readonly string[];
}

/** @throws Error that names the property which is not what the construct writes */
export function readProperties(properties: Readonly<Record<string, unknown>>): RetentionProperties {
  return {
    functions: list(properties.Functions, 'Functions').map(readFunction),
    layerArns: list(properties.LayerArns, 'LayerArns').map((arn) => text(arn, 'LayerArns')),
  };
}

function readFunction(value: unknown): RetainedFunction {
  const { FunctionName, Version, KeepVersions } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const keepVersions = Number(KeepVersions);
  if (!Number.isInteger(keepVersions) || keepVersions < 1) throw new Error(`KeepVersions is ${String(KeepVersions)}`);
  return { name: text(FunctionName, 'FunctionName'), version: text(Version, 'Version'), keepVersions };
}

function list(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new Error(`${name} is no list`);
}

function text(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new Error(`${name} is ${value === undefined ? 'absent' : JSON.stringify(value)}`);
}
