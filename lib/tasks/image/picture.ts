/** Decoded pixels and what may be decoded. */
import { RequestError } from '../../errors.js';

/** Eight bits a channel, RGB, rows from the top, no padding between rows. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** `width * height * 3` bytes. */
  readonly data: Uint8Array;
}

export interface DecodedPicture {
  readonly picture: Picture;
  /** Pixels of the photo as people see it: upright, before the decoder made it smaller. */
  readonly photoWidth: number;
  readonly photoHeight: number;
  /** Pixels of the picture for one of the photo, at most 1; the picture's last row and column may reach over the photo's edge. */
  readonly scale: number;
}

/**
 * Pixels wanted for one of the photo, by the photo's upright size. A decoder may return a smaller picture, but none smaller than that.
 * Default 1.
 */
export type ScaleWanted = (photo: { readonly width: number; readonly height: number }) => number;

/** What a picture may cost, checked on its header before memory is taken. */
export interface PictureLimits {
  /** Of the photo as posted. Default 16,384 pixels a side. */
  readonly maxSide?: number;
  /** Of the photo as posted. Default 40,000,000 pixels: photos of the phones of today, and what the request limit of Lambda lets through. */
  readonly maxPixels?: number;
  /** Of everything that the decoder holds at once beside the body. Default 402,653,184 bytes (384 MiB). */
  readonly maxDecodedBytes?: number;
}

export const DEFAULT_PICTURE_LIMITS: Required<PictureLimits> = {
  maxSide: 16_384,
  maxPixels: 40_000_000,
  maxDecodedBytes: 402_653_184,
};

/** @throws RequestError 413 PICTURE_TOO_LARGE */
export function checkPictureSize(
  { width, height, decodedBytes }: { readonly width: number; readonly height: number; readonly decodedBytes: number },
  limits: Required<PictureLimits>,
): void {
  const { maxSide, maxPixels, maxDecodedBytes } = limits;
  const fault =
    width > maxSide || height > maxSide
      ? `more than ${maxSide} a side`
      : width * height > maxPixels
        ? `more than ${maxPixels} pixels`
        : decodedBytes > maxDecodedBytes
          ? `${decodedBytes} bytes to decode, more than ${maxDecodedBytes}`
          : undefined;
  if (fault === undefined) return;
  throw new RequestError({
    status: 413,
    code: 'PICTURE_TOO_LARGE',
    message: `The picture is ${width} x ${height} pixels: ${fault}.`,
    advice: 'Post a smaller picture; models see a few hundred pixels a side anyway.',
  });
}

export function damagedPicture(format: 'JPEG' | 'PNG', what: string, cause?: unknown): RequestError {
  return new RequestError({
    status: 400,
    code: 'PICTURE_DAMAGED',
    message: `The ${format} cannot be decoded: ${what}.`,
    advice: 'Check that the whole file was posted, as it is, and that an image viewer opens it.',
    ...(cause === undefined ? {} : { cause }),
  });
}

export function unsupportedPicture(format: 'JPEG' | 'PNG', what: string): RequestError {
  return new RequestError({
    status: 415,
    code: 'PICTURE_VARIANT_UNSUPPORTED',
    message: `The ${format} is of a kind that is not decoded: ${what}.`,
    advice: 'Save it again as a baseline or progressive JPEG of 8 bits, or as a PNG.',
  });
}
