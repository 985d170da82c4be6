/** The one model in a folder that is not a model itself: beside a README, or below the folder that an archive was packed from. */
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ModelFormatError } from '../../errors.js';
import { isIgnored } from '../formats/archive/archive-entry.js';
import type { Reader } from './reader.js';
import { type ModelSource, openSource } from './source.js';

export interface LocatedModel {
  readonly source: ModelSource;
  readonly reader: Reader;
}

export interface LocateOptions {
  /** How many levels of folders below the first are looked into. */
  readonly depth: number;
  readonly readerOf: (source: ModelSource) => Reader | undefined;
}

/** A folder with more files at one level is no place to look for a model in. */
const MAX_CANDIDATES = 1000;

/**
 * The folder itself, else what is in it, level by level: the first one with a model decides.
 * @returns undefined where none of the levels has one
 * @throws ModelFormatError MODEL_AMBIGUOUS for several on one level
 */
export async function locateModel(
  folder: string,
  { depth, readerOf }: LocateOptions,
): Promise<LocatedModel | undefined> {
  const whole = await openSource(folder);
  const wholeReader = readerOf(whole);
  if (wholeReader !== undefined) return { source: whole, reader: wholeReader };
  let folders = [folder];
  for (let level = 0; level <= depth; level++) {
    const found: LocatedModel[] = [];
    const next: string[] = [];
    for (const path of await pathsIn(folders)) {
      // A link to nowhere is no model.
      const source = await openSource(path).catch(() => undefined);
      if (source === undefined) continue;
      const reader = readerOf(source);
      if (reader !== undefined) found.push({ source, reader });
      else if (source.kind === 'folder') next.push(path);
    }
    const [only] = found;
    if (found.length > 1) throw ambiguous(folder, found);
    if (only !== undefined) return only;
    folders = next;
  }
  return undefined;
}

async function pathsIn(folders: readonly string[]): Promise<string[]> {
  const paths: string[] = [];
  for (const folder of folders) {
    for (const name of await readdir(folder)) if (!isIgnored(name)) paths.push(join(folder, name));
  }
  return paths.sort().slice(0, MAX_CANDIDATES);
}

function ambiguous(folder: string, found: readonly LocatedModel[]): ModelFormatError {
  const names = found.slice(0, 5).map(({ source, reader }) => `${relative(folder, source.path)} (${reader.name})`);
  return new ModelFormatError({
    code: 'MODEL_AMBIGUOUS',
    message: `${folder} holds ${found.length} models: ${names.join(', ')}${found.length > names.length ? ', …' : ''}.`,
    advice: 'Name the one that is meant; of an archive, unpack it first.',
  });
}
