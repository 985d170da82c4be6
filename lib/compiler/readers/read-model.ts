/** Any model in, the IR out: the one table of source formats, for files, folders, and archives of either. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CdkOnnxError, ModelFormatError } from '../../errors.js';
import { unpackArchive } from '../formats/archive/unpack.js';
import { notAFile } from '../formats/file.js';
import type { Model } from '../ir/model.js';
import { kerasHdf5Reader, kerasReader } from './keras.js';
import { type LocatedModel, locateModel } from './locate-model.js';
import { onnxReader } from './onnx.js';
import type { Reader, ReadOptions } from './reader.js';
import { ReaderError } from './reader-error.js';
import { refusedFormats } from './refused-formats.js';
import { type ModelSource, openSource } from './source.js';
import { frozenGraphReader, savedModelReader } from './tensorflow.js';
import { tfjsGraphReader, tfjsLayersReader } from './tfjs.js';
import { tfliteReader } from './tflite.js';

/** The first that matches reads, and what it reads with is loaded then. */
export const readers: readonly Reader[] = [
  onnxReader,
  kerasReader,
  kerasHdf5Reader,
  tfliteReader,
  tfjsLayersReader,
  tfjsGraphReader,
  savedModelReader,
  frozenGraphReader,
];

export interface OpenModelOptions extends ReadOptions {
  /** Stops the unpacking of an archive. */
  readonly signal?: AbortSignal;
}

/** To be disposed of when neither the model nor anything made of it is needed: weights may be read as late as when they are written. */
export interface OpenedModel extends AsyncDisposable {
  readonly model: Model;
  readonly reader: Reader;
  /** What was read: the source itself, the one model in a folder, or what an archive was unpacked to. */
  readonly path: string;
  /** Whether `path` goes when it is disposed of. */
  readonly isUnpacked: boolean;
}

/** Folders that an archive is packed from may lie in one another. */
const ARCHIVE_DEPTH = 8;

/**
 * @param path a model file; a folder that is a model, or holds one; an archive (.zip, .tar, .tar.gz) of either
 * @throws ModelFormatError MODEL_NOT_FOUND, MODEL_NOT_READABLE, MODEL_NOT_A_FILE, MODEL_EMPTY, MODEL_AMBIGUOUS, MODEL_FORMAT_UNSUPPORTED
 * (a format that is known by name), MODEL_FORMAT_UNKNOWN, ARCHIVE_…, and what the reader throws; ReaderError SIGNATURE_UNKNOWN where the format
 * has no signatures
 */
export async function openModel(path: string, options: OpenModelOptions = {}): Promise<OpenedModel> {
  const source = await openSource(path);
  const reader = readerOf(source);
  if (reader !== undefined) return await opened({ source, reader }, options);
  refuseKnown(source);
  if (source.kind === 'folder') {
    const located = await locateModel(path, { depth: 0, readerOf });
    if (located === undefined) throw without(source, 'this is a folder', source.entries);
    return await opened(located, options);
  }
  if (source.archive !== undefined) return await openArchive(source, options);
  throw unknown(source);
}

/**
 * The model of a file or a folder that stays where it is. Archives want `openModel`, whose caller says when what was unpacked may go.
 * @throws ModelFormatError as `openModel`
 */
export async function readModel(path: string): Promise<Model> {
  const opened = await openModel(path);
  if (!opened.isUnpacked) return opened.model;
  await opened[Symbol.asyncDispose]();
  throw new TypeError(`${path} is an archive`);
}

function readerOf(source: ModelSource): Reader | undefined {
  return readers.find((candidate) => candidate.match(source));
}

async function opened(
  { source: { path }, reader }: LocatedModel,
  { signature }: ReadOptions,
  remove?: () => Promise<void>,
): Promise<OpenedModel> {
  if (signature !== undefined && reader.hasSignatures !== true) {
    throw new ReaderError({
      code: 'SIGNATURE_UNKNOWN',
      message: `${path} has no signature '${signature}': it is ${reader.name}, which has none.`,
      advice: 'Leave the signature out.',
    });
  }
  const model = await reader.read(path, { signature });
  return { model, reader, path, isUnpacked: remove !== undefined, [Symbol.asyncDispose]: async () => remove?.() };
}

async function openArchive(source: ModelSource, options: OpenModelOptions): Promise<OpenedModel> {
  const folder = await mkdtemp(join(tmpdir(), 'cdk-onnx-source-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    await unpackArchive(source.path, source.archive ?? 'zip', folder, options);
    const located = await locateModel(folder, { depth: ARCHIVE_DEPTH, readerOf });
    if (located === undefined) throw without(source, `this is a ${source.archive} archive`, await readdir(folder));
    return await opened(located, options, remove);
  } catch (error) {
    await remove();
    // People know the archive, not where it was unpacked.
    if (error instanceof CdkOnnxError) error.message = error.message.replaceAll(folder, source.path);
    throw error;
  }
}

function supported(): string {
  return `Supported: ${readers.map(({ name }) => name).join(', ')}.`;
}

function refuseKnown(source: ModelSource): void {
  const refused = refusedFormats.find((format) => format.matches(source));
  if (refused === undefined) return;
  throw new ModelFormatError({
    code: 'MODEL_FORMAT_UNSUPPORTED',
    message: `${source.path}: ${refused.refusal}.`,
    advice: `${refused.advice} ${supported()}`,
  });
}

function without(source: ModelSource, what: string, entries: readonly string[]): ModelFormatError {
  const names = entries.slice(0, 5).map((name) => name.slice(0, 100));
  const listed =
    names.length === 0 ? '' : ` (it holds ${names.join(', ')}${entries.length > names.length ? ', …' : ''})`;
  return new ModelFormatError({
    code: 'MODEL_FORMAT_UNSUPPORTED',
    message: `${source.path}: ${what} without a model that is known here${listed}.`,
    advice: `Name the model file itself. ${supported()}`,
  });
}

function unknown({ path, kind, head }: ModelSource): ModelFormatError {
  if (kind === 'special') return notAFile(path);
  if (head.length === 0) {
    return new ModelFormatError({
      code: 'MODEL_EMPTY',
      message: `${path} is empty.`,
      advice: 'Download or export the model again.',
    });
  }
  const start = Buffer.from(head.subarray(0, 16)).toString('hex').replace(/../g, '$& ').trim();
  return new ModelFormatError({
    code: 'MODEL_FORMAT_UNKNOWN',
    message: `${path} is no model file that is known here: it starts with the bytes ${start}.`,
    advice: `Check that it is the model and not damaged. ${supported()}`,
  });
}
