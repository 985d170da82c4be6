/**
 * Weights in files beside the model. A model file is hostile input and these are the only other files that it can make us read, so a
 * location is relative, stays below the model's folder, and passes no symbolic link; a range lies inside a regular file.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  type Stats,
} from 'node:fs';
import { join, relative, sep } from 'node:path';
import { ModelFormatError } from '../../../errors.js';

export interface ExternalEntry {
  readonly key: string;
  readonly value: string;
}

export interface ExternalRange {
  /** Absolute, or relative to the current folder as the model's folder is. */
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

/** Makes a range of onnxruntime's own memory out of a tensor; only a hostile file has it. */
const MEMORY_ADDRESS = '*/_ORT_MEM_ADDR_/*';

const advice = 'The file is damaged or hostile. Export the model again, with its external data beside it.';

/** The external data of the models of one folder. */
export class ExternalDataFolder {
  readonly #folder: string;
  readonly #checked = new Map<string, { readonly file: string; readonly size: number }>();

  /** @param folder the model's; symbolic links on the way to it are the user's own and not looked at */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * The range that a tensor's `external_data` entries name. Nothing is read yet.
   * @param bytes what the tensor's shape and element type ask for, taken where the entries give no length
   * @param place what the tensor is, for messages
   * @throws ModelFormatError EXTERNAL_DATA_LOCATION, _ADDRESS, _ABSOLUTE, _TRAVERSAL, _DUPLICATE_KEY, _NUMBER, _MISSING, _SYMLINK,
   * _NOT_A_FILE, _RANGE, _LENGTH
   */
  resolve(entries: readonly ExternalEntry[], bytes: number, place: string): ExternalRange {
    const values = new Map<string, string>();
    for (const { key, value } of entries) {
      if (values.has(key) && (key === 'location' || key === 'offset' || key === 'length')) {
        throw refuse('EXTERNAL_DATA_DUPLICATE_KEY', `The external data of ${place} names '${key}' twice.`);
      }
      values.set(key, value);
    }
    const location = values.get('location');
    const offset = wholeNumber(values.get('offset'), 'offset', place) ?? 0;
    const length = wholeNumber(values.get('length'), 'length', place) ?? bytes;
    const components = checkedLocation(location, place);
    if (length !== bytes) {
      throw refuse(
        'EXTERNAL_DATA_LENGTH',
        `The external data of ${place} has ${length} bytes; its type and shape need ${bytes}.`,
      );
    }
    const { file, size } = this.#find(components, place);
    if (offset + length > size) {
      throw refuse(
        'EXTERNAL_DATA_RANGE',
        `The external data of ${place} ends at byte ${offset + length} of '${components.join('/')}', which has ${size}.`,
        'The data file is incomplete or belongs to another version of the model. Copy both again.',
      );
    }
    return { file, offset, length };
  }

  /**
   * The whole of a file.
   * @throws ModelFormatError as `resolve`
   */
  whole(location: string, place: string): ExternalRange {
    const { file, size } = this.#find(checkedLocation(location, place), place);
    return { file, offset: 0, length: size };
  }

  /**
   * Reads a range that `resolve` gave, or a part of one, checking the way to the file again.
   * @throws ModelFormatError EXTERNAL_DATA_MISSING, _SYMLINK, _NOT_A_FILE, _RANGE, _MEMORY
   */
  readonly load = (range: ExternalRange): Uint8Array => {
    const components = relative(this.#folder, range.file).split(sep);
    const place = `'${components.join('/')}'`;
    const { stats } = this.#walk(components, place);
    const descriptor = openFile(range.file, place);
    try {
      const expected = join(realpathSync(this.#folder), ...components);
      if (!isSameFile(descriptor, range.file, expected, stats)) {
        throw refuse('EXTERNAL_DATA_SYMLINK', `${place} was replaced while it was being read.`);
      }
      const { size } = fstatSync(descriptor);
      if (range.offset + range.length > size) {
        throw refuse(
          'EXTERNAL_DATA_RANGE',
          `${place} has ${size} bytes and should have ${range.offset + range.length}.`,
        );
      }
      return readRange(descriptor, range, place);
    } finally {
      closeSync(descriptor);
    }
  };

  #find(components: readonly string[], place: string): { readonly file: string; readonly size: number } {
    const key = components.join('/');
    const known = this.#checked.get(key);
    if (known !== undefined) return known;
    const { file, stats } = this.#walk(components, place);
    const found = { file, size: stats.size };
    this.#checked.set(key, found);
    return found;
  }

  /** Looks at every step from the folder to the file. */
  #walk(components: readonly string[], place: string): { readonly file: string; readonly stats: Stats } {
    let path = this.#folder;
    for (const [index, component] of components.entries()) {
      path = join(path, component);
      const stats = lookAt(path, place);
      const last = index === components.length - 1;
      if (stats === undefined) {
        throw refuse(
          'EXTERNAL_DATA_MISSING',
          `The external data of ${place} should be in '${components.join('/')}', which is not beside the model.`,
          `Copy the file to ${join(this.#folder, ...components)}.`,
        );
      }
      if (stats.isSymbolicLink()) {
        throw refuse(
          'EXTERNAL_DATA_SYMLINK',
          `The external data of ${place} is behind the symbolic link ${path}.`,
          'Model caches link their files: copy the model with its data into a folder of its own (cp -rL).',
        );
      }
      if (last ? !stats.isFile() : !stats.isDirectory()) {
        throw refuse(
          'EXTERNAL_DATA_NOT_A_FILE',
          `The external data of ${place} leads to ${path}, which is not a ${last ? 'regular file' : 'folder'}.`,
        );
      }
      if (last) return { file: path, stats };
    }
    throw refuse('EXTERNAL_DATA_LOCATION', `The external data of ${place} names no file.`);
  }
}

/** Undefined for what is not there. */
function lookAt(path: string, place: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    const name = path.length > 200 ? `${path.slice(0, 200)}…` : path;
    throw refuse(
      'EXTERNAL_DATA_MISSING',
      `The external data of ${place} leads to ${name}, which cannot be read.`,
      advice,
      cause,
    );
  }
}

