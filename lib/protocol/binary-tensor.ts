/**
 * V2's binary tensor form: elements in row-major order, little-endian, without padding; BOOL is a byte of 0 or 1;
 * an element of BYTES is its length as 4 bytes, then its bytes.
 * https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol/binary-tensor-data-extension
 */
import type { DataType } from '../artifact/manifest.js';
import { badRequest } from './bad-request.js';
import { bytesPerElement, viewOrCopy } from './data-types.js';
import { checkString } from './string-element.js';
import { bytesOf, isStrings, type TensorData } from './tensor.js';

const LENGTH_BYTES = 4;

/**
 * @param label how errors call the tensor
 * @returns a view on `bytes` where their alignment allows, else a copy
 * @throws RequestError `BINARY_SIZE_MISMATCH`, `BOOL_INVALID`, `STRING_INVALID`
 */
export function readBinaryTensor(bytes: Uint8Array, dataType: DataType, count: number, label: string): TensorData {
  if (dataType === 'string') return readStrings(bytes, count, label);
  const expected = count * bytesPerElement(dataType);
  if (bytes.byteLength !== expected) {
    throw badRequest(
      'BINARY_SIZE_MISMATCH',
      `The binary data of ${label} has ${bytes.byteLength} bytes, and ${count} elements take ${expected}.`,
      'Make "binary_data_size" and the bytes agree with "shape" and "datatype".',
    );
  }
  if (dataType === 'bool' && bytes.some((byte) => byte > 1)) {
    throw badRequest('BOOL_INVALID', `The binary data of ${label} has bytes above 1.`, 'Send BOOL as bytes of 0 or 1.');
  }
  return viewOrCopy(dataType, bytes);
}

function readStrings(bytes: Uint8Array, count: number, label: string): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const strings: string[] = [];
  let offset = 0;
  for (let index = 0; index < count; index++) {
    if (offset + LENGTH_BYTES > bytes.byteLength) throw stringsEnd(label, count, bytes.byteLength);
    const length = view.getUint32(offset, true);
    offset += LENGTH_BYTES;
    if (length > bytes.byteLength - offset) throw stringsEnd(label, count, bytes.byteLength);
    const text = decodeString(decoder, bytes.subarray(offset, offset + length), label, index);
    checkString(text, label, index);
    strings.push(text);
    offset += length;
  }
  if (offset !== bytes.byteLength) {
    throw badRequest(
      'BINARY_SIZE_MISMATCH',
      `The binary data of ${label} goes on for ${bytes.byteLength - offset} bytes after its ${count} elements.`,
      'Make "binary_data_size" and the bytes agree with "shape".',
    );
  }
  return strings;
}

function decodeString(
  decoder: InstanceType<typeof TextDecoder>,
  bytes: Uint8Array,
  label: string,
  index: number,
): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw badRequest(
      'STRING_INVALID',
      `Element ${index} of ${label} is not UTF-8.`,
      'onnxruntime holds strings as UTF-8: encode binary content, for example as base64, if the model expects that.',
    );
  }
}

function stringsEnd(label: string, count: number, available: number) {
  return badRequest(
    'BINARY_SIZE_MISMATCH',
    `The binary data of ${label} ends before its ${count} elements: it has ${available} bytes.`,
    'Send each element of BYTES as a 4-byte little-endian length, then its bytes.',
  );
}

/** A tensor's binary form; a view where the elements are numbers. */
export function binaryBytes(data: TensorData): Uint8Array {
  if (!isStrings(data)) return bytesOf(data);
  const encoder = new TextEncoder();
  const encoded = data.map((element) => encoder.encode(element));
  const total = encoded.reduce((sum, { byteLength }) => sum + LENGTH_BYTES + byteLength, 0);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const element of encoded) {
    view.setUint32(offset, element.byteLength, true);
    bytes.set(element, offset + LENGTH_BYTES);
    offset += LENGTH_BYTES + element.byteLength;
  }
  return bytes;
}
