/**
 * The body of `POST /v2/models/{model}/infer`: a JSON document, with the binary tensor extension followed by raw tensors.
 * https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
 */
import type { DataType, Signature, TensorSignature } from '../artifact/manifest.js';
import { badRequest, listed, quoted } from './bad-request.js';
import { readBinaryTensor } from './binary-tensor.js';
import { fromV2DataType, v2DataType } from './data-types.js';
import { parseKeepingLiterals } from './exact-integers.js';
import { decodeText, flag, type JsonObject, objectAt, parseDocument, withoutByteOrderMark } from './json-document.js';
import { readJsonTensor } from './read-json-data.js';
import { checkShape, elementCount, readShape } from './shape.js';
import type { NamedTensor, TensorForm } from './tensor.js';

/** The body as text where the transport decoded it, else as bytes. */
export type InferBody =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'bytes';
      readonly bytes: Uint8Array;
      /** Of the header `Inference-Header-Content-Length`: bytes of the JSON document. Without it the body is all JSON. */
      readonly headerLength?: number | undefined;
    };

export interface RequestedOutput {
  readonly name: string;
  readonly form: TensorForm;
}

export interface InferRequest {
  readonly id: string | undefined;
  /** One per input of the signature, in the signature's order. */
  readonly inputs: readonly NamedTensor[];
  /** In the order that the caller asked for; all of the signature where it named none. */
  readonly outputs: readonly RequestedOutput[];
}

/**
 * A request, checked against the model's signature. Binary tensors are views on the body where their alignment allows.
 *
 * @throws RequestError with status 400 and a code for each way in which the request is wrong
 */
export function decodeInferRequest(body: InferBody, signature: Signature): InferRequest {
  const { text, binary, hasHeaderLength } = splitBody(body);
  const document = parseDocument(text, hasHeaderLength);
  const { id } = document;
  if (id !== undefined && typeof id !== 'string') {
    throw badRequest('ID_INVALID', `The request's id is ${quoted(id)}.`, 'Send "id" as a string, or leave it out.');
  }
  return {
    id,
    inputs: readInputs(document, binary, signature.inputs, text),
    outputs: readOutputs(document, signature.outputs),
  };
}

function splitBody(body: InferBody): { text: string; binary: Uint8Array; hasHeaderLength: boolean } {
  if (body.kind === 'text')
    return { text: withoutByteOrderMark(body.text), binary: new Uint8Array(), hasHeaderLength: false };
  const { bytes, headerLength = bytes.byteLength } = body;
  const hasHeaderLength = body.headerLength !== undefined;
  if (headerLength > bytes.byteLength) {
    throw badRequest(
      'HEADER_LENGTH_BEYOND_BODY',
      `Inference-Header-Content-Length is ${headerLength}, and the body has ${bytes.byteLength} bytes.`,
      'Send the length of the JSON document in bytes.',
    );
  }
  const text = decodeText(bytes.subarray(0, headerLength), hasHeaderLength);
  return { text, binary: bytes.subarray(headerLength), hasHeaderLength };
}

function readInputs(
  document: JsonObject,
  binary: Uint8Array,
  expected: readonly TensorSignature[],
  text: string,
): NamedTensor[] {
  const { inputs } = document;
  if (!Array.isArray(inputs)) {
    throw badRequest(
      'INPUTS_INVALID',
      `The request's inputs are ${quoted(inputs)}.`,
      'Send "inputs" as an array of tensors.',
    );
  }
  let exactInputs: unknown;
  const exactInput = (index: number): unknown => {
    exactInputs ??= (parseKeepingLiterals(text) as JsonObject).inputs;
    return (exactInputs as JsonObject[])[index]?.data;
  };
  const tensors = new Map<string, NamedTensor>();
  let offset = 0;
  for (const [index, entry] of inputs.entries()) {
    const input = objectAt(entry, `inputs[${index}]`);
    const signature = signatureOf(input.name, expected, 'input');
    const { name } = signature;
    if (tensors.has(name)) {
      throw badRequest('DUPLICATE_INPUT', `The input ${quoted(name)} comes twice.`, 'Send each input once.');
    }
    const label = `input ${quoted(name)}`;
    checkDataType(input.datatype, signature.dataType, label);
    const shape = readShape(input.shape, label);
    checkShape(shape, signature.shape, label);
    const size = binarySize(input, binary.byteLength - offset, label);
    const tensor = { name, dataType: signature.dataType, shape };
    if (size === undefined) {
      const { data } = input;
      const json = { ...tensor, label, data, exactData: () => exactInput(index) };
      tensors.set(name, { ...tensor, data: readJsonTensor(json) });
    } else {
      const part = binary.subarray(offset, offset + size);
      tensors.set(name, { ...tensor, data: readBinaryTensor(part, tensor.dataType, elementCount(shape), label) });
      offset += size;
    }
  }
  if (offset !== binary.byteLength) {
    throw badRequest(
      'LEFTOVER_BYTES',
      `The body has ${binary.byteLength - offset} bytes that belong to no input.`,
      'Make Inference-Header-Content-Length and each "binary_data_size" agree with the body.',
    );
  }
  return expected.map(({ name }) => {
    const tensor = tensors.get(name);
    if (tensor !== undefined) return tensor;
    throw badRequest(
      'MISSING_INPUT',
      `The input ${quoted(name)} is missing.`,
      `Send every input: ${namesOf(expected)}.`,
    );
  });
}

