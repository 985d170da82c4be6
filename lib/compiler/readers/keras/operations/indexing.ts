/** `x[1:, ..., None]`: NumPy's basic indexing. */
import type { Value } from '../../../ir/value.js';
import { type SliceRange, slice, squeeze, unsqueeze } from '../../../lowering/rearrange.js';
import { rankOf } from '../../../lowering/shape.js';
import { ELLIPSIS, SliceArgument } from '../topology.js';
import type { Operation } from './operation.js';

/** @param key what stands between the brackets: a whole number, a slice, `...`, None (a new dimension), or a list of these */
export function indexed(operation: Operation, x: Value, key: unknown): Value {
  const { builder } = operation;
  const keys = expandEllipsis(operation, Array.isArray(key) ? (key as unknown[]) : [key], rankOf(x));
  const ranges: SliceRange[] = [];
  const removed: number[] = [];
  const added: number[] = [];
  let axis = 0;
  for (const each of keys) {
    if (each === null) {
      added.push(axis - removed.length + added.length);
      continue;
    }
    if (Number.isSafeInteger(each)) {
      const start = Number(each);
      ranges.push(start === -1 ? { axis, start } : { axis, start, end: start + 1 });
      removed.push(axis);
    } else if (each instanceof SliceArgument) {
      const range = rangeOf(operation, each, axis);
      if (range !== undefined) ranges.push(range);
    } else throw operation.refuse('it is indexed by what is neither a number nor a slice');
    axis++;
  }
  const part = ranges.length === 0 ? x : slice(builder, x, ranges);
  return unsqueeze(builder, squeeze(builder, part, removed), added);
}

function expandEllipsis(operation: Operation, keys: readonly unknown[], rank: number): readonly unknown[] {
  // Keras 2 writes `...` as an object or a text.
  const isEllipsis = (key: unknown) => key === ELLIPSIS || key === '...' || isLegacyEllipsis(key);
  const consumed = keys.filter((key) => key !== null && !isEllipsis(key)).length;
  const at = keys.findIndex(isEllipsis);
  if (consumed > rank || keys.filter(isEllipsis).length > 1) {
    throw operation.refuse(`${consumed} indices stand for a tensor of ${rank} dimensions`);
  }
  const whole = Array.from({ length: rank - consumed }, () => new SliceArgument(null, null, null));
  return at < 0 ? [...keys, ...whole] : [...keys.slice(0, at), ...whole, ...keys.slice(at + 1)];
}

function isLegacyEllipsis(key: unknown): boolean {
  return typeof key === 'object' && key !== null && 'class_name' in key && key.class_name === '__ellipsis__';
}

function rangeOf(operation: Operation, { start, stop, step }: SliceArgument, axis: number): SliceRange | undefined {
  const bounds = [start, stop, step];
  if (!bounds.every((bound) => bound === null || Number.isSafeInteger(bound)) || step === 0) {
    throw operation.refuse('it is sliced by what is known only when the model runs');
  }
  const [from, to, by] = bounds as (number | null)[];
  const stride = by ?? 1;
  if ((from === null || (from === 0 && stride > 0)) && to === null && stride === 1) return undefined;
  return {
    axis,
    start: from ?? (stride > 0 ? 0 : LAST),
    ...(to === null || to === undefined ? {} : { end: to }),
    step: stride,
  };
}

/** Beyond every size; it is cut. */
const LAST = 2 ** 31 - 1;
