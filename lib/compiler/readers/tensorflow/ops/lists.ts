/** Lists of tensors: TensorArray's ops. Control flow writes to them step by step (control.ts). */
import type { Value } from '../../../ir/value.js';
import { cast } from '../../../lowering/elementwise.js';
import { knownNumbers } from '../../../lowering/known-elements.js';
import { gather, reshape, shapeVector, slice } from '../../../lowering/rearrange.js';
import type { OpCall, OpTable } from '../op-call.js';
import { listTensor, reservedList, reserveList, writeElement } from '../tensor-lists.js';

/** The list of an input as a tensor. */
function tensorOf(call: OpCall, index = 0): Value {
  return listTensor(call.builder, call.input(index), call.describe());
}

export const LIST_OPS: OpTable = {
  TensorListFromTensor: (call) => call.input(0),
  TensorListGather: (call) => gather(call.builder, tensorOf(call), call.input(1), 0),
  TensorListGetItem: (call) => gather(call.builder, tensorOf(call), call.input(1), 0),
  TensorListLength: (call) => {
    const list = reservedList(call.input(0));
    if (list !== undefined) return cast(call.builder, list.count, 'int32');
    const first = slice(call.builder, shapeVector(call.builder, call.input(0)), [{ axis: 0, start: 0, end: 1 }]);
    return cast(call.builder, reshape(call.builder, first, []), 'int32');
  },
  /** element_shape (a vector, or -1 for an unknown one) and num_elements. */
  TensorListReserve: (call) => {
    const shape = knownNumbers(call.input(0));
    const isKnown = call.input(0).rank === 1 && shape?.every((size) => size >= 0);
    return reserveList({
      elementType: call.attributes.elementType('element_dtype'),
      count: call.input(1),
      sizes: isKnown ? shape : undefined,
      writes: [],
    });
  },
  TensorListSetItem: (call) => {
    return writeElement(call.builder, call.input(0), { index: call.input(1), element: call.input(2) });
  },
  TensorListStack: (call) => tensorOf(call),
};
