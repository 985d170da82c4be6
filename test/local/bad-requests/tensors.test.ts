/** Tensors that do not fit the model, in Open Inference Protocol V2, over HTTP. */
import { afterAll, beforeAll, describe } from 'vitest';
import { type BadRequest, refuses } from '../../support/bad-request-table.js';
import { DATA_TYPES } from '../../support/random-tensors.js';
import { type ServedEndpoint, serveEndpoint } from '../../support/served-endpoint.js';

let endpoint: ServedEndpoint;
beforeAll(async () => {
  endpoint = await serveEndpoint({
    faces: false,
    echoes: {
      every: [
        ...DATA_TYPES.map((dataType) => ({ name: dataType, dataType, shape: ['N'] })),
        { name: 'matrix', dataType: 'float32', shape: ['N', 2] },
      ],
      one: [{ name: 'x', dataType: 'float32', shape: ['N'] }],
    },
  });
});
afterAll(() => endpoint?.close());

const url = () => endpoint.host.url;
const EVERY = '/v2/models/every/infer';
const ONE = '/v2/models/one/infer';
const good = { path: ONE, body: '{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1]}]}' };

/** A V2 request with one input of the model `every`. */
const input = (entry: Readonly<Record<string, unknown>>) => ({
  path: EVERY,
  body: JSON.stringify({ inputs: [entry] }),
});
/** The same with literals that JSON.stringify would not write. */
const literal = (name: string, datatype: string, element: string) => ({
  path: EVERY,
  body: `{"inputs":[{"name":"${name}","datatype":"${datatype}","shape":[1],"data":[${element}]}]}`,
});
const floats = (rest: Readonly<Record<string, unknown>> = {}) =>
  input({ name: 'float32', datatype: 'FP32', shape: [2], data: [1, 2], ...rest });
const whole = { name: 'x', datatype: 'FP32', shape: [1], data: [1] };
const one = (document: unknown) => ({ path: ONE, body: JSON.stringify(document) });
const invalid = (code: string, advice: string | RegExp, error: string | RegExp = '') => ({
  status: 400,
  code,
  advice,
  error,
});

describe('V2 JSON that names the wrong things is refused', () => {
  const rows: BadRequest[] = [
    ['an unknown input', input({ name: 'floats' }), invalid('UNKNOWN_INPUT', 'Its inputs are "bool"', '"floats"')],
    ['an input without a name', input({ shape: [1] }), invalid('UNKNOWN_INPUT', '"float32"', 'undefined')],
    ['a name that is a number', input({ name: 7 }), invalid('UNKNOWN_INPUT', 'inputs are', '7')],
    ['the name __proto__', input({ name: '__proto__' }), invalid('UNKNOWN_INPUT', 'inputs are', '__proto__')],
    ['a name of 5,000 letters', input({ name: 'x'.repeat(5000) }), invalid('UNKNOWN_INPUT', 'are', /^.{1,200}$/)],
    ['an input twice', one({ inputs: [whole, whole] }), invalid('DUPLICATE_INPUT', 'once', '"x" comes twice')],
    ['no input', one({ inputs: [] }), invalid('MISSING_INPUT', 'every input: "x"', '"x" is missing')],
    ['only some inputs', floats(), invalid('MISSING_INPUT', '"matrix"', '"bool" is missing')],
    ['an unknown output', one({ inputs: [whole], outputs: [{ name: 'y' }] }), invalid('UNKNOWN_OUTPUT', '"x_out"')],
    [
      'an output twice',
      one({ inputs: [whole], outputs: [{ name: 'x_out' }, { name: 'x_out' }] }),
      invalid('DUPLICATE_OUTPUT', 'once'),
    ],
    ['an output that is text', one({ inputs: [whole], outputs: ['x_out'] }), invalid('OBJECT_EXPECTED', 'object')],
    [
      'outputs that are no array',
      one({ inputs: [whole], outputs: { name: 'x_out' } }),
      invalid('OUTPUTS_INVALID', 'array'),
    ],
    ['inputs that are no array', one({ inputs: whole }), invalid('INPUTS_INVALID', 'array of tensors')],
    ['an input that is null', one({ inputs: [null] }), invalid('OBJECT_EXPECTED', 'object', 'inputs[0]')],
    ['an id that is a number', one({ id: 7, inputs: [whole] }), invalid('ID_INVALID', 'as a string')],
    [
      'a flag that is text',
      one({ inputs: [whole], parameters: { binary_data_output: 'yes' } }),
      invalid('FLAG_INVALID', 'true or false'),
    ],
    [
      'shared memory',
      floats({ parameters: { shared_memory_region: 'r' } }),
      invalid('EXTENSION_UNSUPPORTED', 'GET /v2', 'shared_memory_region'),
    ],
    [
      'the classification extension',
      one({ inputs: [whole], outputs: [{ name: 'x_out', parameters: { classification: 3 } }] }),
      invalid('EXTENSION_UNSUPPORTED', 'GET /v2'),
    ],
  ];
  refuses(rows, { url, good });
});

