import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlowNetwork, UNCUTTABLE } from '../../../../lib/compiler/passes/layout/minimum-cut.js';

interface Edge {
  readonly from: number;
  readonly to: number;
  readonly capacity: number;
}

function cutOf(edges: readonly Edge[], isSource: readonly boolean[]): number {
  return edges.reduce((sum, { from, to, capacity }) => (isSource[from] && !isSource[to] ? sum + capacity : sum), 0);
}

function build(nodes: number, edges: readonly Edge[]): FlowNetwork {
  const network = new FlowNetwork();
  for (let node = 2; node < nodes; node++) network.addNode();
  for (const { from, to, capacity } of edges) network.addEdge(from, to, capacity);
  return network;
}

describe('FlowNetwork', () => {
  it('parts a network where it is cheapest', () => {
    // 0 → 2 → 3 → 1, the middle being the cheapest.
    const edges = [
      { from: 0, to: 2, capacity: 5 },
      { from: 2, to: 3, capacity: 2 },
      { from: 3, to: 1, capacity: 7 },
    ];
    expect(build(4, edges).sourceSide()).toEqual([true, false, true, false]);
  });

  it('never cuts what cannot be cut', () => {
    const edges = [
      { from: 0, to: 2, capacity: 1000 },
      { from: 2, to: 3, capacity: UNCUTTABLE },
      { from: 3, to: 1, capacity: 2000 },
    ];
    const [, , second, third] = build(4, edges).sourceSide();
    expect([second, third]).toEqual([false, false]);
  });

  it('finds a cut as cheap as the cheapest of all, on random networks', () => {
    const network = fc.integer({ min: 2, max: 8 }).chain((nodes) =>
      fc.record({
        nodes: fc.constant(nodes),
        edges: fc.array(
          fc.record({
            from: fc.nat({ max: nodes - 1 }),
            to: fc.nat({ max: nodes - 1 }),
            capacity: fc.nat({ max: 20 }),
          }),
          { maxLength: 24 },
        ),
      }),
    );
    fc.assert(
      fc.property(network, ({ nodes, edges }) => {
        const found = build(nodes, edges).sourceSide();
        expect([found[0], found[1]]).toEqual([true, false]);
        let cheapest = Number.POSITIVE_INFINITY;
        for (let bits = 0; bits < 2 ** (nodes - 2); bits++) {
          const sides = [true, false, ...Array.from({ length: nodes - 2 }, (_, node) => (bits & (1 << node)) !== 0)];
          cheapest = Math.min(cheapest, cutOf(edges, sides));
        }
        expect(cutOf(edges, found)).toBe(cheapest);
      }),
      { numRuns: 500 },
    );
  });

  it('takes networks deeper than the call stack', () => {
    const network = new FlowNetwork();
    let previous = network.source;
    for (let step = 0; step < 20_000; step++) {
      const node = network.addNode();
      network.addEdge(previous, node, 3);
      previous = node;
    }
    network.addEdge(previous, network.sink, 2);
    expect(network.sourceSide().filter(Boolean)).toHaveLength(20_001);
  });
});
