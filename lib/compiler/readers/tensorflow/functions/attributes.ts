/** Attributes of nodes in a function's body, where the call gives some of them. */
import type { AttrValue, FunctionReference } from '../../../formats/tensorflow/graph-def.js';

export type Attributes = ReadonlyMap<string, AttrValue>;

/** Puts the call's attributes where the body refers to them; what the call does not give is left out, so that defaults hold. */
export function substituted(attributes: Attributes, call: Attributes): Attributes {
  if (!hasPlaceholder(attributes.values())) return attributes;
  const result = new Map<string, AttrValue>();
  for (const [name, value] of attributes) {
    const known = substitutedValue(value, call);
    if (known !== undefined) result.set(name, known);
  }
  return result;
}

function hasPlaceholder(values: Iterable<AttrValue>): boolean {
  for (const value of values) {
    if (value.kind === 'placeholder') return true;
    if (value.kind === 'list' && hasPlaceholder(value.values)) return true;
    if (value.kind === 'function' && hasPlaceholder(value.attributes.values())) return true;
  }
  return false;
}

function substitutedValue(value: AttrValue, call: Attributes): AttrValue | undefined {
  if (value.kind === 'placeholder') return call.get(value.name);
  if (value.kind === 'function') return { ...value, attributes: substituted(value.attributes, call) };
  if (value.kind !== 'list') return value;
  return { kind: 'list', values: value.values.flatMap((each) => substitutedValue(each, call) ?? []) };
}

/** The functions that an attribute names: one, or those of a list. */
export function functionsOf(value: AttrValue | undefined): FunctionReference[] {
  if (value?.kind === 'function') return [value];
  if (value?.kind !== 'list') return [];
  return value.values.flatMap((each) => (each.kind === 'function' ? [each] : []));
}
