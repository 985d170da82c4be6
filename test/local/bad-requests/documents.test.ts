/** Bodies that are no JSON, or JSON of no use, and headers that do not say what the body is, over HTTP. */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BadRequest, errorIn, refuses, send } from '../../support/bad-request-table.js';
import { type ServedEndpoint, serveEndpoint } from '../../support/served-endpoint.js';

let endpoint: ServedEndpoint;
beforeAll(async () => {
  endpoint = await serveEndpoint({
    faces: false,
    echoes: {
      numbers: [{ name: 'x', dataType: 'float32', shape: ['N'] }],
      longs: [{ name: 'x', dataType: 'int64', shape: ['N'] }],
      texts: [{ name: 'x', dataType: 'string', shape: ['N'] }],
    },
  });
});
afterAll(() => endpoint?.close());

const url = () => endpoint.host.url;
const INFER = '/v2/models/numbers/infer';
const PREDICT = '/v1/models/numbers:predict';
const ONE = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]}';
const good = { path: INFER, body: ONE };
const LEVELS = 100_000;
const MIB = 1024 * 1024;

const v2 = (body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}) => ({
  path: INFER,
  body,
  headers,
});
const jsonInvalid = (error: string | RegExp = 'not JSON') => ({
  status: 400,
  code: 'JSON_INVALID',
  advice: 'UTF-8',
  error,
});
const octets = { 'content-type': 'application/octet-stream' };

describe('a document is refused that', () => {
  const tooDeep = { status: 400, code: 'JSON_TOO_DEEP', advice: 'flat', error: '64 levels' };
  const rows: BadRequest[] = [
    ['is not there', v2(''), jsonInvalid()],
    ['ends in the middle', v2(ONE.slice(0, 40)), jsonInvalid()],
    ['ends in an escape', v2('{"id":"\\u00'), jsonInvalid()],
    ['ends twice', v2(`${ONE}}`), jsonInvalid()],
    ['comes twice', v2(ONE + ONE), jsonInvalid()],
    ['has a comma too many', v2('{"inputs":[],}'), jsonInvalid()],
    ['has names without quotes', v2('{inputs:[]}'), jsonInvalid()],
    ['has comments', v2('/* tensors */ {}'), jsonInvalid()],
    ['has NaN', v2(ONE.replace('[1]}', '[NaN]}')), jsonInvalid('NaN')],
    ['has Infinity', v2(ONE.replace('[1]}', '[Infinity]}')), jsonInvalid('Infinity')],
    ['has a number with a zero in front', v2(ONE.replace('[1]}', '[01]}')), jsonInvalid()],
    ['has a line break in a text', v2('{"id":"a\nb"}'), jsonInvalid()],
    ['is a picture', v2(Buffer.of(0xff, 0xd8, 0xff, 0xe0), octets), jsonInvalid('not UTF-8')],
    ['is in Latin-1', v2(Buffer.from('{"id":"grüße"}', 'latin1'), octets), jsonInvalid('not UTF-8')],
    ['is in UTF-16', v2(Buffer.from(ONE, 'utf16le'), octets), jsonInvalid()],
    [
      'has half a surrogate pair in UTF-8',
      v2(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), octets),
      jsonInvalid('UTF-8'),
    ],
    ['is null', v2('null'), { status: 400, code: 'OBJECT_EXPECTED', advice: 'JSON object', error: 'null' }],
    ['is a number', v2('7'), { status: 400, code: 'OBJECT_EXPECTED', advice: 'JSON object', error: '7' }],
    ['is an array', v2('[]'), { status: 400, code: 'OBJECT_EXPECTED', advice: 'JSON object', error: 'array of 0' }],
    ['is text', v2('"inputs"'), { status: 400, code: 'OBJECT_EXPECTED', advice: 'JSON object', error: '"inputs"' }],
    [
      'hides its inputs in __proto__',
      v2(`{"__proto__":${ONE}}`),
      { status: 400, code: 'INPUTS_INVALID', advice: 'array of tensors', error: 'undefined' },
    ],
    [
      'says inputs twice, the last one wrong',
      v2(`${ONE.slice(0, -1)},"inputs":7}`),
      { status: 400, code: 'INPUTS_INVALID', advice: 'array of tensors', error: '7' },
    ],
    ['is nested 100,000 arrays deep', v2('['.repeat(LEVELS) + ']'.repeat(LEVELS)), tooDeep],
    ['opens 100,000 arrays', v2('['.repeat(LEVELS)), tooDeep],
    ['is nested 100,000 objects deep', v2(`${'{"a":'.repeat(LEVELS)}1${'}'.repeat(LEVELS)}`), tooDeep],
    ['has data 100,000 deep', v2(ONE.replace('[1]}', `${'['.repeat(LEVELS)}${']'.repeat(LEVELS)}}`)), tooDeep],
    ['has rows 100,000 deep', { path: PREDICT, body: `{"instances":${'['.repeat(LEVELS)}` }, tooDeep],
    [
      'has a number of 100,000 digits',
      {
        path: '/v2/models/longs/infer',
        body: ONE.replace('FP32', 'INT64').replace('[1]}', `[${'1'.repeat(LEVELS)}]}`),
      },
      { status: 400, code: 'ELEMENT_INVALID', advice: 'Correct', error: 'Infinity' },
    ],
    [
      'has a number of 100,000 digits that is finite',
      {
        path: '/v2/models/longs/infer',
        body: ONE.replace('FP32', 'INT64').replace('[1]}', `[1e-${'0'.repeat(LEVELS)}9]}`),
      },
      { status: 400, code: 'ELEMENT_INVALID', advice: 'Correct', error: 'integers' },
    ],
  ];
  refuses(rows, { url, good });
});

