/** The answer of TensorFlow Serving's `:predict`: `predictions` to rows, `outputs` to whole tensors, each nested as its tensor is. */
import { RequestError } from '../errors.js';
import { listed, quoted, shapeText } from './bad-request.js';
import { nestedText, rowTexts } from './nested-text.js';
import type { NamedTensor } from './tensor.js';
import type { PredictForm } from './tensorflow-serving-request.js';

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
  const [only] = outputs;
  if (only !== undefined && outputs.length === 1) return `{"predictions":${nestedText(only)}}`;
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
