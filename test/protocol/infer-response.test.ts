import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DataType } from '../../lib/artifact/manifest.js';
import { RequestError } from '../../lib/errors.js';
import { fromV2DataType } from '../../lib/protocol/data-types.js';
import { toFloat16Bits } from '../../lib/protocol/float16.js';
import { encodeInferResponse } from '../../lib/protocol/infer-response.js';
import { bytesOf, type NumericData } from '../../lib/protocol/tensor.js';
import { bitsOf, type FormedTensor, formedTensors } from '../support/random-tensors.js';

const ARRAYS = {
  bool: Uint8Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  float16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

/** A client of its own: JSON.parse, and the text itself where JSON.parse is not exact. */
function readResponse(text: string, binary: readonly Uint8Array[]) {
  const document = JSON.parse(text);
  const bytes = Buffer.concat(binary);
  let offset = 0;
  const outputs = document.outputs.map((output: Record<string, unknown>) => {
    const { name, shape } = output as { name: string; shape: number[] };
    const dataType = fromV2DataType(output.datatype) as DataType;
    const size = (output.parameters as { binary_data_size: number } | undefined)?.binary_data_size;
    if (size === undefined) return { name, shape, dataType, data: readElements(dataType, output.data, text, name) };
    const part = bytes.subarray(offset, offset + size);
    offset += size;
    return { name, shape, dataType, data: readBinary(dataType, part) };
  });
  expect(offset).toBe(bytes.length);
  return { ...document, outputs };
}

function readElements(dataType: DataType, data: unknown, text: string, name: string) {
  const elements = data as never[];
  if (dataType === 'string') return elements as string[];
  if (dataType === 'int64' || dataType === 'uint64') {
    const [, literals = ''] = new RegExp(`"name":"${name}".*?"data":\\[(.*?)\\]`).exec(text) ?? [];
    return ARRAYS[dataType].from(literals === '' ? [] : literals.split(',').map(BigInt));
  }
  if (dataType === 'float16') return Uint16Array.from(elements, toFloat16Bits);
  return ARRAYS[dataType].from(elements);
}

function readBinary(dataType: DataType, bytes: Uint8Array) {
  if (dataType !== 'string') return new ARRAYS[dataType](Uint8Array.from(bytes).buffer) as NumericData;
  const strings: string[] = [];
  for (let rest = Buffer.from(bytes); rest.length > 0; ) {
    const length = rest.readUInt32LE(0);
    strings.push(rest.toString('utf8', 4, 4 + length));
    rest = rest.subarray(4 + length);
  }
  return strings;
}

function encodeOne(output: Omit<FormedTensor, 'name' | 'form' | 'shape'>, form: FormedTensor['form'] = 'json') {
  const tensor = { name: 'y', shape: [output.data.length], form, ...output };
  return encodeInferResponse({ modelName: 'm', modelVersion: '1', outputs: [tensor] });
}

describe('a response with tensors of any type, shape and form', () => {
  it('is read by its client as it was computed', () => {
    fc.assert(
      fc.property(formedTensors, (outputs) => {
        const { text, binary } = encodeInferResponse({ modelName: 'm "1"', modelVersion: '7', id: 'é"', outputs });
        const response = readResponse(text, binary);
        expect(response).toMatchObject({ model_name: 'm "1"', model_version: '7', id: 'é"' });
        expect(response.outputs.map((output: FormedTensor) => ({ ...output, data: bitsOf(output.data) }))).toEqual(
          outputs.map(({ name, dataType, shape, data }) => ({ name, dataType, shape, data: bitsOf(data) })),
        );
      }),
      { numRuns: 400 },
    );
  });

  it('takes its binary tensors from where they lie', () => {
    const data = Float32Array.of(1, 2, 3);
    const { binary } = encodeOne({ dataType: 'float32', data }, 'binary');
    expect(binary.map(({ buffer }) => buffer)).toEqual([data.buffer]);
    expect(binary[0]).toEqual(bytesOf(data));
  });

  it('has an id only where the request had one', () => {
    const { text } = encodeOne({ dataType: 'int8', data: Int8Array.of(1) });
    expect(JSON.parse(text)).toEqual({
      model_name: 'm',
      model_version: '1',
      outputs: [{ name: 'y', datatype: 'INT8', shape: [1], data: [1] }],
    });
  });
});

describe('what JSON is bad at', () => {
  it('keeps the sign of zero, as a number with a fraction', () => {
    const { text } = encodeOne({ dataType: 'float32', data: Float32Array.of(-0, 0, 1.5) });
    expect(text).toContain('[-0.0,0,1.5]');
  });

  it('keeps int64 and uint64 exact', () => {
    const { text } = encodeOne({ dataType: 'int64', data: BigInt64Array.of(-(2n ** 63n), 9007199254740993n) });
    expect(text).toContain('[-9223372036854775808,9007199254740993]');
  });

  it.each([
    ['float32', Float32Array.of(1, Number.NaN)],
    ['float32', Float32Array.of(1, Number.POSITIVE_INFINITY)],
    ['float64', Float64Array.of(1, Number.NEGATIVE_INFINITY)],
    ['float16', Uint16Array.of(0x3c00, 0x7c00)],
    ['float16', Uint16Array.of(0x3c00, 0xfe01)],
  ] as const)('names the binary form for what it cannot write of %s', (dataType, data) => {
    let error: unknown;
    try {
      encodeOne({ dataType, data });
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(RequestError);
    expect(error).toMatchObject({ code: 'NON_FINITE_OUTPUT', status: 422 });
    expect((error as RequestError).message).toContain('Element 1 of the tensor "y"');
    expect((error as RequestError).advice).toContain('"binary_data_output": true');
    expect(() => encodeOne({ dataType, data }, 'binary')).not.toThrow();
  });
});
