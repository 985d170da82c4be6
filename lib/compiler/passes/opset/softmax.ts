/** Softmax, LogSoftmax and Hardmax before and after version 13. */
import { attribute } from '../../ir/attribute.js';
import { inferRank } from '../inferred-type.js';
import type { NodeConverter } from './step.js';

/**
 * Before version 13 the input is flattened to two dimensions at `axis` (default 1) and the operator runs over the whole
 * second one; since then it runs over one axis (default -1). The two agree where nothing longer than 1 follows the axis.
 * Elsewhere the flattening is spelled out: Flatten → operator over the last axis → Reshape to the input's shape.
 */
export const softmaxOverOneAxis: NodeConverter = (node, context) => {
  const axis = node.int('axis', 1);
  const data = node.input(0);
  const shape = data?.type?.kind === 'tensor' ? data.type.shape : undefined;
  const rank = inferRank(data);
  const position = axis >= 0 || rank === undefined ? axis : axis + rank;
  const trailing = position >= 0 ? shape?.slice(position + 1) : undefined;
  if (axis === -1 || position + 1 === rank || trailing?.every((dimension) => dimension === 1)) {
    node.attributes.set('axis', attribute.int(axis));
    return undefined;
  }
  const dimensions = context.insert(node, 'Shape', [data]);
  context.wrapInput(node, 0, 'Flatten', { axis: attribute.int(axis) });
  node.attributes.set('axis', attribute.int(-1));
  context.wrapOutput(node, 0, 'Reshape', {}, [dimensions]);
  return undefined;
};
