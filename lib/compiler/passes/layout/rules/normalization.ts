/** Operators that know which axis the batch and the channels are on, or which axes they normalize. */
import { attribute } from '../../../ir/attribute.js';
import { Node } from '../../../ir/node.js';
import { Tensor } from '../../../ir/tensor.js';
import { Value } from '../../../ir/value.js';
import { foldedBatchNormalization } from '../../fuse-batch-normalization.js';
import { isSorted, movedAxes, type Order } from '../order.js';
import { frontAxes, frontAxis, type Reordering, type Rule, throughout, wants } from './rule.js';

/** The axes behind the channels may change places, the first two not. */
const keepsChannels = (order: Order) => order[0] === 0 && order[1] === 1;

/** BatchNormalization for inference. */
export const batchNormalization: Rule = (node, _port, order) => {
  if (node.int('training_mode', 0) === 1 || node.outputs.length > 1) return wants(node, 'is set for training');
  return keepsChannels(order) ? throughout(node, order, [0]) : spelledOut(node, order);
};

/** With its channels elsewhere it is a multiplication and an addition. */
function spelledOut(node: Node, order: Order): Reordering | string {
  const folded = foldedBatchNormalization(node);
  if (folded === undefined || order.length < 3) return wants(node, 'has its channels on the second axis');
  const dims = order.map((axis) => (axis === 1 ? folded.scale.length : 1));
  const from = dims.findIndex((size) => size !== 1);
  return {
    inputs: [order],
    outputs: [order],
    reluctant: true,
    apply(rewriter) {
      const output = node.output();
      const [scale, shift] = [folded.scale, folded.shift].map((numbers) =>
        rewriter.constant(
          Tensor.fromNumbers('float32', from < 0 ? [] : dims.slice(from), numbers),
          `${output.name}/factor`,
        ),
      );
      const product = new Value(rewriter.model.freshName(`${output.name}/scaled`), output.type);
      node.opType = 'Mul';
      node.attributes.clear();
      node.setInputs([node.input(0), scale]);
      node.setOutputs([product]);
      const name = rewriter.model.freshName(`${output.name}/Add`);
      rewriter.graph.append(new Node('Add', [product, shift], [output], { name }));
    },
  };
}

/** InstanceNormalization, and pools over all of a picture, to the last digit or nearly so. */
export const perChannel: Rule = (node, _port, order) =>
  keepsChannels(order) ? throughout(node, order, [0]) : wants(node, 'has its channels on the second axis');

/** Only the axes in front of those that it normalizes may change places. */
export const layerNormalization: Rule = (node, _port, order) => {
  const axis = frontAxis(node.int('axis', -1), order.length);
  if (axis === undefined) return wants(node, 'normalizes an axis that its input does not have');
  if (node.outputs.slice(1).some((value) => value !== undefined && value.uses.size > 0)) {
    return wants(node, 'returns means and deviations');
  }
  const trailing = order.slice(axis).map((from) => from - axis);
  if (!isSorted(trailing)) return wants(node, 'normalizes the last axes');
  const reordering = throughout(node, order, [0]);
  if (typeof reordering === 'string') return reordering;
  return { ...reordering, outputs: [order] };
};

export const meanVarianceNormalization: Rule = (node, _port, order) => {
  const axes = frontAxes(node.ints('axes') ?? [0, 2, 3], order.length);
  if (axes === undefined) return wants(node, 'normalizes an axis that its input does not have');
  return throughout(node, order, [0], () => {
    node.attributes.set('axes', attribute.ints(movedAxes(axes, order)));
  });
};
