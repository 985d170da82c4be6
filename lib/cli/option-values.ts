/** Values of options, checked with the same words everywhere. */
import type { Architecture } from '../artifact/manifest.js';
import { ConfigurationError } from '../errors.js';

/** @throws ConfigurationError `USAGE` */
export function wholeNumber(
  name: string,
  value: unknown,
  bounds: { readonly min: number; readonly max: number },
): number {
  const number = Number(value);
  if (value !== '' && Number.isInteger(number) && number >= bounds.min && number <= bounds.max) return number;
  throw new ConfigurationError({
    code: 'USAGE',
    message: `${name} is '${String(value)}'.`,
    advice: `Give a whole number from ${bounds.min} to ${bounds.max}.`,
  });
}

/** @throws ConfigurationError `USAGE` */
export function oneOf<const T extends string>(name: string, value: unknown, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw new ConfigurationError({
    code: 'USAGE',
    message: `${name} is '${String(value)}'.`,
    advice: `Use ${choices.slice(0, -1).join(', ')}${choices.length > 1 ? ' or ' : ''}${choices.at(-1)}.`,
  });
}

export const ARCHITECTURES: readonly Architecture[] = ['arm64', 'x86_64'];

/** Those that are given: `{ signal }` of an undefined signal is no property at all. */
export function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