describe('headers are refused that', () => {
  const media = { status: 415, code: 'MEDIA_TYPE_UNSUPPORTED', advice: 'application/octet-stream' };
  const encoding = { status: 415, code: 'CONTENT_ENCODING_UNSUPPORTED', advice: 'without Content-Encoding' };
  const length = { status: 400, code: 'HEADER_LENGTH_INVALID', advice: 'in bytes' };
  const withLength = (value: string) => v2(Buffer.from(ONE), { 'inference-header-content-length': value });
  const rows: BadRequest[] = [
    ['call the body a form', v2('inputs=1', { 'content-type': 'application/x-www-form-urlencoded' }), media],
    ['call it a multipart form', v2(ONE, { 'content-type': 'multipart/form-data; boundary=x' }), media],
    ['call it text', v2(ONE, { 'content-type': 'text/plain' }), { ...media, error: '"text/plain"' }],
    ['call it a picture', v2(ONE, { 'content-type': 'image/png' }), media],
    [
      'call it something endless',
      v2(ONE, { 'content-type': `a/${'b'.repeat(4000)}` }),
      { ...media, error: /^.{1,200}$/ },
    ],
    ['say gzip, and it is', v2(gzipSync(ONE), { 'content-encoding': 'gzip' }), { ...encoding, error: 'gzip' }],
    ['say gzip, and it is not', v2(ONE, { 'content-encoding': 'gzip' }), encoding],
    ['say br', v2(ONE, { 'content-encoding': 'br' }), { ...encoding, error: '"br"' }],
    [
      'say gzip to TensorFlow Serving',
      { ...v2(gzipSync('{}'), { 'content-encoding': 'gzip' }), path: PREDICT },
      encoding,
    ],
    ['give a length of letters', withLength('abc'), { ...length, error: '"abc"' }],
    ['give a negative length', withLength('-1'), length],
    ['give half a length', withLength('1.5'), length],
    ['give a length in hexadecimal', withLength('0x10'), length],
    ['give a length of 20 digits', withLength('9'.repeat(20)), length],
    ['give two lengths', withLength('1, 2'), length],
    ['give no length', withLength(''), length],
    [
      'give a length of 0',
      withLength('0'),
      { status: 400, code: 'JSON_INVALID', advice: 'Inference-Header-Content-Length', error: 'end of JSON' },
    ],
    [
      'give a length beyond the body',
      withLength('999999999999999'),
      { status: 400, code: 'HEADER_LENGTH_BEYOND_BODY', advice: 'in bytes', error: '999999999999999' },
    ],
    [
      'call a binary body JSON, which API Gateway reads as text',
      v2(Buffer.concat([Buffer.from(ONE), Buffer.of(0, 0, 128, 63)]), {
        'content-type': 'application/json',
        'inference-header-content-length': String(ONE.length),
      }),
      { status: 415, code: 'BINARY_BODY_AS_TEXT', advice: 'octet-stream' },
    ],
  ];
  refuses(rows, { url, good });
});

