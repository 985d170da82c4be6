/** `.keras` archives with another config: the same weights, one of the outputs, and edits. */
import { readFileSync } from 'node:fs';
import { strFromU8, strToU8, unzipSync, zipSync } from 'fflate';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface KerasArchive {
  readonly config: Json;
  /** The archive with another config. */
  readonly with: (config: Json) => Uint8Array;
}

export function openKerasArchive(path: string): KerasArchive {
  const files = unzipSync(readFileSync(path));
  const config = files['config.json'];
  if (config === undefined) throw new Error(`${path} holds no config`);
  return {
    config: JSON.parse(strFromU8(config)) as Json,
    with: (edited) => zipSync({ ...files, 'config.json': strToU8(JSON.stringify(edited)) }, { level: 0 }),
  };
}

/** The model's config with one of its outputs: layers that this one does not need are not lowered. */
export function withOneOutput(config: Json, output: string): Json {
  const edited = structuredClone(config) as { config: { output_layers: { [name: string]: Json } } };
  const reference = edited.config.output_layers[output];
  if (reference === undefined) throw new Error(`there is no output ${output}`);
  edited.config.output_layers = { [output]: reference };
  return edited as unknown as Json;
}

export function outputNames(config: Json): string[] {
  return Object.keys((config as { config: { output_layers: object } }).config.output_layers);
}

/** Every value in `json` that can be replaced, with its path. */
export function* places(json: Json, path: readonly (string | number)[] = []): Generator<readonly (string | number)[]> {
  if (path.length > 0) yield path;
  if (typeof json !== 'object' || json === null) return;
  for (const [key, value] of Array.isArray(json) ? json.entries() : Object.entries(json))
    yield* places(value, [...path, key]);
}

/** A copy with another value at a place; undefined takes it out. */
export function replaced(json: Json, path: readonly (string | number)[], value: Json | undefined): Json {
  const copy = structuredClone(json);
  let at = copy as { [key: string | number]: Json };
  for (const key of path.slice(0, -1)) at = at[key] as typeof at;
  const last = path.at(-1) as string | number;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}

/** The model of one output, whose layer has other settings. */
export function withSettings(config: Json, output: string, settings: { readonly [name: string]: Json }): Json {
  const edited = withOneOutput(config, output) as unknown as {
    config: { layers: { name: string; config: { [name: string]: Json } }[]; output_layers: { [name: string]: Json[] } };
  };
  const name = edited.config.output_layers[output]?.[0];
  const layer = edited.config.layers.find((each) => each.name === name);
  if (layer === undefined) throw new Error(`there is no layer ${String(name)}`);
  Object.assign(layer.config, settings);
  return edited as unknown as Json;
}
