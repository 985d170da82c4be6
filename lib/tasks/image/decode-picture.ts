/** A posted body in, upright pixels out. */
import { RequestError } from '../../errors.js';
import { decodeJpeg } from './jpeg.js';
import { DEFAULT_PICTURE_LIMITS, type DecodedPicture, type PictureLimits, type ScaleWanted } from './picture.js';
import { decodePng } from './png.js';

export interface DecodePictureOptions {
  readonly limits?: PictureLimits;
  readonly scaleWanted?: ScaleWanted;
  /** What lies behind transparent pixels of a PNG, RGB from 0 to 255. Default white. */
  readonly background?: readonly [number, number, number];
}

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const JPEG_SIGNATURE = [0xff, 0xd8, 0xff];

/** Told by content, not by a header of the request. */
export function pictureFormat(bytes: Uint8Array): 'JPEG' | 'PNG' | undefined {
  const startsWith = (signature: readonly number[]) => signature.every((byte, index) => bytes[index] === byte);
  if (startsWith(PNG_SIGNATURE)) return 'PNG';
  return startsWith(JPEG_SIGNATURE) ? 'JPEG' : undefined;
}

/**
 * @throws RequestError 400 PICTURE_MISSING, 400 PICTURE_DAMAGED, 413 PICTURE_TOO_LARGE, 415 PICTURE_FORMAT_UNKNOWN,
 * 415 PICTURE_VARIANT_UNSUPPORTED
 */
export function decodePicture(bytes: Uint8Array, options: DecodePictureOptions = {}): DecodedPicture {
  const limits = { ...DEFAULT_PICTURE_LIMITS, ...options.limits };
  if (bytes.length === 0) {
    throw new RequestError({
      status: 400,
      code: 'PICTURE_MISSING',
      message: 'The body is empty.',
      advice: 'Post the bytes of a JPEG or PNG as the body, for example with curl --data-binary @photo.jpg.',
    });
  }
  switch (pictureFormat(bytes)) {
    case 'JPEG':
      return decodeJpeg(bytes, limits, options.scaleWanted ?? (() => 1));
    case 'PNG':
      return decodePng(bytes, limits, options.background ?? [255, 255, 255]);
    case undefined: {
      const start = Buffer.from(bytes.subarray(0, 8)).toString('hex');
      throw new RequestError({
        status: 415,
        code: 'PICTURE_FORMAT_UNKNOWN',
        message: `The body is neither a JPEG nor a PNG: it begins with the bytes ${start}.`,
        advice: 'Post the bytes of a JPEG or PNG as they are: no form data, no base64, no JSON.',
      });
    }
  }
}
