/** Operators that name one axis by attribute or by input. */
import { attribute } from '../../../ir/attribute.js';
import { Tensor } from '../../../ir/tensor.js';
import { type Order, orderWith, orderWithout, range } from '../order.js';
import { frontAxis, listInput, orderOrNothing, type Rule, shapeOf, throughout, wants } from './rule.js';

/** One attribute `axis`, and inputs and outputs of one rank. */
function alongAxis(fallback: number, positions?: readonly number[]): Rule {
  return (node, _port, order) => {
    const axis = frontAxis(node.int('axis', fallback), order.length);
    if (axis === undefined) return wants(node, 'names an axis that its input does not have');
    return throughout(node, order, positions ?? [...node.inputs.keys()], () => {
      node.attributes.set('axis', attribute.int(order.indexOf(axis)));
    });
  };
}

export const concat = alongAxis(1);
export const split = alongAxis(0, [0]);
export const topK = alongAxis(-1, [0]);
export const lpNormalization = alongAxis(-1, [0]);
/** GatherElements and ScatterElements: data, indices and updates lie alike. */
export const elementsAlong = alongAxis(0);

/** Softmax and its kin: onnxruntime brings any axis but the last to the end and back, which is two Transposes nobody sees. */
export const softmax: Rule = (node, port, order) => {
  const reordering = alongAxis(-1, [0])(node, port, order);
  const axis = frontAxis(node.int('axis', -1), order.length);
  if (typeof reordering === 'string' || axis === undefined) return reordering;
  const cost = (position: number) => (position === order.length - 1 ? 0 : 2);
  return { ...reordering, hidden: { before: cost(axis), after: cost(order.indexOf(axis)) } };
};

export const cumulativeSum: Rule = (node, _port, order) => {
  const list = listInput(node, 1);
  const axis = typeof list === 'string' ? undefined : frontAxis(list[0] ?? 0, order.length);
  const like = node.constantInput(1);
  if (axis === undefined || like === undefined) return wants(node, 'has a computed axis');
  return throughout(node, order, [0], (rewriter) => {
    rewriter.replaceConstant(node, 1, Tensor.fromNumbers(like.elementType, like.dims, [order.indexOf(axis)]));
  });
};

export const argMax: Rule = (node, port, order) => {
  const keeps = node.int('keepdims', 1) === 1;
  const rank = port.kind === 'input' || keeps ? order.length : order.length + 1;
  const axis = frontAxis(node.int('axis', 0), rank);
  if (axis === undefined) return wants(node, 'names an axis that its input does not have');
  const input = port.kind === 'input' || keeps ? order : orderWith(order, [axis]);
  const output = keeps ? input : orderWithout(input, [axis]);
  return {
    inputs: [orderOrNothing(input)],
    outputs: [orderOrNothing(output)],
    apply: () => void node.attributes.set('axis', attribute.int(input.indexOf(axis))),
  };
};

/** Gather: the axes of the indices stand in the place of the one that they index. */
export const gather: Rule = (node, port, order) => {
  const [data, indices] = [node.input(0), node.input(1)];
  const count = shapeOf(indices)?.length;
  if (data === undefined || count === undefined) return wants(node, 'has indices of unknown rank');
  if (node.constantInput(0) !== undefined) return wants(node, 'looks up a constant');
  if (port.kind === 'input' && port.index !== 0) return wants(node, 'reads indices');
  const rank = port.kind === 'input' ? order.length : order.length + 1 - count;
  const axis = frontAxis(node.int('axis', 0), rank);
  if (axis === undefined) return wants(node, 'names an axis that its input does not have');
  const input = port.kind === 'input' ? order : inputOrder(order, axis, count);
  if (input === undefined) return wants(node, 'has indices whose axes would part');
  // Axes of the output, by the axis of the input that they come from.
  const outputAxes = (from: number) =>
    from === axis ? range(axis, axis + count) : [from < axis ? from : from - 1 + count];
  const output = input.flatMap(outputAxes);
  return {
    inputs: [orderOrNothing(input)],
    outputs: [orderOrNothing(output)],
    apply: () => void node.attributes.set('axis', attribute.int(input.indexOf(axis))),
  };
};

function inputOrder(output: Order, axis: number, count: number): number[] | undefined {
  if (count === 0) return orderWith(output, [axis]);
  const first = output.indexOf(axis);
  for (let index = 0; index < count; index++) if (output[first + index] !== axis + index) return undefined;
  return output
    .filter((from) => from <= axis || from >= axis + count)
    .map((from) => (from <= axis ? from : from - count + 1));
}
