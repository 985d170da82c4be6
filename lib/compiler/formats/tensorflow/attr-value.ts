/** AttrValue to plain data. */

import { typeName } from './data-type.js';
import type { AttrValue, FunctionReference } from './graph-def.js';
import type {
  AttributeEntry,
  AttrValue as AttrValueProto,
  AttrValue_ListValue as ListProto,
  NameAttrList,
} from './protocol/tensorflow_pb.js';
import { openShape, tensorFromProto, type WriteOutBudget } from './tensor-proto.js';

/** Attributes by name; those without a value are left out. */
export function attributesFromProto(
  entries: readonly AttributeEntry[],
  budget: WriteOutBudget,
  where: string,
): ReadonlyMap<string, AttrValue> {
  const attributes = new Map<string, AttrValue>();
  for (const { key, value } of entries) {
    const read = value === undefined ? undefined : attrValue(value, budget, `${where}, attribute ${key}`);
    if (read !== undefined) attributes.set(key, read);
  }
  return attributes;
}

function attrValue({ value }: AttrValueProto, budget: WriteOutBudget, where: string): AttrValue | undefined {
  switch (value.case) {
    case undefined:
      return undefined;
    case 's':
      return { kind: 'string', value: value.value };
    case 'i':
      return { kind: 'int', value: value.value };
    case 'f':
      return { kind: 'float', value: value.value };
    case 'b':
      return { kind: 'bool', value: value.value };
    case 'type':
      return { kind: 'type', value: typeName(value.value) };
    case 'shape':
      return { kind: 'shape', value: openShape(value.value) };
    case 'tensor':
      return { kind: 'tensor', value: tensorFromProto(value.value, budget, where) };
    case 'placeholder':
      return { kind: 'placeholder', name: value.value };
    case 'func':
      return functionReference(value.value, budget, where);
    case 'list':
      return { kind: 'list', values: listValues(value.value, budget, where) };
  }
}

function functionReference({ name, attr }: NameAttrList, budget: WriteOutBudget, where: string): FunctionReference {
  return { kind: 'function', name, attributes: attributesFromProto(attr, budget, where) };
}

/** A list has elements of one kind; those of the others are empty. */
function listValues(list: ListProto, budget: WriteOutBudget, where: string): AttrValue[] {
  return [
    ...list.s.map((value): AttrValue => ({ kind: 'string', value })),
    ...list.i.map((value): AttrValue => ({ kind: 'int', value })),
    ...list.f.map((value): AttrValue => ({ kind: 'float', value })),
    ...list.b.map((value): AttrValue => ({ kind: 'bool', value })),
    ...list.type.map((value): AttrValue => ({ kind: 'type', value: typeName(value) })),
    ...list.shape.map((value): AttrValue => ({ kind: 'shape', value: openShape(value) })),
    ...list.tensor.map((value): AttrValue => ({ kind: 'tensor', value: tensorFromProto(value, budget, where) })),
    ...list.func.map((value): AttrValue => functionReference(value, budget, where)),
  ];
}
