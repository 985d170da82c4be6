/**
 * Archives into a folder. An archive is hostile input: nothing but regular files is written, none outside of the folder, none over another,
 * and no more bytes than an archive of its size can honestly hold. What it claims is checked before anything is written, and what comes
 * is counted while it is.
 */
import { createReadStream } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { ModelFormatError } from '../../../errors.js';
import { type ArchiveEntry, isIgnored, safeComponents } from './archive-entry.js';
import { archiveError } from './archive-error.js';
import { looksLikeTar, TAR_BLOCK, tarEntries } from './tar.js';
import { openZip } from './zip.js';

export type ArchiveKind = 'zip' | 'tar' | 'gzip';

export interface UnpackLimits {
  /** Files and folders. A model in a thousand shards has a thousand. */
  readonly maxEntries: number;
  /** Of all files together. Lambda takes models of 10 GiB at most. */
  readonly maxBytes: number;
  /** Unpacked bytes for one of the archive, beyond the first 64 MiB. Weights shrink by a tenth, pruned ones to a tenth; zeros a thousandfold. */
  readonly maxRatio: number;
}

export interface UnpackOptions {
  readonly limits?: Partial<UnpackLimits>;
  readonly signal?: AbortSignal;
}

const DEFAULT_LIMITS: UnpackLimits = { maxEntries: 10_000, maxBytes: 16 * 2 ** 30, maxRatio: 100 };
const ALWAYS_ALLOWED = 64 * 2 ** 20;

/**
 * A gzip file is unpacked once more if it holds a tar archive, and else taken for the one file in it.
 * @param folder an empty one, which the caller removes whatever happens
 * @throws ModelFormatError ARCHIVE_DAMAGED, ARCHIVE_UNSAFE, ARCHIVE_TOO_LARGE, ARCHIVE_VARIANT, ARCHIVE_SPACE
 */
export async function unpackArchive(
  path: string,
  kind: ArchiveKind,
  folder: string,
  { limits, signal }: UnpackOptions = {},
): Promise<void> {
  const bounds = { ...DEFAULT_LIMITS, ...limits };
  const { size } = await stat(path);
  const writer = new FolderWriter(
    folder,
    bounds,
    Math.min(bounds.maxBytes, ALWAYS_ALLOWED + size * bounds.maxRatio),
    signal,
  );
  try {
    if (kind === 'zip') await unpackZip(path, bounds, writer);
    else if (kind === 'tar') await writer.writeAll(tarEntries(createReadStream(path)));
    else await unpackGzip(path, writer);
  } catch (cause) {
    throw explained(cause);
  }
}

async function unpackZip(path: string, { maxEntries }: UnpackLimits, writer: FolderWriter): Promise<void> {
  await using archive = await openZip(path, maxEntries);
  // The directory tells all before the first byte is written.
  writer.check(archive.entries);
  await writer.writeAll(archive.entries);
}

async function unpackGzip(path: string, writer: FolderWriter): Promise<void> {
  const unpacked = gunzipped(path);
  const first: Uint8Array[] = [];
  let length = 0;
  while (length < TAR_BLOCK) {
    const next = await unpacked.next();
    if (next.done === true) break;
    first.push(next.value);
    length += next.value.byteLength;
  }
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield* first;
    yield* unpacked;
  }
  if (looksLikeTar(Buffer.concat(first))) {
    await writer.writeAll(tarEntries(whole()));
    return;
  }
  const name = basename(path).replace(/\.(gz|gzip)$/i, '');
  await writer.write({ name, kind: 'file', size: 0, content: whole });
}

