/** Nodes that return one of their inputs as it is, bit for bit. */
import { elementTypeOf } from '../ir/element-type.js';
import type { Node } from '../ir/node.js';
import type { Tensor } from '../ir/tensor.js';
import type { Dimension, Value } from '../ir/value.js';

/** An end of a slice from here on lies behind every axis: no tensor has a longer one. */
const BEYOND_ANY_AXIS = 2 ** 31 - 1;

/** The input that a node returns unchanged as its only used output, or undefined if it does something, or that cannot be proved. */
export function unchangedInput(node: Node): Value | undefined {
  const input = node.input(0);
  if (node.domain !== '' || input === undefined) return undefined;
  if (node.outputs.slice(1).some((value) => value !== undefined && value.uses.size > 0)) return undefined;
  if (node.is('Mul', 'Div')) return unscaledInput(node);
  return (CHECKS[node.opType]?.(node, input) ?? false) ? input : undefined;
}

/** What is multiplied with or divided by 1. */
function unscaledInput(node: Node): Value | undefined {
  const sides = node.opType === 'Mul' ? [0, 1] : [0];
  const at = sides.find((side) => {
    const scale = node.constantInput(1 - side);
    const rank = node.input(side)?.rank;
    // The other shape would be the result's, were it the longer one.
    return scale?.count === 1 && rank !== undefined && scale.dims.length <= rank && scale.numbers()[0] === 1;
  });
  return at === undefined ? undefined : node.input(at);
}

type Check = (node: Node, input: Value) => boolean;

const onlyInput: Check = (node) => node.inputs.length === 1;

const CHECKS: Readonly<Record<string, Check>> = {
  Identity: () => true,
  Dropout: (node) => node.input(2) === undefined || isFalse(node.constantInput(2)),
  Concat: onlyInput,
  Sum: onlyInput,
  Max: onlyInput,
  Min: onlyInput,
  Mean: onlyInput,
  Split: (node) => node.outputs.length === 1,
  Cast: (node, input) => input.elementType !== undefined && elementTypeOf(node.int('to', 0)) === input.elementType,
  CastLike: (node, input) => input.elementType !== undefined && node.input(1)?.elementType === input.elementType,
  Transpose: (node, input) => {
    const order = node.ints('perm');
    return order === undefined
      ? input.rank !== undefined && input.rank < 2
      : order.every((axis, index) => axis === index);
  },
  Flatten: (node, input) => input.rank === 2 && [1, -1].includes(node.int('axis', 1)),
  Reshape: keepsShape,
  Squeeze: (node, input) => {
    if (node.attributes.has('axes') || node.input(1) !== undefined) return axesOf(node)?.length === 0;
    return input.staticShape?.every((size) => size !== 1) ?? false;
  },
  Unsqueeze: (node) => axesOf(node)?.length === 0,
  Expand: (node, input) => {
    const shape = numbersOf(node.constantInput(1));
    if (shape === undefined || input.rank === undefined || shape.length > input.rank) return false;
    const dims = shapeOf(input)?.slice(input.rank - shape.length);
    return shape.every((size, axis) => size === 1 || size === dims?.[axis]);
  },
  Tile: (node) => numbersOf(node.constantInput(1))?.every((times) => times === 1) ?? false,
  Pad: (node) => (node.ints('pads') ?? numbersOf(node.constantInput(1)))?.every((width) => width === 0) ?? false,
  Slice: takesAll,
};

function takesAll(node: Node, input: Value): boolean {
  const starts = node.ints('starts') ?? numbersOf(node.constantInput(1));
  const ends = node.ints('ends') ?? numbersOf(node.constantInput(2));
  if (starts === undefined || ends === undefined) return false;
  const axes =
    node.attributes.has('axes') || node.input(3) !== undefined ? axesOf(node, 3) : starts.map((_, axis) => axis);
  const steps = node.input(4) === undefined ? starts.map(() => 1) : numbersOf(node.constantInput(4));
  if (axes === undefined || steps === undefined) return false;
  const { staticShape, rank } = input;
  return starts.every((start, index) => {
    const [axis, end] = [axes[index], ends[index]];
    if (start !== 0 || steps[index] !== 1 || axis === undefined || end === undefined) return false;
    const size = axis < 0 && rank !== undefined ? staticShape?.[axis + rank] : staticShape?.[axis];
    return end >= (size ?? BEYOND_ANY_AXIS);
  });
}

/** Whether each size that a Reshape asks for is the one that is there. One open size follows from the others. */
function keepsShape(node: Node, input: Value): boolean {
  const wanted = numbersOf(node.constantInput(1));
  const shape = shapeOf(input);
  if (wanted === undefined || shape === undefined || wanted.length !== shape.length) return false;
  const zeroCopies = node.int('allowzero', 0) === 0;
  let open = 0;
  for (const [axis, size] of wanted.entries()) {
    if (size === shape[axis] || (size === 0 && zeroCopies)) continue;
    if (size !== -1) return false;
    open++;
  }
  // With an empty axis beside it, an open size follows from nothing.
  return open === 0 || (open === 1 && !wanted.includes(0)) || (open === 1 && zeroCopies && !shape.includes(0));
}

function shapeOf(value: Value): readonly Dimension[] | undefined {
  return value.initializer?.dims ?? (value.type?.kind === 'tensor' ? value.type.shape : undefined);
}

function axesOf(node: Node, index = 1): readonly number[] | undefined {
  return node.ints('axes') ?? numbersOf(node.constantInput(index));
}

function numbersOf(tensor: Tensor | undefined): readonly number[] | undefined {
  if (tensor === undefined) return undefined;
  // Ends of slices are often the largest int64.
  return tensor.elementType === 'int64' ? Array.from(tensor.typed() as BigInt64Array, Number) : tensor.numbers();
}

function isFalse(tensor: Tensor | undefined): boolean {
  return tensor !== undefined && tensor.elementType === 'bool' && tensor.bytes().every((byte) => byte === 0);
}
