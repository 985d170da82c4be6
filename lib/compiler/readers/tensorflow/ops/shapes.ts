/** Sizes as values, and tensors made of sizes. */
import { attribute } from '../../../ir/attribute.js';
import type { ElementType } from '../../../ir/element-type.js';
import { Tensor } from '../../../ir/tensor.js';
import type { Value } from '../../../ir/value.js';
import { expandBy, fill, reshapeBy, tileBy } from '../../../lowering/computed-shape.js';
import { cast, compare, where } from '../../../lowering/elementwise.js';
import { elementTypeOf, type GraphBuilder } from '../../../lowering/graph-builder.js';
import { concat, reshape, shapeVector, squeeze, unsqueeze } from '../../../lowering/rearrange.js';
import { range } from '../../../lowering/select.js';
import { normalizedAxis, rankOf, requiredSize, shapeOf, staticCount } from '../../../lowering/shape.js';
import { isComplex, type OpCall, type Operand, type OpTable } from '../op-call.js';
import { perPart } from './per-part.js';

/** What has the shape of an operand. */
function plainOf(operand: Operand): Value {
  return isComplex(operand) ? operand.real : operand;
}

function outType(call: OpCall): ElementType {
  return call.attributes.elementType('out_type', 'int32');
}

export const SHAPE_OPS: OpTable = {
  /** The shape that two shapes broadcast to. */
  BroadcastArgs: (call) => broadcastSizes(call),
  BroadcastTo: perPart((call) => expandBy(call.builder, call.input(0), call.input(1))),
  ExpandDims: perPart((call) => {
    const axis = call.number(1, 'axis');
    return unsqueeze(call.builder, call.input(0), [normalizedAxis(axis, rankOf(call.input(0)) + 1)]);
  }),
  Fill: (call) => fill(call.builder, call.input(0), call.input(1)),
  LinSpace: (call) => linearSpace(call),
  OnesLike: (call) => filledLike(call.builder, call.input(0), 1),
  Range: (call) => ranged(call),
  Rank: (call) => call.builder.scalar(rankOf(plainOf(call.operand(0))), 'int32'),
  Reshape: perPart((call) => reshapeBy(call.builder, call.input(0), call.input(1))),
  Shape: (call) => cast(call.builder, shapeVector(call.builder, plainOf(call.operand(0))), outType(call)),
  ShapeN: (call) =>
    call.operands.map((each) => cast(call.builder, shapeVector(call.builder, plainOf(each)), outType(call))),
  Size: (call) => elementCount(call.builder, plainOf(call.operand(0)), outType(call)),
  Squeeze: perPart((call) => squeezed(call)),
  Tile: perPart((call) => tileBy(call.builder, call.input(0), call.input(1))),
  ZerosLike: (call) => filledLike(call.builder, call.input(0), 0),
};

function elementCount(builder: GraphBuilder, x: Value, elementType: ElementType): Value {
  const count = staticCount(shapeOf(x));
  if (count !== undefined) return builder.scalar(count, elementType);
  return cast(builder, builder.node('Size', [x], { elementType: 'int64', shape: [] }), elementType);
}

/** Without axes, all dimensions of size 1 go: their sizes must be known. */
function squeezed(call: OpCall): Value {
  const x = call.input(0);
  const axes = call.attributes.ints(call.attributes.has('axis') ? 'axis' : 'squeeze_dims', []);
  if (axes.length > 0) return squeeze(call.builder, x, axes);
  const shape = shapeOf(x);
  if (shape.some((size) => typeof size !== 'number')) {
    throw call.refuse(
      'OP_SIZES_OPEN',
      'drops all dimensions of size 1, and some sizes are only known when the model runs',
      'Name the axes (axis=…), and export the model again.',
    );
  }
  return squeeze(
    call.builder,
    x,
    shape.flatMap((size, axis) => (size === 1 ? [axis] : [])),
  );
}

function filledLike(builder: GraphBuilder, x: Value, value: number): Value {
  const elementType = elementTypeOf(x);
  const attributes = { value: attribute.tensor(Tensor.fromNumbers(elementType, [1], [value])) };
  return builder.node('ConstantOfShape', [shapeVector(builder, x)], { elementType, shape: shapeOf(x) }, { attributes });
}

function broadcastSizes(call: OpCall): Value {
  const { builder } = call;
  const [a, b] = [call.input(0), call.input(1)];
  const lengths = [a, b].map((sizes) => requiredSize(sizes, 0, call.describe()));
  const rank = Math.max(...lengths);
  const [left, right] = [a, b].map((sizes, index) => {
    const missing = rank - (lengths[index] ?? 0);
    const ones = builder.constant(Tensor.fromNumbers(elementTypeOf(a), [missing], new Array<number>(missing).fill(1)));
    return missing === 0 ? sizes : concat(builder, [ones, sizes], 0);
  }) as [Value, Value];
  return where(builder, compare(builder, 'Equal', left, builder.scalar(1, elementTypeOf(a))), right, left);
}

/** ONNX counts in scalars; TensorFlow's constants are, what is computed may come from elsewhere. */
function ranged(call: OpCall): Value {
  const bounds = [0, 1, 2].map((index) => reshape(call.builder, call.input(index), [])) as [Value, Value, Value];
  return range(call.builder, ...bounds);
}

function linearSpace(call: OpCall): Value {
  const [start, stop, count] = [call.number(0, 'start'), call.number(1, 'stop'), call.number(2, 'number of steps')];
  if (!(count >= 1 && count <= 2 ** 20))
    throw call.refuse('OP_VALUES', `has ${count} steps`, 'Export the model again.');
  const step = count > 1 ? (stop - start) / (count - 1) : 0;
  const numbers = Array.from({ length: count }, (_, index) =>
    index === count - 1 && count > 1 ? stop : start + step * index,
  );
  return call.builder.constant(Tensor.fromNumbers(elementTypeOf(call.input(0)), [count], numbers));
}
