import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DataType, Dimension, Signature } from '../../lib/artifact/manifest.js';
import { RequestError } from '../../lib/errors.js';
import { allocate } from '../../lib/protocol/data-types.js';
import type { NamedTensor, TensorData } from '../../lib/protocol/tensor.js';
import { tensorFlowModelMetadata, tensorFlowModelStatus } from '../../lib/protocol/tensorflow-serving-metadata.js';
import { decodePredictRequest, type PredictForm } from '../../lib/protocol/tensorflow-serving-request.js';
import { encodePredictResponse } from '../../lib/protocol/tensorflow-serving-response.js';
import { refusalOf } from '../support/refusal.js';

const input = (name: string, dataType: DataType, shape: readonly Dimension[] | null) => ({ name, dataType, shape });
const taking = (...inputs: Signature['inputs']): Signature => ({ inputs, outputs: [] });
const decode = (document: unknown, signature: Signature) =>
  decodePredictRequest(typeof document === 'string' ? document : JSON.stringify(document), signature);
const tensor = (name: string, dataType: DataType, shape: number[], data: TensorData): NamedTensor => ({
  name,
  dataType,
  shape,
  data,
});

const SENSORS = taking(
  input('tag', 'string', [null]),
  input('signal', 'int32', [null, 5]),
  input('sensor', 'float32', [null, 2, 2]),
);
const SENSOR_TENSORS = [
  tensor('tag', 'string', [2], ['foo', 'bar']),
  tensor('signal', 'int32', [2, 5], Int32Array.of(1, 2, 3, 4, 5, 3, 4, 1, 2, 5)),
  tensor('sensor', 'float32', [2, 2, 2], Float32Array.of(1, 2, 3, 4, 4, 5, 6, 8)),
];

