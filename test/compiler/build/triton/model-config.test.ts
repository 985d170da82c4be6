import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { DataType, Dimension, Signature, TensorSignature } from '../../../../lib/artifact/manifest.js';
import { type ModelConfigOptions, modelConfig } from '../../../../lib/compiler/build/triton/model-config.js';
import { printMessage } from '../../../../lib/compiler/build/triton/protobuf-text.js';
import { readProtobufText } from '../../../support/protobuf-text-reader.js';
import { requirePython } from '../../../support/python.js';
import {
  MODEL_CONFIG,
  type ReadModelConfig,
  TRITON_CLIENT,
  tritonRefusals,
} from '../../../support/triton-model-config.js';

const tensor = (name: string, dataType: DataType, shape: readonly Dimension[] | null): TensorSignature => ({
  name,
  dataType,
  shape,
});
const images: Signature = {
  inputs: [tensor('input', 'float32', ['batch', 3, 224, 224])],
  outputs: [tensor('probabilities', 'float32', ['batch', 1000])],
};
const options = { name: 'faces', precision: 'fp16', warmUpSize: 1 } as const;
const textOf = (signature: Signature, more: Partial<ModelConfigOptions> = {}) =>
  printMessage(modelConfig(signature, { ...options, ...more }).text);
const read = (signature: Signature, more: Partial<ModelConfigOptions> = {}) =>
  readProtobufText(textOf(signature, more), MODEL_CONFIG) as ReadModelConfig;

interface Row {
  readonly case: string;
  readonly signature: Signature;
  readonly options?: Partial<ModelConfigOptions>;
  readonly batch: number;
  /** By tensor. */
  readonly dims: Readonly<Record<string, readonly number[]>>;
  readonly types: Readonly<Record<string, string>>;
  /** Of every warm-up: batch size, and dimensions by input. */
  readonly warmUps: readonly (readonly [number, Readonly<Record<string, readonly number[]>>])[];
}

const TABLE: readonly Row[] = [
  {
    case: 'a named batch of fixed images',
    signature: images,
    batch: 32,
    dims: { input: [3, 224, 224], probabilities: [1000] },
    types: { input: 'TYPE_FP32', probabilities: 'TYPE_FP32' },
    warmUps: [
      [1, { input: [3, 224, 224] }],
      [32, { input: [3, 224, 224] }],
    ],
  },
  {
    case: 'one image only',
    signature: {
      inputs: [tensor('input', 'float32', [1, 128, 128, 3])],
      outputs: [tensor('scores', 'float32', [1, 512, 1])],
    },
    batch: 0,
    dims: { input: [1, 128, 128, 3], scores: [1, 512, 1] },
    types: { input: 'TYPE_FP32', scores: 'TYPE_FP32' },
    warmUps: [[1, { input: [1, 128, 128, 3] }]],
  },
  {
    case: 'several inputs, batch and sequence both dynamic',
    signature: {
      inputs: [tensor('ids', 'int64', ['batch', 'sequence']), tensor('mask', 'int64', ['batch', 'sequence'])],
      outputs: [tensor('hidden', 'float16', ['batch', 'sequence', 384])],
    },
    options: { warmUpSize: 8, maxBatchSize: 16, maxQueueDelayMicroseconds: 500, instances: 2 },
    batch: 16,
    dims: { ids: [-1], mask: [-1], hidden: [-1, 384] },
    types: { ids: 'TYPE_INT64', mask: 'TYPE_INT64', hidden: 'TYPE_FP16' },
    warmUps: [
      [1, { ids: [8], mask: [8] }],
      [16, { ids: [8], mask: [8] }],
    ],
  },
  {
    case: 'dimensions without a name, a batch where all begin with one',
    signature: { inputs: [tensor('x', 'float32', [null, 10])], outputs: [tensor('y', 'float32', [null, 2])] },
    batch: 32,
    dims: { x: [10], y: [2] },
    types: { x: 'TYPE_FP32', y: 'TYPE_FP32' },
    warmUps: [
      [1, { x: [10] }],
      [32, { x: [10] }],
    ],
  },
  {
    case: 'an output that is no batch',
    signature: {
      inputs: [tensor('image', 'uint8', ['batch', 'height', 'width', 3])],
      outputs: [tensor('boxes', 'float32', ['found', 4])],
    },
    options: { warmUpSize: 64 },
    batch: 0,
    dims: { image: [-1, -1, -1, 3], boxes: [-1, 4] },
    types: { image: 'TYPE_UINT8', boxes: 'TYPE_FP32' },
    warmUps: [[1, { image: [64, 64, 64, 3] }]],
  },
  {
    case: 'a scalar beside a batch',
    signature: {
      inputs: [tensor('x', 'float64', ['batch', 4]), tensor('sr', 'int64', [])],
      outputs: [tensor('y', 'float64', ['batch', 1])],
    },
    batch: 0,
    dims: { x: [-1, 4], sr: [1], y: [-1, 1] },
    types: { x: 'TYPE_FP64', sr: 'TYPE_INT64', y: 'TYPE_FP64' },
    warmUps: [[1, { x: [1, 4], sr: [1] }]],
  },
  {
    case: 'texts, of rank 1',
    signature: { inputs: [tensor('text', 'string', ['batch'])], outputs: [tensor('label', 'string', ['batch'])] },
    batch: 0,
    dims: { text: [-1], label: [-1] },
    types: { text: 'TYPE_STRING', label: 'TYPE_STRING' },
    warmUps: [[1, { text: [1] }]],
  },
  {
    case: 'batches turned off',
    signature: images,
    options: { maxBatchSize: 0 },
    batch: 0,
    dims: { input: [-1, 3, 224, 224], probabilities: [-1, 1000] },
    types: { input: 'TYPE_FP32', probabilities: 'TYPE_FP32' },
    warmUps: [[1, { input: [1, 3, 224, 224] }]],
  },
  {
    case: 'a batch of one, and made-up inputs that no model of it takes',
    signature: { inputs: [tensor('flag', 'bool', ['n', 1])], outputs: [tensor('index', 'uint32', ['n', 2])] },
    options: { maxBatchSize: 1, warmUpSize: undefined },
    batch: 1,
    dims: { flag: [1], index: [2] },
    types: { flag: 'TYPE_BOOL', index: 'TYPE_UINT32' },
    warmUps: [],
  },
  {
    case: 'names of all kinds',
    signature: {
      inputs: [tensor('a "b"\\\n{é}', 'int8', [2]), tensor('serving_default_x:0', 'int16', [2])],
      outputs: [tensor('日本/y', 'uint64', [2]), tensor("it's", 'uint16', [2]), tensor('', 'int32', [2])].slice(0, 2),
    },
    options: { tensorRt: true },
    batch: 0,
    dims: { 'a "b"\\\n{é}': [2], 'serving_default_x:0': [2], '日本/y': [2], "it's": [2] },
    types: {
      'a "b"\\\n{é}': 'TYPE_INT8',
      'serving_default_x:0': 'TYPE_INT16',
      '日本/y': 'TYPE_UINT64',
      "it's": 'TYPE_UINT16',
    },
    warmUps: [[1, { 'a "b"\\\n{é}': [2], 'serving_default_x:0': [2] }]],
  },
];