async function* gunzipped(path: string): AsyncGenerator<Uint8Array> {
  const source = createReadStream(path);
  const gunzip = createGunzip();
  source.on('error', (error) => gunzip.destroy(error));
  try {
    yield* source.pipe(gunzip) as AsyncIterable<Uint8Array>;
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

/** Writes below one folder, and counts. */
class FolderWriter {
  readonly #folder: string;
  readonly #limits: UnpackLimits;
  readonly #maxBytes: number;
  readonly #signal: AbortSignal | undefined;
  #entries = 0;
  #bytes = 0;

  constructor(folder: string, limits: UnpackLimits, maxBytes: number, signal: AbortSignal | undefined) {
    this.#folder = folder;
    this.#limits = limits;
    this.#maxBytes = maxBytes;
    this.#signal = signal;
  }

  check(entries: readonly ArchiveEntry[]): void {
    const wanted = entries.filter(({ name }) => !isIgnored(name));
    for (const entry of wanted) componentsOf(entry);
    const claimed = wanted.reduce((sum, { size }) => sum + size, 0);
    if (claimed > this.#maxBytes) throw this.#tooLarge(claimed);
  }

  async writeAll(entries: Iterable<ArchiveEntry> | AsyncIterable<ArchiveEntry>): Promise<void> {
    for await (const entry of entries) await this.write(entry);
  }

  async write(entry: ArchiveEntry): Promise<void> {
    this.#signal?.throwIfAborted();
    this.#entries++;
    if (this.#entries > this.#limits.maxEntries) {
      throw archiveError('ARCHIVE_TOO_LARGE', `The archive holds more than ${this.#limits.maxEntries} files.`);
    }
    if (isIgnored(entry.name)) return;
    const components = componentsOf(entry);
    if (this.#bytes + entry.size > this.#maxBytes) throw this.#tooLarge(this.#bytes + entry.size);
    if (entry.kind === 'folder') {
      await mkdir(join(this.#folder, ...components), { recursive: true });
      return;
    }
    await mkdir(join(this.#folder, ...components.slice(0, -1)), { recursive: true });
    // Never over a file that is there: two entries of one name are no archive of a model.
    const file = await open(join(this.#folder, ...components), 'wx', 0o600);
    try {
      for await (const chunk of entry.content()) {
        this.#signal?.throwIfAborted();
        this.#bytes += chunk.byteLength;
        if (this.#bytes > this.#maxBytes) throw this.#tooLarge(this.#bytes);
        await file.writeFile(chunk);
      }
    } finally {
      await file.close();
    }
  }

  #tooLarge(bytes: number): ModelFormatError {
    return archiveError(
      'ARCHIVE_TOO_LARGE',
      `The archive unpacks to ${bytes} bytes or more; at most ${this.#maxBytes} are written for one of its size.`,
    );
  }
}

function componentsOf({ name, kind }: ArchiveEntry): readonly string[] {
  const components = safeComponents(name);
  if (kind === 'link' || kind === 'special') {
    throw archiveError(
      'ARCHIVE_UNSAFE',
      `The archive's entry ${JSON.stringify(name)} is a ${kind === 'link' ? 'link' : 'special file'}, not a file.`,
    );
  }
  if (components.length === 0 && kind === 'file')
    throw archiveError('ARCHIVE_UNSAFE', 'A file of the archive has no name.');
  return components;
}

/** Errors of the file system and of zlib, as of the archive. */
function explained(cause: unknown): unknown {
  if (cause instanceof ModelFormatError || !(cause instanceof Error)) return cause;
  const code = 'code' in cause ? String(cause.code) : '';
  if (code === 'EEXIST' || code === 'ENOTDIR' || code === 'EISDIR') {
    return archiveError('ARCHIVE_DAMAGED', 'Two entries of the archive have the same path.', cause);
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ModelFormatError({
      code: 'ARCHIVE_SPACE',
      message: 'The archive does not fit into the folder for temporary files.',
      advice: 'Make room there, or point the environment variable TMPDIR at a folder with more.',
      cause,
    });
  }
  if (code.startsWith('Z_'))
    return archiveError('ARCHIVE_DAMAGED', `The archive cannot be unpacked: ${cause.message}.`, cause);
  return cause;
}
