/** PNGs of every kind, written straight from the specification: what our decoder is tested with. */
import { deflateSync } from 'node:zlib';

export interface PngImage {
  readonly width: number;
  readonly height: number;
  readonly depth: 1 | 2 | 4 | 8 | 16;
  /** 0 grayscale, 2 RGB, 3 palette, 4 grayscale with alpha, 6 RGB with alpha. */
  readonly colorType: 0 | 2 | 3 | 4 | 6;
  /** Row by row, channel by channel, each of `depth` bits. */
  readonly samples: readonly number[];
  readonly interlaced?: boolean;
  /** The filter of each row, repeated. Default: none. */
  readonly filters?: readonly number[];
  /** Chunks before the data. */
  readonly chunks?: readonly { readonly type: string; readonly data: Uint8Array }[];
  /** How many pieces the data is cut into. */
  readonly dataChunks?: number;
}

export const CHANNELS_OF = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 } as const;

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** First column, first row, distance of columns, distance of rows. */
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

export function encodePng(image: PngImage): Uint8Array {
  const { width, height, interlaced = false } = image;
  const rows: Uint8Array[] = [];
  for (const [left, top, stepX, stepY] of interlaced ? PASSES : [[0, 0, 1, 1] as const]) {
    let above: Uint8Array | undefined;
    if (left >= width) continue;
    for (let y = top; y < height; y += stepY) {
      const row = packRow(image, y, left, stepX);
      rows.push(filterRow(image, rows.length, row, above));
      above = row;
    }
  }
  const data = deflateSync(Buffer.concat(rows));
  const pieces = image.dataChunks ?? 1;
  const pieceBytes = Math.ceil(data.length / pieces);
  return Buffer.concat([
    SIGNATURE,
    pngHeader(image),
    ...(image.chunks ?? []).map(({ type, data }) => pngChunk(type, data)),
    ...Array.from({ length: pieces }, (_, index) =>
      pngChunk('IDAT', data.subarray(index * pieceBytes, (index + 1) * pieceBytes)),
    ),
    pngChunk('IEND', new Uint8Array(0)),
  ]);
}

export function pngHeader({
  width,
  height,
  depth,
  colorType,
  interlaced = false,
}: Pick<PngImage, 'width' | 'height' | 'depth' | 'colorType' | 'interlaced'>): Uint8Array {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  data.set([depth, colorType, 0, 0, interlaced ? 1 : 0], 8);
  return pngChunk('IHDR', data);
}

export function pngChunk(type: string, data: Uint8Array): Uint8Array {
  const chunk = Buffer.alloc(data.length + 12);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(type, 4, 'latin1');
  chunk.set(data, 8);
  chunk.writeUInt32BE(checksum(chunk.subarray(4, data.length + 8)), data.length + 8);
  return chunk;
}

function packRow(image: PngImage, y: number, left: number, stepX: number): Uint8Array {
  const { width, depth } = image;
  const channels = CHANNELS_OF[image.colorType];
  const bits: number[] = [];
  for (let x = left; x < width; x += stepX) {
    for (let channel = 0; channel < channels; channel++) {
      const sample = image.samples[(y * width + x) * channels + channel] ?? 0;
      for (let bit = depth - 1; bit >= 0; bit--) bits.push((sample >> bit) & 1);
    }
  }
  while (bits.length % 8 !== 0) bits.push(0);
  return Uint8Array.from({ length: bits.length / 8 }, (_, byte) =>
    bits.slice(byte * 8, byte * 8 + 8).reduce((value, bit) => value * 2 + bit, 0),
  );
}

function filterRow(image: PngImage, index: number, row: Uint8Array, above: Uint8Array | undefined): Uint8Array {
  const filter = image.filters?.[index % image.filters.length] ?? 0;
  const pixelBytes = Math.max(1, (CHANNELS_OF[image.colorType] * image.depth) / 8);
  const filtered = row.map((value, at) => {
    const a = row[at - pixelBytes] ?? 0;
    const b = above?.[at] ?? 0;
    const c = at < pixelBytes ? 0 : (above?.[at - pixelBytes] ?? 0);
    return value - predicted(filter, a, b, c);
  });
  return Buffer.concat([Uint8Array.of(filter), filtered]);
}

function predicted(filter: number, a: number, b: number, c: number): number {
  switch (filter) {
    case 1:
      return a;
    case 2:
      return b;
    case 3:
      return Math.floor((a + b) / 2);
    case 4: {
      const target = a + b - c;
      const distances = [a, b, c].map((value) => Math.abs(target - value));
      return [a, b, c][distances.indexOf(Math.min(...distances))] ?? 0;
    }
    default:
      return 0;
  }
}

function checksum(bytes: Uint8Array): number {
  let value = ~0;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return ~value >>> 0;
}
