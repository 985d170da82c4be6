/**
 * HDF5 files, as far as Keras and h5py write them by default: groups with symbol tables or with links in their headers, attributes of
 * numbers and texts, datasets in one piece or in chunks, packed with deflate. Everything else is refused by name.
 * https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html. Files are hostile: nothing is believed before it is checked, every
 * structure is met once, and memory is bounded by the file's size.
 */
import { type AttributeValue, readAttributes } from './attributes.js';
import { Cursor, UNDEFINED_ADDRESS, type Widths } from './cursor.js';
import { Hdf5Dataset } from './dataset.js';
import { readLinks } from './group-links.js';
import { damaged, unsupported } from './hdf5-error.js';
import { MESSAGE, type Message, readObjectHeader } from './object-header.js';
import { HDF5_SIGNATURE, looksLikeHdf5 } from './sniff.js';

export class Hdf5Group {
  readonly #bytes: Uint8Array;
  readonly #messages: readonly Message[];
  readonly #widths: Widths;
  #links: ReadonlyMap<string, number> | undefined;
  #attributes: ReadonlyMap<string, () => AttributeValue> | undefined;
  readonly #children = new Map<string, Hdf5Group | Hdf5Dataset>();

  constructor(bytes: Uint8Array, messages: readonly Message[], widths: Widths) {
    this.#bytes = bytes;
    this.#messages = messages;
    this.#widths = widths;
  }

  /** Names of what the group holds. @throws ModelFormatError HDF5_DAMAGED, HDF5_UNSUPPORTED, as everything here */
  get names(): readonly string[] {
    return [...this.#linked().keys()];
  }

  /** A group or a dataset of the group; undefined where it has none of the name. */
  child(name: string): Hdf5Group | Hdf5Dataset | undefined {
    const known = this.#children.get(name);
    if (known !== undefined) return known;
    const address = this.#linked().get(name);
    if (address === undefined) return undefined;
    const messages = readObjectHeader(this.#bytes, address, this.#widths);
    const isDataset = messages.some(({ type }) => type === MESSAGE.layout);
    const child = isDataset
      ? new Hdf5Dataset(this.#bytes, messages, this.#widths)
      : new Hdf5Group(this.#bytes, messages, this.#widths);
    this.#children.set(name, child);
    return child;
  }

  /** The group at a path below this one, 'layers/dense/vars'; undefined where there is none. */
  group(path: string): Hdf5Group | undefined {
    const child = this.#at(path);
    return child instanceof Hdf5Group ? child : undefined;
  }

  /** The dataset at a path below this one. */
  dataset(path: string): Hdf5Dataset | undefined {
    const child = this.#at(path);
    return child instanceof Hdf5Dataset ? child : undefined;
  }

  attribute(name: string): AttributeValue {
    this.#attributes ??= readAttributes(this.#bytes, this.#messages, this.#widths);
    return this.#attributes.get(name)?.();
  }

  #at(path: string): Hdf5Group | Hdf5Dataset | undefined {
    let found: Hdf5Group | Hdf5Dataset | undefined = this;
    for (const part of path.split('/')) {
      if (part === '') continue;
      if (!(found instanceof Hdf5Group)) return undefined;
      found = found.child(part);
    }
    return found;
  }

  #linked(): ReadonlyMap<string, number> {
    this.#links ??= readLinks(this.#bytes, this.#messages, this.#widths);
    return this.#links;
  }
}

/**
 * The root group. Weights are views on `bytes`, which must not change.
 * @throws ModelFormatError HDF5_DAMAGED, HDF5_UNSUPPORTED
 */
export function openHdf5(bytes: Uint8Array): Hdf5Group {
  if (!looksLikeHdf5(bytes)) throw damaged('it does not start with the signature');
  const widths = { offsets: 8, lengths: 8 };
  const cursor = new Cursor(bytes, HDF5_SIGNATURE.length, bytes.byteLength - HDF5_SIGNATURE.length, widths);
  const version = cursor.u8();
  if (version > 3) throw unsupported(`a superblock of version ${version}`, HDF5_SIGNATURE.length);
  const root = version < 2 ? oldRoot(cursor, version) : newRoot(cursor);
  if (root.address === UNDEFINED_ADDRESS) throw damaged('it has no root group');
  return new Hdf5Group(bytes, readObjectHeader(bytes, root.address, root.widths), root.widths);
}

interface Root {
  readonly address: number;
  readonly widths: Widths;
}

function oldRoot(cursor: Cursor, version: number): Root {
  cursor.skip(4);
  const widths = readWidths(cursor);
  cursor.skip(version === 1 ? 13 : 9);
  const rest = new Cursor(cursor.bytes, cursor.position, cursor.left, widths);
  checkBase(rest);
  rest.address();
  checkEnd(rest);
  rest.address();
  rest.unsigned(widths.offsets);
  return { address: rest.address(), widths };
}

function newRoot(cursor: Cursor): Root {
  const widths = readWidths(cursor);
  cursor.skip(1);
  const rest = new Cursor(cursor.bytes, cursor.position, cursor.left, widths);
  checkBase(rest);
  rest.address();
  checkEnd(rest);
  return { address: rest.address(), widths };
}

function readWidths(cursor: Cursor): Widths {
  const at = cursor.position;
  const offsets = cursor.u8();
  const lengths = cursor.u8();
  if (![2, 4, 8].includes(offsets) || ![2, 4, 8].includes(lengths)) {
    throw damaged(`addresses of ${offsets} and lengths of ${lengths} bytes`, at);
  }
  return { offsets, lengths };
}

function checkBase(cursor: Cursor): void {
  const at = cursor.position;
  if (cursor.address() !== 0) throw unsupported('a block of the user in front', at);
}

/** A truncated file says so here, before something in it is missing. */
function checkEnd(cursor: Cursor): void {
  const at = cursor.position;
  const end = cursor.address();
  const { byteLength } = cursor.bytes;
  if (end > byteLength) throw damaged(`it should have ${end} bytes and has ${byteLength}: it is incomplete`, at);
}
