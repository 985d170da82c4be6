/** Attributes of groups and datasets: texts, lists of texts and numbers. */
import { Cursor, decodeText, UNDEFINED_ADDRESS, type Widths } from './cursor.js';
import { countOf, type Datatype, readDataspace, readDatatype } from './datatype.js';
import { damaged, unsupported } from './hdf5-error.js';
import { MESSAGE, type Message } from './object-header.js';

/** A scalar, or the elements of an array in order; undefined where it is of a type that nothing asks for. */
export type AttributeValue = string | number | readonly string[] | readonly number[] | undefined;

/** @throws ModelFormatError HDF5_DAMAGED, HDF5_UNSUPPORTED */
export function readAttributes(
  bytes: Uint8Array,
  messages: readonly Message[],
  widths: Widths,
): ReadonlyMap<string, () => AttributeValue> {
  const attributes = new Map<string, () => AttributeValue>();
  for (const { type, start, length } of messages) {
    const cursor = new Cursor(bytes, start, length, widths);
    if (type === MESSAGE.attributeInfo) refuseDense(cursor);
    if (type !== MESSAGE.attribute) continue;
    const { name, value } = readAttribute(bytes, cursor, widths);
    attributes.set(name, value);
  }
  return attributes;
}

/** Its name at once, its value when somebody asks: attributes that Keras does not know may be of any type. */
function readAttribute(bytes: Uint8Array, cursor: Cursor, widths: Widths) {
  const at = cursor.position;
  const version = cursor.u8();
  const flags = cursor.u8();
  if (version < 1 || version > 3) throw damaged(`an attribute has the version ${version}`, at);
  const nameLength = cursor.u16();
  const typeLength = cursor.u16();
  const spaceLength = cursor.u16();
  if (version === 3) cursor.skip(1);
  const padded = (length: number) => (version === 1 ? Math.ceil(length / 8) * 8 : length);
  const part = (length: number) => {
    const inside = new Cursor(bytes, cursor.position, Math.min(length, cursor.left), widths);
    cursor.skip(padded(length));
    return inside;
  };
  const name = part(nameLength);
  const type = part(typeLength);
  const space = part(spaceLength);
  const value = () => {
    if (version > 1 && (flags & 3) !== 0) throw unsupported('types or attributes that objects share', at);
    const datatype = readDatatype(type);
    const dims = readDataspace(space);
    const content = new Cursor(bytes, cursor.position, cursor.end - cursor.position, widths);
    return dims === undefined ? [] : readValue(bytes, content, datatype, dims, widths);
  };
  return { name: name.text(), value: once(value) };
}

function once<Result>(compute: () => Result): () => Result {
  let result: { readonly value: Result } | undefined;
  return () => {
    result ??= { value: compute() };
    return result.value;
  };
}

function readValue(
  bytes: Uint8Array,
  content: Cursor,
  datatype: Datatype,
  dims: readonly number[],
  widths: Widths,
): AttributeValue {
  const count = countOf(dims);
  if (count * datatype.size > content.left) throw damaged('an attribute passes its end', content.position);
  const list = <Element>(read: (at: Cursor) => Element): Element | readonly Element[] => {
    if (dims.length === 0) return read(content);
    return Array.from({ length: count }, () => read(content));
  };
  switch (datatype.kind) {
    case 'text':
      return list((at) => fixedText(at.take(datatype.size), datatype.padding));
    case 'variable-text': {
      const heaps = new GlobalHeaps(bytes, widths);
      return list((at) => heaps.text(at));
    }
    case 'integer':
      return list((at) => at.unsigned(datatype.size));
    default:
      return undefined;
  }
}

function fixedText(bytes: Uint8Array, padding: 'nul' | 'space'): string {
  const end = bytes.indexOf(0);
  const text = decodeText(end < 0 ? bytes : bytes.subarray(0, end));
  return padding === 'space' ? text.trimEnd() : text;
}

/** Collections of texts of any length, each read once. */
class GlobalHeaps {
  readonly #bytes: Uint8Array;
  readonly #widths: Widths;
  readonly #collections = new Map<number, ReadonlyMap<number, Uint8Array>>();

  constructor(bytes: Uint8Array, widths: Widths) {
    this.#bytes = bytes;
    this.#widths = widths;
  }

  /** @param at a reference: length, collection, index */
  text(at: Cursor): string {
    const start = at.position;
    const length = at.u32();
    const address = at.address();
    const index = at.u32();
    if (length === 0 || address === UNDEFINED_ADDRESS) return '';
    const object = this.#collection(address).get(index);
    if (object === undefined || object.byteLength < length) throw damaged('a text lies in no heap', start);
    return decodeText(object.subarray(0, length));
  }

  #collection(address: number): ReadonlyMap<number, Uint8Array> {
    const known = this.#collections.get(address);
    if (known !== undefined) return known;
    const head = new Cursor(this.#bytes, address, this.#bytes.byteLength - address, this.#widths);
    head.signature('GCOL');
    head.skip(4);
    const size = head.length();
    const cursor = new Cursor(this.#bytes, address, size, this.#widths);
    cursor.skip(head.position - address);
    const objects = new Map<number, Uint8Array>();
    while (cursor.left >= 8 + this.#widths.lengths) {
      const index = cursor.u16();
      cursor.skip(6);
      const length = cursor.length();
      // 0 is the free space behind the last one.
      if (index === 0) break;
      objects.set(index, cursor.take(length));
      cursor.skip(Math.min(cursor.left, (8 - (length % 8)) % 8));
    }
    this.#collections.set(address, objects);
    return objects;
  }
}

function refuseDense(cursor: Cursor): void {
  const at = cursor.position;
  cursor.skip(1);
  const flags = cursor.u8();
  if (flags & 1) cursor.skip(2);
  if (cursor.address() !== UNDEFINED_ADDRESS) throw unsupported('attributes with an index', at);
}
