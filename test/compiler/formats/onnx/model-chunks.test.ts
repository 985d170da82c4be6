import { readFileSync } from 'node:fs';
import { create, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, TensorProto_DataType, TensorProtoSchema } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { decodeModel } from '../../../../lib/compiler/formats/onnx/decode.js';
import { modelChunks } from '../../../../lib/compiler/formats/onnx/model-chunks.js';
import { everyField } from '../../../support/every-field.js';
import { modelProto, nodeProto, valueInfo } from '../../../support/onnx-messages.js';
import { realModels } from '../../../support/real-models.js';

const same = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;

describe('a model in pieces', () => {
  test.each(Object.entries(realModels))('%s has the bytes of its file', (_, path) => {
    const bytes = readFileSync(path);
    expect(same(Buffer.concat(modelChunks(decodeModel(bytes))), bytes)).toBe(true);
  });

  test('has what the writer makes of every field, with large weights among them', () => {
    const proto = everyField();
    const { graph } = proto;
    if (graph === undefined) throw new Error('it has one');
    for (const bytes of [0, 1, 65_535, 65_536, 300_000]) {
      const rawData = new Uint8Array(bytes).fill(bytes % 251);
      graph.initializer.push(
        create(TensorProtoSchema, {
          name: `w${bytes}`,
          docString: 'behind it',
          dims: [BigInt(bytes)],
          dataType: TensorProto_DataType.UINT8,
          rawData,
        }),
      );
    }
    for (const each of [proto, decodeModel(toBinary(ModelProtoSchema, proto))]) {
      expect(same(Buffer.concat(modelChunks(each)), toBinary(ModelProtoSchema, each))).toBe(true);
    }
  });

  test('passes large weights through as they are', () => {
    const rawData = new Uint8Array(200_000).fill(7);
    const initializer = create(TensorProtoSchema, {
      name: 'w',
      dims: [200_000n],
      dataType: TensorProto_DataType.UINT8,
      rawData,
    });
    const proto = modelProto({
      node: [nodeProto('Relu', ['w'], ['y'])],
      initializer: [initializer],
      output: [valueInfo('y')],
    });
    expect(modelChunks(proto)).toContain(rawData);
  });

  test('is still one without a graph', () => {
    const empty = create(ModelProtoSchema, { producerName: 'nobody' });
    expect(same(Buffer.concat(modelChunks(empty)), toBinary(ModelProtoSchema, empty))).toBe(true);
  });
});
