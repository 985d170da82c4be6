/** A dataset's elements: in its header, in one piece, or in chunks that may be packed. */
import { TREE, treeEntries } from './btree.js';
import { Cursor, UNDEFINED_ADDRESS, type Widths } from './cursor.js';
import { countOf, type Datatype, readDataspace, readDatatype } from './datatype.js';
import { type Filter, readFilters, unfiltered } from './filters.js';
import { damaged, unsupported } from './hdf5-error.js';
import { MESSAGE, type Message } from './object-header.js';

type Layout =
  | { readonly kind: 'compact'; readonly bytes: Uint8Array }
  | { readonly kind: 'contiguous'; readonly address: number; readonly length: number }
  | { readonly kind: 'chunked'; readonly tree: number; readonly chunk: readonly number[] };

/** Packed weights shrink by a tenth, zeros a thousandfold: beyond this and the first MiB, a dataset holds nothing that was ever trained. */
const MAX_RATIO = 200;
const ALWAYS_ALLOWED = 2 ** 20;

export class Hdf5Dataset {
  readonly dims: readonly number[];
  readonly datatype: Datatype;
  readonly #file: Uint8Array;
  readonly #widths: Widths;
  readonly #layout: Layout;
  readonly #filters: readonly Filter[];

  /** @throws ModelFormatError HDF5_DAMAGED, HDF5_UNSUPPORTED */
  constructor(file: Uint8Array, messages: readonly Message[], widths: Widths) {
    const cursorOf = (type: number): Cursor | undefined => {
      const message = messages.find((each) => each.type === type);
      return message && new Cursor(file, message.start, message.length, widths);
    };
    const [space, type, layout] = [MESSAGE.dataspace, MESSAGE.datatype, MESSAGE.layout].map(cursorOf);
    if (space === undefined || type === undefined || layout === undefined) {
      throw damaged('a dataset has no shape, type or place', messages[0]?.start);
    }
    if (cursorOf(MESSAGE.externalFiles) !== undefined) throw unsupported('data in other files', layout.position);
    const dims = readDataspace(space);
    if (dims === undefined) throw unsupported('datasets without elements', space.position);
    this.dims = dims;
    this.datatype = readDatatype(type);
    this.#file = file;
    this.#widths = widths;
    this.#layout = readLayout(layout);
    const filters = cursorOf(MESSAGE.filters);
    this.#filters = filters === undefined ? [] : readFilters(filters);
  }

  /** Of all elements. */
  get byteLength(): number {
    return countOf([...this.dims, this.datatype.size]);
  }

