/** Element by element, with NumPy's broadcasting. */
import { attribute } from '../ir/attribute.js';
import { type ElementType, elementTypeNumber } from '../ir/element-type.js';
import type { Value } from '../ir/value.js';
import { elementTypeOf, type GraphBuilder, typeOf } from './graph-builder.js';
import { firstOf } from './lowering-error.js';
import { broadcastShapes, shapeOf } from './shape.js';

export type UnaryOperator =
  | 'Abs'
  | 'Acos'
  | 'Acosh'
  | 'Asin'
  | 'Asinh'
  | 'Atan'
  | 'Atanh'
  | 'BitwiseNot'
  | 'Ceil'
  | 'Cos'
  | 'Cosh'
  | 'Erf'
  | 'Exp'
  | 'Floor'
  | 'Identity'
  | 'Log'
  | 'Neg'
  | 'Not'
  | 'Reciprocal'
  | 'Relu'
  /** Half to even, as NumPy's and TensorFlow's. */
  | 'Round'
  | 'Sigmoid'
  | 'Sign'
  | 'Sin'
  | 'Sinh'
  | 'Softplus'
  | 'Softsign'
  | 'Sqrt'
  | 'Tan'
  | 'Tanh';

export type BinaryOperator =
  | 'Add'
  | 'And'
  | 'BitwiseAnd'
  | 'BitwiseOr'
  | 'BitwiseXor'
  | 'Div'
  | 'Mod'
  | 'Mul'
  | 'Or'
  | 'Pow'
  | 'Sub'
  | 'Xor';
export type Comparison = 'Equal' | 'Greater' | 'GreaterOrEqual' | 'Less' | 'LessOrEqual';
export type VariadicOperator = 'Max' | 'Mean' | 'Min' | 'Sum';

export function unary(builder: GraphBuilder, operator: UnaryOperator, x: Value): Value {
  return builder.node(operator, [x], typeOf(x));
}

/** Both operands have one element type, which is the result's; division of integers truncates towards zero, as ONNX's does. */
export function binary(builder: GraphBuilder, operator: BinaryOperator, a: Value, b: Value): Value {
  const type = { elementType: elementTypeOf(a), shape: broadcastShapes(shapeOf(a), shapeOf(b)) };
  return builder.node(operator, [a, b], type);
}

export function compare(builder: GraphBuilder, operator: Comparison, a: Value, b: Value): Value {
  return builder.node(operator, [a, b], { elementType: 'bool', shape: broadcastShapes(shapeOf(a), shapeOf(b)) });
}

export function variadic(builder: GraphBuilder, operator: VariadicOperator, values: readonly Value[]): Value {
  return builder.node(operator, values, {
    elementType: elementTypeOf(firstOf(values, operator)),
    shape: broadcastShapes(...values.map(shapeOf)),
  });
}

/** Elements of `a` where `condition` holds, else of `b`. */
export function where(builder: GraphBuilder, condition: Value, a: Value, b: Value): Value {
  return builder.node('Where', [condition, a, b], {
    elementType: elementTypeOf(a),
    shape: broadcastShapes(shapeOf(condition), shapeOf(a), shapeOf(b)),
  });
}

/** Nothing is written where `x` has the type already. */
export function cast(builder: GraphBuilder, x: Value, to: ElementType): Value {
  if (elementTypeOf(x) === to) return x;
  const attributes = { to: attribute.int(elementTypeNumber(to)) };
  return builder.node('Cast', [x], { elementType: to, shape: shapeOf(x) }, { attributes });
}

/** Elements below `minimum` and above `maximum` become these. */
export function clip(builder: GraphBuilder, x: Value, minimum: number | undefined, maximum: number | undefined): Value {
  const bound = (number: number | undefined) =>
    number === undefined ? undefined : builder.scalar(number, elementTypeOf(x));
  const inputs = maximum === undefined ? [x, bound(minimum)] : [x, bound(minimum), bound(maximum)];
  return builder.node('Clip', inputs, typeOf(x));
}
