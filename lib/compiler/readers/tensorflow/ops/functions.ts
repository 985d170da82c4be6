/** Functions of one operand, element by element. */
import type { ElementType } from '../../../ir/element-type.js';
import type { Value } from '../../../ir/value.js';
import { binary, cast, clip, compare, type UnaryOperator, unary, where } from '../../../lowering/elementwise.js';
import { elementTypeOf, type GraphBuilder } from '../../../lowering/graph-builder.js';
import { shapeOf } from '../../../lowering/shape.js';
import { elementTypeFrom } from '../element-types.js';
import { isComplex, type OpCall, type OpLowering, type OpTable } from '../op-call.js';
import { perPart } from './per-part.js';

const plain =
  (operator: UnaryOperator): OpLowering =>
  (call) =>
    unary(call.builder, operator, call.input(0));

export const FUNCTION_OPS: OpTable = {
  Abs: plain('Abs'),
  Acos: plain('Acos'),
  Acosh: plain('Acosh'),
  Asin: plain('Asin'),
  Asinh: plain('Asinh'),
  Atan: plain('Atan'),
  Atanh: plain('Atanh'),
  /** Of complex numbers to real ones, the real part; of floats to integers, towards zero. */
  Cast: (call) => {
    const operand = call.operand(0);
    const to = call.attributes.type('DstT');
    if (isComplex(operand))
      return to.startsWith('complex')
        ? operand
        : cast(call.builder, operand.real, elementTypeFrom(to, call.describe()));
    if (!to.startsWith('complex')) return cast(call.builder, operand, elementTypeFrom(to, call.describe()));
    const real = cast(call.builder, operand, to === 'complex64' ? 'float32' : 'float64');
    return { real, imaginary: binary(call.builder, 'Mul', real, call.builder.scalar(0, elementTypeOf(real))) };
  },
  Ceil: plain('Ceil'),
  ClipByValue: (call) => clipBetween(call.builder, call.input(0), call.input(1), call.input(2)),
  Cos: plain('Cos'),
  Cosh: plain('Cosh'),
  Erf: plain('Erf'),
  Erfc: (call) => binary(call.builder, 'Sub', call.scalarLike(0, 1), unary(call.builder, 'Erf', call.input(0))),
  Exp: plain('Exp'),
  Expm1: (call) => expMinusOne(call.builder, call.input(0)),
  FakeQuantWithMinMaxArgs: (call) => {
    const [low, high] = [call.attributes.float('min', -6), call.attributes.float('max', 6)];
    return fakeQuantized(call, [low], [high]);
  },
  FakeQuantWithMinMaxVars: (call) => fakeQuantized(call, call.numbers(1, 'minimum'), call.numbers(2, 'maximum')),
  FakeQuantWithMinMaxVarsPerChannel: (call) => {
    return fakeQuantized(call, call.numbers(1, 'minimum'), call.numbers(2, 'maximum'));
  },
  Floor: plain('Floor'),
  Invert: plain('BitwiseNot'),
  Inv: plain('Reciprocal'),
  IsFinite: (call) => {
    const bad = [isNotNumber, isInfinite].map((test) => test(call.builder, call.input(0))) as [Value, Value];
    return unary(call.builder, 'Not', binary(call.builder, 'Or', ...bad));
  },
  IsInf: (call) => isInfinite(call.builder, call.input(0)),
  IsNan: (call) => isNotNumber(call.builder, call.input(0)),
  Log: plain('Log'),
  Log1p: (call) => logOfOnePlus(call.builder, call.input(0)),
  Neg: perPart(plain('Neg')),
  Reciprocal: plain('Reciprocal'),
  Rint: plain('Round'),
  Round: (call) =>
    isFloat(elementTypeOf(call.input(0))) ? unary(call.builder, 'Round', call.input(0)) : call.input(0),
  Rsqrt: (call) => unary(call.builder, 'Reciprocal', unary(call.builder, 'Sqrt', call.input(0))),
  Sign: plain('Sign'),
  Sin: plain('Sin'),
  Sinh: plain('Sinh'),
  Sqrt: plain('Sqrt'),
  Square: (call) => binary(call.builder, 'Mul', call.input(0), call.input(0)),
  Tan: plain('Tan'),
};

