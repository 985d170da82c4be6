/** A tensor as TensorFlow Serving writes it: nested arrays that have its shape. */
import { RequestError } from '../errors.js';
import { quoted } from './bad-request.js';
import { elementCount } from './shape.js';
import { isStrings, type NamedTensor } from './tensor.js';
import { writeJsonData } from './write-json-data.js';

/** Names of string tensors that hold bytes end so, by TensorFlow Serving's convention; they are written as `{ "b64": … }`. */
const BYTES_SUFFIX = '_bytes';

/** @throws RequestError `NON_FINITE_OUTPUT` */
export function nestedText(tensor: NamedTensor): string {
  if (tensor.shape.length === 1 && !isStrings(tensor.data)) return numbersText(tensor);
  const texts = rowTexts(tensor);
  return tensor.shape.length === 0 ? (texts[0] ?? '') : `[${texts.join(',')}]`;
}

/**
 * One text per index along the first axis; of a scalar, its own.
 * @throws RequestError `NON_FINITE_OUTPUT`
 */
export function rowTexts(tensor: NamedTensor): string[] {
  const { shape } = tensor;
  let texts = literals(tensor);
  for (let axis = shape.length - 1; axis > 0; axis--) {
    const inner = texts;
    const size = shape[axis] ?? 1;
    texts = Array.from({ length: elementCount(shape.slice(0, axis)) }, (_, index) =>
      size === 1 ? `[${inner[index]}]` : `[${inner.slice(index * size, (index + 1) * size).join(',')}]`,
    );
  }
  return texts;
}

/** Written all at once and cut: millions of elements are written one by one only in seconds. */
function literals(tensor: NamedTensor): string[] {
  const { name, data } = tensor;
  if (data.length === 0) return [];
  if (!isStrings(data)) return numbersText(tensor).slice(1, -1).split(',');
  if (!name.endsWith(BYTES_SUFFIX)) return data.map((text) => JSON.stringify(text));
  return data.map((text) => JSON.stringify({ b64: Buffer.from(text).toString('base64') }));
}

/** `[…]`, flat. */
function numbersText({ name, dataType, data }: NamedTensor): string {
  const written = writeJsonData({ dataType, data });
  if (written.kind === 'text') return written.text;
  throw new RequestError({
    status: 422,
    code: 'NON_FINITE_OUTPUT',
    message: `Element ${written.index} of the tensor ${quoted(name)} is infinite or not a number, which JSON cannot write.`,
    advice: 'Send the tensors to POST /v2/models/{model}/infer and ask for the binary form of its outputs.',
  });
}
