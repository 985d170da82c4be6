/** One tensor in, all outputs out, in each wire format: requests as their specifications have them, by no code of this package. */
import type { EndpointAnswer, EndpointRequest } from './deployed-endpoint.js';

export interface InputTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
/** Elements by the output's name, in row-major order. */
export type OutputTensors = Readonly<Record<string, ArrayLike<number>>>;

export interface TensorRequest {
  readonly request: EndpointRequest;
  readonly read: (answer: EndpointAnswer) => OutputTensors;
}

const JSON_BODY = { 'content-type': 'application/json' };

/** `POST /v2/models/{model}/infer` in JSON. */
export function v2Json(model: string, { name, shape, data }: InputTensor): TensorRequest {
  const body = JSON.stringify({ inputs: [{ name, datatype: 'FP32', shape, data: Array.from(data) }] });
  return {
    request: { path: `/v2/models/${model}/infer`, headers: JSON_BODY, body },
    read: (answer) => {
      const { outputs } = answer.json() as { outputs: readonly { name: string; data: number[] }[] };
      return Object.fromEntries(outputs.map((output) => [output.name, output.data]));
    },
  };
}

/** The same with the binary tensor extension, both ways. */
export function v2Binary(model: string, { name, shape, data }: InputTensor): TensorRequest {
  const parameters = { binary_data_size: data.byteLength };
  const head = Buffer.from(
    JSON.stringify({
      inputs: [{ name, datatype: 'FP32', shape, parameters }],
      parameters: { binary_data_output: true },
    }),
  );
  return {
    request: {
      path: `/v2/models/${model}/infer`,
      headers: {
        'content-type': 'application/octet-stream',
        'inference-header-content-length': String(head.length),
      },
      body: Buffer.concat([head, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]),
    },
    read: (answer) => {
      let offset = Number(answer.headers['inference-header-content-length']);
      const { outputs } = JSON.parse(answer.body.subarray(0, offset).toString()) as {
        outputs: readonly { name: string; parameters: { binary_data_size: number } }[];
      };
      return Object.fromEntries(
        outputs.map((output) => {
          const end = offset + output.parameters.binary_data_size;
          // A copy, because a view has to start at a multiple of four.
          const bytes = Uint8Array.from(answer.body.subarray(offset, end));
          offset = end;
          return [output.name, new Float32Array(bytes.buffer)];
        }),
      );
    },
  };
}

/** `POST /v1/models/{model}:predict` by rows: the first dimension is that of the batch. One row. */
export function servingRows(model: string, { shape, data }: InputTensor): TensorRequest {
  const body = JSON.stringify({ instances: nested(shape, Array.from(data)) });
  return {
    request: { path: `/v1/models/${model}:predict`, headers: JSON_BODY, body },
    read: (answer) => {
      const { predictions } = answer.json() as { predictions: readonly Record<string, unknown[]>[] };
      if (predictions.length !== 1) throw new Error(`${predictions.length} rows`);
      return flat(predictions[0]);
    },
  };
}

/** The same by columns. */
export function servingColumns(model: string, { name, shape, data }: InputTensor): TensorRequest {
  const body = JSON.stringify({ inputs: { [name]: nested(shape, Array.from(data)) } });
  return {
    request: { path: `/v1/models/${model}:predict`, headers: JSON_BODY, body },
    read: (answer) => flat((answer.json() as { outputs: Record<string, unknown[]> }).outputs),
  };
}

function nested(shape: readonly number[], data: readonly unknown[]): readonly unknown[] {
  const [, ...inner] = shape;
  const size = inner.at(-1);
  if (size === undefined) return data;
  const groups = Array.from({ length: data.length / size }, (_, index) => data.slice(index * size, (index + 1) * size));
  return nested(shape.slice(0, -1), groups);
}

function flat(outputs: Readonly<Record<string, readonly unknown[]>> = {}): OutputTensors {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, values]) => [name, values.flat(Number.POSITIVE_INFINITY) as number[]]),
  );
}

/** The largest difference. @throws Error where names or sizes differ */
export function largestDifference(actual: OutputTensors, expected: OutputTensors): number {
  const names = (tensors: OutputTensors) =>
    Object.entries(tensors)
      .map(([name, { length }]) => `${name}[${length}]`)
      .sort()
      .join();
  if (names(actual) !== names(expected)) throw new Error(`${names(actual)} in place of ${names(expected)}`);
  return Object.entries(expected).reduce((most, [name, values]) => {
    const others = actual[name] ?? [];
    return Array.from(values).reduce((largest, value, index) => {
      // NaN in place of a number is as far off as can be.
      const difference = Math.abs(value - (others[index] ?? Number.NaN));
      return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(largest, difference);
    }, most);
  }, 0);
}
