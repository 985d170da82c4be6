/** Bodies of /predict that are no picture, or one that must not be decoded, over HTTP to the face detector. */
import { deflateSync, gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BadRequest, refuses, send } from '../../support/bad-request-table.js';
import { encodePng, type PngImage, pngChunk, pngHeader } from '../../support/png-encoder.js';
import { samplePhoto } from '../../support/sample-photos.js';
import { type ServedEndpoint, serveEndpoint } from '../../support/served-endpoint.js';

let endpoint: ServedEndpoint;
beforeAll(async () => {
  endpoint = await serveEndpoint();
});
afterAll(() => endpoint?.close());

const url = () => endpoint.host.url;
const PATH = '/predict/faces';
const PHOTO = samplePhoto('sample1.jpg');
const picture = (body: string | Uint8Array, type = 'application/octet-stream') => ({
  path: PATH,
  body,
  headers: { 'content-type': type },
});
const good = picture(PHOTO, 'image/jpeg');

const damaged = (error: string | RegExp) => ({ status: 400, code: 'PICTURE_DAMAGED', advice: 'image viewer', error });
const unsupported = (error: string | RegExp) => ({
  status: 415,
  code: 'PICTURE_VARIANT_UNSUPPORTED',
  advice: 'baseline or progressive JPEG of 8 bits, or as a PNG',
  error,
});
const tooLarge = (error: string | RegExp) => ({
  status: 413,
  code: 'PICTURE_TOO_LARGE',
  advice: 'smaller picture',
  error,
});

describe('a body is refused that', () => {
  const unknown = { status: 415, code: 'PICTURE_FORMAT_UNKNOWN', advice: 'no form data, no base64, no JSON' };
  const media = { status: 415, code: 'MEDIA_TYPE_UNSUPPORTED', advice: '--data-binary' };
  const rows: BadRequest[] = [
    ['has 0 bytes', picture(''), { status: 400, code: 'PICTURE_MISSING', advice: '--data-binary' }],
    ['is a GIF', picture(Buffer.from('GIF89a')), { ...unknown, error: '474946383961' }],
    ['is a WebP', picture(Buffer.from('RIFF\0\0\0\0WEBP')), unknown],
    ['is one byte', picture(Buffer.of(0xff)), unknown],
    ['is a JPEG in base64', picture(Buffer.from(Buffer.from(PHOTO).toString('base64'))), unknown],
    ['is a JPEG in gzip, and does not say so', picture(gzipSync(PHOTO)), unknown],
    [
      'is a JPEG in gzip, and says so',
      { ...picture(gzipSync(PHOTO)), headers: { 'content-encoding': 'gzip' } },
      { status: 415, code: 'CONTENT_ENCODING_UNSUPPORTED', advice: 'without Content-Encoding' },
    ],
    ['is JSON', picture('{"instances":[]}', 'application/json'), { ...media, error: 'application/json' }],
    ['is a form', picture(PHOTO, 'multipart/form-data; boundary=x'), { ...media, error: 'multipart/form-data' }],
    ['is called a text', picture('x', 'text/plain'), media],
    ['is called a video', picture(PHOTO, 'video/mp4'), media],
  ];
  refuses(rows, { url, good });
});

const photo = sharp(PHOTO).resize(64, 48);
const jpeg = await photo.clone().jpeg().toBuffer();
const progressive = await photo.clone().jpeg({ progressive: true }).toBuffer();
const markerAt = (bytes: Buffer, code: number) => bytes.indexOf(Buffer.of(0xff, code));
const START = jpeg.subarray(0, 2);
const END = Buffer.of(0xff, 0xd9);
/** Of a segment, from its marker to the next one. */
const segment = (code: number, bytes = jpeg) => {
  const at = markerAt(bytes, code);
  return bytes.subarray(at, at + 2 + bytes.readUInt16BE(at + 2));
};
/** Bytes of the frame header: 2 precision, 3 height, 5 width, 7 components, counted from its length. */
const frame = (changes: Readonly<Record<number, number>>, bytes = jpeg) => {
  const changed = Buffer.from(bytes);
  const at = markerAt(bytes, 0xc0) + 2;
  for (const [offset, value] of Object.entries(changes)) changed[at + Number(offset)] = value;
  return changed;
};
const without = (code: number) => {
  const at = markerAt(jpeg, code);
  return Buffer.concat([jpeg.subarray(0, at), jpeg.subarray(at + segment(code).length)]);
};
const scans = (count: number) => {
  const last = progressive.subarray(progressive.lastIndexOf(Buffer.of(0xff, 0xda)), -2);
  return Buffer.concat([progressive.subarray(0, -2), ...Array<Buffer>(count).fill(last), END]);
};

