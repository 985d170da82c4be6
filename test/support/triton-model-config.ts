/**
 * The part of inference.ModelConfig that we write, as https://github.com/triton-inference-server/common/blob/main/protobuf/model_config.proto has it
 * (commit 08365eae). NVIDIA's own compiled form of the whole of it is in tritonclient, which reads the same texts in a test of its own.
 */
import type { MessageSchema } from './protobuf-text-reader.js';

/** NVIDIA's compiled model_config.proto, and protobuf's own reader of texts; from PyPI. */
export const TRITON_CLIENT = ['tritonclient[grpc]==2.73.0'];

const DATA_TYPE = [
  'TYPE_INVALID',
  'TYPE_BOOL',
  'TYPE_UINT8',
  'TYPE_UINT16',
  'TYPE_UINT32',
  'TYPE_UINT64',
  'TYPE_INT8',
  'TYPE_INT16',
  'TYPE_INT32',
  'TYPE_INT64',
  'TYPE_FP16',
  'TYPE_FP32',
  'TYPE_FP64',
  'TYPE_STRING',
  'TYPE_BF16',
];

const RESHAPE: MessageSchema = { shape: { type: 'int64', repeated: true } };
const INPUT: MessageSchema = {
  name: { type: 'string' },
  data_type: { type: DATA_TYPE },
  format: { type: ['FORMAT_NONE', 'FORMAT_NHWC', 'FORMAT_NCHW'] },
  dims: { type: 'int64', repeated: true },
  reshape: { type: RESHAPE },
  is_shape_tensor: { type: 'bool' },
  allow_ragged_batch: { type: 'bool' },
  optional: { type: 'bool' },
  is_non_linear_format_io: { type: 'bool' },
};
const OUTPUT: MessageSchema = {
  name: { type: 'string' },
  data_type: { type: DATA_TYPE },
  dims: { type: 'int64', repeated: true },
  reshape: { type: RESHAPE },
  label_filename: { type: 'string' },
  is_shape_tensor: { type: 'bool' },
  is_non_linear_format_io: { type: 'bool' },
};
const INSTANCE_GROUP: MessageSchema = {
  name: { type: 'string' },
  kind: { type: ['KIND_AUTO', 'KIND_GPU', 'KIND_CPU', 'KIND_MODEL'] },
  count: { type: 'int32' },
  gpus: { type: 'int32', repeated: true },
  profile: { type: 'string', repeated: true },
  passive: { type: 'bool' },
  host_policy: { type: 'string' },
};
const ACCELERATOR: MessageSchema = { name: { type: 'string' }, parameters: { type: 'string', map: true } };
const OPTIMIZATION: MessageSchema = {
  execution_accelerators: {
    type: {
      gpu_execution_accelerator: { type: ACCELERATOR, repeated: true },
      cpu_execution_accelerator: { type: ACCELERATOR, repeated: true },
    },
  },
  eager_batching: { type: 'bool' },
};
const DYNAMIC_BATCHING: MessageSchema = {
  preferred_batch_size: { type: 'int32', repeated: true },
  max_queue_delay_microseconds: { type: 'uint64' },
  preserve_ordering: { type: 'bool' },
};
const WARM_UP: MessageSchema = {
  name: { type: 'string' },
  batch_size: { type: 'uint32' },
  inputs: {
    map: true,
    type: {
      data_type: { type: DATA_TYPE },
      dims: { type: 'int64', repeated: true },
      zero_data: { type: 'bool', oneof: 'input_data_type' },
      random_data: { type: 'bool', oneof: 'input_data_type' },
      input_data_file: { type: 'string', oneof: 'input_data_type' },
    },
  },
  count: { type: 'uint32' },
};

export const MODEL_CONFIG: MessageSchema = {
  name: { type: 'string' },
  platform: { type: 'string' },
  backend: { type: 'string' },
  runtime: { type: 'string' },
  max_batch_size: { type: 'int32' },
  input: { type: INPUT, repeated: true },
  output: { type: OUTPUT, repeated: true },
  optimization: { type: OPTIMIZATION },
  dynamic_batching: { type: DYNAMIC_BATCHING, oneof: 'scheduling_choice' },
  instance_group: { type: INSTANCE_GROUP, repeated: true },
  default_model_filename: { type: 'string' },
  parameters: { type: { string_value: { type: 'string' } }, map: true },
  model_warmup: { type: WARM_UP, repeated: true },
};

interface Tensor {
  readonly name: string;
  readonly data_type: string;
  readonly dims?: readonly number[];
  readonly reshape?: { readonly shape?: readonly number[] };
}
export interface ReadModelConfig {
  readonly name: string;
  readonly max_batch_size: number;
  readonly input: readonly Tensor[];
  readonly output: readonly Tensor[];
  readonly model_warmup?: readonly {
    readonly batch_size: number;
    readonly inputs: Readonly<Record<string, { readonly data_type: string; readonly dims: readonly number[] }>>;
  }[];
  readonly [field: string]: unknown;
}

/** What Triton refuses of a configuration that its schema allows: ValidateModelConfig and ValidateIOShape of model_config_utils.cc in its core. */
export function tritonRefusals(config: ReadModelConfig): string[] {
  const tensors = [...config.input, ...config.output];
  const warmUps = config.model_warmup ?? [];
  return [
    ...(config.max_batch_size < 0 ? ['max_batch_size is negative'] : []),
    ...(config.max_batch_size === 0 && config.dynamic_batching !== undefined
      ? ['dynamic batching without batches']
      : []),
    ...tensors.flatMap(({ name, data_type, dims = [], reshape }) => [
      ...(name === '' ? ['a tensor without a name'] : []),
      ...(data_type === 'TYPE_INVALID' ? [`${name}: no data_type`] : []),
      ...(dims.length === 0 ? [`${name}: must specify dims`] : []),
      ...(dims.some((dim) => dim < 1 && dim !== -1) ? [`${name}: dimension must be >= 1, or -1`] : []),
      ...(reshape !== undefined && (reshape.shape ?? []).length === 0 && config.max_batch_size === 0
        ? [`${name}: cannot have empty reshape for non-batching model`]
        : []),
    ]),
    ...warmUps.flatMap(({ batch_size, inputs }) => [
      ...(batch_size < 1 || batch_size > Math.max(1, config.max_batch_size) ? [`warm-up of ${batch_size}`] : []),
      ...config.input.flatMap(({ name, data_type, dims = [] }) => {
        const input = inputs[name];
        const fits =
          input?.data_type === data_type &&
          input.dims.length === dims.length &&
          input.dims.every((dim, index) => dim >= 1 && (dims[index] === -1 || dims[index] === dim));
        return fits ? [] : [`warm-up does not fit ${name}`];
      }),
    ]),
  ];
}
