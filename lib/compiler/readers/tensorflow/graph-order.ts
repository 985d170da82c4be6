/** The nodes of a graph in an order in which each comes after what it reads. */
import type { NodeDef } from '../../formats/tensorflow/graph-def.js';
import { ReaderError } from '../reader-error.js';
import { isControl, nodeOf } from './functions/references.js';

const damaged = 'The file is damaged or was written by a faulty exporter; export the model again.';

/** What a node reads; inputs that only order side effects (`^node`) are none. */
export function dataInputs(node: NodeDef): readonly string[] {
  return node.inputs.filter((input) => !isControl(input));
}

/** @throws ReaderError GRAPH_DUPLICATE */
export function nodesByName(nodes: readonly NodeDef[]): ReadonlyMap<string, NodeDef> {
  const byName = new Map<string, NodeDef>();
  for (const node of nodes) {
    if (byName.has(node.name)) {
      throw new ReaderError({
        code: 'GRAPH_DUPLICATE',
        message: `The graph has two nodes named '${node.name}'.`,
        advice: damaged,
      });
    }
    byName.set(node.name, node);
  }
  return byName;
}

/**
 * The nodes that `roots` need, each after those that it reads. A stack of its own: graphs are deeper than the call stack.
 * @param roots names of nodes
 * @param isFed whether a node's value is given: nothing behind it is needed
 * @throws ReaderError GRAPH_NODE_MISSING, GRAPH_CYCLE
 */
export function orderOf(
  byName: ReadonlyMap<string, NodeDef>,
  roots: readonly string[],
  isFed: (name: string) => boolean,
): NodeDef[] {
  const order: NodeDef[] = [];
  const state = new Map<string, 'open' | 'done'>();
  for (const root of roots) {
    const stack: { readonly node: NodeDef; readonly pending: string[] }[] = [];
    const enter = (name: string, reader: string) => {
      if (isFed(name) || state.get(name) === 'done') return;
      if (state.get(name) === 'open') throw cycle(name);
      const node = byName.get(name);
      if (node === undefined) throw missing(name, reader);
      state.set(name, 'open');
      stack.push({
        node,
        pending: dataInputs(node).map(nodeOf).reverse(),
      });
    };
    enter(root, 'an output of the model');
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = top.pending.pop();
      if (next !== undefined) enter(next, `${top.node.op} '${top.node.name}'`);
      else {
        state.set(top.node.name, 'done');
        order.push(top.node);
        stack.pop();
      }
    }
  }
  return order;
}

function missing(name: string, reader: string): ReaderError {
  return new ReaderError({
    code: 'GRAPH_NODE_MISSING',
    message: `There is no node '${name}', which ${reader} needs.`,
    advice: damaged,
  });
}

function cycle(name: string): ReaderError {
  return new ReaderError({
    code: 'GRAPH_CYCLE',
    message: `Node '${name}' depends on its own output.`,
    advice:
      "The loops of TensorFlow 1's graphs (Enter, NextIteration) are not supported: export with control flow v2 (tf.compat.v1.enable_control_flow_v2).",
  });
}