describe('a JPEG is refused', () => {
  const rows: BadRequest[] = [
    ['of its first three bytes', picture(jpeg.subarray(0, 3)), damaged('end marker')],
    ['cut off in a header', picture(jpeg.subarray(0, 60)), damaged(/end marker|length/)],
    ['cut off in its data', picture(jpeg.subarray(0, jpeg.length - 200)), damaged('end marker')],
    [
      'cut off, with an end put on',
      picture(Buffer.concat([jpeg.subarray(0, -300), END])),
      damaged('corrupt or cut off'),
    ],
    ['without its end', picture(jpeg.subarray(0, -2)), damaged('end marker')],
    ['that begins twice', picture(Buffer.concat([START, jpeg])), damaged('second start marker')],
    ['of a start and an end', picture(Buffer.concat([START, END])), damaged('no picture')],
    [
      'with a marker of length 0',
      picture(Buffer.concat([START, Buffer.of(0xff, 0xe0, 0, 0), END])),
      damaged('length 0'),
    ],
    [
      'with a marker longer than the file',
      picture(Buffer.concat([START, Buffer.of(0xff, 0xe0, 255, 255)])),
      damaged('65535'),
    ],
    ['with two frame headers', picture(Buffer.concat([START, segment(0xc0), jpeg.subarray(2)])), damaged('two frame')],
    [
      'whose scan comes first',
      picture(Buffer.concat([START, segment(0xda), jpeg.subarray(2)])),
      damaged('before the frame'),
    ],
    ['without a frame header', picture(without(0xc0)), damaged('before the frame')],
    ['without quantization tables', picture(without(0xdb)), damaged('corrupt')],
    ['without Huffman tables', picture(without(0xc4)), damaged(/corrupt|cut off/)],
    ['of no height', picture(frame({ 3: 0, 4: 0 })), damaged('x 0 pixels')],
    ['of no width', picture(frame({ 5: 0, 6: 0 })), damaged('0 x ')],
    ['that says it is higher than it is', picture(frame({ 3: 4 })), damaged('corrupt or cut off')],
    ['of 65,535 x 65,535', picture(frame({ 3: 255, 4: 255, 5: 255, 6: 255 })), tooLarge('65535 x 65535')],
    ['of 16,000 x 16,000', picture(frame({ 3: 62, 4: 128, 5: 62, 6: 128 })), tooLarge('more than 40000000 pixels')],
    ['with arithmetic coding', picture(frame({ [-1]: 0xc9 })), unsupported('arithmetic')],
    ['without loss', picture(frame({ [-1]: 0xc3 })), unsupported('lossless')],
    ['in a hierarchy', picture(frame({ [-1]: 0xc5 })), unsupported('hierarchical')],
    ['of 12 bits', picture(frame({ 2: 12 })), unsupported('12 bits a sample')],
    ['of 2 components', picture(frame({ 7: 2 })), unsupported('2 components')],
    ['with 200 scans', picture(scans(200)), unsupported('more than 100 scans')],
    [
      'of data that is random',
      picture(Buffer.concat([jpeg.subarray(0, markerAt(jpeg, 0xda) + 14), Buffer.alloc(800, 0x5a), END])),
      damaged('corrupt'),
    ],
  ];
  refuses(rows, { url, good });
});

const SIGNATURE = Buffer.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const samples = Array.from({ length: 8 * 8 * 3 }, (_, index) => (index * 37) % 256);
const image: PngImage = { width: 8, height: 8, depth: 8, colorType: 2, samples };
const png = Buffer.from(encodePng(image));
const IEND = pngChunk('IEND', new Uint8Array());
const withHeader = (header: Partial<PngImage>, data: Uint8Array, ...more: readonly Uint8Array[]) =>
  picture(Buffer.concat([SIGNATURE, pngHeader({ ...image, ...header }), ...more, pngChunk('IDAT', data), IEND]));
/** With one byte changed. */
const changed = (at: number, value: number) => {
  const bytes = Buffer.from(png);
  bytes[at < 0 ? bytes.length + at : at] = value;
  return picture(bytes);
};
const rowsOf = (rows: number, filter = 0) =>
  Buffer.concat(Array(rows).fill(Buffer.from([filter, ...samples.slice(0, 24)])));