describe('a :predict request', () => {
  it('in row form gives each input one row per instance', () => {
    const instances = [
      {
        tag: 'foo',
        signal: [1, 2, 3, 4, 5],
        sensor: [
          [1, 2],
          [3, 4],
        ],
      },
      {
        tag: 'bar',
        signal: [3, 4, 1, 2, 5],
        sensor: [
          [4, 5],
          [6, 8],
        ],
      },
    ];
    expect(decode({ instances }, SENSORS)).toEqual({ form: 'row', inputs: SENSOR_TENSORS });
  });

  it('in columnar form gives each input whole', () => {
    const inputs = {
      sensor: [
        [
          [1, 2],
          [3, 4],
        ],
        [
          [4, 5],
          [6, 8],
        ],
      ],
      tag: ['foo', 'bar'],
      signal: [
        [1, 2, 3, 4, 5],
        [3, 4, 1, 2, 5],
      ],
    };
    expect(decode({ signature_name: 'serving_default', inputs }, SENSORS)).toEqual({
      form: 'column',
      inputs: SENSOR_TENSORS,
    });
  });

  it('may leave out the name of an only input', () => {
    const x = taking(input('x', 'float32', null));
    const expected = [tensor('x', 'float32', [3], Float32Array.of(1, 2, 5))];
    expect(decode('{"instances": [1.0,2.0,5.0]}', x).inputs).toEqual(expected);
    expect(decode('{"instances": [{"x":1.0},2.0,5.0]}', x).inputs).toEqual(expected);
    expect(decode('{"inputs": [1.0,2.0,5.0]}', x).inputs).toEqual(expected);
    expect(decode('{"inputs": {"x": [1.0,2.0,5.0]}}', x).inputs).toEqual(expected);
    expect(decode('{"inputs": 7, "signature_name": ""}', x).inputs).toEqual([
      tensor('x', 'float32', [], Float32Array.of(7)),
    ]);
    expect(decode('{"inputs": [[], []]}', x).inputs).toEqual([tensor('x', 'float32', [2, 0], new Float32Array())]);
  });

  it('keeps every int64, beside strings that look like numbers', () => {
    const signature = taking(input('id', 'int64', [null, 1]), input('text', 'string', [null]));
    const text =
      '{"instances":[{"id":[9007199254740993],"text":"9007199254740993"},{"id":[-9223372036854775808],"text":{"b64":"Z3LDvMOfZQ=="}}]}';
    expect(decode(text, signature).inputs).toEqual([
      tensor('id', 'int64', [2, 1], BigInt64Array.of(9007199254740993n, -(2n ** 63n))),
      tensor('text', 'string', [2], ['9007199254740993', 'grüße']),
    ]);
  });

  it.each<[string, unknown, Signature, string]>([
    ['is an array', [], SENSORS, 'OBJECT_EXPECTED'],
    ['has both forms', { instances: [1], inputs: 1 }, SENSORS, 'PREDICT_FORM_INVALID'],
    ['has neither form', { examples: [] }, SENSORS, 'PREDICT_FORM_INVALID'],
    ['names another signature', { signature_name: 'regress', inputs: 1 }, SENSORS, 'SIGNATURE_UNKNOWN'],
    ['names its signature by a number', { signature_name: 1, inputs: 1 }, SENSORS, 'SIGNATURE_UNKNOWN'],
    ['has no instance', { instances: [] }, SENSORS, 'INSTANCES_INVALID'],
    ['has an object of instances', { instances: {} }, SENSORS, 'INSTANCES_INVALID'],
    ['does not name several inputs', { instances: [1] }, SENSORS, 'NAMES_MISSING'],
    ['names an unknown input', { instances: [{ toString: 1 }] }, SENSORS, 'UNKNOWN_INPUT'],
    ['lacks an input', { inputs: { tag: ['a'], signal: [[1, 2, 3, 4, 5]] } }, SENSORS, 'MISSING_INPUT'],
    ['lacks an input named like a method', { inputs: {} }, taking(input('toString', 'bool', [])), 'MISSING_INPUT'],
    ['is uneven', { instances: [[1, 2], [3]] }, taking(input('x', 'float32', null)), 'NESTING_UNEVEN'],
    ['ends its nesting early', { instances: [[1], 2] }, taking(input('x', 'float32', null)), 'NESTING_UNEVEN'],
    ['nests late', { instances: [1, [2]] }, taking(input('x', 'float32', null)), 'NESTING_UNEVEN'],
    [
      'is too deep',
      `{"inputs":${'['.repeat(40)}1${']'.repeat(40)}}`,
      taking(input('x', 'int8', null)),
      'NESTING_TOO_DEEP',
    ],
    ['has a wrong shape', { instances: [[1, 2]] }, taking(input('x', 'float32', [null, 3])), 'SHAPE_MISMATCH'],
    ['has text for numbers', { instances: ['1'] }, taking(input('x', 'float32', [null])), 'ELEMENT_INVALID'],
    [
      'has base64 for numbers',
      { instances: [{ b64: 'AA==' }] },
      taking(input('x', 'float32', [null])),
      'ELEMENT_INVALID',
    ],
    ['has a number beyond its type', { inputs: [300] }, taking(input('x', 'uint8', [null])), 'ELEMENT_OUT_OF_RANGE'],
    ['has broken base64', { instances: [{ b64: 'a' }] }, taking(input('x', 'string', [null])), 'BASE64_INVALID'],
    ['has base64 of a number', { instances: [{ b64: 7 }] }, taking(input('x', 'string', [null])), 'BASE64_INVALID'],
    [
      'has bytes that are no text',
      { instances: [{ b64: '/w==' }] },
      taking(input('x', 'string', [null])),
      'STRING_INVALID',
    ],
    ['has a NUL', { instances: ['a', 'a\0b'] }, taking(input('x', 'string', [null])), 'STRING_INVALID'],
    ['has a NUL in base64', { instances: [{ b64: 'YQBi' }] }, taking(input('x', 'string', [null])), 'STRING_INVALID'],
    ['has half a surrogate pair', { inputs: ['\ud83d'] }, taking(input('x', 'string', [null])), 'STRING_INVALID'],
    ['has NaN', '{"instances":[NaN]}', taking(input('x', 'float32', [null])), 'JSON_INVALID'],
    ['has nothing', { inputs: null }, taking(input('x', 'float32', [])), 'ELEMENT_INVALID'],
  ])('that %s is refused', async (_, document, signature, code) => {
    const error = await refusalOf(() => decode(document, signature));
    expect(error).toMatchObject({ status: 400, code });
  });

  it('of any JSON is decoded or refused, never anything else', () => {
    const value = fc.letrec<{ any: unknown }>((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.integer(),
        fc.constantFrom('a', true, null, { b64: 'YQ==' }, { b64: '!' }),
        fc.array(tie('any'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom('tag', 'signal', 'x', '__proto__'), tie('any'), { maxKeys: 3 }),
      ),
    })).any;
    const signature = fc.constantFrom(
      SENSORS,
      taking(input('x', 'float32', null)),
      taking(input('x', 'string', [null])),
    );
    fc.assert(
      fc.property(fc.constantFrom('instances', 'inputs'), value, signature, (key, content, accepted) => {
        try {
          decode({ [key]: content }, accepted);
        } catch (error) {
          expect(error).toBeInstanceOf(RequestError);
        }
      }),
      { seed: 11, numRuns: 500 },
    );
  });
});