describe('a document is read that', () => {
  it('begins with a byte order mark, as text and as bytes', async () => {
    for (const body of [`\ufeff${ONE}`, Buffer.from(`\ufeff${ONE}`)]) {
      const answer = await send(url(), v2(body));
      expect([answer.status, JSON.parse(answer.body.toString()).outputs[0].data]).toEqual([200, [1]]);
    }
  });

  it('says the same thing twice: the last one counts, as everywhere in JSON', async () => {
    const twice = ONE.replace('"data":[1]', '"data":[2],"data":[1]');
    expect(JSON.parse((await send(url(), v2(twice))).body.toString()).outputs[0].data).toEqual([1]);
  });

  it('has members that nobody knows, among them those of every object', async () => {
    const more = `${ONE.slice(0, -1)},"__proto__":{"id":7},"constructor":1,"toString":[],"hasOwnProperty":null}`;
    const answer = await send(url(), v2(more));
    expect([answer.status, JSON.parse(answer.body.toString()).id]).toEqual([200, undefined]);
  });

  it('is whole characters beyond the first 65,536', async () => {
    const body = ONE.replace('FP32', 'BYTES').replace('[1]}', '["\\ud83d\\ude00"]}');
    const answer = await send(url(), { path: '/v2/models/texts/infer', body });
    expect(JSON.parse(answer.body.toString()).outputs[0].data).toEqual(['😀']);
  });
});

describe('sizes', () => {
  const padded = (bytes: number) => `${ONE}${' '.repeat(bytes)}`;

  it('beyond 6 MB never reach the function; API Gateway refuses them, and the next request is answered', async () => {
    expect((await send(url(), v2(padded(5.9 * MIB)))).status).toBe(200);
    for (const body of [padded(6 * MIB + 1 - ONE.length), padded(9 * MIB), padded(11 * MIB)]) {
      const answer = await send(url(), v2(body)).catch(({ code }: NodeJS.ErrnoException) => code);
      // Above 10 MB the connection may be closed while the rest is still being sent.
      if (typeof answer === 'string') expect(['EPIPE', 'ECONNRESET']).toContain(answer);
      else {
        expect([answer?.status, answer?.body.toString()]).toEqual([413, '{"message":"Request Entity Too Large"}']);
      }
      expect((await send(url(), good)).status).toBe(200);
    }
  });

  it('of an answer beyond 6 MB are an error with advice', async () => {
    // 1e20 has four bytes, and 22 when it comes back.
    const count = 600_000;
    const body = `{"inputs":[{"name":"x","datatype":"FP32","shape":[${count}],"data":[${'1e20,'.repeat(count - 1)}1e20]}]}`;
    const answer = await send(url(), v2(body));
    expect([answer.status, errorIn(answer)]).toMatchObject([
      422,
      { code: 'RESPONSE_TOO_LARGE', advice: expect.stringContaining('binary') },
    ]);
    expect((await send(url(), good)).status).toBe(200);
  });
});