describe('a PNG is refused', () => {
  const rows: BadRequest[] = [
    ['of its signature alone', picture(SIGNATURE), damaged('end chunk')],
    ['cut off in its data', picture(png.subarray(0, 80)), damaged('over the end')],
    ['without its end', picture(png.subarray(0, -12)), damaged('end chunk')],
    ['without a header', picture(Buffer.concat([SIGNATURE, IEND])), damaged('IHDR is not its first chunk')],
    [
      'with two headers',
      picture(Buffer.concat([SIGNATURE, pngHeader(image), pngHeader(image), IEND])),
      damaged('IHDR'),
    ],
    ['without data', picture(Buffer.concat([SIGNATURE, pngHeader(image), IEND])), damaged('no picture')],
    ['whose header has a wrong checksum', changed(29, 0), damaged('checksum of chunk IHDR')],
    ['whose data has a wrong checksum', changed(-18, 0x55), damaged('does not inflate')],
    ['with a chunk of 4 GB', changed(33, 255), damaged('over the end')],
    ['of 50,000 x 50,000', withHeader({ width: 50_000, height: 50_000 }, deflateSync('x')), tooLarge('50000 x 50000')],
    [
      'of 4 billion x 4 billion',
      withHeader({ width: 2 ** 32 - 1, height: 2 ** 32 - 1 }, deflateSync('x')),
      tooLarge('a side'),
    ],
    [
      'of 16,000 x 16,000',
      withHeader({ width: 16_000, height: 16_000 }, deflateSync('x')),
      tooLarge('40000000 pixels'),
    ],
    [
      'of 6,300 x 6,300 with 16 bits of four channels',
      withHeader({ width: 6300, height: 6300, depth: 16, colorType: 6 }, deflateSync('x')),
      tooLarge('bytes to decode'),
    ],
    ['of no width', withHeader({ width: 0 }, deflateSync('x')), damaged('0 x 8')],
    [
      'that says more than its data can hold',
      withHeader({ width: 6000, height: 6000 }, deflateSync(rowsOf(8))),
      damaged('less data'),
    ],
    [
      'whose data is a bomb of 100 MB',
      withHeader({}, deflateSync(Buffer.alloc(100_000_000))),
      damaged('does not inflate to 200'),
    ],
    ['of too many rows', withHeader({}, deflateSync(rowsOf(9))), damaged('does not inflate to 200')],
    ['of too few rows', withHeader({}, deflateSync(rowsOf(7))), damaged('175 bytes of pixels')],
    ['whose data is not compressed', withHeader({}, rowsOf(8)), damaged('does not inflate')],
    ['with an unknown filter', withHeader({}, deflateSync(rowsOf(8, 9))), damaged('filter 9')],
    ['without its palette', withHeader({ colorType: 3 }, deflateSync(rowsOf(8))), damaged('palette is missing')],
    [
      'of an odd palette',
      withHeader({ colorType: 3 }, deflateSync(rowsOf(8)), pngChunk('PLTE', new Uint8Array(4))),
      damaged('odd'),
    ],
    [
      'with a colour that its palette has not',
      withHeader({ colorType: 3 }, deflateSync(Buffer.alloc(72, 1)), pngChunk('PLTE', new Uint8Array(3))),
      damaged('a pixel has colour 1 of 1'),
    ],
    ['of colour type 5', withHeader({ colorType: 5 as 4 }, deflateSync('x')), unsupported('colour type 5')],
    ['of 3 bits', withHeader({ depth: 3 as 4 }, deflateSync('x')), unsupported('3 bits')],
  ];
  refuses(rows, { url, good });
});

describe('a PNG is read', () => {
  it('beside chunks that nobody needs, though they are bombs', async () => {
    const bomb = deflateSync(Buffer.alloc(200_000_000));
    const text = Buffer.concat([Buffer.from('Comment\0\0'), bomb]);
    const at = 8 + pngHeader(image).length;
    const chunks = [pngChunk('zTXt', text), pngChunk('iCCP', text), pngChunk('zzZz', bomb)];
    const body = Buffer.concat([png.subarray(0, at), ...chunks, png.subarray(at)]);
    const answer = await send(url(), picture(body));
    expect([answer.status, JSON.parse(answer.body.toString()).predictions]).toEqual([200, []]);
  });
});

it('after all of that the photo has the same faces as before', async () => {
  const other = await serveEndpoint();
  try {
    const [worn, fresh] = await Promise.all([send(url(), good), send(other.host.url, good)]);
    expect(worn.body.toString()).toBe(fresh.body.toString());
    expect(JSON.parse(worn.body.toString()).predictions).not.toEqual([]);
  } finally {
    await other.close();
  }
});