describe('config.pbtxt says of', () => {
  it.each(TABLE)('$case', ({ signature, options: more, batch, dims, types, warmUps }) => {
    const config = read(signature, more);
    expect(config).toMatchObject({ name: 'faces', backend: 'onnxruntime', max_batch_size: batch });
    expect(tritonRefusals(config)).toEqual([]);
    expect(config.input.map(({ name }) => name)).toEqual(signature.inputs.map(({ name }) => name));
    expect(config.output.map(({ name }) => name)).toEqual(signature.outputs.map(({ name }) => name));
    const tensors = [...config.input, ...config.output];
    expect(Object.fromEntries(tensors.map(({ name, dims: found }) => [name, found]))).toEqual(dims);
    expect(Object.fromEntries(tensors.map(({ name, data_type }) => [name, data_type]))).toEqual(types);
    const warmed = (config.model_warmup ?? []).map(({ batch_size, inputs }) => [
      batch_size,
      Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.dims])),
    ]);
    expect(warmed).toEqual(warmUps);
    expect(config.dynamic_batching === undefined).toBe(batch === 0);
    expect(config.instance_group).toEqual([{ count: more?.instances ?? 1, kind: 'KIND_GPU' }]);
  });

  it('what Triton itself reads as the same', ({ skip }) => {
    const python = requirePython(TRITON_CLIENT, skip);
    const texts = TABLE.map((row) => textOf(row.signature, row.options));
    const program = [
      'import json, sys',
      'from google.protobuf import json_format, text_format',
      'from tritonclient.grpc.model_config_pb2 import ModelConfig',
      'texts = json.load(sys.stdin)',
      'parsed = [text_format.Parse(text, ModelConfig()) for text in texts]',
      'print(json.dumps([json_format.MessageToDict(m, preserving_proto_field_name=True) for m in parsed]))',
    ].join('\n');
    const answer = execFileSync(python, ['-c', program], { input: JSON.stringify(texts), encoding: 'utf8' });
    const messages = JSON.parse(answer) as Record<string, unknown>[];
    // JSON of protobuf writes 64-bit numbers as texts and leaves out what is zero.
    const plain = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(plain);
      if (typeof value !== 'object' || value === null) {
        return typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
      }
      return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, plain(child)]));
    };
    texts.forEach((text, index) => {
      const ours = readProtobufText(text, MODEL_CONFIG) as ReadModelConfig;
      expect({ max_batch_size: 0, ...(plain(messages[index]) as object) }).toEqual(plain(ours));
    });
  }, 120_000);

  it('batches and how long a request waits for others', () => {
    expect(read(images).dynamic_batching).toEqual({});
    expect(read(images, { maxQueueDelayMicroseconds: 250 }).dynamic_batching).toEqual({
      max_queue_delay_microseconds: 250,
    });
  });

  it('TensorRT, its precision, and the range of batches where nothing else varies', () => {
    const parameters = (signature: Signature, more: Partial<ModelConfigOptions> = {}) => {
      const { optimization } = read(signature, { tensorRt: true, ...more }) as {
        optimization?: { execution_accelerators: { gpu_execution_accelerator: readonly object[] } };
      };
      return optimization?.execution_accelerators.gpu_execution_accelerator;
    };
    expect(read(images).optimization).toBeUndefined();
    expect(parameters(images, { maxBatchSize: 8 })).toEqual([
      {
        name: 'tensorrt',
        parameters: {
          precision_mode: 'FP16',
          max_workspace_size_bytes: '1073741824',
          trt_profile_min_shapes: 'input:1x3x224x224',
          trt_profile_opt_shapes: 'input:8x3x224x224',
          trt_profile_max_shapes: 'input:8x3x224x224',
        },
      },
    ]);
    const sequences: Signature = {
      inputs: [tensor('ids', 'int64', ['n', 'length'])],
      outputs: [tensor('y', 'float32', ['n', 2])],
    };
    const plain = [
      { name: 'tensorrt', parameters: { precision_mode: 'FP32', max_workspace_size_bytes: '1073741824' } },
    ];
    expect(parameters(sequences, { precision: 'fp32' })).toEqual(plain);
    const colon: Signature = { ...images, inputs: [tensor('input:0', 'float32', ['batch', 3])] };
    expect(parameters(colon, { precision: 'fp32' })).toEqual(plain);
  });
});

