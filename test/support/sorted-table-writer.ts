/** Writes LevelDB tables as TensorFlow does: for tests of what reads them. */
import { crc32c } from '../../lib/compiler/formats/tensorflow/crc32c.js';

export type TableContent = readonly (readonly [key: string | Uint8Array, value: Uint8Array])[];

export interface TableOptions {
  /** Entries per block. Default 3. */
  readonly blockEntries?: number;
  readonly compression?: 'none' | 'snappy';
}

const MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];

export function sortedTable(
  content: TableContent,
  { blockEntries = 3, compression = 'none' }: TableOptions = {},
): Uint8Array {
  const parts: Uint8Array[] = [];
  let offset = 0;
  const put = (block: Uint8Array): Uint8Array => {
    const stored = compression === 'snappy' ? snappyLiterals(block) : block;
    const checked = concat([stored, Uint8Array.of(compression === 'snappy' ? 1 : 0)]);
    const handle = concat([varint(offset), varint(stored.length)]);
    parts.push(checked, masked(crc32c(checked)));
    offset += checked.length + 4;
    return handle;
  };
  const index: [Uint8Array, Uint8Array][] = [];
  for (let start = 0; start < content.length; start += blockEntries) {
    const entries = content.slice(start, start + blockEntries).map(([key, value]) => [bytesOf(key), value] as const);
    index.push([entries[entries.length - 1]?.[0] ?? new Uint8Array(), put(tableBlock(entries))]);
  }
  const metaIndex = put(tableBlock([]));
  const handles = concat([metaIndex, put(tableBlock(index))]);
  const padding = new Uint8Array(40 - handles.length);
  return concat([...parts, handles, padding, Uint8Array.from(MAGIC)]);
}

function tableBlock(entries: readonly (readonly [Uint8Array, Uint8Array])[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let before: Uint8Array = new Uint8Array();
  for (const [key, value] of entries) {
    let shared = 0;
    while (shared < before.length && shared < key.length && before[shared] === key[shared]) shared++;
    parts.push(varint(shared), varint(key.length - shared), varint(value.length), key.subarray(shared), value);
    before = key;
  }
  return concat([...parts, uint32(0), uint32(1)]);
}

/** The block as one literal: valid Snappy that compresses nothing. */
function snappyLiterals(block: Uint8Array): Uint8Array {
  if (block.length === 0) return varint(0);
  return concat([varint(block.length), Uint8Array.of(63 << 2), uint32(block.length - 1), block]);
}

function masked(crc: number): Uint8Array {
  return uint32((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
}

function uint32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Uint8Array.from([...bytes, rest]);
}

function bytesOf(key: string | Uint8Array): Uint8Array {
  return typeof key === 'string' ? new TextEncoder().encode(key) : key;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}
