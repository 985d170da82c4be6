import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { TensorProto_DataLocation, TensorProtoSchema, TensorProto_DataType as Type } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { numberToBfloat16, numberToFloat16 } from '../../../../lib/compiler/ir/float16.js';
import {
  inlineTensor,
  tensorFromProto,
  tensorToProto,
} from '../../../../lib/compiler/ir/serialization/tensor-proto.js';
import { Tensor } from '../../../../lib/compiler/ir/tensor.js';
import { refusalOf } from '../../../support/refusal.js';

type Fields = Exclude<MessageInitShape<typeof TensorProtoSchema>, { $typeName: string }>;

const PLACE = "initializer 'w'";
const read = (fields: Fields) => tensorFromProto(create(TensorProtoSchema, fields), PLACE);

describe('typed data is read as the elements that raw data would hold', () => {
  const cases: readonly [string, Fields, ArrayLike<number | bigint>][] = [
    ['float', { dataType: Type.FLOAT, floatData: [1.5, -2] }, Float32Array.of(1.5, -2)],
    ['double', { dataType: Type.DOUBLE, doubleData: [0.1, 2] }, Float64Array.of(0.1, 2)],
    ['int64', { dataType: Type.INT64, int64Data: [-1n, 2n ** 62n] }, BigInt64Array.of(-1n, 2n ** 62n)],
    ['uint64', { dataType: Type.UINT64, uint64Data: [1n, 2n ** 64n - 1n] }, BigUint64Array.of(1n, 2n ** 64n - 1n)],
    ['uint32', { dataType: Type.UINT32, uint64Data: [1n, 2n ** 32n - 1n] }, Uint32Array.of(1, 2 ** 32 - 1)],
    ['int32', { dataType: Type.INT32, int32Data: [-1, 7] }, Int32Array.of(-1, 7)],
    ['int16', { dataType: Type.INT16, int32Data: [-1, 7] }, Int16Array.of(-1, 7)],
    ['uint16', { dataType: Type.UINT16, int32Data: [65535, 7] }, Uint16Array.of(65535, 7)],
    ['int8', { dataType: Type.INT8, int32Data: [-128, 7] }, Int8Array.of(-128, 7)],
    ['uint8', { dataType: Type.UINT8, int32Data: [255, 7] }, Uint8Array.of(255, 7)],
    ['bool', { dataType: Type.BOOL, int32Data: [0, 5] }, Uint8Array.of(0, 1)],
    ['float16', { dataType: Type.FLOAT16, int32Data: [0x3c00, 0xc000] }, Uint16Array.of(0x3c00, 0xc000)],
    ['bfloat16', { dataType: Type.BFLOAT16, int32Data: [0x3f80, 0xc000] }, Uint16Array.of(0x3f80, 0xc000)],
    ['float8', { dataType: Type.FLOAT8E4M3FN, int32Data: [0x38, 0xb8] }, Uint8Array.of(0x38, 0xb8)],
  ];

  test.each(cases)('%s', (_name, fields, expected) => {
    const tensor = read({ ...fields, dims: [2n] });
    expect(Array.from<number | bigint>(tensor.typed() as never)).toEqual(Array.from(expected));
  });

  test('complex numbers, in pairs', () => {
    const tensor = read({ dataType: Type.COMPLEX64, dims: [2n], floatData: [1, 2, 3, 4] });
    expect(tensor.typed()).toEqual(Float32Array.of(1, 2, 3, 4));
  });

  test('4-bit and 2-bit integers, packed', () => {
    expect(read({ dataType: Type.INT4, dims: [3n], int32Data: [0x21, 0x03] }).bytes()).toEqual(Uint8Array.of(0x21, 3));
    expect(read({ dataType: Type.UINT2, dims: [5n], int32Data: [0xe4, 0x01] }).bytes()).toEqual(Uint8Array.of(0xe4, 1));
  });

  test('strings', () => {
    const stringData = [new TextEncoder().encode('a'), new Uint8Array([0xff])];
    const tensor = read({ dataType: Type.STRING, dims: [2n], stringData });
    expect(tensor.storage).toEqual({ kind: 'strings', strings: stringData });
  });

  test('a tensor without elements needs no data, one without dimensions has one', () => {
    expect(read({ dataType: Type.FLOAT, dims: [0n, 3n] }).bytes()).toHaveLength(0);
    expect(read({ dataType: Type.FLOAT, floatData: [3] }).numbers()).toEqual([3]);
  });
});

