/** The markers of a JPEG (ITU-T T.81, annex B), read before anything is decoded. */
import { type Orientation, readOrientation } from './exif-orientation.js';
import { damagedPicture, unsupportedPicture } from './picture.js';

export interface JpegHeader {
  readonly width: number;
  readonly height: number;
  /** 1 grayscale, 3 YCbCr or RGB, 4 CMYK or YCCK. */
  readonly components: 1 | 3 | 4;
  /** Adobe's marker is there: CMYK is stored inverted. */
  readonly adobe: boolean;
  /** Coefficients of the whole picture are held in memory: progressive, or a scan per component. */
  readonly buffered: boolean;
  readonly scans: number;
  readonly orientation: Orientation;
}

/** Encoders write about ten. */
const MAX_SCANS = 100;

const SOF_BASELINE = 0xc0;
const SOF_EXTENDED = 0xc1;
const SOF_PROGRESSIVE = 0xc2;
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const APP1 = 0xe1;
const APP14 = 0xee;
/** Code points of the range of frame headers that are none: DHT, JPG, DAC. */
const NOT_FRAMES: ReadonlySet<number> = new Set([0xc4, 0xc8, 0xcc]);

const hasText = (bytes: Uint8Array, at: number, text: string) =>
  [...text].every((character, index) => bytes[at + index] === character.charCodeAt(0));

/** TEM and the restart markers stand alone; every other marker has a length. */
const standsAlone = (marker: number) => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);

/** @throws RequestError 400 PICTURE_DAMAGED, 415 PICTURE_VARIANT_UNSUPPORTED */
export function readJpegHeader(bytes: Uint8Array): JpegHeader {
  let frame: { width: number; height: number; components: number; progressive: boolean } | undefined;
  let adobe = false;
  let orientation: Orientation = 1;
  let scans = 0;
  let interleaved = true;
  let at = 2;
  for (;;) {
    const marker = nextMarker(bytes, at);
    if (marker === undefined) throw damagedPicture('JPEG', 'it ends before its end marker');
    at = marker.end;
    if (marker.code === EOI) break;
    if (marker.code === SOI) throw damagedPicture('JPEG', `a second start marker at byte ${at - 2}`);
    if (standsAlone(marker.code)) continue;
    const length = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    const end = at + length;
    if (length < 2 || end > bytes.length) {
      throw damagedPicture('JPEG', `marker 0x${marker.code.toString(16)} at byte ${at - 2} has length ${length}`);
    }
    const body = bytes.subarray(at + 2, end);
    if (marker.code >= 0xc0 && marker.code <= 0xcf && !NOT_FRAMES.has(marker.code)) {
      if (frame !== undefined) throw damagedPicture('JPEG', 'it has two frame headers');
      frame = readFrame(marker.code, body);
    } else if (marker.code === APP1 && hasText(body, 0, 'Exif\0\0')) {
      orientation = readOrientation(body.subarray(6));
    } else if (marker.code === APP14 && hasText(body, 0, 'Adobe')) {
      adobe = true;
    } else if (marker.code === SOS) {
      if (frame === undefined) throw damagedPicture('JPEG', 'a scan comes before the frame header');
      interleaved &&= body[0] === frame.components;
      if (++scans > MAX_SCANS) throw unsupportedPicture('JPEG', `more than ${MAX_SCANS} scans`);
    }
    at = end;
  }
  if (frame === undefined || scans === 0) throw damagedPicture('JPEG', 'it holds no picture');
  return {
    width: frame.width,
    height: frame.height,
    components: frame.components as JpegHeader['components'],
    adobe,
    buffered: frame.progressive || !interleaved,
    scans,
    orientation,
  };
}

/** Entropy-coded data is passed over on the way: in it, 0xff is followed by 0 or a restart marker. */
function nextMarker(bytes: Uint8Array, from: number): { readonly code: number; readonly end: number } | undefined {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const code = bytes[at + 1];
    if (code !== undefined && code !== 0 && code !== 0xff) return { code, end: at + 2 };
  }
  return undefined;
}

function readFrame(marker: number, body: Uint8Array) {
  if (body.length < 6) throw damagedPicture('JPEG', 'its frame header is cut off');
  const [precision = 0, heightHigh = 0, heightLow = 0, widthHigh = 0, widthLow = 0, components = 0] = body;
  if (marker !== SOF_BASELINE && marker !== SOF_EXTENDED && marker !== SOF_PROGRESSIVE) {
    throw unsupportedPicture(
      'JPEG',
      `frame type 0x${marker.toString(16)} (lossless, hierarchical or arithmetic coding)`,
    );
  }
  if (precision !== 8) throw unsupportedPicture('JPEG', `${precision} bits a sample`);
  if (components !== 1 && components !== 3 && components !== 4) {
    throw unsupportedPicture('JPEG', `${components} components`);
  }
  const width = (widthHigh << 8) | widthLow;
  const height = (heightHigh << 8) | heightLow;
  if (width === 0 || height === 0) throw damagedPicture('JPEG', `its header says ${width} x ${height} pixels`);
  return { width, height, components, progressive: marker === SOF_PROGRESSIVE };
}
