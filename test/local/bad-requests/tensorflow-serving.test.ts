/** Requests of TensorFlow Serving's API that do not fit the model, over HTTP. */
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
const invalid = (code: string, advice: string | RegExp, error: string | RegExp = '') => ({
  status: 400,
  code,
  advice,
  error,
});

const tfEvery = (document: unknown) => ({ path: '/v1/models/every:predict', body: JSON.stringify(document) });
const tfOne = (document: unknown) => ({ path: '/v1/models/one:predict', body: JSON.stringify(document) });

describe("TensorFlow Serving's form is refused with", () => {
  const rows: BadRequest[] = [
    ['neither rows nor columns', tfOne({}), invalid('PREDICT_FORM_INVALID', '"instances"', 'neither')],
    ['both', tfOne({ instances: [1], inputs: [1] }), invalid('PREDICT_FORM_INVALID', '"inputs"', 'both')],
    ['no row', tfOne({ instances: [] }), invalid('INSTANCES_INVALID', 'at least one')],
    ['rows that are an object', tfOne({ instances: { x: 1 } }), invalid('INSTANCES_INVALID', 'array')],
    [
      'another signature',
      tfOne({ instances: [1], signature_name: 'other' }),
      invalid('SIGNATURE_UNKNOWN', 'serving_default'),
    ],
    ['a row without names', tfEvery({ instances: [1] }), invalid('NAMES_MISSING', 'names every input', 'instances[0]')],
    ['a row that is null', tfEvery({ instances: [null] }), invalid('NAMES_MISSING', 'names every input')],
    ['a row with an unknown name', tfOne({ instances: [{ y: 1 }] }), invalid('UNKNOWN_INPUT', '"x"', '"y"')],
    ['a column with an unknown name', tfOne({ inputs: { y: [1] } }), invalid('UNKNOWN_INPUT', '"x"', '"inputs"')],
    [
      'the name __proto__',
      { path: '/v1/models/one:predict', body: '{"inputs":{"__proto__":[1]}}' },
      invalid('UNKNOWN_INPUT', '"x"', '__proto__'),
    ],
    ['a row without an input', tfOne({ instances: [{ x: 1 }, {}] }), invalid('MISSING_INPUT', '"x"', 'instances[1]')],
    ['columns without an input', tfEvery({ inputs: {} }), invalid('MISSING_INPUT', '"bool"')],
    ['uneven rows', tfOne({ instances: [[1], [1, 2]] }), invalid('NESTING_UNEVEN', 'same length')],
    ['a row that is deeper than its neighbour', tfOne({ instances: [1, [1]] }), invalid('NESTING_UNEVEN', 'evenly')],
    [
      '33 levels',
      { ...tfOne({}), body: `{"inputs":${'['.repeat(33)}1${']'.repeat(33)}}` },
      invalid('NESTING_TOO_DEEP', 'dimensions'),
    ],
    ['another rank', tfOne({ instances: [[1, 2]] }), invalid('SHAPE_MISMATCH', 'GET /v2/models', '[1, 2]')],
    ['text for numbers', tfOne({ instances: ['1'] }), invalid('ELEMENT_INVALID', 'Correct', '"1"')],
    ['base64 for numbers', tfOne({ instances: [{ b64: 'AA==' }] }), invalid('ELEMENT_INVALID', 'Correct')],
    [
      'a number out of range',
      { ...tfOne({}), body: '{"instances":[1e39]}' },
      invalid('ELEMENT_OUT_OF_RANGE', 'binary form'),
    ],
    ['the token NaN', { ...tfOne({}), body: '{"instances":[NaN]}' }, invalid('JSON_INVALID', 'UTF-8', 'NaN')],
    ['the token -Infinity', { ...tfOne({}), body: '{"instances":[-Infinity]}' }, invalid('JSON_INVALID', 'UTF-8')],
    ['null', tfOne({ inputs: null }), invalid('SHAPE_MISMATCH', 'GET /v2/models')],
  ];
  refuses(rows, { url, good: { path: '/v1/models/one:predict', body: '{"instances":[1,2]}' } });
});

describe("TensorFlow Serving's base64 is refused", () => {
  const everyWith = (texts: unknown) => {
    const column = (dataType: string) => (dataType === 'string' ? texts : dataType === 'bool' ? [true] : [1]);
    return tfEvery({
      inputs: { ...Object.fromEntries(DATA_TYPES.map((name) => [name, column(name)])), matrix: [[1, 2]] },
    });
  };
  const rows: BadRequest[] = [
    ['of another alphabet', everyWith([{ b64: '_-==' }]), invalid('BASE64_INVALID', 'alphabet with + and /')],
    ['cut off', everyWith([{ b64: 'YWJjZ' }]), invalid('BASE64_INVALID', 'alphabet')],
    ['with line breaks', everyWith([{ b64: 'YW\nJj' }]), invalid('BASE64_INVALID', 'line breaks')],
    ['that is a number', everyWith([{ b64: 7 }]), invalid('BASE64_INVALID', 'base64', '7')],
    ['of what is not UTF-8', everyWith([{ b64: '/w==' }]), invalid('STRING_INVALID', 'once more')],
    ['of a zero', everyWith([{ b64: 'AA==' }]), invalid('STRING_INVALID', 'base64', 'U+0000')],
    ['beside other members', everyWith([{ b64: 'YQ==', x: 1 }]), invalid('ELEMENT_INVALID', 'Correct', 'an object')],
  ];
  refuses(rows, { url, good: everyWith([{ b64: 'YQ==' }]) });
});
