/** Runs one operator's entry of the tables, with what is the same for all around it: names, quantized outputs, declared types. */
import type { TfliteOperator, TfliteTensor } from '../../formats/tflite/model.js';
import type { Value } from '../../ir/value.js';
import { cast } from '../../lowering/elementwise.js';
import { atPlace } from '../at-place.js';
import { elementTypeOf } from './constants.js';
import { declaredShape, OperatorCall, refineShape } from './operator-call.js';
import type { OperatorEntry } from './operator-table.js';
import { clipStored, isEightBit, isQuantized, quantize, sameQuantization } from './quantization.js';
import type { TensorScope } from './tensor-scope.js';

/** @throws ReaderError with the operator's place */
export function lowerOperator(scope: TensorScope, operator: TfliteOperator, entry: OperatorEntry): void {
  const call = new OperatorCall(scope, operator, movesStored(scope, operator, entry));
  atPlace(call.place, () => {
    scope.builder.scope(pathOf(call), () => {
      const result = entry.lower(call);
      const values = Array.isArray(result) ? (result as readonly Value[]) : [result as Value];
      for (const [position, index] of operator.outputs.entries()) {
        const value = values[position];
        if (value === undefined) throw call.error('OUTPUT_MISSING', `has ${operator.outputs.length} outputs`);
        scope.define(index, storedOutput(call, value, scope.tensor(index)));
      }
    });
  });
}

/** Converters join the names of what they fuse with semicolons. */
function pathOf(call: OperatorCall): string {
  const [name = ''] = (call.operator.outputs.length === 0 ? '' : call.outputTensor().name).split(';');
  return name === '' ? call.operator.code : name;
}

function storedOutput(call: OperatorCall, value: Value, tensor: TfliteTensor): Value {
  const { builder } = call;
  const stored = isQuantized(tensor)
    ? call.movesStored
      ? clipStored(builder, value, tensor, call.bounds)
      : quantize(builder, cast(builder, value, 'float32'), tensor, call.bounds)
    : cast(builder, value, elementTypeOf(tensor));
  refineShape(stored, declaredShape(tensor));
  return stored;
}

/** Whether all quantized tensors of an operator that moves elements have the same scales and zero points, and there are any. */
function movesStored(scope: TensorScope, { inputs, outputs }: TfliteOperator, { moves }: OperatorEntry): boolean {
  if (moves === 'as stored') return true;
  const indices = [...inputs, ...outputs].filter((index) => index !== undefined);
  const tensors = indices.map((index) => scope.tensor(index)).filter(isQuantized);
  const [first] = tensors;
  if (first === undefined || moves === 'nothing' || (moves === 'bytes' && !isEightBit(first))) return false;
  return tensors.every((tensor) => sameQuantization(first, tensor));
}
