/**
 * The body of TensorFlow Serving's `:predict`: rows in `instances`, or whole tensors in `inputs`.
 * https://www.tensorflow.org/tfx/serving/api_rest#predict_api
 *
 * The document is strict JSON: the tokens NaN and Infinity, which TensorFlow Serving reads besides, are refused.
 */
import type { Signature, TensorSignature } from '../artifact/manifest.js';
import { badRequest, listed, quoted } from './bad-request.js';
import { parseKeepingLiterals } from './exact-integers.js';
import { type JsonObject, parseDocument, withoutByteOrderMark } from './json-document.js';
import { isBase64Value, readNested } from './nested-data.js';
import { readJsonTensor } from './read-json-data.js';
import { checkShape, readShape } from './shape.js';
import type { NamedTensor } from './tensor.js';

/** The only signature: an ONNX model has one. */
export const SIGNATURE_NAME = 'serving_default';

/** `row`: one element of `instances` per row of every tensor; `column`: every tensor whole. The answer has the same form. */
export type PredictForm = 'row' | 'column';

export interface PredictRequest {
  readonly form: PredictForm;
  /** One per input of the signature, in the signature's order. */
  readonly inputs: readonly NamedTensor[];
}

/**
 * A request, checked against the model's signature.
 *
 * @throws RequestError with status 400 and a code for each way in which the request is wrong
 */
export function decodePredictRequest(body: string, { inputs }: Signature): PredictRequest {
  const text = withoutByteOrderMark(body);
  const document = parseDocument(text, false);
  checkSignatureName(document.signature_name);
  const form = formOf(document);
  const values = tensorValues(document, form, inputs);
  let exactValues: ReadonlyMap<string, unknown> | undefined;
  const exactValue = (name: string): unknown => {
    exactValues ??= tensorValues(parseKeepingLiterals(text) as JsonObject, form, inputs);
    return exactValues.get(name);
  };
  return {
    form,
    inputs: inputs.map((signature) => readInput(signature, values.get(signature.name), exactValue)),
  };
}

function readInput(
  { name, dataType, shape: expected }: TensorSignature,
  value: unknown,
  exactValue: (name: string) => unknown,
): NamedTensor {
  const label = `input ${quoted(name)}`;
  const { elements, shape } = readNested(value, { dataType, label });
  readShape(shape, label);
  checkShape(shape, expected, label);
  const exactData = () => readNested(exactValue(name), { dataType, label }).elements;
  return { name, dataType, shape, data: readJsonTensor({ data: elements, dataType, shape, label, exactData }) };
}

function checkSignatureName(name: unknown): void {
  if (name === undefined || name === '' || name === SIGNATURE_NAME) return;
  throw badRequest(
    'SIGNATURE_UNKNOWN',
    `The signature_name is ${quoted(name)}.`,
    `Send ${quoted(SIGNATURE_NAME)}, the only signature of a model here, or leave it out.`,
  );
}

function formOf(document: JsonObject): PredictForm {
  const hasInstances = document.instances !== undefined;
  const hasInputs = document.inputs !== undefined;
  if (hasInstances !== hasInputs) return hasInstances ? 'row' : 'column';
  throw badRequest(
    'PREDICT_FORM_INVALID',
    `The request has ${hasInstances ? 'both' : 'neither'} "instances" ${hasInstances ? 'and' : 'nor'} "inputs".`,
    'Send rows in "instances", or whole tensors in "inputs".',
  );
}

/** What the request says of each input, nested as the tensor is. */
function tensorValues(
  document: JsonObject,
  form: PredictForm,
  inputs: readonly TensorSignature[],
): ReadonlyMap<string, unknown> {
  if (form === 'column') return namedValues(document.inputs, inputs, '"inputs"');
  const { instances } = document;
  if (!Array.isArray(instances) || instances.length === 0) {
    throw badRequest(
      'INSTANCES_INVALID',
      `The request's instances are ${quoted(instances)}.`,
      'Send "instances" as an array of one element per row, at least one.',
    );
  }
  const [only] = inputs;
  // The usual case, and it may be of millions of rows: nothing to sort out.
  if (only !== undefined && inputs.length === 1 && !instances.some(namesInputs))
    return new Map([[only.name, instances]]);
  const columns = new Map<string, unknown[]>(inputs.map(({ name }) => [name, []]));
  for (const [index, instance] of instances.entries()) {
    for (const [name, value] of namedValues(instance, inputs, `instances[${index}]`)) columns.get(name)?.push(value);
  }
  return columns;
}

function namesInputs(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isBase64Value(value);
}

/** Of an object by the inputs' names, or of the value alone where the model has one input. */
function namedValues(value: unknown, inputs: readonly TensorSignature[], label: string): ReadonlyMap<string, unknown> {
  if (namesInputs(value)) return valuesByName(value, inputs, label);
  const [only] = inputs;
  if (only !== undefined && inputs.length === 1) return new Map([[only.name, value]]);
  throw badRequest(
    'NAMES_MISSING',
    `${label} is ${quoted(value)}, and the model has ${inputs.length} inputs.`,
    `Send an object there that names every input: ${namesOf(inputs)}.`,
  );
}

function valuesByName(
  object: JsonObject,
  inputs: readonly TensorSignature[],
  label: string,
): ReadonlyMap<string, unknown> {
  const unknown = Object.keys(object).find((key) => !inputs.some(({ name }) => name === key));
  if (unknown !== undefined) {
    throw badRequest(
      'UNKNOWN_INPUT',
      `The model has no input ${quoted(unknown)}, which ${label} names.`,
      `Its inputs are ${namesOf(inputs)}.`,
    );
  }
  return new Map(
    inputs.map(({ name }) => {
      if (Object.hasOwn(object, name)) return [name, object[name]];
      throw badRequest(
        'MISSING_INPUT',
        `The input ${quoted(name)} is missing in ${label}.`,
        `Send every input: ${namesOf(inputs)}.`,
      );
    }),
  );
}

function namesOf(inputs: readonly TensorSignature[]): string {
  return listed(inputs.map(({ name }) => name));
}
