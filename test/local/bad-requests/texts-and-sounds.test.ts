/** Bodies of /predict that are no text or no sound, over HTTP to small models that read them. */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BadRequest, refuses, send } from '../../support/bad-request-table.js';
import { type ServedEndpoint, serveEndpoint } from '../../support/served-endpoint.js';
import { soundModel, textModel, wordModel } from '../../support/task-models.js';
import { encodeWav, type WavOptions, wavChunk } from '../../support/wav-writer.js';

let endpoint: ServedEndpoint;
beforeAll(async () => {
  endpoint = await serveEndpoint({
    faces: false,
    tasks: { texts: textModel(), words: wordModel(), sounds: soundModel() },
  });
});
afterAll(() => endpoint?.close());

const url = () => endpoint.host.url;

const text = (body: string | Uint8Array, type = 'text/plain') => ({
  path: '/predict/texts',
  body,
  headers: { 'content-type': type },
});
const goodText = text('You have won a prize');

describe('a text is refused that', () => {
  const missing = { status: 400, code: 'TEXT_MISSING', advice: '{ "text": "…" }' };
  const noJson = { status: 400, code: 'TEXT_JSON', advice: 'text/plain', error: 'no JSON object with a "text"' };
  const noUtf8 = { status: 400, code: 'TEXT_NOT_UTF8', advice: 'Convert it to UTF-8' };
  const tooLarge = { status: 413, code: 'TEXT_TOO_LARGE', advice: 'the part of the text that matters' };
  const media = { status: 415, code: 'MEDIA_TYPE_UNSUPPORTED', advice: "'content-type: text/plain'" };
  const octets = 'application/octet-stream';
  const rows: BadRequest[] = [
    ['has 0 bytes', text(''), missing],
    ['is white space', text(' \r\n\t\u3000'), missing],
    ['is a byte order mark', text(Buffer.of(0xef, 0xbb, 0xbf), octets), missing],
    ['is empty in JSON', text('{"text":""}', 'application/json'), missing],
    ['is white space in JSON', text('{"text":"\\n\\u00a0"}', 'application/json'), missing],
    ['is not there in JSON', text('{}', 'application/json'), noJson],
    ['has another name in JSON', text('{"texts":"a"}', 'application/json'), noJson],
    ['is a number in JSON', text('{"text":7}', 'application/json'), noJson],
    ['is two texts in JSON', text('{"text":["a","b"]}', 'application/json'), noJson],
    ['is hidden in __proto__', text('{"__proto__":{"text":"a"}}', 'application/json'), noJson],
    ['is JSON of another kind', text('"a"', 'application/json'), noJson],
    ['is null', text('null', 'application/json'), noJson],
    ['is JSON that ends in the middle', text('{"text":"a', 'application/json'), noJson],
    ['is JSON 100,000 levels deep', text('['.repeat(100_000), 'application/json'), noJson],
    ['is JSON 40,000 objects deep', text('{"text":'.repeat(30_000), 'application/json; charset=utf-8'), noJson],
    ['is in Latin-1', text(Buffer.from('grüße', 'latin1'), octets), noUtf8],
    ['is in UTF-16', text(Buffer.from('\ufeffgrüße', 'utf16le'), octets), noUtf8],
    ['is a picture', text(Buffer.of(0xff, 0xd8, 0xff, 0xe0), octets), noUtf8],
    ['has half a surrogate pair in UTF-8', text(Buffer.of(0x61, 0xed, 0xa0, 0x80), octets), noUtf8],
    ['is a byte too long', text('a'.repeat(262_145)), { ...tooLarge, error: '262145 bytes' }],
    ['is 5 MB of one word', text('ß'.repeat(2_500_000)), tooLarge],
    ['is 5 MB in JSON', text(`{"text":"${'a'.repeat(5_000_000)}"}`, 'application/json'), tooLarge],
    ['is 4 MB of bytes', text(Buffer.alloc(4_000_000, 0xff), octets), tooLarge],
    ['is called a picture', text('a', 'image/png'), { ...media, error: '"image/png"' }],
    ['is called HTML', text('<p>a</p>', 'text/html'), media],
    ['is called a sound', text(encodeWav([0]), 'audio/wav'), media],
    ['is a form', text('text=a', 'application/x-www-form-urlencoded'), media],
    [
      'is in gzip',
      { ...text(gzipSync('a'), octets), headers: { 'content-type': octets, 'content-encoding': 'gzip' } },
      { status: 415, code: 'CONTENT_ENCODING_UNSUPPORTED', advice: 'without Content-Encoding' },
    ],
  ];
  refuses(rows, { url, good: goodText });
});

