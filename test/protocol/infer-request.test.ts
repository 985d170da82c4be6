import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DataType, Dimension, Signature } from '../../lib/artifact/manifest.js';
import { RequestError } from '../../lib/errors.js';
import { BodyMemory } from '../../lib/protocol/aligned-body.js';
import { decodeInferRequest, type InferRequest } from '../../lib/protocol/infer-request.js';
import { encodeInferRequest } from '../support/encode-infer-request.js';
import { bitsOf, formedTensors } from '../support/random-tensors.js';

type Inputs = readonly { readonly name: string; readonly dataType: DataType; readonly shape: readonly Dimension[] }[];

function signatureOf(inputs: Inputs, outputs: Inputs = [{ name: 'y', dataType: 'float32', shape: [1] }]): Signature {
  return { inputs, outputs };
}

const oneInput = (dataType: DataType, shape: readonly Dimension[] = [3]) =>
  signatureOf([{ name: 'x', dataType, shape }]);

/** A request in JSON for the input `x`. */
function decodeOne(dataType: DataType, datatype: string, data: string, shape: readonly number[] = [3]): unknown {
  const text = `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[${shape}],"data":${data}}]}`;
  return decodeInferRequest({ kind: 'text', text }, oneInput(dataType, shape)).inputs[0]?.data;
}

