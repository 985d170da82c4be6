/** Arithmetic of two operands, with NumPy's broadcasting; both have one type. */
import { attribute } from '../../../ir/attribute.js';
import { isFloatingPoint } from '../../../ir/element-type.js';
import type { Value } from '../../../ir/value.js';
import { type BinaryOperator, binary, compare, unary, variadic, where } from '../../../lowering/elementwise.js';
import { elementTypeOf, type GraphBuilder } from '../../../lowering/graph-builder.js';
import { broadcastShapes, shapeOf } from '../../../lowering/shape.js';
import { complexProduct } from '../../../lowering/spectral.js';
import { isComplex, type OpCall, type OpLowering, type OpTable } from '../op-call.js';
import { perPart } from './per-part.js';

const plain = (operator: BinaryOperator): OpLowering => {
  return (call) => binary(call.builder, operator, call.input(0), call.input(1));
};

export const ARITHMETIC_OPS: OpTable = {
  Add: perPart(plain('Add')),
  AddN: perPart((call) => sum(call.builder, call.inputs)),
  AccumulateNV2: (call) => sum(call.builder, call.inputs),
  AddV2: perPart(plain('Add')),
  Atan2: (call) => atan2(call.builder, call.input(0), call.input(1)),
  BitwiseAnd: plain('BitwiseAnd'),
  BitwiseOr: plain('BitwiseOr'),
  BitwiseXor: plain('BitwiseXor'),
  Div: plain('Div'),
  /** x / y, and 0 where y is 0. */
  DivNoNan: (call) => unlessZero(call, 1, binary(call.builder, 'Div', call.input(0), call.input(1))),
  FloorDiv: (call) => floorDivide(call.builder, call.input(0), call.input(1)),
  FloorMod: (call) => floorModulo(call.builder, call.input(0), call.input(1)),
  Maximum: (call) => variadic(call.builder, 'Max', call.inputs),
  Minimum: (call) => variadic(call.builder, 'Min', call.inputs),
  /** The sign is the dividend's, as C's. */
  Mod: (call) => remainder(call.builder, call.input(0), call.input(1)),
  Mul: (call) => {
    const [a, b] = [call.operand(0), call.operand(1)];
    if (!isComplex(a) || !isComplex(b)) return perPart(plain('Mul'))(call);
    return complexProduct(call.builder, a, b);
  },
  /** x · y, and 0 where y is 0, whatever x is. */
  MulNoNan: (call) => unlessZero(call, 1, binary(call.builder, 'Mul', call.input(0), call.input(1))),
  Pow: plain('Pow'),
  RealDiv: perPart(plain('Div')),
  SquaredDifference: (call) => {
    const difference = binary(call.builder, 'Sub', call.input(0), call.input(1));
    return binary(call.builder, 'Mul', difference, difference);
  },
  Sub: perPart(plain('Sub')),
  TruncateDiv: plain('Div'),
  TruncateMod: (call) => remainder(call.builder, call.input(0), call.input(1)),
  /** x / y, and 0 where x is 0, whatever y is. */
  Xdivy: (call) => unlessZero(call, 0, binary(call.builder, 'Div', call.input(0), call.input(1))),
  Xlogy: (call) => {
    return unlessZero(call, 0, binary(call.builder, 'Mul', call.input(0), unary(call.builder, 'Log', call.input(1))));
  },
};

/** onnxruntime adds up more than two tensors of floating-point numbers only. */
function sum(builder: GraphBuilder, values: readonly Value[]): Value {
  const [first, ...rest] = values;
  if (first !== undefined && isFloatingPoint(elementTypeOf(first))) return variadic(builder, 'Sum', values);
  return rest.reduce<Value>((total, value) => binary(builder, 'Add', total, value), first as Value);
}

/** 0 where input `index` is 0. */
function unlessZero(call: OpCall, index: number, value: Value): Value {
  const zero = call.scalarLike(index, 0);
  return where(call.builder, compare(call.builder, 'Equal', call.input(index), zero), zero, value);
}

/** The remainder with the sign of the dividend. */
function remainder(builder: GraphBuilder, a: Value, b: Value): Value {
  const type = { elementType: elementTypeOf(a), shape: broadcastShapes(shapeOf(a), shapeOf(b)) };
  return builder.node('Mod', [a, b], type, { attributes: { fmod: attribute.int(1) } });
}

/** The remainder with the sign of the divisor, Python's. ONNX has it for integers; of floats the other one is corrected, exactly. */
function floorModulo(builder: GraphBuilder, a: Value, b: Value): Value {
  const elementType = elementTypeOf(a);
  if (!isFloatingPoint(elementType)) return binary(builder, 'Mod', a, b);
  const zero = builder.scalar(0, elementType);
  const rest = remainder(builder, a, b);
  const isNegative = (value: Value) => compare(builder, 'Less', value, zero);
  const differs = binaryBool(builder, 'Xor', isNegative(rest), isNegative(b));
  const isRest = builder.node('Not', [compare(builder, 'Equal', rest, zero)], {
    elementType: 'bool',
    shape: shapeOf(rest),
  });
  const corrected = binary(builder, 'Add', rest, b);
  return where(builder, binaryBool(builder, 'And', differs, isRest), corrected, rest);
}

function binaryBool(builder: GraphBuilder, operator: 'And' | 'Or' | 'Xor', a: Value, b: Value): Value {
  return builder.node(operator, [a, b], { elementType: 'bool', shape: broadcastShapes(shapeOf(a), shapeOf(b)) });
}

/** Towards minus infinity, as Python's `//`. */
function floorDivide(builder: GraphBuilder, a: Value, b: Value): Value {
  if (isFloatingPoint(elementTypeOf(a))) return unary(builder, 'Floor', binary(builder, 'Div', a, b));
  const rest = floorModulo(builder, a, b);
  return binary(builder, 'Div', binary(builder, 'Sub', a, rest), b);
}

/** The angle of (x, y): atan(y / x), turned by π where x is negative. Zeros have signs, which count. */
function atan2(builder: GraphBuilder, y: Value, x: Value): Value {
  const number = (value: number) => builder.scalar(value, elementTypeOf(y));
  const isBelow = (value: Value) => compare(builder, 'Less', value, number(0));
  const isNegative = (value: Value) =>
    binaryBool(builder, 'Or', isBelow(value), isBelow(unary(builder, 'Reciprocal', value)));
  const isFlat = compare(builder, 'Equal', y, number(0));
  const angle = where(builder, isFlat, number(0), unary(builder, 'Atan', binary(builder, 'Div', y, x)));
  const turn = where(builder, isNegative(y), number(-Math.PI), number(Math.PI));
  return where(builder, isNegative(x), binary(builder, 'Add', angle, turn), angle);
}
