/** Triton's description of a model, config.pbtxt, from its signature: https://github.com/triton-inference-server/common model_config.proto */
import type { DataType, Dimension, Signature, TensorSignature } from '../../../artifact/manifest.js';
import { ArtifactError } from '../../../errors.js';
import { type TextMessage, textName } from './protobuf-text.js';

export interface ModelConfigOptions {
  readonly name: string;
  readonly precision: 'fp32' | 'fp16';
  /** undefined: 32 where every tensor is a batch, else 0. */
  readonly maxBatchSize?: number | undefined;
  /** How long a request may wait for others to share a batch with. undefined: not at all, for those that wait anyway. */
  readonly maxQueueDelayMicroseconds?: number | undefined;
  /** Of the model, on each GPU. Default 1. */
  readonly instances?: number | undefined;
  /** Default false. */
  readonly tensorRt?: boolean | undefined;
  /** The size of dimensions that are not fixed, for which made-up inputs run; undefined where none do. */
  readonly warmUpSize: number | undefined;
}

export interface ModelConfig {
  readonly maxBatchSize: number;
  readonly text: TextMessage;
}

const DEFAULT_MAX_BATCH_SIZE = 32;
const TENSOR_RT_WORKSPACE_BYTES = 2 ** 30;

const DATA_TYPES: Readonly<Record<DataType, string>> = {
  bool: 'TYPE_BOOL',
  uint8: 'TYPE_UINT8',
  uint16: 'TYPE_UINT16',
  uint32: 'TYPE_UINT32',
  uint64: 'TYPE_UINT64',
  int8: 'TYPE_INT8',
  int16: 'TYPE_INT16',
  int32: 'TYPE_INT32',
  int64: 'TYPE_INT64',
  float16: 'TYPE_FP16',
  float32: 'TYPE_FP32',
  float64: 'TYPE_FP64',
  string: 'TYPE_STRING',
};

type RankedTensor = TensorSignature & { readonly shape: readonly Dimension[] };

/** @throws ArtifactError GPU_SIGNATURE with everything in the signature that Triton cannot be told */
export function modelConfig(signature: Signature, options: ModelConfigOptions): ModelConfig {
  const { inputs, outputs } = ranked(signature, options.name);
  const maxBatchSize = options.maxBatchSize ?? (isBatch([...inputs, ...outputs]) ? DEFAULT_MAX_BATCH_SIZE : 0);
  if (maxBatchSize > 0) expectBatches(options.name, [...inputs, ...outputs]);
  const batching = maxBatchSize > 0;
  const tensor = ({ name, dataType, shape }: RankedTensor): TextMessage => ({
    name,
    data_type: textName(DATA_TYPES[dataType]),
    dims: dimsOf(shape, batching),
  });
  return {
    maxBatchSize,
    text: {
      name: options.name,
      backend: 'onnxruntime',
      max_batch_size: maxBatchSize,
      input: inputs.map(tensor),
      output: outputs.map(tensor),
      instance_group: [{ count: options.instances ?? 1, kind: textName('KIND_GPU') }],
      ...(batching ? { dynamic_batching: dynamicBatching(options) } : {}),
      ...(options.tensorRt === true ? { optimization: tensorRt(inputs, maxBatchSize, options) } : {}),
      ...(options.warmUpSize === undefined ? {} : { model_warmup: warmUps(inputs, maxBatchSize, options.warmUpSize) }),
    },
  };
}

function ranked({ inputs, outputs }: Signature, name: string): Record<'inputs' | 'outputs', RankedTensor[]> {
  const problems: string[] = [];
  const check = (tensor: TensorSignature): RankedTensor[] => {
    const { shape } = tensor;
    if (shape === null) problems.push(`the rank of '${tensor.name}' is not known`);
    else if (shape.includes(0)) problems.push(`a dimension of '${tensor.name}' has size 0`);
    else return [{ ...tensor, shape }];
    return [];
  };
  const checked = { inputs: inputs.flatMap(check), outputs: outputs.flatMap(check) };
  if (problems.length > 0) throw signatureError(name, problems);
  return checked;
}

