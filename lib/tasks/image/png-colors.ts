/** From a row of PNG samples to RGB of 8 bits over a background. */
import { damagedPicture } from './picture.js';
import type { PngChunks } from './png-chunks.js';

/** Writes a row's pixels to `rgb` from byte `at` on, `step` bytes apart. */
export type RowWriter = (row: Uint8Array, columns: number, rgb: Uint8Array, at: number, step: number) => void;

type Color = readonly [number, number, number];

export function pngRowWriter(chunks: PngChunks, background: Color): RowWriter {
  const { colorType, depth, transparency } = chunks;
  if (colorType === 'palette') return indexedWriter(paletteColors(chunks, background), depth);
  if (colorType === 'grayscale' && depth <= 8) return indexedWriter(grayColors(chunks, background), depth);
  const key = colorType === 'rgb' || colorType === 'grayscale' ? transparency : undefined;
  if (colorType === 'rgb' && depth === 8 && key === undefined) return copyRgb;
  return colorType === 'rgb-alpha' && depth === 8 ? rgbAlphaWriter(background) : sampleWriter(chunks, key, background);
}

const over = (value: number, alpha: number, behind: number) =>
  Math.round((value * alpha + behind * (255 - alpha)) / 255);

/** Three bytes a colour. */
function paletteColors({ palette, transparency }: PngChunks, background: Color): Uint8Array {
  return Uint8Array.from(palette ?? [], (value, index) => {
    const alpha = transparency?.[Math.floor(index / 3)] ?? 255;
    return over(value, alpha, background[index % 3] as number);
  });
}

/** Grays of up to 8 bits are a palette too. */
function grayColors({ depth, transparency }: PngChunks, background: Color): Uint8Array {
  const top = 2 ** depth - 1;
  const transparent = transparency === undefined || transparency.length < 2 ? -1 : sample16(transparency, 0);
  return Uint8Array.from({ length: (top + 1) * 3 }, (_, index) => {
    const gray = Math.floor(index / 3);
    return gray === transparent ? (background[index % 3] as number) : (gray * 255) / top;
  });
}

function indexedWriter(colors: Uint8Array, depth: number): RowWriter {
  const perByte = 8 / depth;
  const mask = 2 ** depth - 1;
  return (row, columns, rgb, at, step) => {
    for (let x = 0; x < columns; x++, at += step) {
      const shift = 8 - depth * ((x % perByte) + 1);
      const color = (((row[Math.floor(x / perByte)] as number) >> shift) & mask) * 3;
      if (color >= colors.length)
        throw damagedPicture('PNG', `a pixel has colour ${color / 3} of ${colors.length / 3}`);
      rgb[at] = colors[color] as number;
      rgb[at + 1] = colors[color + 1] as number;
      rgb[at + 2] = colors[color + 2] as number;
    }
  };
}

const copyRgb: RowWriter = (row, columns, rgb, at, step) => {
  if (step === 3) {
    rgb.set(row.subarray(0, columns * 3), at);
    return;
  }
  for (let x = 0; x < columns; x++, at += step) rgb.set(row.subarray(x * 3, x * 3 + 3), at);
};

/** The kind that most PNGs with transparency are of, without the calls that the general writer makes for each sample. */
function rgbAlphaWriter([red, green, blue]: Color): RowWriter {
  return (row, columns, rgb, at, step) => {
    for (let end = columns * 4, source = 0; source < end; source += 4, at += step) {
      const alpha = row[source + 3] as number;
      const behind = 255 - alpha;
      rgb[at] = ((row[source] as number) * alpha + red * behind) / 255 + 0.5;
      rgb[at + 1] = ((row[source + 1] as number) * alpha + green * behind) / 255 + 0.5;
      rgb[at + 2] = ((row[source + 2] as number) * alpha + blue * behind) / 255 + 0.5;
    }
  };
}

const sample16 = (bytes: Uint8Array, at: number) => ((bytes[at] as number) << 8) | (bytes[at + 1] as number);

/** `key` is the one transparent colour, 16 bits a channel whatever the depth. */
function sampleWriter({ colorType, depth }: PngChunks, key: Uint8Array | undefined, background: Color): RowWriter {
  const colors = colorType === 'rgb' || colorType === 'rgb-alpha' ? 3 : 1;
  const hasAlpha = colorType === 'rgb-alpha' || colorType === 'grayscale-alpha';
  const sampleBytes = depth / 8;
  const pixelBytes = (colors + (hasAlpha ? 1 : 0)) * sampleBytes;
  const raw = (row: Uint8Array, at: number) => (sampleBytes === 1 ? (row[at] as number) : sample16(row, at));
  const eightBits = (value: number) => (sampleBytes === 1 ? value : Math.round(value / 257));
  const keyColor = key !== undefined && key.length >= colors * 2 ? key : undefined;
  const isKey = (row: Uint8Array, at: number) => {
    if (keyColor === undefined) return false;
    for (let channel = 0; channel < colors; channel++) {
      if (raw(row, at + channel * sampleBytes) !== sample16(keyColor, channel * 2)) return false;
    }
    return true;
  };
  return (row, columns, rgb, at, step) => {
    for (let x = 0, source = 0; x < columns; x++, at += step, source += pixelBytes) {
      const alpha = hasAlpha ? eightBits(raw(row, source + colors * sampleBytes)) : isKey(row, source) ? 0 : 255;
      for (let channel = 0; channel < 3; channel++) {
        const value = eightBits(raw(row, source + (colors === 3 ? channel * sampleBytes : 0)));
        rgb[at + channel] = alpha === 255 ? value : over(value, alpha, background[channel] as number);
      }
    }
  };
}
