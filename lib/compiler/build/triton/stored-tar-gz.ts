/**
 * Tar archives that are gzip in form only. Deflate's output depends on zlib's version and on the CPU that it runs on, and a changed byte is
 * a new deployment; weights in half precision shrink by a few per cent.
 */
import { createReadStream } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { ArtifactError } from '../../../errors.js';
import { crc32 } from '../../formats/archive/crc32.js';

/** A file by its path in the archive: of its content, or of where that lies. */
export interface PackedFile {
  readonly name: string;
  readonly content: Uint8Array | { readonly path: string };
}

const BLOCK = 512;
/** What ustar has room for: a name of 100 bytes, and 11 octal digits of a size. */
const MAX_NAME_BYTES = 100;
const MAX_FILE_BYTES = 8 ** 11 - 1;
/** What a stored block of deflate holds (RFC 1951, 3.2.4). */
const MAX_STORED_BYTES = 65_535;
const READ_BYTES = 2 ** 20;

/** @throws ArtifactError ARCHIVE_LIMIT for a file beyond 8 GiB */
export async function writeTarGz(path: string, files: readonly PackedFile[]): Promise<void> {
  // A stream could open the file after this has failed, when somebody has cleaned up already.
  await writeFile(path, gzipStored(tar(files)));
}

async function* tar(files: readonly PackedFile[]): AsyncGenerator<Uint8Array> {
  for (const { name, content } of files) {
    const bytes = content instanceof Uint8Array ? content.byteLength : (await stat(content.path)).size;
    yield header(name, bytes);
    if (content instanceof Uint8Array) yield content;
    else yield* createReadStream(content.path, { highWaterMark: READ_BYTES });
    yield new Uint8Array((BLOCK - (bytes % BLOCK)) % BLOCK);
  }
  yield new Uint8Array(2 * BLOCK);
}

/** POSIX ustar: readable by everyone, owned by root, of the epoch. */
function header(name: string, bytes: number): Uint8Array {
  if (bytes > MAX_FILE_BYTES || Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw new ArtifactError({
      code: 'ARCHIVE_LIMIT',
      message: `'${name}' has ${bytes} bytes; an archive for Triton holds files of ${MAX_FILE_BYTES} at most.`,
      advice: 'Leave "gpu" out of model.json, or use fp16.',
    });
  }
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, MAX_NAME_BYTES);
  block.write('0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(`${bytes.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  // The checksum is that of a header whose checksum is eight spaces.
  block.write('        ', 148);
  block.write('0', 156);
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** RFC 1952, without a time and a name, from an unknown system. */
async function* gzipStored(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255);
  let checksum = 0;
  let size = 0;
  const rest = Buffer.alloc(MAX_STORED_BYTES);
  let held = 0;
  for await (const chunk of chunks) {
    checksum = crc32(chunk, checksum);
    size += chunk.byteLength;
    // Blocks are always full, whatever pieces a disk delivers: bytes must not depend on it.
    for (let offset = 0; offset < chunk.byteLength; ) {
      const taken = chunk.subarray(offset, offset + MAX_STORED_BYTES - held);
      rest.set(taken, held);
      held += taken.byteLength;
      offset += taken.byteLength;
      if (held === MAX_STORED_BYTES) {
        yield storedBlock(rest, false);
        held = 0;
      }
    }
  }
  yield storedBlock(rest.subarray(0, held), true);
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(checksum >>> 0, 0);
  trailer.writeUInt32LE(size % 2 ** 32, 4);
  yield trailer;
}

function storedBlock(bytes: Uint8Array, isLast: boolean): Uint8Array {
  const head = Buffer.alloc(5);
  head.writeUInt8(isLast ? 1 : 0, 0);
  head.writeUInt16LE(bytes.byteLength, 1);
  head.writeUInt16LE(~bytes.byteLength & 0xffff, 3);
  return Buffer.concat([head, bytes]);
}
