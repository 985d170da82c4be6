/** Between real and stored numbers. What is quantized here is so by the declaration of the output, as for every other operator. */
import type { Value } from '../../../ir/value.js';
import { binary, cast, clip, unary } from '../../../lowering/elementwise.js';
import type { OperatorCall } from '../operator-call.js';
import { computing, moving, type OperatorTable } from '../operator-table.js';

export const quantizing: OperatorTable = {
  /** Sparse constants are all of their elements wherever they are read. */
  DENSIFY: moving((call) => call.scope.stored(call.inputTensor(0))),
  /** Of float16 too, behind which converters keep weights. */
  DEQUANTIZE: computing((call) => cast(call.builder, call.scope.realConstant(call.inputTensor(0)), 'float32')),
  FAKE_QUANT: computing(fakeQuantized),
  QUANTIZE: computing((call) => call.input(0)),
};

/**
 * To the nearest of 2^bits - 1 steps between two numbers, moved so that zero is one of them; floor(x / step + 0.5).
 * https://www.tensorflow.org/api_docs/python/tf/quantization/fake_quant_with_min_max_args
 */
function fakeQuantized(call: OperatorCall): Value {
  const { builder } = call;
  const { minimum, maximum, bits } = call.options('FakeQuantOptions');
  const most = 2 ** bits - 1;
  const step = Math.fround((maximum - minimum) / most);
  if (!(step > 0) || bits < 2 || bits > 16)
    throw call.error('OPTIONS_INVALID', `has ${bits} bits from ${minimum} to ${maximum}`);
  const zero = Math.min(most, Math.max(0, Math.round(-minimum / step)));
  const [low, high] = [Math.fround(-zero * step), Math.fround((most - zero) * step)];
  const x = clip(builder, call.input(0), low, high);
  const steps = binary(builder, 'Mul', binary(builder, 'Sub', x, builder.scalar(low)), builder.scalar(1 / step));
  const rounded = unary(builder, 'Floor', binary(builder, 'Add', steps, builder.scalar(0.5)));
  return binary(builder, 'Add', binary(builder, 'Mul', rounded, builder.scalar(step)), builder.scalar(low));
}