describe('V2 JSON with a wrong datatype is refused', () => {
  const rows: BadRequest[] = [
    ['another one', floats({ datatype: 'FP64' }), invalid('DATATYPE_MISMATCH', 'as FP32', '"FP64"')],
    ['none', floats({ datatype: undefined }), invalid('DATATYPE_MISMATCH', 'as FP32', 'undefined')],
    ["onnxruntime's name", floats({ datatype: 'float32' }), invalid('DATATYPE_MISMATCH', 'as FP32')],
    ['in small letters', floats({ datatype: 'fp32' }), invalid('DATATYPE_MISMATCH', 'as FP32')],
    ['BF16, which V2 knows and we do not', floats({ datatype: 'BF16' }), invalid('DATATYPE_MISMATCH', 'as FP32')],
    ['toString', floats({ datatype: 'toString' }), invalid('DATATYPE_MISMATCH', 'as FP32')],
  ];
  refuses(rows, { url, good });
});

describe('V2 JSON with a wrong shape is refused', () => {
  const rows: BadRequest[] = [
    ['none', floats({ shape: undefined }), invalid('SHAPE_INVALID', 'array of at most 32 integers')],
    ['text', floats({ shape: '[2]' }), invalid('SHAPE_INVALID', 'integers from 0')],
    ['a negative size', floats({ shape: [-1] }), invalid('SHAPE_INVALID', 'integers from 0')],
    ['half a size', floats({ shape: [1.5] }), invalid('SHAPE_INVALID', 'integers from 0')],
    ['a size of 2^53', floats({ shape: [2 ** 53] }), invalid('SHAPE_INVALID', 'integers from 0')],
    ['a size of 2^53 - 1', floats({ shape: [2 ** 53 - 1] }), invalid('SHAPE_TOO_LARGE', 'smaller', '9007199254740991')],
    ['sizes whose product overflows', floats({ shape: [2 ** 32, 2 ** 32] }), invalid('SHAPE_TOO_LARGE', 'smaller')],
    ['a zero that hides an overflow', floats({ shape: [0, 2 ** 52] }), invalid('SHAPE_TOO_LARGE', 'smaller')],
    ['a size of 1e308', literalShape('1e308'), invalid('SHAPE_INVALID', 'integers from 0')],
    ['33 dimensions', floats({ shape: Array(33).fill(1) }), invalid('SHAPE_INVALID', 'at most 32')],
    ['another rank', floats({ shape: [1, 2] }), invalid('SHAPE_MISMATCH', 'GET /v2/models', '[1, 2]')],
    ['a scalar', floats({ shape: [] }), invalid('SHAPE_MISMATCH', 'GET /v2/models', '[]')],
    [
      'a fixed size that differs',
      input({ name: 'matrix', datatype: 'FP32', shape: [1, 3], data: [1, 2, 3] }),
      invalid('SHAPE_MISMATCH', 'fixed sizes', '[N, 2]'),
    ],
  ];
  refuses(rows, { url, good });
});

function literalShape(size: string) {
  return { path: EVERY, body: `{"inputs":[{"name":"float32","datatype":"FP32","shape":[${size}],"data":[1]}]}` };
}

