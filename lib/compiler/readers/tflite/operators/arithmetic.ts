/** Element by element, with NumPy's broadcasting. */
import type { OptionsName } from '../../../formats/tflite/options.js';
import { isFloatingPoint } from '../../../ir/element-type.js';
import type { Value } from '../../../ir/value.js';
import { floorDivide, floorModulo } from '../../../lowering/division.js';
import {
  type BinaryOperator,
  binary,
  type Comparison,
  cast,
  compare,
  type UnaryOperator,
  unary,
  variadic,
} from '../../../lowering/elementwise.js';
import { elementTypeOf } from '../../../lowering/graph-builder.js';
import type { OperatorCall } from '../operator-call.js';
import { computing, type OperatorTable, passing } from '../operator-table.js';
import { dequantize, isQuantized } from '../quantization.js';
import { scaleThatDecidesHalves } from '../reference-rounding.js';

type ActivatedOptions = Extract<OptionsName, 'AddOptions' | 'SubOptions' | 'MulOptions' | 'DivOptions'>;

const one = (operator: UnaryOperator) => computing((call) => unary(call.builder, operator, call.input(0)));

const two = (operator: BinaryOperator) =>
  computing((call) => binary(call.builder, operator, call.input(0), call.input(1)));

const activated = (operator: BinaryOperator, options: ActivatedOptions) =>
  computing((call) => {
    const result = binary(call.builder, operator, call.input(0), call.input(1));
    return call.activated(result, call.options(options).activation);
  });

/** x and a constant that decides halves as the reference kernels do; anything else as it is. */
const sum = (operator: 'Add' | 'Sub', options: ActivatedOptions) =>
  computing((call) => {
    const [x, y] = addends(call, operator === 'Add' ? 1 : -1);
    return call.activated(binary(call.builder, operator, x, y), call.options(options).activation);
  });

function addends(call: OperatorCall, sign: 1 | -1): readonly [Value, Value] {
  const [x, y] = [call.inputTensor(0), call.inputTensor(1)];
  const output = call.quantizedOutput;
  const { initializer: stored } = call.scope.stored(y);
  const isQuantizedSum = output !== undefined && isQuantized(x) && isQuantized(y);
  if (!isQuantizedSum || stored === undefined) return [call.input(0), call.input(1)];
  const scales = [scaleThatDecidesHalves({ x, constant: y, stored, output, sign })];
  const isSame = scales[0] === y.quantization.scales[0];
  const constant = { ...y, quantization: { ...y.quantization, scales } };
  return [call.input(0), isSame ? call.input(1) : dequantize(call.builder, call.scope.stored(y), constant)];
}

const comparison = (operator: Comparison) =>
  computing((call) => compare(call.builder, operator, call.input(0), call.input(1)));

export const arithmetic: OperatorTable = {
  ABS: one('Abs'),
  ADD: sum('Add', 'AddOptions'),
  ADD_N: computing((call) => {
    const [first, ...rest] = call.inputs();
    if (first === undefined) throw call.error('INPUT_MISSING', 'has no input');
    if (rest.length === 0) return first;
    // ONNX sums floating-point numbers only.
    if (isFloatingPoint(elementTypeOf(first))) return variadic(call.builder, 'Sum', [first, ...rest]);
    return rest.reduce((sum, each) => binary(call.builder, 'Add', sum, each), first);
  }),
  BITWISE_XOR: two('BitwiseXor'),
  CAST: passing((call) => cast(call.builder, call.input(0), call.outputElementType())),
  CEIL: one('Ceil'),
  COS: one('Cos'),
  DIV: activated('Div', 'DivOptions'),
  EQUAL: comparison('Equal'),
  EXP: one('Exp'),
  FLOOR: one('Floor'),
  FLOOR_DIV: computing((call) => floorDivide(call.builder, call.input(0), call.input(1))),
  FLOOR_MOD: computing((call) => floorModulo(call.builder, call.input(0), call.input(1))),
  GREATER: comparison('Greater'),
  GREATER_EQUAL: comparison('GreaterOrEqual'),
  LESS: comparison('Less'),
  LESS_EQUAL: comparison('LessOrEqual'),
  LOG: one('Log'),
  LOGICAL_AND: two('And'),
  LOGICAL_NOT: one('Not'),
  LOGICAL_OR: two('Or'),
  MAXIMUM: computing((call) => variadic(call.builder, 'Max', [call.input(0), call.input(1)])),
  MINIMUM: computing((call) => variadic(call.builder, 'Min', [call.input(0), call.input(1)])),
  MUL: activated('Mul', 'MulOptions'),
  NEG: one('Neg'),
  NOT_EQUAL: computing((call) => {
    return unary(call.builder, 'Not', compare(call.builder, 'Equal', call.input(0), call.input(1)));
  }),
  POW: two('Pow'),
  ROUND: one('Round'),
  RSQRT: computing((call) => unary(call.builder, 'Reciprocal', unary(call.builder, 'Sqrt', call.input(0)))),
  SIGN: one('Sign'),
  SIN: one('Sin'),
  SQRT: one('Sqrt'),
  SQUARE: computing((call) => {
    const x = call.input(0);
    return binary(call.builder, 'Mul', x, x);
  }),
  SQUARED_DIFFERENCE: computing((call) => {
    const difference = binary(call.builder, 'Sub', call.input(0), call.input(1));
    return binary(call.builder, 'Mul', difference, difference);
  }),
  SUB: sum('Sub', 'SubOptions'),
};
