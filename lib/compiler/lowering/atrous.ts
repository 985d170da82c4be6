/**
 * TensorFlow's older way to dilate a convolution, and its only one for depthwise kernels: SpaceToBatchND, a convolution of each phase by
 * itself, BatchToSpaceND. With blocks of b along an axis, padded by (p, q), and cropped by (c, d), that is the convolution with dilation
 * b and padding (p - c, q - d). What went before the phases is no longer read then.
 */
import type { Value } from '../ir/value.js';
import type { GraphBuilder } from './graph-builder.js';
import type { Widths } from './padding.js';
import type { WindowOptions } from './sliding-window.js';

interface Phases {
  readonly whole: Value;
  readonly blocks: readonly number[];
  readonly widths: Widths;
}

type WriteConvolution = (builder: GraphBuilder, x: Value, window: WindowOptions) => Value;

const phases = new WeakMap<Value, Phases>();
const convolved = new WeakMap<Value, Phases & { readonly write: WriteConvolution }>();

/** `result` is `whole` after SpaceToBatchND. */
export function rememberPhases(result: Value, from: Phases): void {
  phases.set(result, from);
}

/** `y` is a convolution of `x`; `write` writes the same with another window. */
export function rememberConvolution(x: Value, y: Value, window: WindowOptions, write: WriteConvolution): void {
  const from = phases.get(x);
  const { padding = 'valid', strides = [], dilations = [] } = window;
  const isPlain = padding === 'valid' && [...strides, ...dilations].every((number) => number === 1);
  if (from !== undefined && isPlain) convolved.set(y, { ...from, write });
}

/** BatchToSpaceND of `y` as one dilated convolution, where it is that. */
export function dilatedConvolution(
  builder: GraphBuilder,
  y: Value,
  blocks: readonly number[],
  crops: Widths,
): Value | undefined {
  const from = convolved.get(y);
  if (from === undefined || String(from.blocks) !== String(blocks)) return undefined;
  const padding = from.widths.map(([before, after], axis): [number, number] => {
    const [first, last] = crops[axis] ?? [0, 0];
    return [before - first, after - last];
  });
  if (padding.length !== crops.length || padding.flat().some((width) => width < 0)) return undefined;
  return from.write(builder, from.whole, { dilations: blocks, padding });
}
