import { readFileSync } from 'node:fs';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { ModelProtoSchema, StringStringEntryProtoSchema, TensorProtoSchema } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { decodeModel } from '../../../../lib/compiler/formats/onnx/decode.js';
import { scanMessage } from '../../../../lib/compiler/formats/protobuf/wire-scan.js';
import { ModelFormatError } from '../../../../lib/errors.js';
import { cpuMilliseconds } from '../../../support/cpu-time.js';
import { floatTensor, modelProto, nodeProto, valueInfo } from '../../../support/onnx-messages.js';
import { realModels } from '../../../support/real-models.js';

const GRAPH = 7;
const NODE = 1;
const ATTRIBUTE = 5;
const ATTRIBUTE_GRAPH = 6;

function refusal(act: () => unknown): ModelFormatError {
  try {
    act();
  } catch (error) {
    if (error instanceof ModelFormatError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const scan = (bytes: Uint8Array, limits = {}) => scanMessage(ModelProtoSchema, bytes, limits);

/** A field with a payload; its length can lie. */
function delimited(field: number, payload: Uint8Array, length = payload.byteLength): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(length).raw(payload).finish();
}

function nested(levels: number): Uint8Array {
  let graph: Uint8Array = new Uint8Array();
  for (let level = 1; level < levels; level++) {
    graph = delimited(NODE, delimited(ATTRIBUTE, delimited(ATTRIBUTE_GRAPH, graph)));
  }
  return delimited(GRAPH, graph);
}

const sample = toBinary(
  ModelProtoSchema,
  modelProto({
    node: [nodeProto('Relu', ['x'], ['a']), nodeProto('Add', ['a', 'w'], ['y'], { name: 'sum' })],
    initializer: [floatTensor('w', [2], [1, 2])],
    input: [valueInfo('x', ['N', 2])],
    output: [valueInfo('y', ['N', 2])],
  }),
);

describe('what is refused', () => {
  test('a file cut at any byte is incomplete, and the message says where', () => {
    const whole = readFileSync(realModels.blazefaceFront);
    for (let length = 1; length < whole.length; length += 1009) {
      let error: ModelFormatError;
      try {
        error = refusal(() => scan(whole.subarray(0, length)));
      } catch {
        // Cut exactly between two fields of the model: a shorter valid message.
        continue;
      }
      expect(error.code).toBe('PROTOBUF_TRUNCATED');
      expect(error.message).toMatch(/\(byte \d+, ModelProto/);
    }
    const { message } = refusal(() => scan(whole.subarray(0, whole.length / 2)));
    expect(message).toContain(`of a file of ${Math.floor(whole.length / 2)} (byte`);
  });

  test('a length that passes the message around it', () => {
    // The second node claims one byte more than the graph has.
    const graph = new Uint8Array([...delimited(NODE, new Uint8Array()), ...delimited(NODE, new Uint8Array(2), 3)]);
    const bytes = new Uint8Array([...delimited(GRAPH, graph), 0, 0, 0, 0]);
    const error = refusal(() => scan(bytes));
    expect(error.code).toBe('PROTOBUF_LENGTH');
    expect(error.message).toContain('ModelProto.graph.node[1]');
  });

  test.each([2 ** 31, 2 ** 32 - 1])('an enormous length, %d', (length) => {
    const error = refusal(() => scan(delimited(GRAPH, new Uint8Array(8), length)));
    expect(error.code).toBe('PROTOBUF_LENGTH');
    expect(error.message).toContain(`${length} bytes`);
    expect(error.message).toContain('ModelProto.graph');
  });

  test('a length of more than 32 bits', () => {
    const error = refusal(() => scan(new Uint8Array([GRAPH * 8 + 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])));
    expect(error.code).toBe('PROTOBUF_VARINT');
  });

  test('graphs nested deeper than 100 messages; as deep as that is fine', () => {
    expect(() => scan(nested(33))).not.toThrow();
    const error = refusal(() => scan(nested(34)));
    expect(error.code).toBe('PROTOBUF_DEPTH');
    expect(error.message).toContain('ModelProto.graph.node[0].attribute[0].g.node[0]');
  });

  test('a nested bomb of 60,000 levels, at once', async () => {
    // Written from the inside out; every third header is a graph.
    const levels = 60_000;
    const parts: Uint8Array[] = [];
    let size = 0;
    for (let level = 0; level < levels; level++) {
      const header = new BinaryWriter()
        .tag([ATTRIBUTE_GRAPH, ATTRIBUTE, NODE][level % 3] ?? 0, 2)
        .uint32(size)
        .finish();
      parts.push(header);
      size += header.byteLength;
    }
    const bytes = delimited(GRAPH, Buffer.concat(parts.reverse()));
    const took = await cpuMilliseconds(() => {
      expect(refusal(() => decodeModel(bytes)).code).toBe('PROTOBUF_DEPTH');
    });
    expect(took).toBeLessThan(3000);
  });

  test.each([3, 4])('groups (wire type %d), known field or not', (wireType) => {
    expect(refusal(() => scan(new Uint8Array([GRAPH * 8 + wireType]))).code).toBe('PROTOBUF_GROUP');
    const bomb = new Uint8Array(100_000).fill(99 * 8 + wireType);
    expect(refusal(() => scan(bomb)).code).toBe('PROTOBUF_GROUP');
  });

  test('a field number of 0, and wire types that do not exist', () => {
    expect(refusal(() => scan(new Uint8Array([0x02, 0x00]))).code).toBe('PROTOBUF_TAG');
    expect(refusal(() => scan(new Uint8Array([GRAPH * 8 + 7]))).code).toBe('PROTOBUF_TAG');
  });

  test('a field of another type than the schema’s', () => {
    // ir_version as text.
    const error = refusal(() => scan(delimited(1, new Uint8Array(3))));
    expect(error.code).toBe('PROTOBUF_WIRE_TYPE');
    expect(error.message).toContain('ModelProto.ir_version');
  });

  test('a number that does not end', () => {
    expect(refusal(() => scan(new Uint8Array([0x08, ...new Uint8Array(11).fill(0xff)]))).code).toBe('PROTOBUF_VARINT');
    expect(refusal(() => scan(new Uint8Array([0x08, 0xff, 0xff]))).code).toBe('PROTOBUF_TRUNCATED');
  });

  test('packed lists that do not divide into elements', () => {
    const FLOAT_DATA = 4;
    const INT64_DATA = 7;
    const packed = (field: number, payload: Uint8Array) => delimited(GRAPH, delimited(5, delimited(field, payload)));
    for (const bytes of [packed(FLOAT_DATA, new Uint8Array(7)), packed(INT64_DATA, new Uint8Array([1, 0x80]))]) {
      const error = refusal(() => scan(bytes));
      expect(error.code).toBe('PROTOBUF_PACKED');
      expect(error.message).toContain('ModelProto.graph.initializer[0].');
    }
  });

  test('text that is not UTF-8, also behind a long ASCII start', () => {
    const name = new Uint8Array(200).fill(0x61);
    name[199] = 0xff;
    const error = refusal(() => scan(delimited(GRAPH, delimited(2, name))));
    expect(error.code).toBe('PROTOBUF_UTF8');
    expect(error.message).toContain('ModelProto.graph.name');
    const umlauts = new TextEncoder().encode('größe 模型');
    expect(() => scan(delimited(GRAPH, delimited(2, umlauts)))).not.toThrow();
  });

  test('more objects than memory holds, before one of them is made', () => {
    const nodes = new Uint8Array(200_000);
    for (let index = 0; index < nodes.length; index += 2) nodes[index] = NODE * 8 + 2;
    const bytes = delimited(GRAPH, nodes);
    expect(() => scan(bytes, { memory: 2 ** 30 })).not.toThrow();
    const error = refusal(() => scan(bytes, { memory: 2 ** 20 }));
    expect(error.code).toBe('PROTOBUF_MEMORY');
    expect(error.message).toMatch(/1 MiB.*ModelProto\.graph\.node\[\d+\]/);
  });

  test('typed data of which each byte becomes an object', () => {
    const INT64_DATA = 7;
    const bytes = delimited(GRAPH, delimited(5, delimited(INT64_DATA, new Uint8Array(2 ** 20))));
    expect(refusal(() => scan(bytes, { memory: 2 ** 24 })).code).toBe('PROTOBUF_MEMORY');
  });

  test('an empty file', () => {
    expect(refusal(() => decodeModel(new Uint8Array())).code).toBe('MODEL_EMPTY');
  });
});

describe('what is taken', () => {
  test.each(Object.entries(realModels))('%s', (_name, path) => {
    expect(() => scan(readFileSync(path))).not.toThrow();
  });

  test('unknown fields of every kind, which survive', () => {
    const extra = [
      ...new BinaryWriter().tag(100, WireType.Varint).uint32(7).finish(),
      ...new BinaryWriter().tag(101, WireType.Bit64).fixed64(1n).finish(),
      ...delimited(102, new Uint8Array([1, 2, 3])),
      ...new BinaryWriter().tag(103, WireType.Bit32).fixed32(9).finish(),
    ];
    const bytes = new Uint8Array([...sample, ...extra]);
    expect(toBinary(ModelProtoSchema, decodeModel(bytes))).toEqual(bytes);
  });
});

test('what the scan lets through decodes, and cannot decode into anything else: any bytes, any edit', () => {
  const edit = fc.record({ at: fc.nat(sample.length - 1), bytes: fc.uint8Array({ minLength: 1, maxLength: 3 }) });
  let passed = 0;
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), fc.nat(sample.length), (edits, cut) => {
      const bytes = sample.slice(0, cut % 7 === 0 ? cut : sample.length);
      for (const { at, bytes: replacement } of edits)
        bytes.set(replacement.slice(0, Math.max(0, bytes.length - at)), Math.min(at, bytes.length));
      try {
        scan(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(ModelFormatError);
        return;
      }
      passed++;
      const model = fromBinary(ModelProtoSchema, bytes);
      const again = toBinary(ModelProtoSchema, model);
      expect(() => scan(again)).not.toThrow();
    }),
    { numRuns: 5000 },
  );
  expect(passed).toBeGreaterThan(100);
});

test('any tensor that the library writes passes', () => {
  const tensor = fc.record(
    {
      dims: fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
      dataType: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      floatData: fc.array(fc.float()),
      int32Data: fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
      int64Data: fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
      uint64Data: fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
      doubleData: fc.array(fc.double()),
      stringData: fc.array(fc.uint8Array()),
      name: fc.string({ unit: 'grapheme' }),
      rawData: fc.uint8Array({ maxLength: 300 }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(tensor, (fields) => {
      const message = create(TensorProtoSchema, { ...fields } as Parameters<
        typeof create<typeof TensorProtoSchema>
      >[1]);
      const bytes = toBinary(TensorProtoSchema, message);
      scanMessage(TensorProtoSchema, bytes);
      expect(toBinary(TensorProtoSchema, fromBinary(TensorProtoSchema, bytes))).toEqual(bytes);
    }),
  );
});

test('a text field of every length is measured right', () => {
  for (const length of [0, 1, 127, 128, 16_383, 16_384]) {
    const message = create(StringStringEntryProtoSchema, { key: 'k', value: 'v'.repeat(length) });
    expect(() =>
      scanMessage(StringStringEntryProtoSchema, toBinary(StringStringEntryProtoSchema, message)),
    ).not.toThrow();
  }
});
