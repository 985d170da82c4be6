/** Files that a task names, into the artifact. */
import { copyFile, lstat, mkdir, realpath } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { ASSETS_FOLDER, type Task } from '../../artifact/manifest.js';
import { ConfigurationError } from '../../errors.js';

/** A tokenizer of a million entries has a third of it. */
const MAX_BYTES = 128 * 2 ** 20;

/** @throws ConfigurationError TASK_ASSET_NOT_FOUND, TASK_ASSET_TOO_LARGE */
export async function copyTaskAssets(task: Task, modelDirectory: string, artifact: string): Promise<void> {
  for (const file of assetsOf(task)) {
    const source = join(modelDirectory, file);
    const stats = await lstat(source).catch(() => undefined);
    // A link would let a model folder that somebody was given carry off other files.
    if (stats?.isFile() !== true || !(await isInside(source, modelDirectory))) {
      throw new ConfigurationError({
        code: 'TASK_ASSET_NOT_FOUND',
        message: `The task names ${file}, which is no file of ${modelDirectory}.`,
        advice: 'Put the file itself into the folder of model.json.',
      });
    }
    if (stats.size > MAX_BYTES) {
      throw new ConfigurationError({
        code: 'TASK_ASSET_TOO_LARGE',
        message: `${source} has ${stats.size} bytes; at most ${MAX_BYTES} are carried.`,
        advice: 'Check that the task names the right file.',
      });
    }
    const target = join(artifact, ASSETS_FOLDER, file);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(source, target);
  }
}

async function isInside(file: string, folder: string): Promise<boolean> {
  const path = relative(await realpath(folder), await realpath(file));
  return path !== '' && path !== '..' && !path.startsWith(`..${sep}`);
}

function assetsOf(task: Task): readonly string[] {
  return task.type === 'text-classification' && task.text.tokenizer.type === 'tokenizer-json'
    ? [task.text.tokenizer.file]
    : [];
}
