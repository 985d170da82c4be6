/** Whether two data sets share samples, whatever they are called. */
import { createHash } from 'node:crypto';
import { dataError } from './data-error.js';
import type { DataSet, Feeds } from './data-set.js';
import { FileDataSet } from './file-data-set.js';

/**
 * Samples are the same where their files are the same byte by byte; samples that share a file, or come from memory, where their tensors are.
 * @param names of the two sets, for the error
 * @throws ConfigurationError DATA_NOT_DISJOINT naming pairs
 */
export async function checkDisjoint(one: DataSet, other: DataSet, names: readonly [string, string]): Promise<void> {
  const known = new Map<string, string>();
  for await (const [id, content] of contentsOf(one)) known.set(content, id);
  const pairs: string[] = [];
  let count = 0;
  for await (const [id, content] of contentsOf(other)) {
    const twin = known.get(content);
    if (twin === undefined) continue;
    count++;
    if (pairs.length < 5) pairs.push(twin === id ? id : `${twin} and ${id}`);
  }
  if (count === 0) return;
  throw dataError(
    'DATA_NOT_DISJOINT',
    `The data for ${names[0]} and for ${names[1]} share ${count} samples: ${pairs.join('; ')}${count > pairs.length ? '; …' : ''}.`,
    'What a model was tuned on says nothing about it: take each sample into one of the sets only.',
  );
}

async function* contentsOf(data: DataSet): AsyncGenerator<readonly [id: string, content: string]> {
  const decoded: string[] = [];
  for (const id of data.ids) {
    const digest = data instanceof FileDataSet ? data.fileDigest(id) : undefined;
    if (digest === undefined) decoded.push(id);
    else yield [id, digest];
  }
  if (decoded.length === 0) return;
  for await (const { id, steps } of data.read(decoded)) yield [id, tensorDigest(steps)];
}

function tensorDigest(steps: readonly Feeds[]): string {
  const hash = createHash('sha256');
  for (const step of steps) {
    for (const [name, { dataType, dims, data }] of Object.entries(step).sort(([a], [b]) => (a < b ? -1 : 1))) {
      hash.update(JSON.stringify([name, dataType, dims]));
      if ('byteLength' in data) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      else hash.update(JSON.stringify(data));
    }
  }
  return hash.digest('hex');
}
