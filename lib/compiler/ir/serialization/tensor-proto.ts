/** TensorProto to Tensor and back. */
import { create } from '@bufbuild/protobuf';
import { StringStringEntryProtoSchema, type TensorProto, TensorProto_DataLocation, TensorProtoSchema } from 'onnx-buf';
import { ModelFormatError } from '../../../errors.js';
import { type ElementType, elementTypeNumber, elementTypeOf, storageBytes } from '../element-type.js';
import { type ExternalDataLoader, Tensor, type TensorStorage, type TypedElements } from '../tensor.js';
import { unknownNumber, withFields } from './message.js';

/** Where external data is found; see formats/onnx/external-data.ts. */
export interface ExternalDataSource {
  /**
   * The range of a file that a tensor's `external_data` entries name, checked to lie beside the model.
   * @param bytes what the tensor's shape and element type ask for
   */
  resolve(
    entries: readonly { readonly key: string; readonly value: string }[],
    bytes: number,
    place: string,
  ): { readonly file: string; readonly offset: number; readonly length: number };
  readonly load: ExternalDataLoader;
}

type TypedField = 'floatData' | 'int32Data' | 'int64Data' | 'doubleData' | 'uint64Data' | 'stringData';

const TYPED_FIELDS: readonly TypedField[] = [
  'floatData',
  'int32Data',
  'int64Data',
  'doubleData',
  'uint64Data',
  'stringData',
];

/**
 * @param place what the tensor is, for messages: "initializer 'w'"
 * @throws ModelFormatError UNKNOWN_ELEMENT_TYPE, TENSOR_DIMENSIONS, TENSOR_DATA_LOCATION, TENSOR_DATA_FIELDS, TENSOR_DATA_MISSING,
 * TENSOR_SIZE, TENSOR_SEGMENT, EXTERNAL_DATA_…
 */
export function tensorFromProto(proto: TensorProto, place: string, external?: ExternalDataSource): Tensor {
  const elementType = elementTypeOf(proto.dataType);
  if (elementType === undefined) {
    throw refuse(
      'UNKNOWN_ELEMENT_TYPE',
      `${capitalized(place)} has the element type ${proto.dataType}, which ONNX does not define.`,
      'The file is damaged, or newer than this version of cdk-onnx: export it with an older ONNX version.',
    );
  }
  const dims = proto.dims.map(Number);
  const count = dims.reduce((product, dim) => product * dim, 1);
  if (dims.some((dim) => dim < 0 || !Number.isSafeInteger(dim)) || !Number.isSafeInteger(count * 16)) {
    throw refuse(
      'TENSOR_DIMENSIONS',
      `${capitalized(place)} has the dimensions [${proto.dims.join(', ')}], which no tensor can have.`,
      'The file is damaged or hostile. Export the model again.',
    );
  }
  const storage = storageOf(proto, elementType, dims, count, place, external);
  return new Tensor(elementType, dims, storage, {
    origin: proto,
    ...(external === undefined ? {} : { loadExternal: external.load }),
  });
}

function storageOf(
  proto: TensorProto,
  elementType: ElementType,
  dims: readonly number[],
  count: number,
  place: string,
  external: ExternalDataSource | undefined,
): TensorStorage {
  const location = proto.$unknown?.find((field) => field.no === 14);
  if (location !== undefined) {
    throw refuse(
      'TENSOR_DATA_LOCATION',
      `${capitalized(place)} has an unknown data location (${unknownNumber(location.data)}).`,
      'Known are 0 (inside the file) and 1 (external). Export the model again.',
    );
  }
  const bytes = storageBytes(elementType, count);
  const typed = TYPED_FIELDS.filter((field) => proto[field].length > 0);
  const raw = proto.rawData.byteLength > 0;
  if (proto.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    if (elementType === 'string' || raw || typed.length > 0) {
      throw refuse(
        'TENSOR_DATA_FIELDS',
        `${capitalized(place)} is stored externally and ${elementType === 'string' ? 'holds strings, which cannot be' : 'in the file at the same time'}.`,
        'Export the model again, with its data in one place.',
      );
    }
    if (external === undefined) {
      throw refuse(
        'EXTERNAL_DATA_WITHOUT_FOLDER',
        `${capitalized(place)} is stored in an external file, and the model was read from memory.`,
        'Read the model by its path, so that files beside it can be found.',
      );
    }
    return { kind: 'external', ...external.resolve(proto.externalData, bytes, place) };
  }
  const expectedField = typedFieldOf(elementType);
  const wrong = typed.find((field) => field !== expectedField);
  if (wrong !== undefined || (raw && (typed.length > 0 || elementType === 'string'))) {
    throw refuse(
      'TENSOR_DATA_FIELDS',
      `${capitalized(place)} of type ${elementType} has its elements in ${[...(raw ? ['raw_data'] : []), ...typed.map(snakeCase)].join(' and ')}.`,
      `They belong in ${elementType === 'string' ? '' : 'raw_data or '}${snakeCase(expectedField)}. Export the model again.`,
    );
  }
  if (elementType === 'string') {
    expectLength(proto.stringData.length, count, 'strings');
    return { kind: 'strings', strings: proto.stringData };
  }
  if (raw || typed.length === 0) {
    expectLength(proto.rawData.byteLength, bytes, 'bytes');
    return { kind: 'bytes', bytes: proto.rawData };
  }
  const perElement = elementType === 'complex64' || elementType === 'complex128' ? 2 : 1;
  const packed =
    elementType.endsWith('4') && bytes < count ? bytes : elementType.endsWith('2') && bytes < count ? bytes : undefined;
  expectLength(proto[expectedField].length, packed ?? count * perElement, 'elements');
  const elements = elementsOf(proto, elementType);
  return { kind: 'bytes', bytes: new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength) };

  function expectLength(actual: number, expected: number, unit: string): void {
    if (actual === expected) return;
    const shape = `of type ${elementType} and shape [${dims.join(', ')}]`;
    if (proto.segment !== undefined) {
      throw refuse(
        'TENSOR_SEGMENT',
        `${capitalized(place)} ${shape} is stored in segments, of which this one holds ${actual} of ${expected} ${unit}.`,
        'Segmented tensors are not supported, by onnxruntime neither. Export the model again without them.',
      );
    }
    throw refuse(
      actual === 0 ? 'TENSOR_DATA_MISSING' : 'TENSOR_SIZE',
      `${capitalized(place)} ${shape} needs ${expected} ${unit} and has ${actual}.`,
      'The file is damaged or was written by a faulty exporter. Export the model again.',
    );
  }
}

