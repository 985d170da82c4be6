/** The Orientation tag of Exif (CIPA DC-008, 4.6.4), and turning pixels by it. */
import type { Picture } from './picture.js';

/** 1 upright, 2 mirrored, 3 half turn, 4 flipped, 5 transposed, 6 needs a quarter turn clockwise, 7 transversed, 8 counter-clockwise. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const ORIENTATION_TAG = 0x0112;
const SHORT = 3;
/** Bytes of an entry of an image file directory. */
const ENTRY = 12;

/** `tiff` begins at the byte order mark. Metadata that makes no sense is no reason to refuse the photo: it counts as upright. */
export function readOrientation(tiff: Uint8Array): Orientation {
  if (tiff.length < 14) return 1;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const mark = view.getUint16(0);
  if (mark !== 0x4949 && mark !== 0x4d4d) return 1;
  const littleEndian = mark === 0x4949;
  if (view.getUint16(2, littleEndian) !== 42) return 1;
  const directory = view.getUint32(4, littleEndian);
  if (directory + 2 > tiff.length) return 1;
  const entries = view.getUint16(directory, littleEndian);
  for (let index = 0; index < entries; index++) {
    const entry = directory + 2 + index * ENTRY;
    if (entry + ENTRY > tiff.length) return 1;
    if (view.getUint16(entry, littleEndian) !== ORIENTATION_TAG) continue;
    if (view.getUint16(entry + 2, littleEndian) !== SHORT) return 1;
    const value = view.getUint16(entry + 8, littleEndian);
    return value >= 1 && value <= 8 ? (value as Orientation) : 1;
  }
  return 1;
}

/** Whether width and height change places. */
export function swapsSides(orientation: Orientation): boolean {
  return orientation >= 5;
}

/** Where the stored rows and columns begin and which way they run, in the upright picture. */
export function turnUpright(picture: Picture, orientation: Orientation): Picture {
  if (orientation === 1) return picture;
  const { width: storedWidth, height: storedHeight, data: stored } = picture;
  const [width, height] = swapsSides(orientation) ? [storedHeight, storedWidth] : [storedWidth, storedHeight];
  const alongRow = 3;
  const alongColumn = storedWidth * 3;
  const lastColumn = (storedWidth - 1) * alongRow;
  const lastRow = (storedHeight - 1) * alongColumn;
  // Of the stored bytes: first pixel shown, step to the right, step down.
  const walks: Readonly<Record<Orientation, readonly [number, number, number]>> = {
    1: [0, alongRow, alongColumn],
    2: [lastColumn, -alongRow, alongColumn],
    3: [lastRow + lastColumn, -alongRow, -alongColumn],
    4: [lastRow, alongRow, -alongColumn],
    5: [0, alongColumn, alongRow],
    6: [lastRow, -alongColumn, alongRow],
    7: [lastRow + lastColumn, -alongColumn, -alongRow],
    8: [lastColumn, alongColumn, -alongRow],
  };
  const [first, right, down] = walks[orientation];
  const data = new Uint8Array(stored.length);
  let target = 0;
  for (let y = 0; y < height; y++) {
    let source = first + y * down;
    for (let x = 0; x < width; x++) {
      data[target] = stored[source] as number;
      data[target + 1] = stored[source + 1] as number;
      data[target + 2] = stored[source + 2] as number;
      target += 3;
      source += right;
    }
  }
  return { width, height, data };
}
