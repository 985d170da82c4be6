/** The commonest change of all: what was an attribute became an input. */
import { elementCount, Tensor } from '../../ir/tensor.js';
import { inferElementType } from '../inferred-type.js';
import type { NodeConverter } from './step.js';

/** Moves the `ints` attribute `name` to an int64 input. An attribute left out, or empty, becomes no input. */
export function intsToInput(name: string, index: number): NodeConverter {
  return (node, context) => {
    const values = node.ints(name);
    node.attributes.delete(name);
    if (values !== undefined && values.length > 0) {
      node.setInput(index, context.constant(node, name, Tensor.int64(values)));
    }
    return undefined;
  };
}

/** Slice-1 → Slice-10. */
export const sliceToInputs: NodeConverter = (node, context) => {
  for (const [index, name] of ['starts', 'ends', 'axes'].entries()) intsToInput(name, index + 1)(node, context);
  if (node.inputs.length >= 3) return undefined;
  // An empty list of axes: every input is there, and slices nothing.
  const none = context.constant(node, 'starts', Tensor.int64([]));
  node.setInputs([node.input(0), none, none, none]);
  return undefined;
};

/** TopK-1 → TopK-10: `k` becomes a tensor of one element. */
export const topKToInput: NodeConverter = (node, context) => {
  const k = node.int('k');
  if (k === undefined) return "it has no attribute 'k'";
  node.attributes.delete('k');
  node.setInput(1, context.constant(node, 'k', Tensor.int64([k])));
  return undefined;
};

/** Clip-6 → Clip-11: bounds become scalars of the data's own type. */
export const clipToInputs: NodeConverter = (node, context) => {
  const bounds = [node.float('min'), node.float('max')];
  node.attributes.delete('min');
  node.attributes.delete('max');
  if (bounds.every((bound) => bound === undefined)) return undefined;
  const elementType = inferElementType(node.input(0));
  if (elementType === undefined) return 'the element type of its data is unknown, and its bounds need the same';
  for (const [position, bound] of bounds.entries()) {
    if (bound === undefined) continue;
    const name = position === 0 ? 'min' : 'max';
    node.setInput(position + 1, context.constant(node, name, Tensor.scalar(elementType, bound)));
  }
  return undefined;
};

/** Pad-2 → Pad-11. */
export const padToInputs: NodeConverter = (node, context) => {
  const value = node.float('value', 0);
  const elementType = value === 0 ? undefined : inferElementType(node.input(0));
  if (value !== 0 && elementType === undefined) {
    return 'the element type of its data is unknown, and the value to pad with needs the same';
  }
  const pads = node.ints('pads');
  if (pads === undefined) return "it has no attribute 'pads'";
  node.attributes.delete('pads');
  node.attributes.delete('value');
  node.setInput(1, context.constant(node, 'pads', Tensor.int64(pads)));
  if (elementType !== undefined) node.setInput(2, context.constant(node, 'value', Tensor.scalar(elementType, value)));
  return undefined;
};

/** DFT-17 → DFT-20: the axis becomes an input, with another default. */
export const dftAxisToInput: NodeConverter = (node, context) => {
  const axis = node.int('axis', 1);
  node.attributes.delete('axis');
  node.setInput(2, context.constant(node, 'axis', Tensor.int64([axis], [])));
  return undefined;
};

/** Split-13 → Split-18: without sizes, the number of parts is stated. */
export const splitNumOutputs: NodeConverter = (node) => {
  if (node.input(1) === undefined)
    node.attributes.set('num_outputs', { kind: 'int', value: BigInt(node.outputs.length) });
  return undefined;
};

/** Takes out optional constant inputs from `first` on that are empty, which stood for inputs left out. */
export function dropEmptyInputs(first: number, last: number): NodeConverter {
  return (node) => {
    const inputs = [...node.inputs];
    for (let index = first; index <= last; index++) {
      const dims = inputs[index]?.staticShape;
      if (dims !== undefined && elementCount(dims) === 0) inputs[index] = undefined;
    }
    while (inputs.length > 0 && inputs.at(-1) === undefined) inputs.pop();
    node.setInputs(inputs);
    return undefined;
  };
}
