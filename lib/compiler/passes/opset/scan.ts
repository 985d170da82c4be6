/** Scan-8 → Scan-9: the batch dimension went away. */
import { type Attribute, attribute } from '../../ir/attribute.js';
import type { NodeConverter } from './step.js';

/** Every input and output of version 8 has a batch of sequences in front; only a batch of one can be taken off. */
export const scanWithoutBatch: NodeConverter = (node, context) => {
  if (node.input(0) !== undefined) return 'it is given the lengths of its sequences, which version 9 does not take';
  const batched = node.inputs.slice(1);
  const one = batched.some((value) => {
    const shape = value?.type?.kind === 'tensor' ? value.type.shape : undefined;
    return shape?.[0] === 1;
  });
  if (!one) return 'it runs over a batch of sequences, which version 9 cannot';
  const directions = node.ints('directions');
  if (directions !== undefined) {
    node.attributes.delete('directions');
    node.attributes.set('scan_input_directions', attribute.ints(directions));
  }
  node.setInputs(batched);
  const axes: Record<string, Attribute> = { axes: attribute.ints([0]) };
  for (const index of batched.keys()) context.wrapInput(node, index, 'Squeeze', axes);
  for (const index of node.outputs.keys()) {
    if (node.outputs[index] !== undefined) context.wrapOutput(node, index, 'Unsqueeze', axes);
  }
  return undefined;
};