function refusal(act: () => unknown): RequestError {
  try {
    act();
  } catch (error) {
    if (error instanceof RequestError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a request with tensors of any type, shape and form', () => {
  it('is read as it was written, into memory that earlier ones left', () => {
    const memory = new BodyMemory();
    fc.assert(
      fc.property(formedTensors, fc.option(fc.string(), { nil: undefined }), (inputs, id) => {
        const { text, binary } = encodeInferRequest({ inputs, ...(id === undefined ? {} : { id }) });
        const document = Buffer.from(text);
        const body = Buffer.concat([document, ...binary]);
        const bytes = memory.decode(body.toString('base64'), document.length);
        const request = decodeInferRequest(
          { kind: 'bytes', bytes, headerLength: document.length },
          signatureOf(inputs),
        );
        expect(request.id).toBe(id);
        expect(request.inputs.map(({ data, ...rest }) => ({ ...rest, data: bitsOf(data) }))).toEqual(
          inputs.map(({ name, dataType, shape, data }) => ({ name, dataType, shape, data: bitsOf(data) })),
        );
        memory.reclaim(bytes);
      }),
      { numRuns: 400 },
    );
  });

  it('may come with its inputs in another order', () => {
    const signature = signatureOf([
      { name: 'a', dataType: 'int8', shape: [1] },
      { name: 'b', dataType: 'int8', shape: [1] },
    ]);
    const text =
      '{"inputs":[{"name":"b","datatype":"INT8","shape":[1],"data":[2]},{"name":"a","datatype":"INT8","shape":[1],"data":[1]}]}';
    const { inputs } = decodeInferRequest({ kind: 'text', text }, signature);
    expect(inputs.map(({ name, data }) => [name, Array.from(data as Int8Array)])).toEqual([
      ['a', [1]],
      ['b', [2]],
    ]);
  });
});

describe('elements in JSON', () => {
  it('may be nested as the shape is', () => {
    expect(decodeOne('float32', 'FP32', '[[[1,2],[3,4]],[[5,6],[7,8]]]', [2, 2, 2])).toEqual(
      Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    );
    expect(decodeOne('float32', 'FP32', '[[],[]]', [2, 0])).toEqual(new Float32Array());
    expect(decodeOne('int32', 'INT32', '7', [])).toEqual(Int32Array.of(7));
    expect(decodeOne('int32', 'INT32', '[7]', [])).toEqual(Int32Array.of(7));
  });

  it.each([
    ['[[1,2],[3]]', 'NESTING_MISMATCH'],
    ['[[1,2],3]', 'NESTING_MISMATCH'],
    ['[[1,2],[3,4],[5,6]]', 'NESTING_MISMATCH'],
    ['[[1,[2]],[3,4]]', 'ELEMENT_INVALID'],
    ['[1,2,3]', 'ELEMENT_COUNT_MISMATCH'],
    ['[]', 'ELEMENT_COUNT_MISMATCH'],
    ['{"0":1}', 'DATA_INVALID'],
    ['null', 'DATA_INVALID'],
    ['"1234"', 'DATA_INVALID'],
  ])('fail as %s for the shape [2, 2]', (data, code) => {
    expect(refusal(() => decodeOne('float32', 'FP32', data, [2, 2]))).toMatchObject({ code, status: 400 });
  });

  it('keep the sign of zero and the exact value of every float32', () => {
    expect(decodeOne('float32', 'FP32', '[-0, -0.0, 0.1]')).toEqual(Float32Array.of(-0, -0, 0.1));
  });

  it('keep int64 and uint64 exact beyond 2^53, however the number is written', () => {
    expect(decodeOne('int64', 'INT64', '[9007199254740993, -9223372036854775808, 9223372036854775807]')).toEqual(
      BigInt64Array.of(9007199254740993n, -(2n ** 63n), 2n ** 63n - 1n),
    );
    expect(
      decodeOne('uint64', 'UINT64', '[18446744073709551615, 1.8446744073709551615e19, 900719925474099300e-2]'),
    ).toEqual(BigUint64Array.of(2n ** 64n - 1n, 2n ** 64n - 1n, 9007199254740993n));
    expect(decodeOne('int64', 'INT64', '[[9007199254740993, 1], [2, -9007199254740993]]', [2, 2])).toEqual(
      BigInt64Array.of(9007199254740993n, 1n, 2n, -9007199254740993n),
    );
  });

  it('keep int64 exact beside strings that look like numbers and escapes', () => {
    const signature = signatureOf([
      { name: 's', dataType: 'string', shape: [2] },
      { name: 'x', dataType: 'int64', shape: [1] },
    ]);
    const strings = ['12345678901234567890', 'a\\"9007199254740993\\'];
    const text = `{"id":"\\"9007199254740993","inputs":[{"name":"s","datatype":"BYTES","shape":[2],"data":${JSON.stringify(strings)}},{"name":"x","datatype":"INT64","shape":[1],"data":[9007199254740993]}]}`;
    const { inputs } = decodeInferRequest({ kind: 'text', text }, signature);
    expect(inputs.map(({ data }) => Array.from(data as ArrayLike<unknown>))).toEqual([strings, [9007199254740993n]]);
  });

  it.each([
    ['int64', 'INT64', '9223372036854775808', 'ELEMENT_OUT_OF_RANGE'],
    ['uint64', 'UINT64', '18446744073709551616', 'ELEMENT_OUT_OF_RANGE'],
    ['uint64', 'UINT64', '-1', 'ELEMENT_OUT_OF_RANGE'],
    ['int64', 'INT64', '9007199254740993.5', 'ELEMENT_INVALID'],
    ['int64', 'INT64', '1e400', 'ELEMENT_INVALID'],
    ['int64', 'INT64', '1.5', 'ELEMENT_INVALID'],
    ['int64', 'INT64', '"9007199254740993"', 'ELEMENT_INVALID'],
    ['uint8', 'UINT8', '256', 'ELEMENT_OUT_OF_RANGE'],
    ['int8', 'INT8', '-129', 'ELEMENT_OUT_OF_RANGE'],
    ['int32', 'INT32', '0.5', 'ELEMENT_INVALID'],
    ['float32', 'FP32', '1e39', 'ELEMENT_OUT_OF_RANGE'],
    ['float64', 'FP64', '1e309', 'ELEMENT_OUT_OF_RANGE'],
    ['float16', 'FP16', '65520', 'ELEMENT_OUT_OF_RANGE'],
    ['float32', 'FP32', 'null', 'ELEMENT_INVALID'],
    ['float32', 'FP32', '"1"', 'ELEMENT_INVALID'],
    ['bool', 'BOOL', '2', 'ELEMENT_INVALID'],
    ['string', 'BYTES', '1', 'ELEMENT_INVALID'],
  ] as const)('of %s fail as %s %s', (dataType, datatype, element, code) => {
    const error = refusal(() => decodeOne(dataType, datatype, `[${element}]`, [1]));
    expect(error).toMatchObject({ code, status: 400 });
    expect(error.message).toContain('input "x"');
  });

  it('take true, false, 1 and 0 for BOOL', () => {
    expect(decodeOne('bool', 'BOOL', '[true,0,1]')).toEqual(Uint8Array.of(1, 0, 1));
  });
});

/** A request with one binary input `x`. */
function decodeBinary(input: Record<string, unknown>, tensor: Uint8Array, signature: Signature, headerLength?: number) {
  const document = Buffer.from(JSON.stringify({ inputs: [{ name: 'x', ...input }] }));
  const bytes = Buffer.concat([document, tensor]);
  return decodeInferRequest({ kind: 'bytes', bytes, headerLength: headerLength ?? document.length }, signature);
}

describe('the memory of bodies', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');

  it('is used again once it was given back, and not before', () => {
    const memory = new BodyMemory();
    const first = memory.decode(base64('first'), 0);
    const second = memory.decode(base64('second'), 0);
    expect(second.buffer).not.toBe(first.buffer);
    memory.reclaim(first);
    const third = memory.decode(base64('3'), 0);
    expect(third.buffer).toBe(first.buffer);
    expect([third, second].map((bytes) => Buffer.from(bytes).toString())).toEqual(['3', 'second']);
  });

  it('is replaced where a body is larger', () => {
    const memory = new BodyMemory();
    memory.reclaim(memory.decode(base64('small'), 0));
    const large = Buffer.alloc(200_000, 'large');
    expect(large.equals(memory.decode(large.toString('base64'), 3))).toBe(true);
  });
});

