/** The two files of a lock, in a model's folder. */
import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256, sha256OfFile } from '../../artifact/digest.js';
import { LOCK_FILE, LOCK_WEIGHTS_FILE, type Lock, type LockDigests } from '../../artifact/lock.js';
import { lockText } from '../../artifact/lock-text.js';
import { parseLock } from '../../artifact/schema.js';
import { ConfigurationError } from '../../errors.js';
import { encodeSafetensors, type SafetensorsTensor } from '../formats/safetensors.js';

/** Ten thousand nodes with a scale per channel stay far below it. */
const MAX_LOCK_BYTES = 64_000_000;

/**
 * The lock of a model's folder; undefined where there is none.
 * @throws ConfigurationError LOCK_INVALID, LOCK_VERSION
 */
export async function readLock(directory: string): Promise<Lock | undefined> {
  const path = join(directory, LOCK_FILE);
  const size = (await stat(path).catch(() => undefined))?.size;
  if (size === undefined) return undefined;
  if (size > MAX_LOCK_BYTES) throw invalid(`${path} has ${size} bytes, at most ${MAX_LOCK_BYTES} are read`);
  const lock = parseLock(await readFile(path, 'utf8'), path);
  const { weights } = lock.digests;
  if (weights !== undefined) {
    const file = join(directory, LOCK_WEIGHTS_FILE);
    const found = await sha256OfFile(file).catch(() => undefined);
    if (found === undefined) throw invalid(`${path} needs ${LOCK_WEIGHTS_FILE} beside it, which cannot be read`);
    if (found !== weights) throw invalid(`${file} is not the one that ${LOCK_FILE} was written with`);
  }
  return lock;
}

/** A lock without the digest of its weights, which follows from them. */
export type UnwrittenLock = Omit<Lock, 'digests'> & { readonly digests: Omit<LockDigests, 'weights'> };

/**
 * Writes both files under other names first, so that an interrupted run leaves the old ones or the new ones. (Between the two renames
 * stands a moment that the digest of the weights tells.) Without tensors there is no weights file.
 * @throws ConfigurationError LOCK_INVALID, before anything is written
 */
export async function writeLock(
  directory: string,
  lock: UnwrittenLock,
  tensors: ReadonlyMap<string, SafetensorsTensor>,
): Promise<Lock> {
  const weights = tensors.size === 0 ? undefined : encodeSafetensors(tensors, { format: 'cdk-onnx-lock' });
  const { data, ...digests } = lock.digests;
  const complete: Lock = {
    ...lock,
    digests: { ...digests, ...(weights === undefined ? {} : { weights: sha256(weights) }), data },
  };
  const path = join(directory, LOCK_FILE);
  const text = lockText(complete);
  // What a build would not read must not take the place of what it does.
  parseLock(text, path);
  const weightsPath = join(directory, LOCK_WEIGHTS_FILE);
  const suffix = `${process.pid}-${randomBytes(6).toString('hex')}.tmp`;
  const temporary = [`${path}.${suffix}`, `${weightsPath}.${suffix}`] as const;
  try {
    await writeFile(temporary[0], text, { flag: 'wx' });
    if (weights !== undefined) await writeFile(temporary[1], weights, { flag: 'wx' });
    if (weights !== undefined) await rename(temporary[1], weightsPath);
    await rename(temporary[0], path);
    if (weights === undefined) await rm(weightsPath, { force: true });
  } finally {
    for (const file of temporary) await rm(file, { force: true });
  }
  return complete;
}

function invalid(message: string): ConfigurationError {
  return new ConfigurationError({
    code: 'LOCK_INVALID',
    message: `${message}.`,
    advice: 'Restore both files from the same commit, or make them again with `cdk-onnx optimize`.',
  });
}