describe('V2 JSON with wrong data is refused', () => {
  const rows: BadRequest[] = [
    ['none', floats({ data: undefined }), invalid('DATA_INVALID', 'binary_data_size')],
    ['null', floats({ data: null }), invalid('DATA_INVALID', 'array of the elements', 'null')],
    ['text', floats({ data: '12' }), invalid('DATA_INVALID', 'array of the elements')],
    ['too few elements', floats({ data: [1] }), invalid('ELEMENT_COUNT_MISMATCH', 'product', '1 elements')],
    ['too many elements', floats({ data: [1, 2, 3] }), invalid('ELEMENT_COUNT_MISMATCH', 'product', '3 elements')],
    [
      'nested unevenly',
      input({ name: 'matrix', datatype: 'FP32', shape: [2, 2], data: [[1, 2], [3]] }),
      invalid('NESTING_MISMATCH', 'exactly as "shape" says', 'axis 1'),
    ],
    ['nested too deep', floats({ data: [[1], [2]] }), invalid('ELEMENT_INVALID', 'Correct', 'an array of 1')],
    ['null among numbers', floats({ data: [1, null] }), invalid('ELEMENT_INVALID', 'Correct', 'Element 1')],
    ['text among numbers', floats({ data: [1, '2'] }), invalid('ELEMENT_INVALID', 'Correct', '"2"')],
    ['truth among numbers', floats({ data: [1, true] }), invalid('ELEMENT_INVALID', 'Correct', 'true')],
    ['2 for BOOL', literal('bool', 'BOOL', '2'), invalid('ELEMENT_INVALID', 'Correct', 'true and false')],
    ['256 for UINT8', literal('uint8', 'UINT8', '256'), invalid('ELEMENT_OUT_OF_RANGE', 'holds', 'UINT8')],
    ['-1 for UINT16', literal('uint16', 'UINT16', '-1'), invalid('ELEMENT_OUT_OF_RANGE', 'holds', 'UINT16')],
    ['2^32 for UINT32', literal('uint32', 'UINT32', '4294967296'), invalid('ELEMENT_OUT_OF_RANGE', 'holds')],
    ['2^64 for UINT64', literal('uint64', 'UINT64', '18446744073709551616'), invalid('ELEMENT_OUT_OF_RANGE', 'holds')],
    ['-129 for INT8', literal('int8', 'INT8', '-129'), invalid('ELEMENT_OUT_OF_RANGE', 'holds')],
    ['32768 for INT16', literal('int16', 'INT16', '32768'), invalid('ELEMENT_OUT_OF_RANGE', 'holds')],
    ['2^31 for INT32', literal('int32', 'INT32', '2147483648'), invalid('ELEMENT_OUT_OF_RANGE', 'holds')],
    ['2^63 for INT64', literal('int64', 'INT64', '9223372036854775808'), invalid('ELEMENT_OUT_OF_RANGE', 'holds')],
    ['1.5 for INT32', literal('int32', 'INT32', '1.5'), invalid('ELEMENT_INVALID', 'Correct', 'integers')],
    ['1e400 for INT64', literal('int64', 'INT64', '1e400'), invalid('ELEMENT_INVALID', 'Correct', 'integers')],
    ['65520 for FP16', literal('float16', 'FP16', '65520'), invalid('ELEMENT_OUT_OF_RANGE', 'binary form', 'FP16')],
    ['1e39 for FP32', literal('float32', 'FP32', '1e39'), invalid('ELEMENT_OUT_OF_RANGE', 'binary form')],
    ['1e309 for FP64', literal('float64', 'FP64', '1e309'), invalid('ELEMENT_OUT_OF_RANGE', 'binary form')],
    ['a number for BYTES', literal('string', 'BYTES', '1'), invalid('ELEMENT_INVALID', 'Correct', 'strings')],
    ['half a surrogate pair', literal('string', 'BYTES', '"\\ud800"'), invalid('STRING_INVALID', 'UTF-8', 'surrogate')],
    ['the character 0', literal('string', 'BYTES', '"a\\u0000"'), invalid('STRING_INVALID', 'base64', 'U+0000')],
    ['data and a binary size', floats({ parameters: { binary_data_size: 8 } }), invalid('DATA_TWICE', 'not both')],
  ];
  refuses(rows, { url, good });
});

