/**
 * Convolutions with holes as TensorFlow traces them for the CPU: SpaceToBatchND, a convolution of each phase, BatchToSpaceND. The three are
 * one dilated convolution, of which nothing depends on sizes that only a run knows.
 */
import type { Value } from '../../ir/value.js';
import { knownElements } from '../../lowering/known-elements.js';
import { shapeOf } from '../../lowering/shape.js';
import type { Padding } from '../../lowering/sliding-window.js';
import type { OpCall } from './op-call.js';

interface SpaceToBatch {
  readonly x: Value;
  readonly blocks: readonly number[];
  /** [blocked dimensions, 2]: before and after. */
  readonly paddings: Value;
}

interface PhaseConvolution {
  readonly space: SpaceToBatch;
  readonly kernel: Value;
  readonly convolve: (x: Value, dilations: readonly number[], padding: Padding) => Value;
}

const spaces = new WeakMap<Value, SpaceToBatch>();
const convolutions = new WeakMap<Value, PhaseConvolution>();

/** Remembers what a SpaceToBatchND made. */
export function rememberSpace(output: Value, space: SpaceToBatch): Value {
  spaces.set(output, space);
  return output;
}

/**
 * Remembers a convolution of what a SpaceToBatchND made.
 * @param convolve writes the same convolution of something else
 */
export function rememberConvolution(
  output: Value,
  x: Value,
  kernel: Value,
  convolve: PhaseConvolution['convolve'],
): Value {
  const space = spaces.get(x);
  if (space !== undefined) convolutions.set(output, { space, kernel, convolve });
  return output;
}

/** The dilated convolution that a BatchToSpaceND ends, where it ends one. */
export function dilatedConvolution(call: OpCall): Value | undefined {
  const found = convolutions.get(call.input(0));
  if (found === undefined) return undefined;
  const { space, kernel, convolve } = found;
  const blocks = call.numbers(1, 'block shape');
  if (blocks.length !== space.blocks.length || blocks.some((block, axis) => block !== space.blocks[axis]))
    return undefined;
  const padding = paddingOf(space, kernel, call.input(2));
  return padding === undefined ? undefined : convolve(space.x, blocks, padding);
}

/**
 * What is left of paddings behind the crops: what only fills the last block is cut off again. Where it is computed, with the sizes, the
 * padding in front tells SAME from VALID.
 */
function paddingOf({ paddings, blocks }: SpaceToBatch, kernel: Value, crops: Value): Padding | undefined {
  const [added, cut] = [knownElements(paddings), knownElements(crops)];
  const sizes = shapeOf(kernel);
  const axes = blocks.map((block, axis) => {
    const size = sizes[axis];
    const [before, after, first, last] = [
      added?.[2 * axis],
      added?.[2 * axis + 1],
      cut?.[2 * axis],
      cut?.[2 * axis + 1],
    ];
    if (typeof size !== 'number' || typeof before !== 'number' || typeof first !== 'number') return undefined;
    if (typeof after === 'number' && typeof last === 'number') return [before - first, after - last] as const;
    const total = (size - 1) * block;
    if (first === 0 && before === Math.floor(total / 2)) return [before, total - before] as const;
    return first === 0 && before === 0 ? ([0, 0] as const) : undefined;
  });
  const known = axes.filter((widths) => widths !== undefined);
  return known.length === axes.length && known.flat().every((width) => width >= 0) ? known : undefined;
}
