/**
 * Fourier transforms of the last dimension. ONNX tensors of complex numbers run nowhere, so a complex value is two real ones.
 * X[k] = Σ x[n] · e^(-2πi·kn/N), for the inverse +, and divided by N.
 */
import { attribute } from '../ir/attribute.js';
import type { ElementType } from '../ir/element-type.js';
import { Tensor } from '../ir/tensor.js';
import type { Value } from '../ir/value.js';
import { binary, unary } from './elementwise.js';
import { elementTypeOf, type GraphBuilder, typeOf } from './graph-builder.js';
import { LoweringError } from './lowering-error.js';
import { matmul } from './matrix.js';
import { concat, gather, slice, squeeze, unsqueeze } from './rearrange.js';
import { requiredSize, shapeOf } from './shape.js';

export interface Complex {
  readonly real: Value;
  readonly imaginary: Value;
}

/**
 * A short transform is a product with two matrices of constants, which onnxruntime computes faster than its DFT and within a few roundings.
 * Longer ones would have matrices larger than most models; but of lengths that are no powers of two its DFT strays by 1e-4.
 */
const MATRIX_LENGTH = 1024;
const MATRIX_LENGTH_ODD = 4096;

function isByMatrix(length: number): boolean {
  return length <= (Number.isInteger(Math.log2(length)) ? MATRIX_LENGTH : MATRIX_LENGTH_ODD);
}

/** Longer transforms than any audio model has. */
const MAX_LENGTH = 2 ** 24;

/** TensorFlow's RFFT: real in; the `length / 2 + 1` frequencies from 0 out. The last dimension is cut or filled with zeros to `length`. */
export function realFft(builder: GraphBuilder, x: Value, length: number): Complex {
  const input = fitted(builder, x, length);
  const bins = Math.floor(length / 2) + 1;
  if (isByMatrix(length)) {
    const type = elementTypeOf(x);
    const angle = (n: number, k: number) => (-2 * Math.PI * ((n * k) % length)) / length;
    return {
      real: matmul(
        builder,
        input,
        matrix(builder, type, length, bins, (n, k) => Math.cos(angle(n, k))),
      ),
      imaginary: matmul(
        builder,
        input,
        matrix(builder, type, length, bins, (n, k) => Math.sin(angle(n, k))),
      ),
    };
  }
  return transform(builder, unsqueeze(builder, input, [-1]), bins, { onesided: true, inverse: false });
}

/** TensorFlow's IRFFT: the inverse of `realFft`, real out, `length` elements. Frequencies are cut or filled with zeros. */
export function inverseRealFft(builder: GraphBuilder, x: Complex, length: number): Value {
  const bins = Math.floor(length / 2) + 1;
  const [real, imaginary] = [x.real, x.imaginary].map((part) => fitted(builder, part, bins)) as [Value, Value];
  if (length > MATRIX_LENGTH_ODD) throw tooLong('An inverse transform', length);
  // The other half are the conjugates: every frequency but 0 and the middle counts twice.
  const weight = (k: number) => (k === 0 || 2 * k === length ? 1 : 2) / length;
  const angle = (k: number, n: number) => (2 * Math.PI * ((n * k) % length)) / length;
  const type = elementTypeOf(x.real);
  const cosines = matrix(builder, type, bins, length, (k, n) => weight(k) * Math.cos(angle(k, n)));
  const sines = matrix(builder, type, bins, length, (k, n) => -weight(k) * Math.sin(angle(k, n)));
  return binary(builder, 'Add', matmul(builder, real, cosines), matmul(builder, imaginary, sines));
}