/** A V2 request with one input behind the document. */
const binary = (
  bytes: number | Uint8Array,
  parameters: unknown,
  { name = 'float32', datatype = 'FP32', shape = [2], length = 0 } = {},
) => {
  const document = Buffer.from(JSON.stringify({ inputs: [{ name, datatype, shape, parameters }] }));
  const body = Buffer.concat([document, typeof bytes === 'number' ? new Uint8Array(bytes) : bytes]);
  return { path: EVERY, body, headers: { 'inference-header-content-length': document.length + length } };
};
const texts = { name: 'string', datatype: 'BYTES', shape: [1] };
const size = (bytes: unknown) => ({ binary_data_size: bytes });

describe('V2 binary is refused with', () => {
  const rows: BadRequest[] = [
    [
      'a size too small for the shape',
      binary(4, size(4)),
      invalid('BINARY_SIZE_MISMATCH', 'agree', '2 elements take 8'),
    ],
    ['a size too large for the shape', binary(12, size(12)), invalid('BINARY_SIZE_MISMATCH', 'agree')],
    [
      'a size beyond the body',
      binary(7, size(8)),
      invalid('BINARY_DATA_MISSING', 'every binary input', '7 bytes left'),
    ],
    ['a size of 2^53', binary(8, size(2 ** 53)), invalid('BINARY_SIZE_INVALID', 'integer from 0')],
    ['a size of 2^53 - 1', binary(8, size(2 ** 53 - 1)), invalid('BINARY_DATA_MISSING', 'every binary input')],
    ['half a size', binary(8, size(7.5)), invalid('BINARY_SIZE_INVALID', 'integer from 0', '7.5')],
    ['a negative size', binary(8, size(-8)), invalid('BINARY_SIZE_INVALID', 'integer from 0')],
    ['a size in text', binary(8, size('8')), invalid('BINARY_SIZE_INVALID', 'integer from 0', '"8"')],
    ['a size of null', binary(8, size(null)), invalid('BINARY_SIZE_INVALID', 'integer from 0')],
    ['bytes that belong to nothing', binary(9, size(8)), invalid('LEFTOVER_BYTES', 'agree with the body', '1 bytes')],
    ['parameters that are an array', binary(8, [8]), invalid('OBJECT_EXPECTED', 'object')],
    ['a length beyond the body', binary(8, size(8), { length: 9 }), invalid('HEADER_LENGTH_BEYOND_BODY', 'in bytes')],
    ['a length a byte too short', binary(8, size(8), { length: -1 }), invalid('JSON_INVALID', 'Inference-Header-')],
    ['a length a byte too long', binary(8, size(8), { length: 1 }), invalid('JSON_INVALID', 'Inference-Header-')],
    [
      'BOOL above 1',
      binary(Uint8Array.of(2), size(1), { name: 'bool', datatype: 'BOOL', shape: [1] }),
      invalid('BOOL_INVALID', '0 or 1'),
    ],
    [
      'a string longer than the body',
      binary(Uint8Array.of(9, 0, 0, 0), size(4), texts),
      invalid('BINARY_SIZE_MISMATCH', '4-byte'),
    ],
    [
      'a string of 4 GB',
      binary(Uint8Array.of(255, 255, 255, 255), size(4), texts),
      invalid('BINARY_SIZE_MISMATCH', '4-byte'),
    ],
    ['half a length of a string', binary(2, size(2), texts), invalid('BINARY_SIZE_MISMATCH', '4-byte', 'ends before')],
    [
      'a string that is not UTF-8',
      binary(Uint8Array.of(1, 0, 0, 0, 255), size(5), texts),
      invalid('STRING_INVALID', 'base64'),
    ],
    ['a string with a zero', binary(Uint8Array.of(1, 0, 0, 0, 0), size(5), texts), invalid('STRING_INVALID', 'base64')],
    [
      'more strings than bytes',
      binary(8, size(8), { ...texts, shape: [2 ** 30] }),
      invalid('BINARY_SIZE_MISMATCH', '4-byte', '1073741824'),
    ],
  ];
  refuses(rows, { url, good });
});