describe('elements in the binary form', () => {
  it('are views on the body where it is aligned, and copies where it is not', () => {
    const input = {
      name: 'x',
      dataType: 'float32',
      shape: [3],
      data: Float32Array.of(1, 2, 3),
      form: 'binary',
    } as const;
    const { text, binary } = encodeInferRequest({ inputs: [input] });
    const document = Buffer.from(text);
    const base64 = Buffer.concat([document, ...binary]).toString('base64');
    for (const [documentLength, isView] of [
      [document.length, true],
      [document.length + 1, false],
    ] as const) {
      const bytes = new BodyMemory().decode(base64, documentLength);
      const request = decodeInferRequest({ kind: 'bytes', bytes, headerLength: document.length }, oneInput('float32'));
      const data = request.inputs[0]?.data as Float32Array;
      expect(data).toEqual(Float32Array.of(1, 2, 3));
      expect(data.buffer === bytes.buffer).toBe(isView);
    }
  });

  const floats = { datatype: 'FP32', shape: [2] };
  it.each([
    [
      'a size that the shape does not have',
      { ...floats, parameters: { binary_data_size: 4 } },
      4,
      'BINARY_SIZE_MISMATCH',
    ],
    ['more than the body has', { ...floats, parameters: { binary_data_size: 8 } }, 7, 'BINARY_DATA_MISSING'],
    ['less than the body has', { ...floats, parameters: { binary_data_size: 8 } }, 9, 'LEFTOVER_BYTES'],
    ['a size that is no number', { ...floats, parameters: { binary_data_size: '8' } }, 8, 'BINARY_SIZE_INVALID'],
    ['a negative size', { ...floats, parameters: { binary_data_size: -8 } }, 8, 'BINARY_SIZE_INVALID'],
    ['data besides', { ...floats, parameters: { binary_data_size: 8 }, data: [1, 2] }, 8, 'DATA_TWICE'],
    ['parameters that are no object', { ...floats, parameters: [] }, 8, 'OBJECT_EXPECTED'],
    ['neither size nor data', floats, 0, 'DATA_INVALID'],
    ['shared memory', { ...floats, parameters: { shared_memory_region: 'r' } }, 0, 'EXTENSION_UNSUPPORTED'],
  ])('fail with %s', (_, input, bytes, code) => {
    const error = refusal(() => decodeBinary(input, new Uint8Array(bytes), oneInput('float32', ['N'])));
    expect(error).toMatchObject({ code, status: 400 });
    expect(error.advice).not.toBe('');
  });

  it('fail when the document is said to be longer than the body', () => {
    const act = () => decodeBinary({ ...floats, data: [1, 2] }, new Uint8Array(), oneInput('float32', ['N']), 5000);
    expect(refusal(act)).toMatchObject({ code: 'HEADER_LENGTH_BEYOND_BODY' });
  });

  it("may have null for data, as KServe's client sends it where there are no elements", () => {
    const input = { datatype: 'FP32', shape: [0, 2], data: null, parameters: { binary_data_size: 0 } };
    const { inputs } = decodeBinary(input, new Uint8Array(), oneInput('float32', ['N', 2]));
    expect(inputs).toMatchObject([{ shape: [0, 2], data: new Float32Array() }]);
  });

  it('fail when the document is said to be shorter than it is', () => {
    const act = () => decodeBinary({ ...floats, data: [1, 2] }, new Uint8Array(), oneInput('float32', ['N']), 20);
    const error = refusal(act);
    expect(error).toMatchObject({ code: 'JSON_INVALID' });
    expect(error.advice).toContain('Inference-Header-Content-Length');
  });

  it.each([
    ['an element longer than what is left', [5, 0, 0, 0, 97], 1, 'BINARY_SIZE_MISMATCH', 'ends before'],
    ['a length of 4 GB', [255, 255, 255, 255], 1, 'BINARY_SIZE_MISMATCH', 'ends before'],
    ['half a length', [1, 0], 1, 'BINARY_SIZE_MISMATCH', 'ends before'],
    ['more elements than the bytes could hold', [0, 0, 0, 0], 1_000_000, 'BINARY_SIZE_MISMATCH', 'ends before'],
    ['bytes after the last element', [0, 0, 0, 0, 0], 1, 'BINARY_SIZE_MISMATCH', 'goes on for 1 bytes'],
    ['an element that is not UTF-8', [1, 0, 0, 0, 0xff], 1, 'STRING_INVALID', 'Element 0'],
    ['a NUL, which would end the string', [3, 0, 0, 0, 97, 0, 98], 1, 'STRING_INVALID', 'Element 0'],
  ])('of BYTES fail with %s', (_, bytes, count, code, told) => {
    const input = { datatype: 'BYTES', shape: [count], parameters: { binary_data_size: bytes.length } };
    const act = () => decodeBinary(input, Uint8Array.from(bytes), oneInput('string', ['N']));
    expect(refusal(act)).toMatchObject({ code, status: 400, message: expect.stringContaining(told) });
  });

  it('of BOOL fail above 1', () => {
    const input = { datatype: 'BOOL', shape: [1], parameters: { binary_data_size: 1 } };
    const act = () => decodeBinary(input, Uint8Array.of(2), oneInput('bool', [1]));
    expect(refusal(act)).toMatchObject({ code: 'BOOL_INVALID' });
  });
});

