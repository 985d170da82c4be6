/** Damage for model files: on the bytes, and on the messages in them, where bytes alone rarely get. Deterministic by seed. */
import { type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';

export type Random = () => number;

/** mulberry32: the same numbers on every machine. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const below = (random: Random, limit: number) => Math.floor(random() * limit);
export const pick = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)] as T;

export type Edit = (bytes: Uint8Array, random: Random) => Uint8Array;

/** For files of any format. */
export const byteEdits = {
  'bit flips': (bytes, random) => {
    const copy = bytes.slice();
    for (let count = 1 + below(random, 8); count > 0; count--) {
      const at = below(random, copy.length);
      copy[at] = (copy[at] ?? 0) ^ (1 << below(random, 8));
    }
    return copy;
  },
  truncation: (bytes, random) => bytes.slice(0, below(random, bytes.length)),
  splice: (bytes, random) => {
    const from = below(random, bytes.length);
    const part = bytes.slice(from, from + below(random, Math.min(2000, bytes.length)));
    const at = below(random, bytes.length);
    const skip = random() < 0.5 ? part.length : 0;
    return Uint8Array.from(Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at + skip)]));
  },
  /** Little-endian, as lengths, counts and offsets of binary formats are. */
  'whole number': (bytes, random) => {
    const copy = bytes.slice();
    const width = pick(random, [1, 2, 4, 8]);
    const at = below(random, Math.max(1, copy.length - width));
    const value = pick(random, [0, 1, 127, 255, 256, 65_535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 53, bytes.length]);
    for (let index = 0; index < width; index++) copy[at + index] = Math.floor(value / 256 ** index) % 256;
    return copy;
  },
} satisfies Readonly<Record<string, Edit>>;

/** For ONNX files. */
export const edits: Readonly<Record<string, Edit>> = {
  'bit flips': byteEdits['bit flips'],
  truncation: byteEdits.truncation,
  splice: byteEdits.splice,
  'length field': (bytes, random) => {
    const places = lengthFields(bytes, random);
    const place = places[below(random, places.length)];
    if (place === undefined) return bytes.slice(1);
    const length = pick(random, [
      0,
      1,
      place.length + 1,
      Math.max(0, place.length - 1),
      bytes.length,
      2 ** 31 - 1,
      2 ** 32 - 1,
    ]);
    const start = bytes.subarray(0, place.at);
    return Uint8Array.from(Buffer.concat([start, varint(length), bytes.subarray(place.payload)]));
  },
  'message fields': (bytes, random) => messageEdit(ModelProtoSchema)(bytes, random),
};

interface LengthField {
  readonly at: number;
  readonly payload: number;
  readonly length: number;
}

/** The length-delimited fields on one way down from the model to a random depth. */
function lengthFields(bytes: Uint8Array, random: Random): LengthField[] {
  const found: LengthField[] = [];
  let start = 0;
  let end = bytes.length;
  for (let depth = 0; depth < 8; depth++) {
    const level: LengthField[] = [];
    let position = start;
    const read = () => {
      let value = 0;
      for (let scale = 1; position < end; scale *= 128) {
        const byte = bytes[position++] ?? 0;
        value += (byte & 0x7f) * scale;
        if (byte < 0x80) break;
      }
      return value;
    };
    while (position < end) {
      const wireType = read() & 7;
      const at = position;
      if (wireType === 0) read();
      else if (wireType === 1) position += 8;
      else if (wireType === 5) position += 4;
      else if (wireType === 2) {
        const length = read();
        if (position + length > end) break;
        level.push({ at, payload: position, length });
        position += length;
      } else break;
    }
    found.push(...level);
    const next = level[below(random, level.length)];
    if (next === undefined) break;
    start = next.payload;
    end = next.payload + next.length;
  }
  return found;
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Uint8Array.from([...bytes, rest]);
}

type Container = Record<string, unknown> | unknown[];

/** Walks down at random and changes what it ends at. */
function editMessage(root: Container, random: Random): void {
  let container: Container = root;
  for (let depth = 0; depth < 14; depth++) {
    const keys = Object.keys(container).filter((key) => !key.startsWith('$') && key !== 'case');
    const key = keys[below(random, keys.length)];
    if (key === undefined) return;
    const child = (container as Record<string, unknown>)[key];
    if (Array.isArray(child) && child.length > 0 && random() < 0.15) {
      editList(child, random);
      return;
    }
    if (typeof child === 'object' && child !== null && !(child instanceof Uint8Array)) container = child as Container;
    else {
      (container as Record<string, unknown>)[key] = changed(child, root, random);
      return;
    }
  }
}

function editList(list: unknown[], random: Random): void {
  const at = below(random, list.length);
  const edit = below(random, 5);
  if (edit === 0) list.splice(at, 1);
  else if (edit === 1) list.splice(at, 0, list[below(random, list.length)]);
  else if (edit === 2) list.reverse();
  else if (edit === 3) list.length = at;
  else [list[0], list[at]] = [list[at], list[0]];
}

function changed(value: unknown, root: Container, random: Random): unknown {
  switch (typeof value) {
    case 'number':
      return pick(random, [0, 1, -1, 7, 13, 16, 27, 99, 2 ** 31 - 1, -(2 ** 31)]);
    case 'bigint':
      return pick(random, [0n, 1n, -1n, 2n, 127n, 2n ** 31n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)]);
    case 'string':
      return pick(random, [
        '',
        value.slice(1),
        `${value}x`,
        someText(root, random),
        'ai.onnx',
        'acme',
        '../x',
        '\u0000',
        'é'.repeat(100),
      ]);
    default:
      if (value instanceof Uint8Array) return value.slice(below(random, Math.max(1, value.length)));
      return value;
  }
}

/** A text from elsewhere in the model: names that meet make cycles, duplicates and shadows. */
function someText(root: Container, random: Random): string {
  let container: Container = root;
  for (let depth = 0; depth < 14; depth++) {
    const child: unknown = pick(random, Object.values(container));
    if (typeof child === 'string') return child;
    if (typeof child === 'object' && child !== null && !(child instanceof Uint8Array)) container = child as Container;
  }
  return '';
}

/** For JSON: values, lists and texts in it, which damage to its bytes rarely reaches. */
export const jsonEdit: Edit = (bytes, random) => {
  const document = JSON.parse(new TextDecoder().decode(bytes)) as Container;
  for (let count = 1 + below(random, 4); count > 0; count--) editMessage(document, random);
  return new TextEncoder().encode(
    JSON.stringify(document, (_, value) => (typeof value === 'bigint' ? Number(value) : value)),
  );
};

/** For protobuf of any schema: the fields of its messages. */
export function messageEdit(schema: DescMessage): Edit {
  return (bytes, random) => {
    const message = fromBinary(schema, bytes);
    for (let count = 1 + below(random, 4); count > 0; count--) editMessage(message as unknown as Container, random);
    try {
      return toBinary(schema, message);
    } catch {
      // An edit that cannot be written, such as a text where a message was.
      return bytes;
    }
  };
}
