/** From the inflated bytes of a PNG to rows of samples: interlacing (W3C PNG, section 8) and filters (section 9). */
import { damagedPicture } from './picture.js';

/** One of Adam7's reduced pictures, or the whole one. */
export interface PngPass {
  readonly columns: number;
  readonly rows: number;
  /** Of the filter's row, without the byte that names the filter. */
  readonly rowBytes: number;
  readonly left: number;
  readonly top: number;
  readonly stepX: number;
  readonly stepY: number;
}

/** left, top, stepX, stepY. */
const ADAM7: readonly (readonly [number, number, number, number])[] = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

export function pngPasses({
  width,
  height,
  bitsPerPixel,
  interlaced,
}: {
  readonly width: number;
  readonly height: number;
  readonly bitsPerPixel: number;
  readonly interlaced: boolean;
}): readonly PngPass[] {
  return (interlaced ? ADAM7 : [[0, 0, 1, 1] as const])
    .map(([left, top, stepX, stepY]) => {
      const columns = Math.ceil((width - left) / stepX);
      const rows = Math.ceil((height - top) / stepY);
      return { columns, rows, rowBytes: Math.ceil((columns * bitsPerPixel) / 8), left, top, stepX, stepY };
    })
    .filter(({ columns, rows }) => columns > 0 && rows > 0);
}

/**
 * Undoes the filters of a pass in place. `pixelBytes` is what the filters call a pixel: at least 1.
 * @throws RequestError 400 PICTURE_DAMAGED
 */
export function unfilterPass(data: Uint8Array, start: number, pass: PngPass, pixelBytes: number): void {
  const { rows, rowBytes } = pass;
  for (let row = 0; row < rows; row++) {
    const filter = data[start + row * (rowBytes + 1)] as number;
    const from = start + row * (rowBytes + 1) + 1;
    unfilterRow(data, filter, from, from + rowBytes, row === 0 ? undefined : from - rowBytes - 1, pixelBytes);
  }
}

/** What lies left of the row or above the first one counts as 0. */
function unfilterRow(
  data: Uint8Array,
  filter: number,
  from: number,
  end: number,
  above: number | undefined,
  pixelBytes: number,
): void {
  const left = (at: number) => (at - pixelBytes >= from ? (data[at - pixelBytes] as number) : 0);
  const firstPixelEnd = Math.min(end, from + pixelBytes);
  switch (filter) {
    case 0:
      return;
    case 1:
      for (let at = firstPixelEnd; at < end; at++) data[at] = (data[at] as number) + (data[at - pixelBytes] as number);
      return;
    case 2:
      if (above === undefined) return;
      for (let at = from, up = above; at < end; at++, up++) data[at] = (data[at] as number) + (data[up] as number);
      return;
    case 3:
      for (let at = from; at < end; at++) {
        const up = above === undefined ? 0 : (data[above + at - from] as number);
        data[at] = (data[at] as number) + ((left(at) + up) >> 1);
      }
      return;
    case 4:
      // With nothing above, Paeth's predictor is the pixel to the left; in the first pixel, the one above.
      if (above === undefined) {
        unfilterRow(data, 1, from, end, above, pixelBytes);
        return;
      }
      for (let at = from, up = above; at < firstPixelEnd; at++, up++)
        data[at] = (data[at] as number) + (data[up] as number);
      for (let at = firstPixelEnd, up = above + firstPixelEnd - from; at < end; at++, up++) {
        const a = data[at - pixelBytes] as number;
        const b = data[up] as number;
        const c = data[up - pixelBytes] as number;
        const fromA = Math.abs(b - c);
        const fromB = Math.abs(a - c);
        const fromC = Math.abs(a + b - c - c);
        const nearest = fromA <= fromB && fromA <= fromC ? a : fromB <= fromC ? b : c;
        data[at] = (data[at] as number) + nearest;
      }
      return;
    default:
      throw damagedPicture('PNG', `a row has filter ${filter}`);
  }
}
