/**
 * Element-wise arithmetic with the results of IEEE 754 and two's complement, which every CPU agrees on. float16 is left to onnxruntime,
 * which computes chains of nodes in float32, and so is what differs between CPUs: division by zero in integers, and zeros of both signs
 * in Min and Max.
 */
import type { ElementType } from '../../ir/element-type.js';
import type { Tensor } from '../../ir/tensor.js';
import { Tensor as ConstantTensor } from '../../ir/tensor.js';
import { broadcastDims, broadcastIndices } from './broadcast.js';
import { admit, type EvaluationContext, type Evaluator, NotEvaluated, required } from './evaluator.js';
import { withDims } from './units.js';

type Numbers =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array;
type BigInts = BigInt64Array | BigUint64Array;

const FLOATS: readonly ElementType[] = ['float32', 'float64'];
const SMALL_INTEGERS: readonly ElementType[] = ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32'];
const LARGE_INTEGERS: readonly ElementType[] = ['int64', 'uint64'];

/** One operation on each kind of number. Results are rounded or wrapped by the array that they are stored in. */
export interface Arithmetic<A extends readonly unknown[], B extends readonly unknown[]> {
  readonly float?: (...operands: A) => number;
  /** Up to 32 bits. */
  readonly integer?: (...operands: A) => number;
  readonly bigint?: (...operands: B) => bigint;
}

type Binary = Arithmetic<readonly [number, number], readonly [bigint, bigint]>;
type Unary = Arithmetic<readonly [number], readonly [bigint]>;

function isOneOf(types: readonly ElementType[], tensor: Tensor): boolean {
  return types.includes(tensor.elementType);
}

function allocate(elementType: ElementType, count: number): Numbers | BigInts {
  switch (elementType) {
    case 'float32':
      return new Float32Array(count);
    case 'float64':
      return new Float64Array(count);
    case 'int8':
      return new Int8Array(count);
    case 'uint8':
      return new Uint8Array(count);
    case 'int16':
      return new Int16Array(count);
    case 'uint16':
      return new Uint16Array(count);
    case 'int32':
      return new Int32Array(count);
    case 'uint32':
      return new Uint32Array(count);
    case 'int64':
      return new BigInt64Array(count);
    case 'uint64':
      return new BigUint64Array(count);
    default:
      throw new NotEvaluated(`there is no arithmetic on ${elementType}`);
  }
}

/** Numbers of an operation on `tensor`, or undefined if it computes with bigints. */
function numberOperation<A extends readonly unknown[], B extends readonly unknown[]>(
  operation: Arithmetic<A, B>,
  tensor: Tensor,
): ((...operands: A) => number) | undefined {
  if (isOneOf(FLOATS, tensor)) return operation.float;
  return isOneOf(SMALL_INTEGERS, tensor) ? operation.integer : undefined;
}

function applyBinary(a: Tensor, b: Tensor, operation: Binary, context: EvaluationContext): Tensor {
  if (a.elementType !== b.elementType) throw new NotEvaluated('its inputs have different types');
  const dims = broadcastDims(a.dims, b.dims);
  const result = allocate(a.elementType, admit(a.elementType, dims, context));
  const [aAt, bAt] = [broadcastIndices(a.dims, dims), broadcastIndices(b.dims, dims)];
  const onNumbers = numberOperation(operation, a);
  if (onNumbers !== undefined) {
    const [x, y, z] = [a.typed() as Numbers, b.typed() as Numbers, result as Numbers];
    for (let index = 0; index < z.length; index++)
      z[index] = onNumbers(x[aAt[index] ?? 0] ?? 0, y[bAt[index] ?? 0] ?? 0);
  } else if (isOneOf(LARGE_INTEGERS, a) && operation.bigint !== undefined) {
    const [x, y, z] = [a.typed() as BigInts, b.typed() as BigInts, result as BigInts];
    for (let index = 0; index < z.length; index++)
      z[index] = operation.bigint(x[aAt[index] ?? 0] ?? 0n, y[bAt[index] ?? 0] ?? 0n);
  } else throw new NotEvaluated(`it is not defined on ${a.elementType}`);
  return ConstantTensor.fromTyped(a.elementType, dims, result);
}

