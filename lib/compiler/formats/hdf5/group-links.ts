/** What a group holds, by name: symbol tables (a B-tree, a heap of names, nodes), or links in the group's own header. */
import { TREE, treeEntries } from './btree.js';
import { Cursor, decodeText, UNDEFINED_ADDRESS, type Widths } from './cursor.js';
import { damaged, unsupported } from './hdf5-error.js';
import { MESSAGE, type Message } from './object-header.js';

/**
 * Name to the address of the object's header. Links to other places and files are left out: a model needs none, and they lead away.
 * @throws ModelFormatError HDF5_DAMAGED, HDF5_UNSUPPORTED
 */
export function readLinks(
  bytes: Uint8Array,
  messages: readonly Message[],
  widths: Widths,
): ReadonlyMap<string, number> {
  const links = new Map<string, number>();
  for (const { type, start, length } of messages) {
    const cursor = new Cursor(bytes, start, length, widths);
    if (type === MESSAGE.symbolTable) readSymbolTable(bytes, cursor, widths, links);
    else if (type === MESSAGE.link) readLink(cursor, links);
    else if (type === MESSAGE.linkInfo) refuseDense(cursor);
  }
  return links;
}

function readSymbolTable(bytes: Uint8Array, cursor: Cursor, widths: Widths, links: Map<string, number>): void {
  const tree = cursor.address();
  const heap = cursor.address();
  if (tree === UNDEFINED_ADDRESS || heap === UNDEFINED_ADDRESS) return;
  const names = readLocalHeap(bytes, heap, widths);
  for (const { child } of treeEntries(bytes, tree, TREE.group, widths.lengths, widths)) {
    const symbols = new Cursor(bytes, child, bytes.byteLength - child, widths);
    symbols.signature('SNOD');
    symbols.skip(2);
    const count = symbols.u16();
    for (let index = 0; index < count; index++) {
      const name = symbols.unsigned(widths.offsets);
      const header = symbols.address();
      const cache = symbols.u32();
      symbols.skip(20);
      if (cache !== SYMBOLIC && header !== UNDEFINED_ADDRESS) links.set(names(name), header);
    }
  }
}

/** A symbol that names another place. */
const SYMBOLIC = 2;

/** Reads the name at an offset. */
function readLocalHeap(bytes: Uint8Array, address: number, widths: Widths): (offset: number) => string {
  const cursor = new Cursor(bytes, address, bytes.byteLength - address, widths);
  cursor.signature('HEAP');
  cursor.skip(4);
  const length = cursor.length();
  cursor.length();
  const start = cursor.address();
  return (offset) => {
    if (offset >= length) throw damaged('a name lies outside of its heap', address);
    return new Cursor(bytes, start + offset, length - offset, widths).text();
  };
}

/** One link in the group's header, as files of newer versions have it. */
function readLink(cursor: Cursor, links: Map<string, number>): void {
  const at = cursor.position;
  const version = cursor.u8();
  if (version !== 1) throw damaged(`a link has the version ${version}`, at);
  const flags = cursor.u8();
  const type = flags & 8 ? cursor.u8() : 0;
  if (flags & 4) cursor.skip(8);
  if (flags & 0x10) cursor.skip(1);
  const name = decodeText(cursor.take(cursor.unsigned(1 << (flags & 3))));
  if (type === 0) links.set(name, cursor.address());
}

/** Groups of many links keep them in a heap, in files that were asked to be of the latest version. */
function refuseDense(cursor: Cursor): void {
  const at = cursor.position;
  cursor.skip(1);
  const flags = cursor.u8();
  if (flags & 1) cursor.skip(8);
  if (cursor.address() !== UNDEFINED_ADDRESS) throw unsupported('groups with an index of their links', at);
}
