/** What a lock was made of, as digests that are the same on every machine. */
import { createHash } from 'node:crypto';
import { canonicalJson, type Json, sha256 } from '../../artifact/digest.js';
import { INPUT_PROFILE_FILE } from '../../artifact/input-profile.js';
import type { LockDigests } from '../../artifact/lock.js';
import type { ArtifactFile } from '../../artifact/manifest.js';
import type { ModelConfiguration } from '../../artifact/schema.js';
import { sourceDigest } from '../../artifact/source-content.js';
import type { Model } from '../ir/model.js';
import { printModel } from '../ir/print.js';
import { weightsOf } from '../ir/summary.js';
import type { PreparedModel } from './prepare.js';

const CHUNK_BYTES = 8 * 2 ** 20;

export type InputDigests = Pick<LockDigests, 'source' | 'normalizedGraph' | 'modelJson'>;

export async function inputDigests({ source, configuration, model }: PreparedModel): Promise<InputDigests> {
  return {
    source: await sourceDigest(source),
    normalizedGraph: graphDigest(model),
    modelJson: modelJsonDigest(configuration),
  };
}

/** Of the printed form, which shortens what is long, and of every weight in full. */
export function graphDigest(model: Model): string {
  const hash = createHash('sha256').update(printModel(model));
  for (const { name, tensor } of weightsOf(model)) {
    hash.update(`${JSON.stringify(name)} ${tensor.elementType} ${tensor.dims.join()}\n`);
    if (tensor.storage.kind === 'strings') {
      for (const string of tensor.storage.strings) hash.update(`${string.byteLength}:`).update(string);
    } else for (const chunk of tensor.chunks(CHUNK_BYTES)) hash.update(chunk);
  }
  return hash.digest('hex');
}

/** Of the keys that decide a recipe: a new name or version changes none. */
export function modelJsonDigest(configuration: ModelConfiguration): string {
  const { inputs, signature, task, optimize, session, stripNames } = configuration;
  return sha256(canonicalJson({ inputs, signature, task, optimize, session, stripNames } as unknown as Json));
}

/** Of an artifact's files: the model itself, whatever its manifest says around it, and whatever is told of its inputs. */
export function filesDigest(files: readonly ArtifactFile[]): string {
  const model = files.filter(({ path }) => path !== INPUT_PROFILE_FILE);
  return sha256(canonicalJson(model as unknown as Json));
}