describe('a request that does not fit the model', () => {
  const signature = signatureOf(
    [
      { name: 'image', dataType: 'float32', shape: ['N', 2] },
      { name: 'size', dataType: 'int64', shape: [1] },
    ],
    [
      { name: 'boxes', dataType: 'float32', shape: [1] },
      { name: 'scores', dataType: 'float32', shape: [1] },
    ],
  );
  const image = { name: 'image', datatype: 'FP32', shape: [1, 2], data: [1, 2] };
  const size = { name: 'size', datatype: 'INT64', shape: [1], data: [1] };
  const decode = (document: unknown): InferRequest =>
    decodeInferRequest({ kind: 'text', text: JSON.stringify(document) }, signature);

  it('is told what is wrong', () => {
    expect(decode({ inputs: [image, size] }).inputs).toHaveLength(2);
    for (const [document, code, told] of [
      [{}, 'INPUTS_INVALID', 'inputs'],
      [{ inputs: [image] }, 'MISSING_INPUT', '"size"'],
      [{ inputs: [image, size, { ...size, name: 'other' }] }, 'UNKNOWN_INPUT', '"image", "size"'],
      [{ inputs: [image, image, size] }, 'DUPLICATE_INPUT', '"image"'],
      [{ inputs: [image, 7] }, 'OBJECT_EXPECTED', 'inputs[1]'],
      [{ inputs: [{ ...image, datatype: 'FP64' }, size] }, 'DATATYPE_MISMATCH', 'FP32'],
      [{ inputs: [{ ...image, datatype: 'float32' }, size] }, 'DATATYPE_MISMATCH', 'FP32'],
      [{ inputs: [{ ...image, shape: [1, 3], data: [1, 2, 3] }, size] }, 'SHAPE_MISMATCH', '[N, 2]'],
      [{ inputs: [{ ...image, shape: [2] }, size] }, 'SHAPE_MISMATCH', '[N, 2]'],
      [{ inputs: [{ ...image, shape: [1.5, 2] }, size] }, 'SHAPE_INVALID', '"image"'],
      [{ inputs: [{ ...image, shape: [-1, 2] }, size] }, 'SHAPE_INVALID', '"image"'],
      [{ inputs: [{ ...image, shape: '1,2' }, size] }, 'SHAPE_INVALID', '"1,2"'],
      [{ inputs: [{ ...image, shape: [2 ** 53, 2] }, size] }, 'SHAPE_INVALID', '"image"'],
      [{ inputs: [{ ...image, shape: [2 ** 52, 2] }, size] }, 'SHAPE_TOO_LARGE', '4503599627370496'],
      [{ inputs: [{ ...image, shape: [0, 2 ** 40], data: [] }, size] }, 'SHAPE_TOO_LARGE', '"image"'],
      [{ inputs: [image, size], outputs: [{ name: 'labels' }] }, 'UNKNOWN_OUTPUT', '"boxes", "scores"'],
      [{ inputs: [image, size], outputs: [{ name: 'boxes' }, { name: 'boxes' }] }, 'DUPLICATE_OUTPUT', '"boxes"'],
      [{ inputs: [image, size], outputs: {} }, 'OUTPUTS_INVALID', 'outputs'],
      [{ inputs: [image, size], id: 7 }, 'ID_INVALID', '7'],
      [{ inputs: [image, size], parameters: { binary_data_output: 1 } }, 'FLAG_INVALID', 'binary_data_output'],
      [
        { inputs: [image, size], outputs: [{ name: 'boxes', parameters: { classification: 3 } }] },
        'EXTENSION_UNSUPPORTED',
        'classification',
      ],
      [[], 'OBJECT_EXPECTED', 'an array'],
    ] as const) {
      const error = refusal(() => decode(document));
      expect(error, JSON.stringify(document)).toMatchObject({ code, status: 400 });
      expect(`${error.message} ${error.advice}`, code).toContain(told);
    }
  });

  it('is quoted at a bearable length', () => {
    const error = refusal(() => decode({ inputs: [{ ...image, name: 'x'.repeat(1_000_000) }] }));
    expect(error.message.length + error.advice.length).toBeLessThan(400);
  });

  it('may ask for some outputs, each in its form', () => {
    const forms = (outputs: unknown, parameters?: unknown) =>
      decode({ inputs: [image, size], outputs, parameters }).outputs.map(({ name, form }) => `${name} ${form}`);
    expect(forms(undefined)).toEqual(['boxes json', 'scores json']);
    expect(forms([])).toEqual(['boxes json', 'scores json']);
    expect(forms(undefined, { binary_data_output: true })).toEqual(['boxes binary', 'scores binary']);
    expect(forms([{ name: 'scores', parameters: { binary_data: true } }])).toEqual(['scores binary']);
    expect(
      forms([{ name: 'scores', parameters: { binary_data: false } }, { name: 'boxes' }], { binary_data_output: true }),
    ).toEqual(['scores json', 'boxes binary']);
  });
});
