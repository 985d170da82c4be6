/** Bodies of Open Inference Protocol V2 without what is not to be kept: a JSON document, and binary tensors behind it. */
import type { Redactions } from '../../../lib/artifact/capture.js';
import { zeroed } from './zeroed.js';

export interface V2Body {
  readonly bytes: Buffer;
  /** Undefined for a body that is all JSON. */
  readonly headerLength: number | undefined;
}

type Tensor = Record<string, unknown> & { readonly name: string };

/**
 * A body without the tensors that are dropped, and with zeros in those that are replaced. Numbers beyond 2^53 in its JSON lose digits.
 *
 * @param member the document's list of tensors
 * @returns undefined where the body cannot be read: then nothing of it is safe to keep
 */
export function redactV2(
  { bytes, headerLength = bytes.length }: V2Body,
  member: 'inputs' | 'outputs',
  redactions: Redactions,
): V2Body | undefined {
  const document = parsed(bytes.toString('utf8', 0, headerLength));
  const tensors = document?.[member];
  if (!Array.isArray(tensors) || !tensors.every(isTensor)) return undefined;
  let offset = headerLength;
  const kept: Tensor[] = [];
  const pieces: Buffer[] = [];
  for (const tensor of tensors) {
    const size = binarySize(tensor);
    if (size === undefined || offset + size > bytes.length) return undefined;
    const piece = bytes.subarray(offset, offset + size);
    offset += size;
    const redaction = Object.hasOwn(redactions, tensor.name) ? redactions[tensor.name] : undefined;
    if (redaction === 'drop') continue;
    if (redaction === undefined) {
      kept.push(tensor);
      pieces.push(piece);
    } else {
      const replaced = size === 0 ? { tensor: { ...tensor, data: zeroed(tensor.data) } } : replaceBinary(tensor, size);
      if (replaced === undefined) return undefined;
      kept.push(replaced.tensor);
      if (replaced.piece !== undefined) pieces.push(replaced.piece);
    }
  }
  if (offset !== bytes.length) return undefined;
  const head = Buffer.from(JSON.stringify({ ...document, [member]: kept }));
  const isBinary = headerLength < bytes.length || pieces.some(({ length }) => length > 0);
  return { bytes: Buffer.concat([head, ...pieces]), headerLength: isBinary ? head.length : undefined };
}

/** As many zeros; of texts as many that are empty, each with its length of 4 bytes. */
function replaceBinary(tensor: Tensor, size: number): { readonly tensor: Tensor; readonly piece?: Buffer } | undefined {
  if (tensor.datatype !== 'BYTES') return { tensor, piece: Buffer.alloc(size) };
  const { shape } = tensor;
  if (!Array.isArray(shape) || !shape.every((length) => Number.isSafeInteger(length) && length >= 0)) return undefined;
  const count = (shape as readonly number[]).reduce((product, length) => product * length, 1);
  // Each text had its length already.
  if (count * 4 > size) return undefined;
  const parameters = { ...(tensor.parameters as object), binary_data_size: count * 4 };
  return { tensor: { ...tensor, parameters }, piece: Buffer.alloc(count * 4) };
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isTensor(value: unknown): value is Tensor {
  return typeof (value as Partial<Tensor> | null)?.name === 'string';
}

/** 0 for a tensor in JSON; undefined for what is no size. */
function binarySize({ parameters }: Tensor): number | undefined {
  const size = (parameters as { readonly binary_data_size?: unknown } | undefined)?.binary_data_size;
  if (size === undefined) return 0;
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : undefined;
}