describe('refused, by name', () => {
  const raw = (bytes: number) => new Uint8Array(bytes);
  test.each<[string, Fields, string]>([
    ['element type 0', { dims: [1n], rawData: raw(4) }, 'UNKNOWN_ELEMENT_TYPE'],
    ['element type 99', { dataType: 99, dims: [1n], rawData: raw(4) }, 'UNKNOWN_ELEMENT_TYPE'],
    ['a negative dimension', { dataType: Type.FLOAT, dims: [-1n], rawData: raw(4) }, 'TENSOR_DIMENSIONS'],
    [
      'a product beyond 2^53',
      { dataType: Type.FLOAT, dims: [2n ** 31n, 2n ** 31n], rawData: raw(4) },
      'TENSOR_DIMENSIONS',
    ],
    [
      'a product that overflows 64 bits to 0',
      { dataType: Type.FLOAT, dims: [2n ** 32n, 2n ** 32n] },
      'TENSOR_DIMENSIONS',
    ],
    ['a dimension of 2^63-1', { dataType: Type.FLOAT, dims: [2n ** 63n - 1n], rawData: raw(4) }, 'TENSOR_DIMENSIONS'],
    ['raw data that is too short', { dataType: Type.FLOAT, dims: [2n, 3n], rawData: raw(23) }, 'TENSOR_SIZE'],
    ['raw data that is too long', { dataType: Type.FLOAT, dims: [2n], rawData: raw(12) }, 'TENSOR_SIZE'],
    ['typed data that is too short', { dataType: Type.FLOAT, dims: [2n], floatData: [1] }, 'TENSOR_SIZE'],
    ['dimensions that lie', { dataType: Type.FLOAT, dims: [2n ** 40n], rawData: raw(8) }, 'TENSOR_SIZE'],
    ['no data', { dataType: Type.FLOAT, dims: [2n] }, 'TENSOR_DATA_MISSING'],
    ['no data of a scalar', { dataType: Type.FLOAT }, 'TENSOR_DATA_MISSING'],
    ['too few strings', { dataType: Type.STRING, dims: [2n], stringData: [raw(1)] }, 'TENSOR_SIZE'],
    ['strings in raw data', { dataType: Type.STRING, dims: [2n], rawData: raw(2) }, 'TENSOR_DATA_FIELDS'],
    ['floats in int32_data', { dataType: Type.FLOAT, dims: [1n], int32Data: [1] }, 'TENSOR_DATA_FIELDS'],
    ['raw and typed data', { dataType: Type.FLOAT, dims: [1n], rawData: raw(4), floatData: [1] }, 'TENSOR_DATA_FIELDS'],
    [
      'external and raw data',
      { dataType: Type.FLOAT, dims: [1n], rawData: raw(4), dataLocation: TensorProto_DataLocation.EXTERNAL },
      'TENSOR_DATA_FIELDS',
    ],
    [
      'external data of a model from memory',
      { dataType: Type.FLOAT, dims: [1n], dataLocation: TensorProto_DataLocation.EXTERNAL },
      'EXTERNAL_DATA_WITHOUT_FOLDER',
    ],
  ])('%s', async (_name, fields, code) => {
    const error = await refusalOf(() => read(fields));
    expect(error.code).toBe(code);
    expect(error.message.toLowerCase()).toContain(PLACE);
  });

  test('an unknown data location, by its number', async () => {
    const bytes = [...toBinary(TensorProtoSchema, create(TensorProtoSchema, { dataType: 1, dims: [0n] })), 14 << 3, 9];
    const proto = fromBinary(TensorProtoSchema, new Uint8Array(bytes));
    const error = await refusalOf(() => tensorFromProto(proto, PLACE));
    expect(error.code).toBe('TENSOR_DATA_LOCATION');
    expect(error.message).toContain('(9)');
  });

  test('a segment of a tensor; a segment that is all of it is taken', async () => {
    const segment = { segment: { begin: 0n, end: 1n } };
    const error = await refusalOf(() => read({ dataType: Type.FLOAT, dims: [2n], rawData: raw(4), ...segment }));
    expect(error.code).toBe('TENSOR_SEGMENT');
    expect(read({ dataType: Type.FLOAT, dims: [1n], rawData: raw(4), ...segment }).byteLength).toBe(4);
  });
});

describe('writing', () => {
  test('an untouched tensor is the message it was read from; under another name only the name differs', () => {
    const proto = create(TensorProtoSchema, {
      name: 'w',
      dataType: Type.FLOAT,
      dims: [1n],
      floatData: [1],
      docString: 'd',
    });
    const tensor = tensorFromProto(proto, PLACE);
    expect(tensorToProto(tensor, 'w')).toBe(proto);
    const renamed = tensorToProto(tensor, 'v');
    expect(renamed).toEqual(create(TensorProtoSchema, { ...proto, name: 'v' }));
    expect(proto.name).toBe('w');
  });

  test('an origin that does not describe the tensor any more is not used', () => {
    const proto = create(TensorProtoSchema, { name: 'w', dataType: Type.FLOAT, dims: [2n], floatData: [1, 2] });
    const { storage } = tensorFromProto(proto, PLACE);
    const reshaped = new Tensor('float32', [1, 2], storage, { origin: proto });
    expect(tensorToProto(reshaped, 'w').dims).toEqual([1n, 2n]);
  });

  test('what was read comes back in raw data, whatever the type (property)', () => {
    const value = fc.float({ noNaN: true });
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 20 }),
        fc.constantFrom('float32', 'float16', 'bfloat16'),
        (values, type) => {
          const tensor = Tensor.fromNumbers(type as 'float32', [values.length], values);
          const bits = { float32: (x: number) => x, float16: numberToFloat16, bfloat16: numberToBfloat16 }[
            type as 'float32'
          ];
          const typed = type === 'float32' ? { floatData: values } : { int32Data: values.map(bits) };
          const dataType = { float32: Type.FLOAT, float16: Type.FLOAT16, bfloat16: Type.BFLOAT16 }[type as 'float32'];
          const fromTyped = tensorFromProto(
            create(TensorProtoSchema, { dataType, dims: [BigInt(values.length)], ...typed }),
            PLACE,
          );
          expect(fromTyped.bytes()).toEqual(tensor.bytes());
          expect(inlineTensor(fromTyped, 'w').rawData).toEqual(tensor.bytes());
          expect(inlineTensor(fromTyped, 'w').floatData).toEqual([]);
        },
      ),
    );
  });
});
