import { toBinary } from '@bufbuild/protobuf';
import { TensorProto_DataType as DataType, type ModelProto, ModelProtoSchema, type NodeProto } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { decodeModel } from '../../../../lib/compiler/formats/onnx/decode.js';
import type { Model } from '../../../../lib/compiler/ir/model.js';
import { modelFromProto } from '../../../../lib/compiler/ir/serialization/from-proto.js';
import { findProblems, validate, validateStructure } from '../../../../lib/compiler/ir/validation.js';
import { readOnnx } from '../../../../lib/compiler/readers/onnx.js';
import { modelProto, nodeProto, reluModel, valueInfo } from '../../../support/onnx-messages.js';
import { realModels } from '../../../support/real-models.js';
import { refusalOf } from '../../../support/refusal.js';

const read = (proto: ModelProto): Model => modelFromProto(decodeModel(toBinary(ModelProtoSchema, proto)));
const x = valueInfo('x', [1]);
const y = valueInfo('y', [1]);
const graph = (node: readonly NodeProto[], rest: Parameters<typeof modelProto>[0] = {}) =>
  modelProto({ node: [...node], input: [x], output: [y], ...rest });

test.each(Object.entries(realModels))('%s is valid', async (_name, path) => {
  expect(findProblems(await readOnnx(path))).toEqual([]);
});

describe('what can be served', () => {
  const served = (proto: ModelProto) => () => validate(read(proto));

  test('domains of onnxruntime and of the model’s own functions', () => {
    expect(served(reluModel())).not.toThrow();
    const gelu = graph([nodeProto('Gelu', ['x'], ['y'], { domain: 'com.microsoft' })]);
    gelu.opsetImport.push(...modelProto({}, { opsetImport: [{ domain: 'com.microsoft', version: 1n }] }).opsetImport);
    expect(served(gelu)).not.toThrow();
  });

  test.each<[string, () => ModelProto, string, RegExp, RegExp]>([
    [
      'a custom operator',
      () =>
        modelProto(
          { node: [nodeProto('Magic', ['x'], ['y'], { domain: 'acme' })], input: [x], output: [y] },
          { opsetImport: [{ domain: 'acme', version: 1n }] },
        ),
      'UNKNOWN_DOMAIN',
      /Magic 'y'.*'acme'/,
      /standard operators/,
    ],
    ...(['BFLOAT16', 'FLOAT8E4M3FN', 'FLOAT8E5M2', 'INT4', 'COMPLEX64'] as const).map(
      (name): [string, () => ModelProto, string, RegExp, RegExp] => [
        `an input of ${name}`,
        () =>
          modelProto({
            node: [nodeProto('Cast', ['x'], ['y'])],
            input: [valueInfo('x', [1], DataType[name])],
            output: [y],
          }),
        'SIGNATURE_TYPE',
        new RegExp(`input 'x'.*${name.toLowerCase()}`),
        /Cast/,
      ],
    ),
    [
      'an output of bfloat16',
      () =>
        modelProto({
          node: [nodeProto('Cast', ['x'], ['y'])],
          input: [x],
          output: [valueInfo('y', [1], DataType.BFLOAT16)],
        }),
      'SIGNATURE_TYPE',
      /output 'y'.*bfloat16/,
      /in front of that output/,
    ],
    [
      'a sequence as output',
      () =>
        modelProto({
          node: [nodeProto('SequenceConstruct', ['x'], ['y'])],
          input: [x],
          output: [{ name: 'y', type: { value: { case: 'sequenceType', value: {} } } }],
        }),
      'SIGNATURE_CONTAINER',
      /output 'y' is a sequence/,
      /tensors/,
    ],
    [
      'the maps of a ZipMap',
      () =>
        modelProto(
          {
            node: [
              nodeProto('Classifier', ['x'], ['scores'], { domain: 'ai.onnx.ml' }),
              nodeProto('ZipMap', ['scores'], ['y'], { domain: 'ai.onnx.ml' }),
            ],
            input: [x],
            output: [{ name: 'y' }],
          },
          { opsetImport: [{ domain: 'ai.onnx.ml', version: 1n }] },
        ),
      'SIGNATURE_CONTAINER',
      /output 'y' is a sequence of maps/,
      /zipmap=False.*'scores'/,
    ],
    [
      'no IR version',
      () => modelProto({ node: [nodeProto('Relu', ['x'], ['y'])], input: [x], output: [y] }, { irVersion: 0n }),
      'MODEL_IR_VERSION',
      /IR version/,
      /export/,
    ],
  ])('%s is refused', async (_what, proto, code, message, advice) => {
    const error = await refusalOf(served(proto()));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.advice).toMatch(advice);
    expect(() => validateStructure(read(proto()))).not.toThrow();
  });
});