/** The components of a location, without '.' and empty ones. */
function checkedLocation(location: string | undefined, place: string): readonly string[] {
  if (location === undefined || location === '' || location.includes('\0')) {
    throw refuse('EXTERNAL_DATA_LOCATION', `The external data of ${place} names no file.`);
  }
  if (location === MEMORY_ADDRESS) {
    throw refuse('EXTERNAL_DATA_ADDRESS', `The external data of ${place} is an address in memory, not a file.`);
  }
  // Both kinds of separators and drives, whatever the machine: a model must mean the same everywhere.
  if (/^[\\/]|^[A-Za-z]:/.test(location)) {
    throw refuse('EXTERNAL_DATA_ABSOLUTE', `The external data of ${place} has the absolute path '${location}'.`);
  }
  if (location.split(/[\\/]/).includes('..')) {
    throw refuse('EXTERNAL_DATA_TRAVERSAL', `The external data of ${place} leaves the model's folder: '${location}'.`);
  }
  const components = location.split('/').filter((component) => component !== '' && component !== '.');
  if (components.length === 0) throw refuse('EXTERNAL_DATA_LOCATION', `The external data of ${place} names no file.`);
  return components;
}

function wholeNumber(text: string | undefined, key: string, place: string): number | undefined {
  if (text === undefined) return undefined;
  const number = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw refuse(
    'EXTERNAL_DATA_NUMBER',
    `The external data of ${place} has the ${key} '${text}', which is not a whole number of bytes.`,
  );
}

function openFile(file: string, place: string): number {
  // Not through a link put there since, and without waiting for a pipe's writer. Windows has neither flag.
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
  try {
    return openSync(file, flags);
  } catch (cause) {
    throw refuse('EXTERNAL_DATA_MISSING', `${place} cannot be opened.`, 'Check its permissions.', cause);
  }
}

/**
 * Whether an open file is the one that was looked at. A folder on the way could have become a link between looking and opening: Linux
 * says where the open file is, elsewhere the way is looked at once more.
 */
function isSameFile(descriptor: number, file: string, expected: string, stats: Stats): boolean {
  const actual = fstatSync(descriptor);
  if (!actual.isFile() || actual.ino !== stats.ino || actual.dev !== stats.dev) return false;
  try {
    return (
      (process.platform === 'linux' ? readlinkSync(`/proc/self/fd/${descriptor}`) : realpathSync(file)) === expected
    );
  } catch {
    return false;
  }
}

function readRange(descriptor: number, range: ExternalRange, place: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(range.length);
  } catch (cause) {
    throw refuse(
      'EXTERNAL_DATA_MEMORY',
      `${place} holds a tensor of ${range.length} bytes, which this machine cannot hold in memory.`,
      'Use a machine with more memory.',
      cause,
    );
  }
  let filled = 0;
  while (filled < bytes.byteLength) {
    const count = Math.min(bytes.byteLength - filled, 2 ** 30);
    const read = readSync(descriptor, bytes, filled, count, range.offset + filled);
    if (read === 0) throw refuse('EXTERNAL_DATA_RANGE', `${place} ends at byte ${range.offset + filled}.`);
    filled += read;
  }
  return bytes;
}

function refuse(code: string, message: string, what = advice, cause?: unknown): ModelFormatError {
  return new ModelFormatError({ code, message, advice: what, ...(cause === undefined ? {} : { cause }) });
}
