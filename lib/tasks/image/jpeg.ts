/** JPEG in, upright RGB out, at full size or at an eighth's multiple of it. */

import { swapsSides, turnUpright } from './exif-orientation.js';
import { type JpegHeader, readJpegHeader } from './jpeg-header.js';
import { decodeWithJpegTurbo } from './jpeg-turbo.js';
import {
  checkPictureSize,
  type DecodedPicture,
  type PictureLimits,
  type ScaleWanted,
  unsupportedPicture,
} from './picture.js';

/** libjpeg-turbo decodes blocks of 8 x 8 pixels to n x n. */
const BLOCK = 8;

/**
 * Pixels of all scans together: 25 scans of the largest photo, some seconds of work. A scan of a few bytes makes the decoder walk over the
 * whole picture, so that a small file could keep it busy for minutes.
 */
const MAX_SCANNED_PIXELS = 1_000_000_000;

/**
 * Decodes at the smallest n/8 of its size that is no less than `scaleWanted`, which saves the memory and part of the time of the rest.
 * Colour profiles are not applied.
 * @throws RequestError 413 PICTURE_TOO_LARGE before memory is taken; 400 PICTURE_DAMAGED; 415 PICTURE_VARIANT_UNSUPPORTED
 */
export function decodeJpeg(
  bytes: Uint8Array,
  limits: Required<PictureLimits>,
  scaleWanted: ScaleWanted,
): DecodedPicture {
  const header = readJpegHeader(bytes);
  const [photoWidth, photoHeight] = swapsSides(header.orientation)
    ? [header.height, header.width]
    : [header.width, header.height];
  const wanted = scaleWanted({ width: photoWidth, height: photoHeight });
  const eighths = Math.min(BLOCK, Math.max(1, Math.ceil(wanted * BLOCK)));
  const width = Math.ceil((header.width * eighths) / BLOCK);
  const height = Math.ceil((header.height * eighths) / BLOCK);
  checkPictureSize(
    { width: header.width, height: header.height, decodedBytes: decodedBytes(header, bytes.length, width * height) },
    limits,
  );
  if (header.scans * header.width * header.height > MAX_SCANNED_PIXELS) {
    throw unsupportedPicture('JPEG', `${header.scans} scans of ${header.width} x ${header.height} pixels`);
  }
  const cmyk = header.components === 4;
  const pixels = decodeWithJpegTurbo(bytes, { width, height, format: cmyk ? 'cmyk' : 'rgb' });
  const stored = { width, height, data: cmyk ? cmykToRgb(pixels, header.adobe) : pixels };
  return { picture: turnUpright(stored, header.orientation), photoWidth, photoHeight, scale: eighths / BLOCK };
}

/** The body again, the coefficients if they are held (16 bits a sample, no subsampling assumed), and the pixels thrice: inside, copied out, turned. */
function decodedBytes(header: JpegHeader, bodyBytes: number, pixels: number): number {
  const coefficients = header.buffered ? header.width * header.height * header.components * 2 : 0;
  return bodyBytes + coefficients + pixels * (header.components === 4 ? 10 : 9);
}

/** Without a colour profile, as browsers do it: each ink takes its share of what black leaves. Adobe stores inks inverted. */
function cmykToRgb(cmyk: Uint8Array, inverted: boolean): Uint8Array {
  const flip = inverted ? 0 : 255;
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let source = 0, target = 0; source < cmyk.length; source += 4, target += 3) {
    const light = (cmyk[source + 3] as number) ^ flip;
    rgb[target] = Math.round((((cmyk[source] as number) ^ flip) * light) / 255);
    rgb[target + 1] = Math.round((((cmyk[source + 1] as number) ^ flip) * light) / 255);
    rgb[target + 2] = Math.round((((cmyk[source + 2] as number) ^ flip) * light) / 255);
  }
  return rgb;
}