  /** The elements, little-endian, row by row: a view on the file where they lie in one piece. @throws ModelFormatError HDF5_DAMAGED */
  read(): Uint8Array {
    const { byteLength } = this;
    const layout = this.#layout;
    if (byteLength === 0) return new Uint8Array();
    if (layout.kind === 'chunked') return this.#readChunks(layout);
    if (layout.kind === 'compact') {
      if (layout.bytes.byteLength < byteLength)
        throw damaged(`a dataset of ${byteLength} bytes has ${layout.bytes.byteLength}`);
      return layout.bytes.subarray(0, byteLength);
    }
    if (layout.address === UNDEFINED_ADDRESS) throw damaged('a dataset was never written');
    if (layout.length < byteLength)
      throw damaged(`a dataset of ${byteLength} bytes has ${layout.length}`, layout.address);
    return new Cursor(this.#file, layout.address, byteLength, this.#widths).take(byteLength);
  }

  #readChunks({ tree, chunk }: Extract<Layout, { kind: 'chunked' }>): Uint8Array {
    const { dims, datatype, byteLength } = this;
    if (chunk.length !== dims.length + 1 || chunk[dims.length] !== datatype.size || chunk.includes(0)) {
      throw damaged(`chunks of [${chunk.join(', ')}] do not make an array of [${dims.join(', ')}]`);
    }
    if (tree === UNDEFINED_ADDRESS) throw damaged('a dataset was never written');
    const chunkBytes = countOf(chunk);
    const stored = [...treeEntries(this.#file, tree, TREE.chunks, 8 + 8 * chunk.length, this.#widths)].map((entry) => {
      return storedChunk(entry.key, entry.child, chunk.length);
    });
    const sum = stored.reduce((total, { length }) => total + length, 0);
    const most = ALWAYS_ALLOWED + MAX_RATIO * Math.min(sum, this.#file.byteLength);
    if (byteLength > most || chunkBytes > most) {
      throw damaged(`a dataset of ${Math.max(byteLength, chunkBytes)} bytes is stored in ${sum}`, tree);
    }
    const result = new Uint8Array(byteLength);
    const places = new Set<string>();
    for (const { address, length, mask, offsets } of stored) {
      const key = offsets.join();
      if (places.has(key)) throw damaged('a dataset has two chunks in one place', address);
      places.add(key);
      if (offsets.some((offset, axis) => axis < dims.length && offset % (chunk[axis] ?? 1) !== 0)) {
        throw damaged('a chunk lies between the others', address);
      }
      // What lies behind the end of an array that was made smaller.
      if (dims.some((size, axis) => (offsets[axis] ?? 0) >= size)) continue;
      const packed = new Cursor(this.#file, address, length, this.#widths).take(length);
      const elements = unfiltered(packed, this.#filters, mask, { elementBytes: datatype.size, chunkBytes });
      copyChunk(elements, result, { dims, chunk, offsets, elementBytes: datatype.size });
    }
    const expected = dims.reduce((product, size, axis) => product * Math.ceil(size / (chunk[axis] ?? 1)), 1);
    if (places.size < expected) throw damaged(`a dataset has ${places.size} of its ${expected} chunks`, tree);
    return result;
  }
}

interface StoredChunk {
  readonly address: number;
  readonly length: number;
  readonly mask: number;
  readonly offsets: readonly number[];
}

function storedChunk(key: Cursor, address: number, rank: number): StoredChunk {
  const length = key.u32();
  const mask = key.u32();
  return { address, length, mask, offsets: Array.from({ length: rank }, () => key.unsigned(8)) };
}

interface Placement {
  readonly dims: readonly number[];
  readonly chunk: readonly number[];
  readonly offsets: readonly number[];
  readonly elementBytes: number;
}

/** Row by row; chunks at the edges reach beyond the array. */
function copyChunk(from: Uint8Array, to: Uint8Array, { dims, chunk, offsets, elementBytes }: Placement): void {
  const rank = dims.length;
  const inside = dims.map((size, axis) => Math.min(chunk[axis] ?? 1, size - (offsets[axis] ?? 0)));
  const rowBytes = (inside[rank - 1] ?? 1) * elementBytes;
  const rows = inside.slice(0, -1).reduce((product, size) => product * size, 1);
  const index = new Array<number>(Math.max(0, rank - 1)).fill(0);
  for (let row = 0; row < rows; row++) {
    let source = 0;
    let target = 0;
    for (let axis = 0; axis < rank; axis++) {
      const at = index[axis] ?? 0;
      source = source * (chunk[axis] ?? 1) + at;
      target = target * (dims[axis] ?? 1) + (offsets[axis] ?? 0) + at;
    }
    to.set(from.subarray(source * elementBytes, source * elementBytes + rowBytes), target * elementBytes);
    for (let axis = rank - 2; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      if ((index[axis] ?? 0) < (inside[axis] ?? 1)) break;
      index[axis] = 0;
    }
  }
}

function readLayout(cursor: Cursor): Layout {
  const at = cursor.position;
  const version = cursor.u8();
  if (version !== 3 && version !== 4) throw unsupported(`a layout of version ${version}`, at);
  const kind = cursor.u8();
  if (kind === 0) return { kind: 'compact', bytes: cursor.take(cursor.u16()) };
  if (kind === 1) return { kind: 'contiguous', address: cursor.address(), length: cursor.length() };
  if (kind !== 2) throw unsupported('virtual datasets', at);
  if (version === 4) throw unsupported('chunks with an index of the latest version', at);
  const rank = cursor.u8();
  const tree = cursor.address();
  return { kind: 'chunked', tree, chunk: Array.from({ length: rank }, () => cursor.u32()) };
}
