/** BatchNormalization and GroupNormalization between their versions. */
import { Tensor } from '../../ir/tensor.js';
import type { NodeConverter } from './step.js';

/** BatchNormalization-7 → BatchNormalization-9: statistics per channel only. */
export const batchNormalizationSpatial: NodeConverter = (node) => {
  if (node.int('spatial', 1) !== 1)
    return 'it normalizes each feature on its own (spatial = 0), which version 9 cannot';
  node.attributes.delete('spatial');
  return undefined;
};

/** BatchNormalization-9 → BatchNormalization-14: more than one output used to mean training. */
export const batchNormalizationInference: NodeConverter = (node) => {
  if (node.outputs.slice(1).some((value) => value !== undefined)) {
    return 'it also returns statistics: the model was exported for training';
  }
  node.setOutputs(node.outputs.slice(0, 1));
  return undefined;
};

/** GroupNormalization-18 → GroupNormalization-21: scale and bias per channel, no longer per group. */
export const groupNormalizationPerChannel: NodeConverter = (node, context) => {
  const groups = node.int('num_groups');
  const shape = node.input(0)?.type;
  const channels = shape?.kind === 'tensor' ? shape.shape?.[1] : undefined;
  if (groups === undefined || typeof channels !== 'number' || channels % groups !== 0) {
    return 'the number of its channels is unknown, and version 21 wants a scale for each';
  }
  const perGroup = channels / groups;
  for (const index of [1, 2]) {
    const constant = node.constantInput(index);
    if (constant !== undefined) {
      node.setInput(index, context.constant(node, index === 1 ? 'scale' : 'bias', repeatEach(constant, perGroup)));
    } else {
      context.wrapInput(node, index, 'Reshape', {}, [context.constant(node, 'column', Tensor.int64([groups, 1]))]);
      context.wrapInput(node, index, 'Expand', {}, [context.constant(node, 'grid', Tensor.int64([groups, perGroup]))]);
      context.wrapInput(node, index, 'Reshape', {}, [context.constant(node, 'channels', Tensor.int64([channels]))]);
    }
  }
  return undefined;
};

function repeatEach(tensor: Tensor, times: number): Tensor {
  const bytes = tensor.bytes();
  const size = bytes.byteLength / tensor.count;
  const repeated = new Uint8Array(bytes.byteLength * times);
  for (let index = 0; index < tensor.count * times; index++) {
    const from = Math.floor(index / times) * size;
    repeated.set(bytes.subarray(from, from + size), index * size);
  }
  return new Tensor(tensor.elementType, [tensor.count * times], { kind: 'bytes', bytes: repeated });
}
