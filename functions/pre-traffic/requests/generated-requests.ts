/** Requests that nobody sent: the model's inputs by its own metadata, with the same numbers in every deployment. */
import type { DataType } from '../../../lib/artifact/manifest.js';
import { allocate, fromV2DataType } from '../../../lib/protocol/data-types.js';
import { toFloat16Bits } from '../../../lib/protocol/float16.js';
import { encodeTensor } from '../../../lib/protocol/infer-response.js';
import type { NamedTensor, TensorData } from '../../../lib/protocol/tensor.js';
import type { ReplayedRequest } from './replayed-request.js';

/** What `GET /v2/models/{model}` says of an input; -1 is an open size. */
export interface InputMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

/** What open sizes but the first, the batch, are set to, in the order in which they are tried. */
export const OPEN_SIZES = [1, 16, 64, 224];
const REQUESTS = 3;
/** Of all inputs together; base64 and Lambda's limit of 6 MB leave room for this much. */
const MAX_BYTES = 3 * 1024 * 1024;
const MAX_BYTES_PER_ELEMENT = 8;

/** Empty where the inputs cannot be made, or would be too large. */
export function generateRequests(
  model: string,
  inputs: readonly InputMetadata[],
  openSize: number,
): readonly ReplayedRequest[] {
  const shapes = inputs.map(({ shape }) =>
    shape.map((size, axis) => (size >= 0 ? size : axis === 0 && shape.length > 1 ? 1 : openSize)),
  );
  const elements = shapes.reduce((sum, shape) => sum + count(shape), 0);
  const types = inputs.map(({ datatype }) => fromV2DataType(datatype));
  if (elements * MAX_BYTES_PER_ELEMENT > MAX_BYTES || types.includes(undefined)) return [];
  return Array.from({ length: REQUESTS }, (_, index) => {
    const random = mulberry32(index + 1);
    const tensors = inputs.map(
      ({ name }, input): NamedTensor => ({
        name,
        // Every one was just seen to be there.
        dataType: types[input] as DataType,
        shape: shapes[input] ?? [],
        data: randomData(types[input] as DataType, count(shapes[input] ?? []), random),
      }),
    );
    return inferRequest(model, tensors, `generated ${index + 1}, open sizes ${openSize}`);
  });
}

function inferRequest(model: string, tensors: readonly NamedTensor[], name: string): ReplayedRequest {
  const encoded = tensors.map((tensor) => encodeTensor(tensor, 'binary'));
  const header = `{"parameters":{"binary_data_output":true},"inputs":[${encoded.map(({ text }) => text).join(',')}]}`;
  const pieces = [Buffer.from(header), ...encoded.map(({ bytes }) => bytes ?? Buffer.alloc(0))];
  return {
    name,
    method: 'POST',
    path: `/v2/models/${encodeURIComponent(model)}/infer`,
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(Buffer.byteLength(header)),
    },
    body: Buffer.concat(pieces).toString('base64'),
    isBase64: true,
  };
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Numbers of floating point between 0 and 1; integers that index whatever is indexed: 0 and 1, and any where they are pixels. */
function randomData(dataType: DataType, length: number, random: () => number): TensorData {
  if (dataType === 'string') return Array.from({ length }, () => (random() < 0.5 ? 'a' : 'b'));
  const data = allocate(dataType, length);
  for (let index = 0; index < length; index++) {
    const value = random();
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[index] = BigInt(Math.round(value));
    else if (dataType === 'float16') data[index] = toFloat16Bits(value);
    else if (dataType === 'uint8') data[index] = Math.floor(value * 256);
    else data[index] = dataType.startsWith('float') ? value : Math.round(value);
  }
  return data;
}

/** https://gist.github.com/tommyettinger/46a874533244883189143505d203312c: public domain. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