describe('a text with a tokenizer.json is refused that', () => {
  const words = (body: string) => ({ ...text(body), path: '/predict/words' });
  const rows: BadRequest[] = [
    ['has 0 bytes', words(''), { status: 400, code: 'TEXT_MISSING', advice: '{ "text": "…" }' }],
    [
      'is one word beyond the recursion of its library',
      words('a'.repeat(262_144)),
      { status: 413, code: 'TEXT_TOO_LARGE', advice: 'spaces between its words', error: '262144 characters' },
    ],
  ];
  refuses(rows, { url, good: words('a aa') });
});

const sound = (body: string | Uint8Array, type = 'audio/wav') => ({
  path: '/predict/sounds',
  body,
  headers: { 'content-type': type },
});
const tone = Float32Array.from({ length: 8000 }, (_, index) => 0.5 * Math.sin(index / 6));
const silenceWith = (sample: number) => Array.from({ length: 16_000 }, (_, index) => (index === 100 ? sample : 0));
const goodSound = sound(encodeWav(tone));
const wav = (options: WavOptions = {}) => Buffer.from(encodeWav(tone.subarray(0, 600), options));
/** With bytes of its format changed: 0 kind, 2 channels, 4 rate, 12 block, 14 bits. */
const formatted = (changes: Readonly<Record<number, number>>, bytes = wav()) => {
  const at = bytes.indexOf('fmt ') + 8;
  for (const [offset, value] of Object.entries(changes)) bytes.writeUInt16LE(value, at + Number(offset));
  return bytes;
};
const riff = (...chunks: readonly Uint8Array[]) => wavChunk('RIFF', Buffer.concat([Buffer.from('WAVE'), ...chunks]));
const withSize = (tag: string, size: number) => {
  const bytes = wav();
  bytes.writeUInt32LE(size, bytes.indexOf(tag) + 4);
  return bytes;
};

describe('a sound is refused that', () => {
  const advice = 'WAV file with PCM of 16 bits';
  const missing = { status: 400, code: 'SOUND_MISSING', advice };
  const unknown = { status: 415, code: 'SOUND_FORMAT_UNKNOWN', advice: 'no form data, no base64' };
  const damaged = (error: string) => ({ status: 400, code: 'SOUND_DAMAGED', advice, error });
  const unsupported = (error: string) => ({ status: 415, code: 'SOUND_VARIANT_UNSUPPORTED', advice, error });
  const tooLong = (error: string) => ({ status: 413, code: 'SOUND_TOO_LONG', advice: 'shorter', error });
  const media = { status: 415, code: 'MEDIA_TYPE_UNSUPPORTED', advice: "'content-type: audio/wav'" };
  const rows: BadRequest[] = [
    ['has 0 bytes', sound(''), missing],
    ['is an MP3', sound(Buffer.from('ID3\u0003')), { ...unknown, error: '49443303' }],
    ['is an AVI', sound(Buffer.from('RIFF\0\0\0\0AVI ')), unknown],
    ['is big-endian', sound(Buffer.from('RIFX\0\0\0\0WAVE')), unknown],
    ['is one byte', sound(Buffer.of(0x52)), unknown],
    ['is in base64', sound(Buffer.from(wav().toString('base64')), 'application/octet-stream'), unknown],
    ['is in gzip, and does not say so', sound(gzipSync(wav())), unknown],
    ['has a head only', sound(wav().subarray(0, 12)), damaged('no sound in it')],
    ['ends in its format', sound(wav().subarray(0, 30)), damaged('ends too early')],
    ['ends in its sound', sound(wav().subarray(0, -1)), damaged('1200 bytes of sound and has 1199')],
    ['claims 4 GB of sound', sound(withSize('data', 0xfffffffe)), damaged('claims 4294967294 bytes')],
    ['claims 4 GB of format', sound(withSize('fmt ', 0xffffffff)), damaged('ends too early')],
    ['has a format of 8 bytes', sound(riff(wavChunk('fmt ', new Uint8Array(8)))), damaged('format is cut short')],
    [
      'has its sound in front of its format',
      sound(riff(wavChunk('data', new Uint8Array(4)))),
      damaged('before its format'),
    ],
    [
      'has half a million chunks and no sound',
      sound(riff(Buffer.alloc(4_000_000, wavChunk('junk', new Uint8Array(0))))),
      damaged('no sound'),
    ],
    ['has blocks of another size', sound(formatted({ 12: 3 })), damaged('blocks of 3 bytes')],
    ['is extensible and cut short', sound(formatted({ 0: 0xfffe })), damaged('format is cut short')],
    ['is µ-law', sound(formatted({ 0: 7, 14: 8 })), unsupported('format 7 with 8 bits')],
    ['is of 12 bits', sound(formatted({ 14: 12 })), unsupported('12 bits')],
    ['is of floats of 16 bits', sound(formatted({ 0: 3 })), unsupported('format 3 with 16 bits')],
    ['has no channel', sound(formatted({ 2: 0 })), unsupported('0 channels')],
    ['has 65,535 channels', sound(formatted({ 2: 65_535 })), unsupported('65535 channels')],
    ['has no sample a second', sound(formatted({ 4: 0 })), unsupported('0 samples a second')],
    ['has 4 billion samples a second', sound(formatted({ 4: 0xffff, 6: 0xffff })), unsupported('4294967295 samples')],
    [
      'is 70 minutes long',
      sound(encodeWav(new Uint8Array(4_200_000), { sampleRate: 1000, bits: 8 })),
      tooLong('67200000 samples at 16000 Hz'),
    ],
    ['is called a text', sound('a', 'text/plain'), media],
    ['is called JSON', sound('{}', 'application/json'), media],
    ['is called an MP3', sound(wav(), 'audio/mpeg'), { ...media, error: '"audio/mpeg"' }],
    [
      'is in gzip, and says so',
      { ...sound(gzipSync(wav())), headers: { 'content-type': 'audio/wav', 'content-encoding': 'gzip' } },
      { status: 415, code: 'CONTENT_ENCODING_UNSUPPORTED', advice: 'without Content-Encoding' },
    ],
  ];
  refuses(rows, { url, good: goodSound });
});

