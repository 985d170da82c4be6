/**
 * What a Transpose could be pushed through, before and behind it, as far as it goes. Every value of a region can lie in two orders: that of
 * the Transpose's input, called `before`, and that of its output, `after`. Values start in one of them, and so do nodes.
 */
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { inverse, isSameOrder, isSorted, type Order } from './order.js';
import type { Port, Reordering } from './rules/rule.js';
import { reorderingOf } from './rules.js';

export type Side = 'before' | 'after';

export function otherSide(side: Side): Side {
  return side === 'before' ? 'after' : 'before';
}

/** How a value lies, and what `before` and `after` mean for it. */
export interface Placement {
  readonly side: Side;
  /** Reorders what lies as `before` into `after`. */
  readonly order: Order;
}

/** A node that may change sides: as it is, it stands on `side`. */
export interface Movable {
  readonly side: Side;
  readonly reordering: Reordering;
}

export class Region {
  readonly graph: Graph;
  readonly placements = new Map<Value, Placement>();
  readonly movables = new Map<Node, Movable>();
  /** Transposes between the two orders of one value, by what they read. */
  readonly transposes = new Map<Value, Node[]>();
  /** Why nodes stay on their side. */
  readonly reasons = new Map<Node, string>();
  readonly #pending: Value[] = [];

  /** @param seed a Transpose of `graph` with an order of its own */
  constructor(graph: Graph, seed: Node) {
    this.graph = graph;
    const [input, order] = [seed.input(0), seed.ints('perm')];
    if (input === undefined || order === undefined) return;
    this.#place(input, { side: 'before', order });
    for (let value = this.#pending.pop(); value !== undefined; value = this.#pending.pop()) this.#explore(value);
  }

  /** What reorders a value from the side that it is on to the other. */
  switching(value: Value): Order | undefined {
    const placement = this.placements.get(value);
    if (placement === undefined) return undefined;
    return placement.side === 'before' ? placement.order : inverse(placement.order);
  }

  /** Whether a node that changes sides reads, or returns, the value at this port in the other order. */
  isLinked(node: Node, port: Port): boolean {
    const { inputs = [], outputs = [] } = this.movables.get(node)?.reordering ?? {};
    return (port.kind === 'input' ? inputs : outputs)[port.index] !== undefined;
  }

  /** False if the value was placed otherwise before. */
  #place(value: Value, placement: Placement): boolean {
    const known = this.placements.get(value);
    if (known !== undefined) return known.side === placement.side && isSameOrder(known.order, placement.order);
    this.placements.set(value, placement);
    this.#pending.push(value);
    return true;
  }

  #explore(value: Value): void {
    const order = this.switching(value);
    if (order === undefined) return;
    const { producer } = value;
    if (producer?.graph === this.graph) {
      const port = { kind: 'output', index: producer.outputs.indexOf(value) } as const;
      if (!this.#connect(producer.input(0), value, producer)) this.#visit(producer, port, value, order);
    }
    for (const use of value.uses) {
      if (use.kind === 'output' || use.node.graph !== this.graph) continue;
      if (this.#connect(value, use.node.outputs[0], use.node)) continue;
      this.#visit(use.node, use, value, order);
    }
  }

  /** Whether a node is the Transpose that makes one order of a value out of the other; both are placed then. */
  #connect(input: Value | undefined, output: Value | undefined, node: Node): boolean {
    const perm = node.is('Transpose') ? node.ints('perm') : undefined;
    if (perm === undefined || input === undefined || output === undefined) return false;
    const known = this.transposes.get(input) ?? [];
    if (known.includes(node)) return true;
    const [from, to] = [this.placements.get(input), this.placements.get(output)];
    const side = from?.side ?? otherSide((to as Placement).side);
    // `perm` leads from the one side to the other, whichever the input lies on.
    const order = side === 'before' ? perm : inverse(perm);
    const [first, second] = [
      { side, order },
      { side: otherSide(side), order },
    ];
    const fits = (placement: Placement | undefined, expected: Placement) =>
      placement === undefined || (placement.side === expected.side && isSameOrder(placement.order, expected.order));
    if (!fits(from, first) || !fits(to, second)) return false;
    this.#place(input, first);
    this.#place(output, second);
    this.transposes.set(input, [...known, node]);
    return true;
  }

  #visit(node: Node, port: Port, value: Value, order: Order): void {
    const placement = this.placements.get(value);
    if (placement === undefined || this.reasons.has(node)) return;
    const known = this.movables.get(node);
    if (known !== undefined) {
      const ports = port.kind === 'input' ? known.reordering.inputs : known.reordering.outputs;
      const own = ports[port.index];
      // A port without an order reads the value as it is, whatever becomes of the node.
      if (own !== undefined && (known.side !== placement.side || !isSameOrder(own, order))) {
        this.#fix(node, `${node.describe()} would have to take its inputs in different orders`);
      }
      return;
    }
    const reordering = reorderingOf(node, port, order);
    if (typeof reordering === 'string') {
      this.#fix(node, reordering);
      return;
    }
    // A value whose every axis has size 1 is read as it is in any order: its side says nothing of the node's.
    const orders = port.kind === 'input' ? reordering.inputs : reordering.outputs;
    if (orders[port.index] === undefined) return;
    this.movables.set(node, { side: placement.side, reordering });
    const linked: [Value | undefined, Order | undefined][] = [
      ...node.inputs.map((each, index) => [each, reordering.inputs[index]] as [Value | undefined, Order | undefined]),
      ...node.outputs.map((each, index) => [each, reordering.outputs[index]] as [Value | undefined, Order | undefined]),
    ];
    for (const [each, own] of linked) {
      if (each === undefined || own === undefined || isSorted(own)) continue;
      const placed = this.#place(each, {
        side: placement.side,
        order: placement.side === 'before' ? own : inverse(own),
      });
      if (!placed) {
        this.#fix(node, `${node.describe()} would have to take its inputs in different orders`);
        return;
      }
    }
  }

  #fix(node: Node, reason: string): void {
    this.movables.delete(node);
    this.reasons.set(node, reason);
  }
}
