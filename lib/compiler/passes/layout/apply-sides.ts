/** Lets nodes change sides: they are rewritten, and what the others read in the order that they had is transposed. */
import { attribute } from '../../ir/attribute.js';
import type { Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import { Node } from '../../ir/node.js';
import { sortTopologically } from '../../ir/traversal.js';
import { Value } from '../../ir/value.js';
import type { End, Reader, Sides, Wire } from './choose-sides.js';
import { inverse, type Order } from './order.js';
import type { Region, Side } from './region.js';
import { Rewriter, reorderedType } from './rewriter.js';

export function applySides(model: Model, region: Region, sides: Sides, wires: readonly Wire[]): void {
  const { graph } = region;
  const rewriter = new Rewriter(model, graph);
  const unused: Node[] = [];
  for (const wire of wires) unused.push(...new Rewiring(model, region, sides, wire).run());
  // Rules put nodes in front of inputs, which are what they shall be only now.
  for (const [node, { side, reordering }] of region.movables) {
    if (sides.get(node) !== side) reordering.apply(rewriter);
  }
  graph.remove(...unused);
  sortTopologically(graph);
}

class Rewiring {
  readonly #model: Model;
  readonly #graph: Graph;
  readonly #region: Region;
  readonly #sides: Sides;
  readonly #wire: Wire;
  /** From the side that the root was on to the other. */
  readonly #order: Order;
  readonly #start: Side;

  constructor(model: Model, region: Region, sides: Sides, wire: Wire) {
    this.#model = model;
    this.#graph = region.graph;
    this.#region = region;
    this.#sides = sides;
    this.#wire = wire;
    this.#order = region.switching(wire.root) ?? [];
    this.#start = region.placements.get(wire.root)?.side ?? 'before';
  }

  /** @returns Transposes that nobody reads any more */
  run(): readonly Node[] {
    const { root, transposes, readers } = this.#wire;
    const wanted = readers.map((reader) => ({ ...reader, side: this.#sideOf(reader.end) }));
    const moves = this.#sideOf(this.#wire.producer) !== this.#start;
    if (!moves && transposes.length === 0 && wanted.every(({ side }) => side === this.#start)) return [];
    const other = wanted.filter(({ side }) => side !== this.#start);
    const same = wanted.filter(({ side }) => side === this.#start);
    if (moves) {
      const needsRoot = same.length > 0;
      const reordered = this.#returnReordered(needsRoot);
      // The root's name and type stay with it, where somebody still wants it.
      if (needsRoot) this.#transpose(reordered, inverse(this.#order), root);
      this.#read(other, reordered);
      this.#read(same, root);
    } else {
      if (other.length > 0) this.#read(other, this.#reorderedRoot());
      this.#read(same, root);
    }
    return unusedOf(transposes);
  }

  #sideOf(end: End): Side {
    return typeof end === 'string' ? end : (this.#sides.get(end) as Side);
  }

  /** Outputs of the graph are values of their own, which keep their names: one of them can be what the others read. */
  #outputTranspose(): Node | undefined {
    return this.#wire.transposes.find(
      (node) => node.output().isGraphOutput && this.#region.placements.get(node.output())?.side !== this.#start,
    );
  }

  /** Lets the producer return its output in the other order. */
  #returnReordered(keepsRoot: boolean): Value {
    const { root } = this.#wire;
    const producer = root.producer as Node;
    const chosen = this.#outputTranspose();
    let value: Value;
    if (chosen === undefined) {
      const name = keepsRoot ? this.#model.freshName(`${root.name}/reordered`) : root.name;
      value = new Value(name, reorderedType(root.type, this.#order));
    } else {
      value = chosen.output();
      chosen.setOutputs([]);
    }
    producer.setOutputs(producer.outputs.map((output) => (output === root ? value : output)));
    return value;
  }

  /** What a Transpose of the root returns: one that is there, or a new one. */
  #reorderedRoot(): Value {
    const { root, transposes } = this.#wire;
    const known = this.#outputTranspose() ?? transposes.find((node) => node.input(0) === root);
    if (known !== undefined) return known.output();
    const value = new Value(this.#model.freshName(`${root.name}/reordered`), reorderedType(root.type, this.#order));
    this.#transpose(root, this.#order, value);
    return value;
  }

  #transpose(input: Value, order: Order, output: Value): void {
    const name = this.#model.freshName(`${output.name}/Transpose`);
    const attributes = { perm: attribute.ints(order) };
    this.#graph.append(new Node('Transpose', [input], [output], { name, attributes }));
  }

  #read(readers: readonly Reader[], value: Value): void {
    for (const { use, value: before } of readers) {
      if (before === value) continue;
      if (use.kind === 'input') use.node.setInput(use.index, value);
      else this.#returnAs(before, value);
    }
  }

  /** An output of the graph that holds the same as another: under its own name all the same. */
  #returnAs(output: Value, value: Value): void {
    output.producer?.setOutputs([]);
    const name = this.#model.freshName(`${output.name}/Identity`);
    this.#graph.append(new Node('Identity', [value], [output], { name }));
  }
}

/** Of Transposes, the first of a chain first, those that nobody reads but one another. */
function unusedOf(transposes: readonly Node[]): Node[] {
  const unused = new Set<Node>();
  for (const node of [...transposes].reverse()) {
    const uses = node.outputs.flatMap((output) => [...(output?.uses ?? [])]);
    if (uses.every((use) => use.kind === 'input' && unused.has(use.node))) unused.add(node);
  }
  return [...unused];
}
