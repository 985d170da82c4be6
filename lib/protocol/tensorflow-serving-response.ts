/** The answer of TensorFlow Serving's `:predict`: `predictions` to rows, `outputs` to whole tensors, each nested as its tensor is. */
import { RequestError } from '../errors.js';
import { listed, quoted, shapeText } from './bad-request.js';
import { elementCount } from './shape.js';
import { isStrings, type NamedTensor } from './tensor.js';
import type { PredictForm } from './tensorflow-serving-request.js';
import { writeJsonData } from './write-json-data.js';

/** Names of string tensors that hold bytes end so, by TensorFlow Serving's convention; they are written as `{ "b64": … }`. */
const BYTES_SUFFIX = '_bytes';

/**
 * The JSON document. An output alone goes without its name.
 *
 * @throws RequestError `NON_FINITE_OUTPUT`: strict JSON has no way to write infinities and NaN; `OUTPUT_WITHOUT_ROWS`
 */
export function encodePredictResponse(form: PredictForm, outputs: readonly NamedTensor[]): string {
  if (form === 'column') {
    return `{"outputs":${byName(outputs.map((tensor) => [tensor.name, nestedText(tensor)]))}}`;
  }
  checkRows(outputs);
  const columns = outputs.map((tensor) => [tensor.name, rowTexts(tensor)] as const);
  const [, first = []] = columns[0] ?? [];
  const rows = first.map((_, row) => byName(columns.map(([name, texts]) => [name, texts[row] ?? ''])));
  return `{"predictions":[${rows.join(',')}]}`;
}

function byName(texts: readonly (readonly [string, string])[]): string {
  const [only] = texts;
  if (only !== undefined && texts.length === 1) return only[1];
  return `{${texts.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`;
}

function checkRows(outputs: readonly NamedTensor[]): void {
  const rows = outputs[0]?.shape[0];
  const other = outputs.find(({ shape }) => shape.length === 0 || shape[0] !== rows);
  if (other === undefined) return;
  throw new RequestError({
    status: 422,
    code: 'OUTPUT_WITHOUT_ROWS',
    message: `The output ${quoted(other.name)} has the shape ${shapeText(other.shape)}; not all of ${listed(outputs.map(({ name }) => name))} have the same number of rows.`,
    advice: 'Send the request in the columnar form, "inputs" in place of "instances".',
  });
}

function nestedText(tensor: NamedTensor): string {
  if (tensor.shape.length > 0) return `[${rowTexts(tensor).join(',')}]`;
  return elementsText(tensor, 0, 1).slice(1, -1);
}

/** One text per index along the first axis. */
function rowTexts(tensor: NamedTensor): string[] {
  const { shape } = tensor;
  const last = shape[shape.length - 1] ?? 1;
  if (shape.length === 1)
    return Array.from({ length: last }, (_, index) => elementsText(tensor, index, 1).slice(1, -1));
  const innerRows = elementCount(shape.slice(0, -1));
  let texts = Array.from({ length: innerRows }, (_, index) => elementsText(tensor, index * last, last));
  for (let axis = shape.length - 2; axis > 0; axis--) {
    const size = shape[axis] ?? 1;
    const count = elementCount(shape.slice(0, axis));
    const inner = texts;
    texts = Array.from({ length: count }, (_, index) => `[${inner.slice(index * size, (index + 1) * size).join(',')}]`);
  }
  return texts;
}

/** `[…]` of some elements in a row. */
function elementsText({ name, dataType, data }: NamedTensor, start: number, count: number): string {
  if (isStrings(data) && name.endsWith(BYTES_SUFFIX)) {
    return JSON.stringify(
      data.slice(start, start + count).map((text) => ({ b64: Buffer.from(text).toString('base64') })),
    );
  }
  const part = isStrings(data) ? data.slice(start, start + count) : data.subarray(start, start + count);
  const written = writeJsonData({ dataType, data: part });
  if (written.kind === 'text') return written.text;
  throw new RequestError({
    status: 422,
    code: 'NON_FINITE_OUTPUT',
    message: `Element ${start + written.index} of the tensor ${quoted(name)} is infinite or not a number, which JSON cannot write.`,
    advice: 'Send the tensors to POST /v2/models/{model}/infer and ask for the binary form of its outputs.',
  });
}