function applyUnary(tensor: Tensor, operation: Unary, context: EvaluationContext): Tensor {
  const result = allocate(tensor.elementType, admit(tensor.elementType, tensor.dims, context));
  const onNumbers = numberOperation(operation, tensor);
  if (onNumbers !== undefined) {
    const [x, z] = [tensor.typed() as Numbers, result as Numbers];
    for (let index = 0; index < z.length; index++) z[index] = onNumbers(x[index] ?? 0);
  } else if (isOneOf(LARGE_INTEGERS, tensor) && operation.bigint !== undefined) {
    const [x, z] = [tensor.typed() as BigInts, result as BigInts];
    for (let index = 0; index < z.length; index++) z[index] = operation.bigint(x[index] ?? 0n);
  } else throw new NotEvaluated(`it is not defined on ${tensor.elementType}`);
  return ConstantTensor.fromTyped(tensor.elementType, tensor.dims, result);
}

const binary = (operation: Binary): Evaluator => {
  return (_, inputs, context) => [applyBinary(required(inputs, 0), required(inputs, 1), operation, context)];
};

const unary = (operation: Unary): Evaluator => {
  return (_, inputs, context) => [applyUnary(required(inputs, 0), operation, context)];
};

/** One or more inputs, from left to right. */
const variadic = (operation: Binary): Evaluator => {
  return (_, inputs, context) => {
    const first = required(inputs, 0);
    return [
      inputs.slice(1).reduce<Tensor>(
        (left, _tensor, index) => {
          return applyBinary(left, required(inputs, index + 1), operation, context);
        },
        withDims(first, first.dims),
      ),
    ];
  };
};

const ADD: Binary = { float: (a, b) => a + b, integer: (a, b) => a + b, bigint: (a, b) => a + b };

/** A divisor; the smallest integer over -1 has no result. */
function representable<T extends number | bigint>(divisor: T, dividend: T): T {
  if ((divisor === -1 || divisor === -1n) && (dividend === -(2 ** 31) || dividend === -(2n ** 63n))) {
    throw new NotEvaluated('the smallest integer is divided by -1');
  }
  return divisor;
}

/** The second input; onnxruntime refuses integers with a zero among them even where nothing is divided. */
function divisor(inputs: readonly (Tensor | undefined)[]): Tensor {
  const tensor = required(inputs, 1);
  if (!isOneOf(FLOATS, tensor) && tensor.typed().some((element) => element === 0 || element === 0n)) {
    throw new NotEvaluated('an integer is divided by zero');
  }
  return tensor;
}

/** onnxruntime compares some 64-bit integers by their lower halves. */
function lower(value: bigint): bigint {
  if (BigInt.asIntN(32, value) !== value) throw new NotEvaluated(`${value} is compared`);
  return value;
}

/** Which of two zeros of different sign, or of a NaN and a number, comes out depends on the CPU's instruction. */
function comparable(a: number, b: number): void {
  if (a === 0 && b === 0 && !Object.is(a, b)) throw new NotEvaluated('zeros of both signs are compared');
}

const MAXIMUM: Binary = {
  float: (a, b) => {
    comparable(a, b);
    return Math.max(a, b);
  },
  integer: (a, b) => Math.max(a, b),
  bigint: (a, b) => (lower(a) > lower(b) ? a : b),
};

const MINIMUM: Binary = {
  float: (a, b) => {
    comparable(a, b);
    return Math.min(a, b);
  },
  integer: (a, b) => Math.min(a, b),
  bigint: (a, b) => (lower(a) < lower(b) ? a : b),
};

/** The sign of the divisor, as `fmod = 0` has it. */
const FLOORED_MODULO: Binary = {
  integer: (a, b) => {
    const rest = a % representable(b, a);
    return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
  },
  bigint: (a, b) => {
    const rest = a % representable(b, a);
    return rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest;
  },
};