describe('a :predict answer', () => {
  const boxes = tensor('boxes', 'float32', [2, 1, 2], Float32Array.of(1, -0, 0.5, 2));
  const labels = tensor('labels', 'int64', [2], BigInt64Array.of(9007199254740993n, -1n));

  it('leaves out the name of an only output', () => {
    expect(encodePredictResponse('row', [boxes])).toBe('{"predictions":[[[1,-0.0]],[[0.5,2]]]}');
    expect(encodePredictResponse('column', [boxes])).toBe('{"outputs":[[[1,-0.0]],[[0.5,2]]]}');
    expect(encodePredictResponse('column', [tensor('n', 'bool', [], Uint8Array.of(1))])).toBe('{"outputs":true}');
  });

  it('names several outputs, in every row or once', () => {
    expect(encodePredictResponse('row', [boxes, labels])).toBe(
      '{"predictions":[{"boxes":[[1,-0.0]],"labels":9007199254740993},{"boxes":[[0.5,2]],"labels":-1}]}',
    );
    expect(encodePredictResponse('column', [boxes, labels])).toBe(
      '{"outputs":{"boxes":[[[1,-0.0]],[[0.5,2]]],"labels":[9007199254740993,-1]}}',
    );
  });

  it('writes tensors without elements', () => {
    expect(encodePredictResponse('row', [tensor('x', 'float32', [0, 3], new Float32Array())])).toBe(
      '{"predictions":[]}',
    );
    expect(encodePredictResponse('row', [tensor('x', 'float32', [2, 0], new Float32Array())])).toBe(
      '{"predictions":[[],[]]}',
    );
    expect(encodePredictResponse('column', [tensor('x', 'float32', [1, 0, 3], new Float32Array())])).toBe(
      '{"outputs":[[]]}',
    );
  });

  it('writes strings whose name ends in _bytes as base64', () => {
    expect(encodePredictResponse('row', [tensor('image_bytes', 'string', [1], ['grüße'])])).toBe(
      '{"predictions":[{"b64":"Z3LDvMOfZQ=="}]}',
    );
    expect(encodePredictResponse('row', [tensor('word', 'string', [1], ['grüße'])])).toBe('{"predictions":["grüße"]}');
  });

  it('to rows is refused where outputs have none, or not as many', async () => {
    for (const other of [tensor('n', 'bool', [], Uint8Array.of(1)), tensor('n', 'bool', [1], Uint8Array.of(1))]) {
      const error = await refusalOf(() => encodePredictResponse('row', [boxes, other]));
      expect(error).toMatchObject({
        status: 422,
        code: 'OUTPUT_WITHOUT_ROWS',
        advice: expect.stringContaining('inputs'),
      });
    }
  });

  it('refuses what JSON cannot write, and says where it is', async () => {
    const odd = tensor('y', 'float32', [2, 2], Float32Array.of(1, 2, 3, Number.NaN));
    const error = await refusalOf(() => encodePredictResponse('row', [odd]));
    expect(error).toMatchObject({
      status: 422,
      code: 'NON_FINITE_OUTPUT',
      message: expect.stringContaining('Element 3'),
    });
    expect(error.advice).toContain('/infer');
  });

  it('sent back as a request gives the same tensor', () => {
    const numbers = ['float32', 'float64', 'int32', 'uint8', 'int64', 'uint64', 'bool', 'float16'] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...numbers),
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
        fc.constantFrom<PredictForm>('row', 'column'),
        fc.infiniteStream(fc.maxSafeNat()),
        (dataType, shape, form, stream) => {
          const data = allocate(
            dataType,
            shape.reduce((product, size) => product * size),
          );
          for (let index = 0; index < data.length; index++) {
            const value = stream.next().value ?? 0;
            if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[index] = BigInt(value) * 1021n;
            else data[index] = dataType === 'bool' ? value % 2 : dataType === 'float16' ? value % 0x7c00 : value / 3;
          }
          const sent = tensor('x', dataType, shape, data);
          const answer = form === 'row' ? ['predictions', 'instances'] : ['outputs', 'inputs'];
          const text = encodePredictResponse(form, [sent]).replace(answer[0] ?? '', answer[1] ?? '');
          expect(decode(text, taking(input('x', dataType, null)))).toEqual({ form, inputs: [sent] });
        },
      ),
      { seed: 5 },
    );
  });
});

describe("TensorFlow Serving's documents", () => {
  const manifest = {
    name: 'm',
    modelVersion: 123,
    signature: {
      inputs: [input('x', 'float32', ['batch', null, 3])],
      outputs: [input('y', 'string', null)],
    },
  };

  it('say that a model is available', () => {
    expect(tensorFlowModelStatus(manifest)).toEqual({
      model_version_status: [{ version: '123', state: 'AVAILABLE', status: { error_code: 'OK', error_message: '' } }],
    });
  });

  it('describe the one signature', () => {
    expect(tensorFlowModelMetadata(manifest)).toEqual({
      model_spec: { name: 'm', signature_name: '', version: '123' },
      metadata: {
        signature_def: {
          signature_def: {
            serving_default: {
              inputs: {
                x: {
                  dtype: 'DT_FLOAT',
                  tensor_shape: {
                    dim: [
                      { size: '-1', name: 'batch' },
                      { size: '-1', name: '' },
                      { size: '3', name: '' },
                    ],
                    unknown_rank: false,
                  },
                  name: 'x',
                },
              },
              outputs: { y: { dtype: 'DT_STRING', tensor_shape: { dim: [], unknown_rank: true }, name: 'y' } },
              method_name: 'tensorflow/serving/predict',
            },
          },
        },
      },
    });
  });
});
