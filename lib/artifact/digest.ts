/** Digests and the one way of writing JSON that a digest is taken of. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

/** Anything that JSON holds. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** sha256 of a file, read in pieces. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

/** JSON with sorted keys and no white space; keys whose value is undefined are left out. */
export function canonicalJson(value: Json): string {
  return JSON.stringify(sorted(value));
}

/** The same, indented for people; ends with a line break. */
export function readableJson(value: Json): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function sorted(value: Json): Json {
  if (value === null || typeof value !== 'object') return value;
  if (isList(value)) return value.map(sorted);
  const entries = Object.entries(value).filter(([, child]) => child !== undefined) as [string, Json][];
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, child]) => [key, sorted(child)]));
}

function isList(value: object): value is readonly Json[] {
  return Array.isArray(value);
}