/**
 * Rounded to steps of an integer's range, as training with quantization does. The range is nudged so that 0 is one of the steps:
 * clip(x) → floor((x - min) / scale + ½) · scale + min, all in float32.
 */
function fakeQuantized(call: OpCall, minima: readonly number[], maxima: readonly number[]): Value {
  const { builder, attributes } = call;
  const lowest = attributes.bool('narrow_range', false) ? 1 : 0;
  const highest = 2 ** attributes.int('num_bits', 8) - 1;
  const ranges = minima.map((minimum, index) => nudged(minimum, maxima[index] ?? 0, lowest, highest));
  const vector = (pick: (range: (typeof ranges)[number]) => number) =>
    builder.floats(ranges.map(pick), ranges.length === 1 ? [] : [ranges.length]);
  const [low, scale] = [vector(({ minimum }) => minimum), vector((range) => range.scale)];
  const clipped = clipBetween(
    builder,
    call.input(0),
    low,
    vector(({ maximum }) => maximum),
  );
  const steps = binary(
    builder,
    'Mul',
    binary(builder, 'Sub', clipped, low),
    vector((range) => Math.fround(1 / range.scale)),
  );
  const rounded = unary(builder, 'Floor', binary(builder, 'Add', steps, builder.scalar(0.5)));
  return binary(builder, 'Add', binary(builder, 'Mul', rounded, scale), low);
}

function nudged(minimum: number, maximum: number, lowest: number, highest: number) {
  const scale = Math.fround(Math.fround(maximum - minimum) / (highest - lowest));
  const zero = Math.fround(lowest - Math.fround(minimum / scale));
  const point = zero < lowest ? lowest : zero > highest ? highest : Math.floor(zero + 0.5);
  return { scale, minimum: Math.fround((lowest - point) * scale), maximum: Math.fround((highest - point) * scale) };
}

function isFloat(elementType: ElementType): boolean {
  return elementType.startsWith('float');
}

function isNotNumber(builder: GraphBuilder, x: Value): Value {
  return builder.node('IsNaN', [x], { elementType: 'bool', shape: shapeOf(x) });
}

function isInfinite(builder: GraphBuilder, x: Value): Value {
  return builder.node('IsInf', [x], { elementType: 'bool', shape: shapeOf(x) });
}

/** Bounds may be tensors that broadcast, which ONNX's Clip does not take. */
function clipBetween(builder: GraphBuilder, x: Value, low: Value, high: Value): Value {
  const [minimum, maximum] = [low, high].map(({ initializer }) =>
    initializer?.count === 1 ? initializer.numbers()[0] : undefined,
  );
  if (minimum !== undefined && maximum !== undefined) return clip(builder, x, minimum, maximum);
  const shape = shapeOf(x);
  const elementType = elementTypeOf(x);
  return builder.node('Max', [builder.node('Min', [x, high], { elementType, shape }), low], { elementType, shape });
}

/** exp(x) - 1, near 0 as 2t / (1 - t) with t = tanh(x / 2), which loses no digits there. */
function expMinusOne(builder: GraphBuilder, x: Value): Value {
  const elementType = elementTypeOf(x);
  const number = (value: number) => builder.scalar(value, elementType);
  const tangent = unary(builder, 'Tanh', binary(builder, 'Mul', x, number(0.5)));
  const near = binary(
    builder,
    'Div',
    binary(builder, 'Add', tangent, tangent),
    binary(builder, 'Sub', number(1), tangent),
  );
  const far = binary(builder, 'Sub', unary(builder, 'Exp', x), number(1));
  return where(builder, compare(builder, 'Less', unary(builder, 'Abs', x), number(0.5)), near, far);
}

/** log(1 + x), corrected by what rounding 1 + x lost: log(u) · x / (u - 1). */
function logOfOnePlus(builder: GraphBuilder, x: Value): Value {
  const elementType = elementTypeOf(x);
  const number = (value: number) => builder.scalar(value, elementType);
  const sum = binary(builder, 'Add', x, number(1));
  const rounded = binary(builder, 'Sub', sum, number(1));
  const corrected = binary(builder, 'Div', binary(builder, 'Mul', unary(builder, 'Log', sum), x), rounded);
  return where(builder, compare(builder, 'Equal', rounded, number(0)), x, corrected);
}
