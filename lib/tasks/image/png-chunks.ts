/** The chunks of a PNG (W3C PNG, third edition, sections 5 and 11), read before anything is inflated. */
import { type Orientation, readOrientation } from './exif-orientation.js';
import { damagedPicture, unsupportedPicture } from './picture.js';

export type PngColorType = 'grayscale' | 'rgb' | 'palette' | 'grayscale-alpha' | 'rgb-alpha';

export interface PngChunks {
  readonly width: number;
  readonly height: number;
  /** Bits a sample: 1, 2, 4, 8 or 16. */
  readonly depth: number;
  readonly colorType: PngColorType;
  readonly interlaced: boolean;
  /** Three bytes a colour. */
  readonly palette: Uint8Array | undefined;
  /** tRNS as it stands: an alpha for each of the first colours of the palette, or one colour of 16 bits a channel that is transparent. */
  readonly transparency: Uint8Array | undefined;
  /** One zlib stream in pieces. */
  readonly data: readonly Uint8Array[];
  readonly orientation: Orientation;
}

export const PNG_CHANNELS: Readonly<Record<PngColorType, number>> = {
  grayscale: 1,
  rgb: 3,
  palette: 1,
  'grayscale-alpha': 2,
  'rgb-alpha': 4,
};

const COLOR_TYPES: Readonly<Record<number, { readonly type: PngColorType; readonly depths: readonly number[] }>> = {
  0: { type: 'grayscale', depths: [1, 2, 4, 8, 16] },
  2: { type: 'rgb', depths: [8, 16] },
  3: { type: 'palette', depths: [1, 2, 4, 8] },
  4: { type: 'grayscale-alpha', depths: [8, 16] },
  6: { type: 'rgb-alpha', depths: [8, 16] },
};

const SIGNATURE_BYTES = 8;
/** Length, type and checksum around a chunk's data. */
const CHUNK_OVERHEAD = 12;

/** The checksum of zlib's stream guards IDAT; the chunks that are small have theirs checked here. */
const CHECKED: ReadonlySet<string> = new Set(['IHDR', 'PLTE', 'tRNS']);

/** @throws RequestError 400 PICTURE_DAMAGED, 415 PICTURE_VARIANT_UNSUPPORTED */
export function readPngChunks(bytes: Uint8Array): PngChunks {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header: ReturnType<typeof readHeader> | undefined;
  let palette: Uint8Array | undefined;
  let transparency: Uint8Array | undefined;
  let orientation: Orientation = 1;
  const data: Uint8Array[] = [];
  for (let at = SIGNATURE_BYTES; ; ) {
    if (at + CHUNK_OVERHEAD > bytes.length) throw damagedPicture('PNG', 'it ends before its end chunk');
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const end = at + CHUNK_OVERHEAD + length;
    if (end > bytes.length)
      throw damagedPicture('PNG', `chunk ${JSON.stringify(type)} reaches over the end of the file`);
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (CHECKED.has(type) && crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4)) {
      throw damagedPicture('PNG', `the checksum of chunk ${type} is wrong`);
    }
    if ((header === undefined) !== (type === 'IHDR')) throw damagedPicture('PNG', 'IHDR is not its first chunk, alone');
    if (type === 'IEND') break;
    if (type === 'IHDR') header = readHeader(body);
    else if (type === 'PLTE') palette = body;
    else if (type === 'tRNS') transparency = body;
    else if (type === 'eXIf') orientation = readOrientation(body);
    else if (type === 'IDAT') data.push(body);
    at = end;
  }
  if (header === undefined || data.length === 0) throw damagedPicture('PNG', 'it holds no picture');
  if (header.colorType === 'palette') {
    const colors = (palette?.length ?? 0) / 3;
    if (!Number.isInteger(colors) || colors < 1 || colors > 256)
      throw damagedPicture('PNG', 'its palette is missing or odd');
  }
  return { ...header, palette, transparency, data, orientation };
}

function readHeader(body: Uint8Array) {
  if (body.length !== 13) throw damagedPicture('PNG', `IHDR has ${body.length} bytes, not 13`);
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const [depth = 0, color = 0, compression = 0, filter = 0, interlace = 0] = body.subarray(8);
  if (width === 0 || height === 0) throw damagedPicture('PNG', `its header says ${width} x ${height} pixels`);
  const colorType = COLOR_TYPES[color];
  if (colorType === undefined || !colorType.depths.includes(depth)) {
    throw unsupportedPicture('PNG', `colour type ${color} with ${depth} bits a sample`);
  }
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    throw unsupportedPicture('PNG', `compression ${compression}, filter ${filter}, interlace ${interlace}`);
  }
  return { width, height, depth, colorType: colorType.type, interlaced: interlace === 1 };
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** node:zlib has one only from Node 20.15 on. */
function crc32(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = (CRC_TABLE[(value ^ byte) & 0xff] as number) ^ (value >>> 8);
  return ~value >>> 0;
}
