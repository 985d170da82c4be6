/** What was judged once of a model that a peer made is judged the same again, until the peer, the data or our metrics change. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileDigests } from '../../lib/artifact/file-digests.js';
import { folderDigest } from '../../lib/artifact/folder-digest.js';
import type { Verdict } from './judge.js';

const lib = join(import.meta.dirname, '../../lib');
/** What a verdict depends on beside the model, whose file is kept by all that it is made of. */
const JUDGES = ['compiler/metrics', 'compiler/data', 'compiler/runtime', 'tasks'];

/** @param metric the task metric's name */
export async function keptVerdict(path: string, metric: string, judge: () => Promise<Verdict>): Promise<Verdict> {
  const digests = JUDGES.map((folder) => folderDigest(join(lib, folder), new FileDigests()));
  const key = createHash('sha256')
    .update([metric, ...digests].join('\n'))
    .digest('hex')
    .slice(0, 12);
  const file = `${path}.${key}.json`;
  if (existsSync(file)) {
    const { groups, ...rest } = JSON.parse(readFileSync(file, 'utf8'));
    return { ...rest, groups: new Map(groups) };
  }
  const verdict = await judge();
  writeFileSync(file, JSON.stringify({ ...verdict, groups: [...verdict.groups] }));
  return verdict;
}
