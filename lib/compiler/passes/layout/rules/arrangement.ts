/** Operators that look at the arrangement itself: Transpose, Shape, Size. They take any order, and see to the rest. */
import { attribute } from '../../../ir/attribute.js';
import { Node } from '../../../ir/node.js';
import { Value, type ValueType } from '../../../ir/value.js';
import { inTurn, inverse, range } from '../order.js';
import { type Rule, wants } from './rule.js';

/** A Transpose to another order than the one in question does both at once. */
export const transpose: Rule = (node, port, order) => {
  const own = node.ints('perm');
  if (own?.length !== order.length) return wants(node, 'has no order that is known');
  const changed = port.kind === 'input' ? inTurn(inverse(order), own) : inTurn(own, order);
  return {
    inputs: port.kind === 'input' ? [order] : [],
    outputs: port.kind === 'output' ? [order] : [],
    reluctant: true,
    apply: () => void node.attributes.set('perm', attribute.ints(changed)),
  };
};

/** The sizes are taken from where they are now. */
export const shape: Rule = (node, port, order) => {
  if (port.kind === 'output') return wants(node, 'returns sizes');
  const rank = order.length;
  const bound = (value: number) => Math.min(rank, Math.max(0, value < 0 ? value + rank : value));
  const back = inverse(order);
  const positions = range(bound(node.int('start', 0)), bound(node.int('end', rank))).map(
    (axis) => back[axis] as number,
  );
  return {
    inputs: [order],
    outputs: [],
    reluctant: true,
    apply(rewriter) {
      node.attributes.delete('start');
      node.attributes.delete('end');
      const output = node.output();
      const type: ValueType = { kind: 'tensor', elementType: 'int64', shape: [rank] };
      const whole = new Value(rewriter.model.freshName(`${output.name}/reordered`), type);
      node.setOutputs([whole]);
      const indices = rewriter.int64(positions, `${output.name}/order`);
      const name = rewriter.model.freshName(`${output.name}/Gather`);
      const attributes = { axis: attribute.int(0) };
      rewriter.graph.append(new Node('Gather', [whole, indices], [output], { name, attributes }));
    },
  };
};

export const size: Rule = (node, port, order) =>
  port.kind === 'output' ? wants(node, 'returns a number') : { inputs: [order], outputs: [], apply: () => {} };
