/** The answer to an inference of Open Inference Protocol V2, in JSON or with binary tensors, as tensors. */
import { readBinaryTensor } from '../../../lib/protocol/binary-tensor.js';
import { fromV2DataType } from '../../../lib/protocol/data-types.js';
import { parseKeepingLiterals } from '../../../lib/protocol/exact-integers.js';
import { fromFloat16Bits } from '../../../lib/protocol/float16.js';
import { elementCount, readShape } from '../../../lib/protocol/shape.js';
import type { Answer } from '../answer.js';

export interface AnsweredTensor {
  /** V2's name. */
  readonly dataType: string;
  readonly shape: readonly number[];
  /** Numbers of floating point as numbers, all else as it is compared. */
  readonly elements: ArrayLike<unknown>;
  readonly isFloat: boolean;
}

/** By output; undefined where the answer is none to an inference. */
export function readInferAnswer({ headers, body }: Answer): ReadonlyMap<string, AnsweredTensor> | undefined {
  const length = headers['inference-header-content-length'];
  const header = length === undefined ? body : body.subarray(0, Number(length));
  try {
    const { outputs } = parseKeepingLiterals(header.toString('utf8')) as { readonly outputs?: unknown };
    if (!Array.isArray(outputs) || !outputs.every(isOutput)) return undefined;
    let offset = header.length;
    return new Map(
      outputs.map((output) => {
        const size = output.parameters?.binary_data_size ?? 0;
        const bytes = body.subarray(offset, offset + size);
        offset += size;
        return [output.name, readTensor(output, bytes)];
      }),
    );
  } catch {
    return undefined;
  }
}

interface Output {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data?: unknown;
  readonly parameters?: { readonly binary_data_size?: number };
}

function isOutput(value: unknown): value is Output {
  const { name, datatype, shape } = (value ?? {}) as Partial<Output>;
  return typeof name === 'string' && typeof datatype === 'string' && Array.isArray(shape);
}

function readTensor(output: Output, bytes: Uint8Array): AnsweredTensor {
  const { name, datatype, data } = output;
  const shape = readShape(output.shape, name);
  const isFloat = datatype.startsWith('FP');
  const tensor = { dataType: datatype, shape, isFloat };
  if (data !== undefined) {
    // A number that a double may not hold has come as a text.
    const flat = [data].flat(Number.POSITIVE_INFINITY);
    return { ...tensor, elements: flat.map((each) => (isFloat ? Number(each) : String(each))) };
  }
  const dataType = fromV2DataType(datatype);
  if (dataType === undefined) throw new TypeError(datatype);
  const elements = readBinaryTensor(bytes, dataType, elementCount(shape), name) as ArrayLike<unknown>;
  return {
    ...tensor,
    elements: dataType === 'float16' ? Float32Array.from(elements as Uint16Array, fromFloat16Bits) : elements,
  };
}
