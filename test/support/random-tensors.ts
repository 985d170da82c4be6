/** fast-check's tensors of every data type, and comparisons by bits. */
import fc from 'fast-check';
import type { DataType } from '../../lib/artifact/manifest.js';
import { bytesOf, isStrings, type NamedTensor, type TensorData, type TensorForm } from '../../lib/protocol/tensor.js';

export const DATA_TYPES = [
  'bool',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'int8',
  'int16',
  'int32',
  'int64',
  'float16',
  'float32',
  'float64',
  'string',
] as const satisfies readonly DataType[];

const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });

function dataOf(dataType: DataType, length: number, form: TensorForm): fc.Arbitrary<TensorData> {
  const exactly = { minLength: length, maxLength: length };
  const mustBeFinite = form === 'json';
  switch (dataType) {
    case 'bool':
      return fc.uint8Array({ ...exactly, max: 1 });
    case 'uint8':
      return fc.uint8Array(exactly);
    case 'uint16':
      return fc.uint16Array(exactly);
    case 'uint32':
      return fc.uint32Array(exactly);
    case 'uint64':
      return fc.bigUint64Array(exactly);
    case 'int8':
      return fc.int8Array(exactly);
    case 'int16':
      return fc.int16Array(exactly);
    case 'int32':
      return fc.int32Array(exactly);
    case 'int64':
      return fc.bigInt64Array(exactly);
    case 'float16':
      // In JSON the exponent must not be the one of infinities.
      return fc.uint16Array(exactly).map((bits) => (mustBeFinite ? bits.map((half) => half & ~0x0400) : bits));
    case 'float32':
      return fc.float32Array({ ...exactly, noNaN: mustBeFinite, noDefaultInfinity: mustBeFinite });
    case 'float64':
      return fc.float64Array({ ...exactly, noNaN: mustBeFinite, noDefaultInfinity: mustBeFinite });
    case 'string':
      // onnxruntime would end a string at the character 0.
      return fc.array(
        fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', '0')),
        exactly,
      );
  }
}

export type FormedTensor = NamedTensor & { readonly form: TensorForm };

export function formedTensor(name: string): fc.Arbitrary<FormedTensor> {
  return fc
    .record({
      dataType: fc.constantFrom(...DATA_TYPES),
      shape,
      form: fc.constantFrom<TensorForm>('json', 'binary'),
    })
    .chain(({ dataType, shape, form }) =>
      dataOf(
        dataType,
        shape.reduce((product, size) => product * size, 1),
        form,
      ).map((data) => ({ name, dataType, shape, form, data })),
    );
}

/** Up to four tensors, named a to d. */
export const formedTensors = fc
  .integer({ min: 0, max: 4 })
  .chain((count) => fc.tuple(...['a', 'b', 'c', 'd'].slice(0, count).map(formedTensor)));

/** The elements so that equal bits are equal values: strings as they are, numbers as their bytes. */
export function bitsOf(data: TensorData): unknown {
  return isStrings(data) ? data : { kind: data.constructor.name, bytes: Buffer.from(bytesOf(data)).toString('hex') };
}