/** The sign of the dividend, as `fmod = 1` has it. */
const TRUNCATED_MODULO: Binary = {
  float: (a, b) => a % b,
  integer: (a, b) => a % representable(b, a),
  bigint: (a, b) => exact(a) % exact(representable(b, a)),
};

/** onnxruntime computes this by way of float64. */
function exact(value: bigint): bigint {
  if (BigInt(Number(value)) !== value) throw new NotEvaluated(`${value} is no float64`);
  return value;
}

export const add = binary(ADD);
export const sum = variadic(ADD);
export const subtract = binary({ float: (a, b) => a - b, integer: (a, b) => a - b, bigint: (a, b) => a - b });
export const multiply = binary({ float: (a, b) => a * b, integer: Math.imul, bigint: (a, b) => a * b });
const QUOTIENT: Binary = {
  float: (a, b) => a / b,
  integer: (a, b) => Math.trunc(a / representable(b, a)),
  bigint: (a, b) => a / representable(b, a),
};
export const divide: Evaluator = (_, inputs, context) => {
  return [applyBinary(required(inputs, 0), divisor(inputs), QUOTIENT, context)];
};
export const maximum = variadic(MAXIMUM);
export const minimum = variadic(MINIMUM);

export const modulo: Evaluator = (node, inputs, context) => {
  const operation = node.int('fmod', 0) === 1 ? TRUNCATED_MODULO : FLOORED_MODULO;
  return [applyBinary(required(inputs, 0), divisor(inputs), operation, context)];
};

export const negate = unary({ float: (x) => -x, integer: (x) => -x, bigint: (x) => -x });
export const absolute = unary({ float: Math.abs, integer: Math.abs, bigint: (x) => (x < 0n ? -x : x) });
export const sign = unary({
  float: (x) => Math.sign(x) + 0,
  integer: Math.sign,
  bigint: (x) => {
    // onnxruntime looks at the lower half only.
    lower(x);
    return x > 0n ? 1n : x < 0n ? -1n : 0n;
  },
});
export const floor = unary({ float: Math.floor });
export const ceil = unary({ float: Math.ceil });
export const squareRoot = unary({ float: Math.sqrt });
export const reciprocal = unary({ float: (x) => 1 / x });

/** Halves to the even neighbour; zeros keep the sign of what was rounded. */
export const round = unary({
  float: (x) => {
    const below = Math.floor(x);
    const rest = x - below;
    const rounded = rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1;
    if (!Number.isFinite(x)) return x;
    return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
  },
});

const LARGEST: Readonly<Partial<Record<ElementType, number>>> = {
  float32: 3.4028234663852886e38,
  float64: Number.MAX_VALUE,
};

/** Bounds are attributes before version 11, scalar inputs since. */
export const clip: Evaluator = (node, inputs, context) => {
  const tensor = required(inputs, 0);
  const [low, high] = (['min', 'max'] as const).map((name, index) => {
    const attribute = node.float(name);
    const bound = inputs[index + 1];
    if (attribute !== undefined) return ConstantTensor.scalar(tensor.elementType, attribute);
    if (bound !== undefined && bound.count !== 1) throw new NotEvaluated('a bound is no scalar');
    if (bound?.typed().some((element) => Number.isNaN(element))) throw new NotEvaluated('a bound is no number');
    return bound === undefined ? undefined : withDims(bound, []);
  });
  // Without a bound infinities still become the largest number.
  const largest = LARGEST[tensor.elementType];
  const lowest = low ?? (largest === undefined ? undefined : ConstantTensor.scalar(tensor.elementType, -largest));
  const highest = high ?? (largest === undefined ? undefined : ConstantTensor.scalar(tensor.elementType, largest));
  const raised = lowest === undefined ? tensor : applyBinary(tensor, lowest, MAXIMUM, context);
  return [highest === undefined ? withDims(raised, raised.dims) : applyBinary(raised, highest, MINIMUM, context)];
};
