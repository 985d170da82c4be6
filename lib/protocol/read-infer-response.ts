/** The answer to `POST /v2/models/{model}/infer`, from the side of the one who asked. */
import type { TensorSignature } from '../artifact/manifest.js';
import { badRequest, quoted } from './bad-request.js';
import { readBinaryTensor } from './binary-tensor.js';
import { fromV2DataType } from './data-types.js';
import { type JsonObject, objectAt, parseDocument } from './json-document.js';
import { readJsonTensor } from './read-json-data.js';
import { elementCount, readShape } from './shape.js';
import type { NamedTensor } from './tensor.js';

/**
 * The tensors of an answer, one per output of the signature and in its order.
 *
 * @param headerLength bytes of the document; undefined where it is all there is
 * @throws RequestError in the words of requests, for what is no such answer
 */
export function readInferResponse(
  bytes: Uint8Array,
  headerLength: number | undefined,
  outputs: readonly TensorSignature[],
): readonly NamedTensor[] {
  const length = headerLength ?? bytes.byteLength;
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length));
  const document = parseDocument(text, false);
  const tensors = new Map<unknown, NamedTensor>();
  let offset = length;
  for (const [index, entry] of (Array.isArray(document.outputs) ? document.outputs : []).entries()) {
    const output = objectAt(entry, `outputs[${index}]`);
    const size = output.parameters === undefined ? undefined : binarySize(objectAt(output.parameters, 'parameters'));
    const expected = outputs.find(({ name }) => name === output.name);
    if (expected !== undefined) {
      tensors.set(expected.name, readTensor(expected, output, bytes.subarray(offset, offset + (size ?? 0)), size));
    }
    offset += size ?? 0;
  }
  return outputs.map(({ name }) => {
    const tensor = tensors.get(name);
    if (tensor !== undefined) return tensor;
    throw badRequest('MISSING_OUTPUT', `The answer has no output ${quoted(name)}.`, 'Ask for every output.');
  });
}

function readTensor(
  { name, dataType }: TensorSignature,
  output: JsonObject,
  binary: Uint8Array,
  size: number | undefined,
): NamedTensor {
  const label = `output ${quoted(name)}`;
  if (fromV2DataType(output.datatype) !== dataType) {
    throw badRequest('DATATYPE_MISMATCH', `The datatype of ${label} is ${quoted(output.datatype)}.`, 'Ask the model.');
  }
  const shape = readShape(output.shape, label);
  const { data } = output;
  return {
    name,
    dataType,
    shape,
    data:
      size === undefined
        ? readJsonTensor({ data, dataType, shape, label, exactData: () => data })
        : readBinaryTensor(binary, dataType, elementCount(shape), label),
  };
}

function binarySize({ binary_data_size: size }: JsonObject): number | undefined {
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : undefined;
}
