/** Dropout, which does nothing when a model serves, and what surrounds that. */
import { Tensor } from '../../ir/tensor.js';
import type { NodeConverter } from './step.js';

const MASK = 'it also returns the mask of what was dropped, whose meaning changed';

/** Dropout-7 → Dropout-10. */
export const dropoutMask: NodeConverter = (node) => {
  if ((node.outputs[1]?.uses.size ?? 0) > 0) return MASK;
  node.setOutputs(node.outputs.slice(0, 1));
  return undefined;
};

/** Dropout-10 → Dropout-12: the ratio becomes an input. */
export const dropoutRatioToInput: NodeConverter = (node, context) => {
  if ((node.outputs[1]?.uses.size ?? 0) > 0) return MASK;
  node.setOutputs(node.outputs.slice(0, 1));
  const ratio = node.float('ratio');
  node.attributes.delete('ratio');
  if (ratio !== undefined) node.setInput(1, context.constant(node, 'ratio', Tensor.scalar('float32', ratio)));
  return undefined;
};
