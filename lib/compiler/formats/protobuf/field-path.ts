/** Where in a message a byte lies, in words: "ModelProto.graph.node[3].attribute[0].t". */
import { WireType } from '@bufbuild/protobuf/wire';
import type { MessagePlan } from './message-plan.js';

/** A message that a scan is inside of, and the offset of its first field. */
export interface Frame {
  readonly plan: MessagePlan;
  readonly start: number;
}

/**
 * The path to the field whose tag is at byte `at`, through `frames` (outermost first). Indices are counted anew from the bytes before
 * `at`, which must be valid: a scan need not count what it never reports.
 */
export function fieldPath(bytes: Uint8Array, frames: readonly Frame[], at: number, field: number | undefined): string {
  const parts: string[] = [];
  for (const [depth, { plan, start }] of frames.entries()) {
    if (depth === 0) parts.push(plan.name);
    const inside = frames[depth + 1]?.start;
    if (inside !== undefined) parts.push(lastFieldBefore(bytes, plan, start, inside));
    else if (field !== undefined) parts.push(named(plan, field, countBefore(bytes, start, at, field)));
  }
  return parts.join('.');
}

function named(plan: MessagePlan, field: number, index: number): string {
  const known = plan.fields.get(field);
  if (known === undefined) return `field ${field}`;
  return known.repeated ? `${known.name}[${index}]` : known.name;
}

/** The field whose payload starts at `inside`: the last one whose tag lies before it. */
function lastFieldBefore(bytes: Uint8Array, plan: MessagePlan, start: number, inside: number): string {
  const counts = new Map<number, number>();
  let last = 0;
  for (const field of fieldsBefore(bytes, start, inside)) {
    counts.set(field, (counts.get(field) ?? 0) + 1);
    last = field;
  }
  return named(plan, last, (counts.get(last) ?? 1) - 1);
}

function countBefore(bytes: Uint8Array, start: number, at: number, field: number): number {
  let count = 0;
  for (const each of fieldsBefore(bytes, start, at)) if (each === field) count++;
  return count;
}

/** The numbers of the fields whose tags lie in [start, end). */
function* fieldsBefore(bytes: Uint8Array, start: number, end: number): Generator<number> {
  let position = start;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[position++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (position < end) {
    const tag = varint();
    yield tag >>> 3;
    switch (tag & 7) {
      case WireType.Varint:
        varint();
        break;
      case WireType.Bit64:
        position += 8;
        break;
      case WireType.Bit32:
        position += 4;
        break;
      default:
        // As one statement: the length is read before it is added.
        position = varint() + position;
    }
  }
}