/** TensorFlow's FFT and IFFT: complex in and out. */
export function complexFft(builder: GraphBuilder, x: Complex, inverse: boolean): Complex {
  const length = requiredSize(x.real, -1, 'A Fourier transform');
  if (isByMatrix(length)) {
    const type = elementTypeOf(x.real);
    const scale = inverse ? 1 / length : 1;
    const angle = (n: number, k: number) => ((inverse ? 2 : -2) * Math.PI * ((n * k) % length)) / length;
    const cosines = matrix(builder, type, length, length, (n, k) => scale * Math.cos(angle(n, k)));
    const sines = matrix(builder, type, length, length, (n, k) => scale * Math.sin(angle(n, k)));
    return {
      real: binary(builder, 'Sub', matmul(builder, x.real, cosines), matmul(builder, x.imaginary, sines)),
      imaginary: binary(builder, 'Add', matmul(builder, x.real, sines), matmul(builder, x.imaginary, cosines)),
    };
  }
  const pairs = concat(
    builder,
    [x.real, x.imaginary].map((part) => unsqueeze(builder, part, [-1])),
    -1,
  );
  return transform(builder, pairs, length, { onesided: false, inverse });
}

/** √(re² + im²) */
export function complexAbs(builder: GraphBuilder, x: Complex): Value {
  const squares = [x.real, x.imaginary].map((part) => binary(builder, 'Mul', part, part)) as [Value, Value];
  return unary(builder, 'Sqrt', binary(builder, 'Add', ...squares));
}

/** (a + bi)(c + di) = (ac - bd) + (ad + bc)i */
export function complexProduct(builder: GraphBuilder, x: Complex, y: Complex): Complex {
  const product = (a: Value, b: Value) => binary(builder, 'Mul', a, b);
  return {
    real: binary(builder, 'Sub', product(x.real, y.real), product(x.imaginary, y.imaginary)),
    imaginary: binary(builder, 'Add', product(x.real, y.imaginary), product(x.imaginary, y.real)),
  };
}

/** ONNX's DFT, of [batch…, n, 1 or 2]; it wants exactly one dimension before them in old versions, any number in all that run here. */
function transform(
  builder: GraphBuilder,
  pairs: Value,
  bins: number,
  options: { readonly onesided: boolean; readonly inverse: boolean },
): Complex {
  const { elementType, shape } = typeOf(pairs);
  const axis = shape.length - 2;
  const attributes = {
    axis: attribute.int(axis),
    onesided: attribute.int(options.onesided ? 1 : 0),
    inverse: attribute.int(options.inverse ? 1 : 0),
  };
  const result = builder.node(
    'DFT',
    [pairs],
    { elementType, shape: [...shape.slice(0, axis), bins, 2] },
    { attributes },
  );
  const part = (index: number) => squeeze(builder, gather(builder, result, builder.int64([index]), -1), [-1]);
  return { real: part(0), imaginary: part(1) };
}

function matrix(
  builder: GraphBuilder,
  elementType: ElementType,
  rows: number,
  columns: number,
  element: (row: number, column: number) => number,
): Value {
  const numbers = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) numbers[row * columns + column] = element(row, column);
  }
  return builder.constant(Tensor.fromNumbers(elementType, [rows, columns], numbers));
}

function fitted(builder: GraphBuilder, x: Value, length: number): Value {
  if (length < 1 || length > MAX_LENGTH) throw tooLong('A Fourier transform', length);
  const { elementType, shape } = typeOf(x);
  const size = requiredSize(x, -1, 'A Fourier transform');
  const axis = shape.length - 1;
  if (size >= length) return size === length ? x : slice(builder, x, [{ axis, start: 0, end: length }]);
  const pads = [...shape.map(() => 0), ...shape.map((_, index) => (index === axis ? length - size : 0))];
  const inputs = [x, builder.int64(pads), builder.scalar(0, elementType)];
  return builder.node('Pad', inputs, { elementType, shape: [...shapeOf(x).slice(0, -1), length] });
}

function tooLong(what: string, length: number): LoweringError {
  return new LoweringError({
    code: 'TRANSFORM_LENGTH',
    message: `${what} of ${length} elements is not supported.`,
    advice: 'Use a shorter transform.',
  });
}