describe('config.pbtxt is refused', () => {
  const refusal = (signature: Signature, more: Partial<ModelConfigOptions> = {}) => {
    try {
      textOf(signature, more);
    } catch (error) {
      return error as { readonly code: string; readonly message: string };
    }
    throw new Error('it was written');
  };

  it('for an unknown rank and an empty dimension, all of them at once', () => {
    const { code, message } = refusal({
      inputs: [tensor('x', 'float32', [0, 3])],
      outputs: [tensor('y', 'float32', null), tensor('z', 'float32', [1])],
    });
    expect(code).toBe('GPU_SIGNATURE');
    expect(message).toBe(
      "Triton cannot serve 'faces' as it is: a dimension of 'x' has size 0; the rank of 'y' is not known.",
    );
  });

  it('for batches that were asked for and cannot be', () => {
    const { message } = refusal(
      {
        inputs: [tensor('x', 'float32', [1, 3])],
        outputs: [tensor('y', 'float32', ['batch']), tensor('s', 'float32', [])],
      },
      { maxBatchSize: 4 },
    );
    expect(message).toContain("the first dimension of 'x' is always 1");
    expect(message).toContain("'y' has rank 1, and in a batch it would need 2 or more");
    expect(message).toContain("'s' has rank 0");
  });
});

describe('the reader of these tests refuses', () => {
  it.each([
    ['an unknown field', 'nme: "x"', /no field 'nme'/],
    ['a value of another type', 'name: 1', /text was expected/],
    ['a name that is no enum value', 'input { data_type: TYPE_FLOAT }', /none of/],
    ['a text for an enum', 'input { data_type: "TYPE_FP32" }', /name was expected/],
    ['a second value of one field', 'name: "x" name: "y"', /given twice/],
    ['a list where there is one', 'max_batch_size: [1]', /not repeated/],
    ['a number out of range', 'max_batch_size: 2147483648', /no int32/],
    ['two of one choice', 'model_warmup { inputs { key: "x" value { zero_data: true random_data: true } } }', /beside/],
    ['an open brace', 'input { name: "x"', /sign was expected/],
    ['a missing colon', 'name "x"', /needs a colon/],
    ['a missing comma', 'input { dims: [1 2] }', /no comma/],
  ])('%s', (_, text, message) => {
    expect(() => readProtobufText(text, MODEL_CONFIG)).toThrow(message);
  });
});
