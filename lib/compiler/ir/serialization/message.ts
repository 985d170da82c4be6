/** Changed copies of protobuf messages: the IR never writes into a message that it read. */
import type { Message } from '@bufbuild/protobuf';

export type FieldChanges<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** A shallow copy with some fields replaced; `undefined` clears a singular field. Unknown fields and presence are kept. */
export function withFields<T extends Message>(message: T, changes: FieldChanges<T>): T {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(message)), message) as T;
  for (const key of Object.keys(changes) as (keyof T)[]) {
    const value = changes[key];
    if (value === undefined) delete copy[key];
    else copy[key] = value;
  }
  return copy;
}

/** Whether two lists hold the same objects (or equal primitives) in the same order. */
export function sameElements(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((element, index) => Object.is(element, b[index]));
}

/** The number in the data of an unknown varint field, as enums have when they are newer than the schema. */
export function unknownNumber(data: Uint8Array): number {
  return data.reduceRight((value, byte) => value * 128 + (byte & 0x7f), 0);
}
