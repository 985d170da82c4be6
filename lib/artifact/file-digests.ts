import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';

const CHUNK_BYTES = 4 * 1024 * 1024;
const CACHE_SCHEMA_VERSION = 1;
const MAX_REMEMBERED_ANSWERS = 5_000;
/** A file that changed less than this ago may change again within the same tick of the file system's clock. */
const SETTLED_AFTER_MS = 100;

interface Remembered {
  /** Size, modification and change time in ns, inode: what changes when the content does. */
  readonly stamp: string;
  readonly answer: string;
}

export interface FileDigestsOptions {
  /** Where answers are remembered. Default: `digests.json` in `$XDG_CACHE_HOME/cdk-onnx` or `~/.cache/cdk-onnx`. */
  readonly cacheFile?: string;
}

/**
 * sha256 of files, remembered between processes by path, size and times. Hashing 130 MB takes most of a second, so an unchanged
 * model must not be read again on every synth. A cache that cannot be read or written only costs time.
 */
export class FileDigests {
  private readonly cacheFile: string | undefined;
  private remembered: Map<string, Remembered> | undefined;
  private changed = false;
  /** How many times a file was read because nothing was remembered of it. */
  filesRead = 0;

  constructor(options: FileDigestsOptions = {}) {
    this.cacheFile = options.cacheFile ?? defaultCacheFile();
  }

  /** Lower-case hexadecimal sha256 of a file's content. */
  sha256(path: string): string {
    return this.recall(path, 'sha256', (file) => {
      const hash = createHash('sha256');
      readChunks(file, 0, (chunk) => hash.update(chunk));
      return hash.digest('hex');
    });
  }

  /** Those of `names` that occur anywhere in a file's bytes as UTF-8: a model names its external data in clear text. */
  mentions(path: string, names: readonly string[]): string[] {
    if (names.length === 0) return [];
    const question = `mentions:${createHash('sha256').update(JSON.stringify(names)).digest('hex')}`;
    const found = this.recall(path, question, (file) => {
      const missing = new Set(names);
      const longest = Math.max(...names.map((name) => Buffer.byteLength(name)));
      readChunks(file, longest, (chunk) => {
        for (const name of missing) if (chunk.includes(name)) missing.delete(name);
      });
      return JSON.stringify(names.filter((name) => !missing.has(name)));
    });
    return JSON.parse(found) as string[];
  }

  private recall(path: string, question: string, answer: (file: string) => string): string {
    const file = resolve(path);
    const key = `${question} ${file}`;
    const stats = statSync(file, { bigint: true });
    const stamp = stampOf(stats);
    const known = this.load().get(key);
    if (known?.stamp === stamp) return known.answer;

    const found = answer(file);
    this.filesRead += 1;
    const unchanged = stampOf(statSync(file, { bigint: true })) === stamp;
    if (unchanged && Date.now() - Number(stats.ctimeMs) > SETTLED_AFTER_MS) {
      this.load().set(key, { stamp, answer: found });
      this.changed = true;
    }
    return found;
  }

  /** Writes what was learnt. Never throws. */
  save(): void {
    if (!this.changed || this.remembered === undefined || this.cacheFile === undefined) return;
    this.changed = false;
    const temporary = `${this.cacheFile}.${process.pid}.tmp`;
    try {
      const folder = dirname(this.cacheFile);
      // Not recursive: a home folder that does not exist is not ours to create, and below /proc Node.js would try for ever.
      makeFolder(dirname(folder));
      makeFolder(folder);
      const answers = Object.fromEntries([...this.remembered].slice(-MAX_REMEMBERED_ANSWERS));
      writeFileSync(temporary, JSON.stringify({ schemaVersion: CACHE_SCHEMA_VERSION, answers }), { mode: 0o600 });
      renameSync(temporary, this.cacheFile);
    } catch {
      // A read-only or full home folder: the next synth hashes again.
      removeQuietly(temporary);
    }
  }

  private load(): Map<string, Remembered> {
    this.remembered ??= this.cacheFile === undefined ? new Map() : readCache(this.cacheFile);
    return this.remembered;
  }
}

/** `$XDG_CACHE_HOME/cdk-onnx`, or `~/.cache/cdk-onnx`. */
export function userCacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const base = environment.XDG_CACHE_HOME;
  // The XDG specification: a relative path is invalid and to be ignored.
  return join(base !== undefined && isAbsolute(base) ? base : join(homedir(), '.cache'), 'cdk-onnx');
}

function stampOf(stats: BigIntStats): string {
  return `${stats.size}-${stats.mtimeNs}-${stats.ctimeNs}-${stats.ino}`;
}

/** Calls `take` with a file's bytes in order; each chunk but the first begins with the last `overlap` bytes of the one before. */
function readChunks(file: string, overlap: number, take: (chunk: Buffer) => void): void {
  const descriptor = openSync(file, 'r');
  try {
    const buffer = Buffer.allocUnsafe(overlap + CHUNK_BYTES);
    let kept = 0;
    for (;;) {
      const bytes = readSync(descriptor, buffer, kept, CHUNK_BYTES, null);
      if (bytes === 0) return;
      const end = kept + bytes;
      take(buffer.subarray(0, end));
      kept = Math.min(overlap, end);
      buffer.copyWithin(0, end - kept, end);
    }
  } finally {
    closeSync(descriptor);
  }
}

function defaultCacheFile(): string | undefined {
  try {
    return join(userCacheFolder(), 'digests.json');
  } catch {
    // An account without a home folder: nothing is remembered.
    return undefined;
  }
}

function makeFolder(folder: string): void {
  if (!existsSync(folder)) mkdirSync(folder);
}

function removeQuietly(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // Nothing was written there.
  }
}

function readCache(cacheFile: string): Map<string, Remembered> {
  const remembered = new Map<string, Remembered>();
  try {
    const parsed: unknown = JSON.parse(readFileSync(cacheFile, 'utf8'));
    if (!isRecord(parsed) || parsed.schemaVersion !== CACHE_SCHEMA_VERSION || !isRecord(parsed.answers))
      return remembered;
    for (const [key, entry] of Object.entries(parsed.answers)) {
      if (isRecord(entry) && typeof entry.stamp === 'string' && typeof entry.answer === 'string') {
        remembered.set(key, { stamp: entry.stamp, answer: entry.answer });
      }
    }
  } catch {
    // Absent or damaged: start afresh.
  }
  return remembered;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
