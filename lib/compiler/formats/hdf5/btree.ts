/** B-trees of version 1, which index the links of a group and the chunks of a dataset. */
import { Cursor, UNDEFINED_ADDRESS, type Widths } from './cursor.js';
import { damaged } from './hdf5-error.js';

export interface TreeEntry {
  /** The key in front of the child: its content is the tree's kind's. */
  readonly key: Cursor;
  readonly child: number;
}

export const TREE = { group: 0, chunks: 1 } as const;

/** More are in no file of weights: a million chunks of a kilobyte are a gigabyte. */
const MAX_NODES = 200_000;

/**
 * The entries of the leaves, in the tree's order: links by name.
 * @throws ModelFormatError HDF5_DAMAGED
 */
export function* treeEntries(
  bytes: Uint8Array,
  root: number,
  kind: number,
  keyBytes: number,
  widths: Widths,
): Generator<TreeEntry> {
  const seen = new Set<number>();
  const open: { readonly address: number; readonly level: number | undefined }[] = [
    { address: root, level: undefined },
  ];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const { address } = node;
    // Every level is one below that around it, so circles end; diamonds would still multiply.
    if (seen.has(address) || seen.size >= MAX_NODES) throw damaged('a B-tree goes in circles', address);
    seen.add(address);
    const cursor = new Cursor(bytes, address, bytes.byteLength - address, widths);
    cursor.signature('TREE');
    const foundKind = cursor.u8();
    const level = cursor.u8();
    const count = cursor.u16();
    if (foundKind !== kind) throw damaged('a B-tree is of another kind', address);
    if (node.level !== undefined && level !== node.level - 1)
      throw damaged('a B-tree has a node of a wrong level', address);
    cursor.skip(2 * widths.offsets);
    const children: number[] = [];
    for (let index = 0; index < count; index++) {
      const key = new Cursor(bytes, cursor.position, keyBytes, widths);
      cursor.skip(keyBytes);
      const child = cursor.address();
      if (child === UNDEFINED_ADDRESS) throw damaged('a B-tree has a child that lies nowhere', address);
      if (level === 0) yield { key, child };
      else children.push(child);
    }
    for (const child of children.reverse()) open.push({ address: child, level });
  }
}
