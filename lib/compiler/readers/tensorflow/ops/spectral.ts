/** Fourier transforms and complex numbers. */
import type { Value } from '../../../ir/value.js';
import { binary, unary } from '../../../lowering/elementwise.js';
import { elementTypeOf } from '../../../lowering/graph-builder.js';
import { type Complex, complexAbs, complexFft, inverseRealFft, realFft } from '../../../lowering/spectral.js';
import { isComplex, type OpCall, type OpTable } from '../op-call.js';

export const SPECTRAL_OPS: OpTable = {
  Complex: (call) => ({ real: call.input(0), imaginary: call.input(1) }),
  ComplexAbs: (call) => complexAbs(call.builder, complexInput(call)),
  Conj: (call) => {
    const { real, imaginary } = complexInput(call);
    return { real, imaginary: unary(call.builder, 'Neg', imaginary) };
  },
  FFT: (call) => complexFft(call.builder, complexInput(call), false),
  IFFT: (call) => complexFft(call.builder, complexInput(call), true),
  IRFFT: (call) => inverseRealFft(call.builder, complexInput(call), call.number(1, 'length')),
  Imag: (call) => complexInput(call).imaginary,
  RFFT: (call) => realFft(call.builder, call.input(0), call.number(1, 'length')),
  Real: (call) => complexInput(call).real,
};

/** A real operand is one without an imaginary part. */
function complexInput(call: OpCall): Complex {
  const operand = call.operand(0);
  if (isComplex(operand)) return operand;
  const zero: Value = binary(call.builder, 'Mul', operand, call.builder.scalar(0, elementTypeOf(operand)));
  return { real: operand, imaginary: zero };
}
