/**
 * PNG in, upright RGB out, over node:zlib. Written here because the libraries take memory that no header announces: pngjs inflates an
 * interlaced picture without a limit (and reaches into zlib's private parts), fast-png inflates colour profiles without one, and
 * @jsquash/png keeps one WebAssembly instance through its panics. They also take three, eight and three times as long.
 */
import { createRequire } from 'node:module';
import { swapsSides, turnUpright } from './exif-orientation.js';
import { checkPictureSize, type DecodedPicture, damagedPicture, type PictureLimits } from './picture.js';
import { PNG_CHANNELS, type PngChunks, readPngChunks } from './png-chunks.js';
import { pngRowWriter } from './png-colors.js';
import { pngPasses, unfilterPass } from './png-rows.js';

/** Deflate cannot do better than 258 bytes for two bits. */
const MAX_DEFLATE_RATIO = 1032;

/**
 * All colour types and depths, interlaced or not; 16 bits are rounded to 8; colour profiles and gamma are not applied.
 * @throws RequestError 413 PICTURE_TOO_LARGE before memory is taken; 400 PICTURE_DAMAGED; 415 PICTURE_VARIANT_UNSUPPORTED
 */
export function decodePng(
  bytes: Uint8Array,
  limits: Required<PictureLimits>,
  background: readonly [number, number, number],
): DecodedPicture {
  const chunks = readPngChunks(bytes);
  const { width, height, orientation } = chunks;
  const bitsPerPixel = PNG_CHANNELS[chunks.colorType] * chunks.depth;
  const passes = pngPasses({ width, height, bitsPerPixel, interlaced: chunks.interlaced });
  const inflatedBytes = passes.reduce((sum, pass) => sum + pass.rows * (pass.rowBytes + 1), 0);
  const rgbBytes = width * height * 3;
  // A turned picture is made beside the one that it is turned from.
  const decodedBytes = bytes.length + inflatedBytes + rgbBytes * (orientation === 1 ? 1 : 2);
  checkPictureSize({ width, height, decodedBytes }, limits);

  const inflated = inflate(chunks, inflatedBytes);
  const pixelBytes = Math.max(1, bitsPerPixel / 8);
  const write = pngRowWriter(chunks, background);
  const data = new Uint8Array(rgbBytes);
  let start = 0;
  for (const pass of passes) {
    unfilterPass(inflated, start, pass, pixelBytes);
    for (let row = 0; row < pass.rows; row++) {
      const from = start + row * (pass.rowBytes + 1) + 1;
      const at = ((pass.top + row * pass.stepY) * width + pass.left) * 3;
      write(inflated.subarray(from, from + pass.rowBytes), pass.columns, data, at, pass.stepX * 3);
    }
    start += pass.rows * (pass.rowBytes + 1);
  }
  const swapped = swapsSides(orientation);
  return {
    picture: turnUpright({ width, height, data }, orientation),
    photoWidth: swapped ? height : width,
    photoHeight: swapped ? width : height,
    scale: 1,
  };
}

/** Exactly `size` bytes, never more memory than that. */
function inflate({ data }: PngChunks, size: number): Uint8Array {
  const compressed = data.length === 1 ? (data[0] as Uint8Array) : Buffer.concat(data);
  if (size > compressed.length * MAX_DEFLATE_RATIO)
    throw damagedPicture('PNG', 'it holds less data than its header says');
  // Loaded with the first PNG: a function that sees none starts sooner.
  const { inflateSync } = createRequire(import.meta.filename)('node:zlib') as typeof import('node:zlib');
  let inflated: Uint8Array;
  try {
    // One byte over, so that the buffer that zlib takes first is also the last.
    inflated = inflateSync(compressed, { maxOutputLength: size, chunkSize: Math.max(64, size + 1) });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw damagedPicture('PNG', `its data does not inflate to ${size} bytes (${reason})`, cause);
  }
  if (inflated.length !== size) {
    throw damagedPicture('PNG', `it holds ${inflated.length} bytes of pixels where its header says ${size}`);
  }
  return inflated;
}
