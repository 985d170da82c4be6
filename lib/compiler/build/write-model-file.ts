/** A model as a file for people, whole or not there at all. */
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Model } from '../ir/model.js';
import { writeModel } from '../ir/serialization/write.js';
import { weightsOf } from '../ir/summary.js';

/** Protobuf ends at 2 GiB; above this much the weights get a file of their own. */
const INLINE_BYTES = 1.9e9;

export interface WrittenFile<Result> {
  /** Absolute. */
  readonly path: string;
  /** Of the file and of its external data. */
  readonly bytes: number;
  readonly result: Result;
}

/**
 * Writes a model beside `target`, lets `check` look at it, and gives it its name if that is content; whatever happens, no other trace is left.
 * @param check gets the path of a file that sessions can open
 */
export async function writeModelFile<Result>(
  model: Model,
  target: string,
  check: (path: string) => Promise<Result>,
): Promise<WrittenFile<Result>> {
  const path = resolve(target);
  await mkdir(dirname(path), { recursive: true });
  const folder = await mkdtemp(join(dirname(path), `.${basename(path)}-`));
  try {
    const written = join(folder, basename(path));
    const dataFile = `${basename(path)}.data`;
    const weights = weightsOf(model).reduce((sum, { tensor }) => sum + tensor.byteLength, 0);
    const isLarge = weights > INLINE_BYTES;
    await writeModel(model, written, isLarge ? { externalData: { file: dataFile, minimumBytes: 1024 } } : {});
    const result = await check(written);
    const bytes = (await stat(written)).size + (isLarge ? (await stat(join(folder, dataFile))).size : 0);
    if (isLarge) await rename(join(folder, dataFile), join(dirname(path), dataFile));
    await rename(written, path);
    return { path, bytes, result };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