/**
 * Whether all tensors are batches of the same size: their first dimension is one that a request chooses, and the same one. A dimension
 * without a name is taken for it only where none has one. Tensors of rank 1 are left as they are: in a batch Triton would ask for [n, 1] where
 * the model takes [n], and the same request would not fit both.
 */
function isBatch(tensors: readonly RankedTensor[]): boolean {
  const first = new Set(tensors.map(({ shape }) => shape[0]));
  const [dimension] = first;
  return first.size === 1 && typeof dimension !== 'number' && tensors.every(({ shape }) => shape.length > 1);
}

/** For whoever says that a model takes batches: what cannot be one. */
function expectBatches(name: string, tensors: readonly RankedTensor[]): void {
  const problems = tensors.flatMap(({ name: tensor, shape }) => {
    if (shape.length < 2) return [`'${tensor}' has rank ${shape.length}, and in a batch it would need 2 or more`];
    return typeof shape[0] === 'number' ? [`the first dimension of '${tensor}' is always ${shape[0]}`] : [];
  });
  if (problems.length > 0) {
    throw signatureError(name, problems, 'Leave out "maxBatchSize" of "gpu" in model.json, or set it to 0.');
  }
}

function signatureError(
  name: string,
  problems: readonly string[],
  advice = 'Fix sizes with "inputs" in model.json, or leave "gpu" out.',
): ArtifactError {
  return new ArtifactError({
    code: 'GPU_SIGNATURE',
    message: `Triton cannot serve '${name}' as it is: ${problems.join('; ')}.`,
    advice,
  });
}

/** Triton knows no scalars and calls them [1]; its onnxruntime backend gives the model what it asks for. */
function dimsOf(shape: readonly Dimension[], batching: boolean): number[] {
  const dims = (batching ? shape.slice(1) : shape).map((dimension) => (typeof dimension === 'number' ? dimension : -1));
  return dims.length === 0 ? [1] : dims;
}

function dynamicBatching({ maxQueueDelayMicroseconds }: ModelConfigOptions): TextMessage {
  return maxQueueDelayMicroseconds === undefined ? {} : { max_queue_delay_microseconds: maxQueueDelayMicroseconds };
}

/**
 * With the range of batch sizes where that is all that varies, so that one engine is built, at load, and none while a request waits.
 */
function tensorRt(
  inputs: readonly RankedTensor[],
  maxBatchSize: number,
  { precision }: ModelConfigOptions,
): TextMessage {
  const profile = (batch: number) =>
    inputs.map(({ name, shape }) => `${name}:${[batch, ...dimsOf(shape, true)].join('x')}`).join(',');
  const onlyBatchVaries = maxBatchSize > 0 && inputs.every(({ shape }) => !dimsOf(shape, true).includes(-1));
  // Both divide what onnxruntime reads.
  const canBeNamed = inputs.every(({ name }) => !/[:,]/.test(name));
  const parameters: Record<string, string> = {
    precision_mode: precision.toUpperCase(),
    max_workspace_size_bytes: String(TENSOR_RT_WORKSPACE_BYTES),
    ...(onlyBatchVaries && canBeNamed
      ? {
          trt_profile_min_shapes: profile(1),
          trt_profile_opt_shapes: profile(maxBatchSize),
          trt_profile_max_shapes: profile(maxBatchSize),
        }
      : {}),
  };
  return {
    execution_accelerators: {
      gpu_execution_accelerator: [
        {
          name: 'tensorrt',
          parameters: Object.entries(parameters).map(([key, value]) => ({ key, value })),
        },
      ],
    },
  };
}

/** One request of each extreme: CUDA's and TensorRT's first runs of a size cost seconds. The model is not ready before they have run. */
function warmUps(inputs: readonly RankedTensor[], maxBatchSize: number, size: number): TextMessage[] {
  const batchSizes = [...new Set([1, Math.max(1, maxBatchSize)])];
  return batchSizes.map((batchSize) => ({
    name: `batch of ${batchSize}`,
    batch_size: batchSize,
    inputs: inputs.map(({ name, dataType, shape }) => ({
      key: name,
      value: {
        data_type: textName(DATA_TYPES[dataType]),
        dims: dimsOf(shape, maxBatchSize > 0).map((dim) => (dim === -1 ? size : dim)),
        zero_data: true,
      },
    })),
  }));
}