/** The field of TensorProto that holds elements of a type when raw_data does not. */
function typedFieldOf(elementType: ElementType): TypedField {
  switch (elementType) {
    case 'float32':
    case 'complex64':
      return 'floatData';
    case 'float64':
    case 'complex128':
      return 'doubleData';
    case 'int64':
      return 'int64Data';
    case 'uint32':
    case 'uint64':
      return 'uint64Data';
    case 'string':
      return 'stringData';
    default:
      return 'int32Data';
  }
}

/** Elements of the typed fields in raw storage; integers wider than their type wrap, as they do in onnxruntime. */
function elementsOf(proto: TensorProto, elementType: ElementType): TypedElements {
  switch (elementType) {
    case 'float32':
    case 'complex64':
      return Float32Array.from(proto.floatData);
    case 'float64':
    case 'complex128':
      return Float64Array.from(proto.doubleData);
    case 'int64':
      return BigInt64Array.from(proto.int64Data);
    case 'uint64':
      return BigUint64Array.from(proto.uint64Data);
    case 'uint32':
      return Uint32Array.from(proto.uint64Data, (value) => Number(BigInt.asUintN(32, value)));
    case 'int32':
      return Int32Array.from(proto.int32Data);
    case 'int16':
      return Int16Array.from(proto.int32Data);
    case 'uint16':
    case 'float16':
    case 'bfloat16':
      return Uint16Array.from(proto.int32Data);
    case 'bool':
      return Uint8Array.from(proto.int32Data, (value) => (value === 0 ? 0 : 1));
    default:
      return Uint8Array.from(proto.int32Data);
  }
}

/** How a tensor is written: as it was read where that still holds, else with its elements in raw_data (strings in string_data). */
export function tensorToProto(tensor: Tensor, name: string | undefined): TensorProto {
  const origin = untouchedOrigin(tensor);
  if (origin === undefined) return inlineTensor(tensor, name);
  return name === undefined || origin.name === name ? origin : withFields(origin, { name });
}

/** With the elements in the message, whatever the tensor was read from. */
export function inlineTensor(tensor: Tensor, name: string | undefined): TensorProto {
  const proto = emptied(tensor, name);
  if (tensor.storage.kind === 'strings') proto.stringData = tensor.storage.strings.map(owned);
  else proto.rawData = owned(tensor.bytes());
  return proto;
}

/** With the elements in a range of an external file; `location` is relative to the model's folder, with forward slashes. */
export function externalTensor(
  tensor: Tensor,
  name: string | undefined,
  range: { readonly location: string; readonly offset: number; readonly length: number },
): TensorProto {
  const proto = emptied(tensor, name);
  proto.dataLocation = TensorProto_DataLocation.EXTERNAL;
  const entries = { location: range.location, offset: String(range.offset), length: String(range.length) };
  proto.externalData = Object.entries(entries).map(([key, value]) =>
    create(StringStringEntryProtoSchema, { key, value }),
  );
  return proto;
}

/** The message of a tensor without its elements; documentation and metadata of the one it was read from are kept. */
function emptied(tensor: Tensor, name: string | undefined): TensorProto {
  const dims = tensor.dims.map(BigInt);
  const dataType = elementTypeNumber(tensor.elementType);
  const origin = untouchedOrigin(tensor);
  if (origin === undefined)
    return create(TensorProtoSchema, { dims, dataType, ...(name === undefined ? {} : { name }) });
  return withFields(origin, {
    dims,
    dataType,
    ...(name === undefined ? {} : { name }),
    rawData: undefined,
    dataLocation: undefined,
    segment: undefined,
    externalData: [],
    floatData: [],
    int32Data: [],
    int64Data: [],
    doubleData: [],
    uint64Data: [],
    stringData: [],
  });
}

/** The message that a tensor was read from, if it still says what the tensor is. */
function untouchedOrigin(tensor: Tensor): TensorProto | undefined {
  const { origin } = tensor;
  if (origin === undefined || origin.dataType !== elementTypeNumber(tensor.elementType)) return undefined;
  const same =
    origin.dims.length === tensor.dims.length && tensor.dims.every((dim, axis) => BigInt(dim) === origin.dims[axis]);
  return same ? origin : undefined;
}

/** onnx-buf types its bytes as views on unshared memory, which everything here is. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}

function refuse(code: string, message: string, advice: string): ModelFormatError {
  return new ModelFormatError({ code, message, advice });
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function snakeCase(field: TypedField): string {
  return field.replace('Data', '_data');
}
