/**
 * Tar archives (POSIX.1-1988 "ustar", the pax extensions of POSIX.1-2001, GNU's long names, and the form before all of these), read
 * forwards. Libraries for it collect an extension's header in memory, whatever size it claims; here each is bounded.
 */
import type { ArchiveEntry } from './archive-entry.js';
import { archiveError } from './archive-error.js';
import { ByteStream } from './byte-stream.js';

export const TAR_BLOCK = 512;
/** A long name or a set of pax records. */
const MAX_EXTENSION_BYTES = 2 ** 20;
/** Behind the last file archives are filled up, to 10 KiB or more. */
const MAX_TRAILING_BYTES = 2 ** 20;

const KINDS: Readonly<Record<string, ArchiveEntry['kind']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'link',
  '5': 'folder',
};

/** Whether bytes start like a tar archive: ustar has a magic number, and all of them a checksum over the first header. */
export function looksLikeTar(head: Uint8Array): boolean {
  return head.byteLength >= TAR_BLOCK && hasChecksum(head.subarray(0, TAR_BLOCK));
}

/** @throws ModelFormatError ARCHIVE_DAMAGED, ARCHIVE_TOO_LARGE, ARCHIVE_VARIANT */
export async function* tarEntries(source: AsyncIterable<Uint8Array>): AsyncGenerator<ArchiveEntry> {
  const stream = new ByteStream(source);
  try {
    let named: { name?: string; size?: number } = {};
    for (;;) {
      const block = await stream.take(TAR_BLOCK);
      if (block.byteLength === 0) throw archiveError('ARCHIVE_DAMAGED', 'The archive has no end; it is incomplete.');
      if (block.byteLength < TAR_BLOCK) throw archiveError('ARCHIVE_DAMAGED', 'The archive ends within a header.');
      if (block.every((byte) => byte === 0)) {
        // To the end: there a compressed archive's checksum is compared.
        await drain(stream);
        return;
      }
      if (!hasChecksum(block)) throw archiveError('ARCHIVE_DAMAGED', 'A header of the archive has a wrong checksum.');
      const header = readHeader(block);
      if (header.type === 'x' || header.type === 'g' || header.type === 'L' || header.type === 'K') {
        const bytes = await extension(stream, header.size);
        if (header.type === 'x') named = { ...named, ...paxRecords(bytes) };
        if (header.type === 'L') named = { ...named, name: text(bytes) };
        continue;
      }
      const { name = header.name, size = header.size } = named;
      named = {};
      const kind = KINDS[header.type] ?? 'special';
      // The size of a link or a folder says nothing: no bytes follow.
      const length = kind === 'file' || kind === 'special' ? size : 0;
      const content = stream.pass(length);
      yield {
        name,
        kind: kind === 'file' && name.endsWith('/') ? 'folder' : kind,
        size: length,
        content: () => content,
      };
      for await (const _ of content);
      for await (const _ of stream.pass(padding(length)));
    }
  } finally {
    await stream.close();
  }
}

async function drain(stream: ByteStream): Promise<void> {
  let bytes = 0;
  for await (const piece of stream.remaining()) {
    bytes += piece.byteLength;
    if (bytes > MAX_TRAILING_BYTES) throw archiveError('ARCHIVE_DAMAGED', 'The archive goes on behind its end.');
  }
}

async function extension(stream: ByteStream, size: number): Promise<Uint8Array> {
  if (size > MAX_EXTENSION_BYTES) {
    throw archiveError('ARCHIVE_TOO_LARGE', `A header of the archive claims ${size} bytes for a name.`);
  }
  const bytes = await stream.take(size);
  for await (const _ of stream.pass(padding(size)));
  if (bytes.byteLength < size) throw archiveError('ARCHIVE_DAMAGED', 'The archive ends within a header.');
  return bytes;
}

function padding(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}

function readHeader(block: Uint8Array): { readonly name: string; readonly size: number; readonly type: string } {
  const name = text(block.subarray(0, 100));
  const isUstar = text(block.subarray(257, 263)) === 'ustar' && block[263] === 0x30;
  const prefix = isUstar ? text(block.subarray(345, 500)) : '';
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    size: number(block.subarray(124, 136)),
    type: String.fromCharCode(block[156] ?? 0),
  };
}

/** Octal digits; GNU's numbers beyond these are binary, with the first bit set. */
function number(field: Uint8Array): number {
  const [first = 0] = field;
  if (first & 0x80) {
    const value = field.reduce((sum, byte, index) => sum * 256 + (index === 0 ? byte & 0x3f : byte), 0);
    if ((first & 0x40) === 0 && Number.isSafeInteger(value)) return value;
  } else {
    const digits = text(field).trim();
    if (/^[0-7]*$/.test(digits)) return Number.parseInt(digits || '0', 8);
  }
  throw archiveError('ARCHIVE_DAMAGED', 'A header of the archive has no readable size.');
}

/** The sum of a header's bytes, its own field read as spaces; old archives sum them as signed. */
function hasChecksum(block: Uint8Array): boolean {
  const digits = text(block.subarray(148, 156)).trim();
  if (!/^[0-7]{1,8}$/.test(digits)) return false;
  const expected = Number.parseInt(digits, 8);
  let unsigned = 0;
  let signed = 0;
  for (let index = 0; index < TAR_BLOCK; index++) {
    const byte = index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  return expected === unsigned || expected === signed;
}

const decoder = new TextDecoder();

/** Up to the first NUL. */
function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Records of the form "<length> <key>=<value>\n". */
function paxRecords(bytes: Uint8Array): { readonly name?: string; readonly size?: number } {
  const found: { name?: string; size?: number } = {};
  for (let position = 0; position < bytes.byteLength; ) {
    const space = bytes.indexOf(0x20, position);
    const length =
      space < 0 ? Number.NaN : Number(decoder.decode(bytes.subarray(position, Math.min(space, position + 12))));
    const end = position + length;
    const equals = space < 0 ? -1 : bytes.indexOf(0x3d, space);
    if (!Number.isInteger(length) || end > bytes.byteLength || equals < 0 || equals >= end || end <= space) {
      throw archiveError('ARCHIVE_DAMAGED', 'A pax header of the archive cannot be read.');
    }
    const key = decoder.decode(bytes.subarray(space + 1, equals));
    const value = decoder.decode(bytes.subarray(equals + 1, end - 1));
    if (key.startsWith('GNU.sparse'))
      throw archiveError('ARCHIVE_VARIANT', 'The archive holds files with holes in them.');
    if (key === 'path') found.name = value;
    if (key === 'size') {
      const size = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
      if (!Number.isSafeInteger(size))
        throw archiveError('ARCHIVE_DAMAGED', `A file of the archive has the size '${value.slice(0, 40)}'.`);
      found.size = size;
    }
    position = end;
  }
  return found;
}
