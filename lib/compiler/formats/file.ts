/** Files read whole, after a look at what they are. */
import { open } from 'node:fs/promises';
import { ModelFormatError } from '../../errors.js';

/**
 * The bytes of a regular file, in memory of their own.
 * @throws ModelFormatError MODEL_NOT_FOUND, MODEL_NOT_READABLE, MODEL_NOT_A_FILE, MODEL_TOO_LARGE (before any of it is read)
 */
export async function readWholeFile(path: string, maximumBytes: number): Promise<Uint8Array> {
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw notAFile(path);
    if (stats.size > maximumBytes) {
      throw new ModelFormatError({
        code: 'MODEL_TOO_LARGE',
        message: `${path} has ${stats.size} bytes; at most ${maximumBytes} can be read.`,
        advice: 'Store the weights of the model as external data, in a file of their own.',
      });
    }
    const bytes = new Uint8Array(stats.size);
    let filled = 0;
    while (filled < bytes.byteLength) {
      const { bytesRead } = await handle.read(bytes, filled, Math.min(bytes.byteLength - filled, 2 ** 30), filled);
      if (bytesRead === 0) return bytes.subarray(0, filled);
      filled += bytesRead;
    }
    return bytes;
  } catch (error) {
    throw error instanceof ModelFormatError ? error : unreadable(path, error);
  } finally {
    await handle.close();
  }
}

export function notAFile(path: string): ModelFormatError {
  return new ModelFormatError({
    code: 'MODEL_NOT_A_FILE',
    message: `${path} is not a regular file.`,
    advice: 'Name the model file itself.',
  });
}

export function unreadable(path: string, cause: unknown): ModelFormatError {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : '';
  const missing = code === 'ENOENT' || code === 'ENOTDIR';
  return new ModelFormatError({
    code: missing ? 'MODEL_NOT_FOUND' : 'MODEL_NOT_READABLE',
    message: missing ? `There is no file ${path}.` : `${path} cannot be read (${code || String(cause)}).`,
    advice: missing ? 'Check the path; it is taken relative to the current folder.' : 'Check its permissions.',
    cause,
  });
}