function readOutputs({ outputs, parameters }: JsonObject, available: readonly TensorSignature[]): RequestedOutput[] {
  const isBinary = flag(optionalObject(parameters, 'parameters').binary_data_output, 'parameters.binary_data_output');
  const defaultForm: TensorForm = isBinary === true ? 'binary' : 'json';
  if (outputs !== undefined && !Array.isArray(outputs)) {
    throw badRequest(
      'OUTPUTS_INVALID',
      `The request's outputs are ${quoted(outputs)}.`,
      'Send "outputs" as an array, or leave it out.',
    );
  }
  if (outputs === undefined || outputs.length === 0) return available.map(({ name }) => ({ name, form: defaultForm }));
  const requested = new Map<string, RequestedOutput>();
  for (const [index, entry] of outputs.entries()) {
    const output = objectAt(entry, `outputs[${index}]`);
    const { name } = signatureOf(output.name, available, 'output');
    if (requested.has(name)) {
      throw badRequest(
        'DUPLICATE_OUTPUT',
        `The output ${quoted(name)} is asked for twice.`,
        'Ask for each output once.',
      );
    }
    const own = optionalObject(output.parameters, `outputs[${index}].parameters`);
    refuseExtensions(own, `output ${quoted(name)}`);
    const form = flag(own.binary_data, `outputs[${index}].parameters.binary_data`);
    requested.set(name, { name, form: form === undefined ? defaultForm : form ? 'binary' : 'json' });
  }
  return [...requested.values()];
}

function signatureOf(name: unknown, tensors: readonly TensorSignature[], kind: 'input' | 'output'): TensorSignature {
  const found = tensors.find((tensor) => tensor.name === name);
  if (found !== undefined) return found;
  throw badRequest(
    kind === 'input' ? 'UNKNOWN_INPUT' : 'UNKNOWN_OUTPUT',
    `The model has no ${kind} ${quoted(name)}.`,
    `Its ${kind}s are ${namesOf(tensors)}.`,
  );
}

function namesOf(tensors: readonly TensorSignature[]): string {
  return listed(tensors.map(({ name }) => name));
}

function checkDataType(datatype: unknown, expected: DataType, label: string): void {
  if (fromV2DataType(datatype) === expected) return;
  throw badRequest(
    'DATATYPE_MISMATCH',
    `The datatype of ${label} is ${quoted(datatype)}, and the model takes ${v2DataType(expected)}.`,
    `Send it as ${v2DataType(expected)}.`,
  );
}

/** How many bytes behind the document an input takes, or undefined where its elements are in the document. */
function binarySize(input: JsonObject, available: number, label: string): number | undefined {
  const parameters = optionalObject(input.parameters, `the parameters of ${label}`);
  refuseExtensions(parameters, label);
  const size = parameters.binary_data_size;
  if (size === undefined) return undefined;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw badRequest(
      'BINARY_SIZE_INVALID',
      `The binary_data_size of ${label} is ${quoted(size)}.`,
      'Send it as an integer from 0: the bytes that the tensor takes.',
    );
  }
  // KServe's client sends null where a binary tensor has no elements.
  if (input.data !== undefined && input.data !== null) {
    throw badRequest(
      'DATA_TWICE',
      `${label} has both data and binary_data_size.`,
      'Send the elements in the document or behind it, not both.',
    );
  }
  if (size > available) {
    throw badRequest(
      'BINARY_DATA_MISSING',
      `The binary_data_size of ${label} is ${size}, and the body has ${available} bytes left.`,
      'Send the header Inference-Header-Content-Length, and behind the document the bytes of every binary input.',
    );
  }
  return size;
}

/** Parameters of extensions that change what a tensor means: ignoring them would answer another question. */
const FOREIGN_PARAMETERS = ['shared_memory_region', 'classification'];

function refuseExtensions(parameters: JsonObject, label: string): void {
  const foreign = FOREIGN_PARAMETERS.find((name) => parameters[name] !== undefined);
  if (foreign === undefined) return;
  throw badRequest(
    'EXTENSION_UNSUPPORTED',
    `The parameters of ${label} have ${foreign}.`,
    'Leave it out; GET /v2 lists the extensions that this server has.',
  );
}

function optionalObject(value: unknown, label: string): JsonObject {
  return value === undefined ? {} : objectAt(value, label);
}