describe('what is odd and no damage is read:', () => {
  const predictions = async (request: Parameters<typeof send>[1]) => {
    const answer = await send(url(), request);
    expect(answer.status, answer.body.toString()).toBe(200);
    return JSON.parse(answer.body.toString()).predictions;
  };

  it.each([
    ['the longest text', text('a '.repeat(131_072))],
    ['marks that unfold to many characters', text('\ufdfa'.repeat(87_000))],
    ['one word of 256 kB', text('a'.repeat(262_144))],
    ['half a surrogate pair in an escape', text('{"text":"\\ud800"}', 'application/json')],
    ['a zero', text('\0')],
    ['bytes of no type that are UTF-8', text(Buffer.from('grüße'), 'application/octet-stream')],
  ])('%s', async (_, request) => {
    const scores = (await predictions(request)).map(({ score }: { score: number }) => score);
    expect(scores).toHaveLength(2);
    expect(scores[0] + scores[1]).toBeCloseTo(1, 5);
  });

  it.each<[string, Uint8Array, number]>([
    ['no samples', encodeWav([]), 0],
    [
      'floats that are no numbers',
      encodeWav(
        tone.map((sample, index) => (index % 2 === 0 ? Number.NaN : sample)),
        { bits: 32, float: true },
      ),
      1,
    ],
    // It would fill the state, and with it the rest of the sound.
    ['a float of 1e300 in silence', encodeWav(silenceWith(1e300), { bits: 64, float: true }), 0],
    ['a float of 3e38 in silence', encodeWav(silenceWith(3e38), { bits: 32, float: true, sampleRate: 11_025 }), 0],
    ["a rate that has no divisor with the model's", encodeWav(tone, { sampleRate: 767_999 }), 0],
    ['64 channels', encodeWav(new Float32Array(64 * 8000).fill(0.5), { channels: 64 }), 1],
  ])('%s', async (_, body, stretches) => {
    expect(await predictions(sound(body))).toHaveLength(stretches);
  });

  it('the longest sound that one can post at the lowest rate, in more windows than anybody wants to hold at once', async () => {
    const body = encodeWav(new Int8Array(1_000_000).fill(-1), { sampleRate: 1000, bits: 8 });
    expect(await predictions(sound(body))).toEqual([expect.objectContaining({ label: 'speech', start: 0 })]);
  });
});
