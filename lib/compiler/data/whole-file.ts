/** Formats of which a file is one sample, read whole: pictures, sounds, texts. */
import { open } from 'node:fs/promises';
import { sha256OfFile } from '../../artifact/digest.js';
import { inFile, tooLarge } from './data-error.js';
import type { Label } from './data-set.js';
import type { SampleContent, SampleFile } from './sample-file.js';
import type { DataPath } from './walk-folder.js';

export interface WholeFileOptions {
  readonly group: string | undefined;
  readonly label: Label | undefined;
  readonly maxFileBytes: number;
  decode(bytes: Uint8Array): Promise<SampleContent>;
}

export async function wholeFile(
  data: DataPath,
  { group, label, maxFileBytes, decode }: WholeFileOptions,
): Promise<SampleFile> {
  const { path, file } = data;
  return {
    path,
    group,
    count: undefined,
    digest: await digestOf(data),
    open: async () => ({
      async read() {
        try {
          const content = await decode(await readAtMost(file, path, maxFileBytes));
          return label === undefined ? content : { ...content, label };
        } catch (error) {
          throw inFile(path, error);
        }
      },
      label: async () => label,
      close: async () => undefined,
    }),
  };
}

export async function digestOf({ path, file }: DataPath): Promise<string> {
  try {
    return await sha256OfFile(file);
  } catch (error) {
    throw inFile(path, error);
  }
}

/** @throws ConfigurationError DATA_TOO_LARGE before any of it is read */
export async function readAtMost(file: string, where: string, limit: number): Promise<Uint8Array> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    if (size > limit) throw tooLarge(where, size, limit);
    const bytes = new Uint8Array(size);
    let filled = 0;
    while (filled < size) {
      const { bytesRead } = await handle.read(bytes, filled, size - filled, filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  } finally {
    await handle.close();
  }
}
