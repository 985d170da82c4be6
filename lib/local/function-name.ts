/** Which function a call of Lambda's API means: a name, a partial ARN or an ARN, each with or without a qualifier. */
import { LOCAL_ACCOUNT } from './intrinsics.js';
import type { LocalFunction } from './local-stack.js';

export interface NamedFunction {
  readonly function: LocalFunction;
  /** `$LATEST`, an alias or a version; undefined where the call names none. */
  readonly qualifier: string | undefined;
  /** What runs: `$LATEST`, or the version that the qualifier stands for. */
  readonly version: string;
}

export type FunctionLookup =
  | ({ readonly kind: 'found' } & NamedFunction)
  | { readonly kind: 'unknown'; readonly arn: string }
  | { readonly kind: 'ambiguous'; readonly ids: readonly string[] }
  | { readonly kind: 'qualifiers-differ' };

const LATEST = '$LATEST';
const NAME = /^(?:(?<prefix>arn:[^:]+:lambda:[^:]+:\d{12}|\d{12}):function:)?(?<name>[^:]+)(?::(?<qualifier>[^:]+))?$/;

/**
 * @param text as in the path of the call, decoded
 * @param queryQualifier of the query string; it must not contradict the one in the name
 */
export function findFunction(
  functions: readonly LocalFunction[],
  text: string,
  queryQualifier: string | undefined,
  region: string,
): FunctionLookup {
  const { prefix, name = text, qualifier: nameQualifier } = NAME.exec(text)?.groups ?? {};
  if (nameQualifier !== undefined && queryQualifier !== undefined && nameQualifier !== queryQualifier) {
    return { kind: 'qualifiers-differ' };
  }
  const qualifier = nameQualifier ?? queryQualifier;
  const account = `arn:aws:lambda:${region}:${LOCAL_ACCOUNT}`;
  const suffix = qualifier === undefined ? '' : `:${qualifier}`;
  const arn = `${prefix?.startsWith('arn:') ? prefix : account}:function:${name}${suffix}`;
  const isHere = prefix === undefined || prefix === account || prefix === LOCAL_ACCOUNT;
  const named = isHere ? functions.filter(({ names }) => names.includes(name)) : [];
  const [only] = named;
  if (only === undefined) return { kind: 'unknown', arn };
  // Logical ids are unique in a stack only, and here all stacks share one account.
  if (named.length > 1) return { kind: 'ambiguous', ids: named.map(({ id }) => id) };
  const version = qualifier === undefined || qualifier === LATEST ? LATEST : only.versions.get(qualifier);
  return version === undefined ? { kind: 'unknown', arn } : { kind: 'found', function: only, qualifier, version };
}
