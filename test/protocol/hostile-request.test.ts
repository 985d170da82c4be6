/** Documents that are valid, or nearly, and made to cost more than they look, or to mean something else on their way. */
import { describe, expect, it } from 'vitest';
import type { DataType, Signature } from '../../lib/artifact/manifest.js';
import { parseKeepingLiterals } from '../../lib/protocol/exact-integers.js';
import { decodeInferRequest } from '../../lib/protocol/infer-request.js';
import { decodePredictRequest } from '../../lib/protocol/tensorflow-serving-request.js';
import { refusalOf } from '../support/refusal.js';

const taking = (dataType: DataType): Signature => ({ inputs: [{ name: 'x', dataType, shape: [null] }], outputs: [] });
const infer = (text: string, dataType: DataType) =>
  decodeInferRequest({ kind: 'text', text }, taking(dataType)).inputs[0]?.data;
const v2 = (datatype: string, data: string) =>
  `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[1],"data":[${data}]}]}`;

describe('a string that onnxruntime would change', () => {
  it.each([
    ['the character 0', 'a\\u0000b', 'U+0000'],
    ['half a surrogate pair', 'a\\ud83db', 'surrogate'],
    ['the other half', '\\ude00', 'surrogate'],
  ])('by %s is refused in V2 and in TensorFlow Serving', async (_, written, told) => {
    const refused = { status: 400, code: 'STRING_INVALID', message: expect.stringContaining(told) };
    expect(await refusalOf(() => infer(v2('BYTES', `"${written}"`), 'string'))).toMatchObject(refused);
    const rows = `{"instances":["${written}"]}`;
    expect(await refusalOf(() => decodePredictRequest(rows, taking('string')))).toMatchObject(refused);
  });

  it('is refused in the binary form and as base64', async () => {
    const document = Buffer.from(
      '{"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":6}}]}',
    );
    const bytes = Buffer.concat([document, Buffer.from([2, 0, 0, 0, 0x61, 0])]);
    const body = { kind: 'bytes', bytes, headerLength: document.length } as const;
    const refused = { code: 'STRING_INVALID', message: expect.stringContaining('Element 0 of input "x"') };
    expect(await refusalOf(() => decodeInferRequest(body, taking('string')))).toMatchObject(refused);
    const rows = '{"instances":[{"b64":"YQA="}]}';
    expect(await refusalOf(() => decodePredictRequest(rows, taking('string')))).toMatchObject(refused);
  });

  it('is no string of whole characters beyond the first 65,536', () => {
    expect(infer(v2('BYTES', '"\\ud83d\\ude00 and 😀"'), 'string')).toEqual(['😀 and 😀']);
  });
});

describe('a byte order mark', () => {
  it('before the document is passed over, in text as in bytes', () => {
    const text = `\ufeff${v2('INT64', '9007199254740993')}`;
    expect(infer(text, 'int64')).toEqual(BigInt64Array.of(9007199254740993n));
    const bytes = Buffer.from(text);
    const { inputs } = decodeInferRequest({ kind: 'bytes', bytes, headerLength: bytes.length }, taking('int64'));
    expect(inputs[0]?.data).toEqual(BigInt64Array.of(9007199254740993n));
    expect(decodePredictRequest('\ufeff{"instances":[7]}', taking('uint8')).inputs[0]?.data).toEqual(Uint8Array.of(7));
  });
});

describe('nesting', () => {
  const LEVELS = 100_000;
  it.each([
    ['arrays', '['.repeat(LEVELS) + ']'.repeat(LEVELS)],
    ['arrays without an end', '['.repeat(LEVELS)],
    ['arrays after numbers', '[0,'.repeat(LEVELS)],
    ['objects', `${'{"a":'.repeat(LEVELS)}1${'}'.repeat(LEVELS)}`],
    ['data', v2('FP32', '['.repeat(LEVELS) + ']'.repeat(LEVELS))],
  ])('of %s, 100,000 levels deep, is refused before it is parsed', async (_, text) => {
    expect(await refusalOf(() => infer(text, 'float32'))).toMatchObject({
      code: 'JSON_TOO_DEEP',
      advice: expect.stringContaining('flat'),
    });
  });

  it('is not counted in strings, and not where it ends again', () => {
    const brackets = `"${'[{\\"'.repeat(LEVELS)}"`;
    expect((infer(v2('BYTES', brackets), 'string') as string[])[0]).toHaveLength(LEVELS * 3);
    const rows = Array.from({ length: LEVELS }, () => '[[1]]').join(',');
    const decoded = decodePredictRequest(`{"instances":[${rows}]}`, {
      ...taking('uint8'),
      inputs: [{ name: 'x', dataType: 'uint8', shape: null }],
    });
    expect(decoded.inputs[0]?.shape).toEqual([LEVELS, 1, 1]);
  });
});

it('literals are kept in texts of any length, with every string beside them as it was', () => {
  const text = `["\ud800","é😀\\"",${'12345678901234567890,"ü",1e17,-0.5,'.repeat(20_000)}"1e5"]`;
  const expected = JSON.parse(
    text.replaceAll('12345678901234567890', '"12345678901234567890"').replaceAll('1e17', '"1e17"'),
  );
  expect(parseKeepingLiterals(text)).toEqual(expected);
});
