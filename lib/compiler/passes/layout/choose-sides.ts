/** On which side every node of a region is cheapest: fewest Transposes first, then fewest elements to move. */
import type { Node } from '../../ir/node.js';
import type { Dimension, Use, Value } from '../../ir/value.js';
import { FlowNetwork, UNCUTTABLE } from './minimum-cut.js';
import { movesNothing } from './order.js';
import { otherSide, type Region, type Side } from './region.js';
import { shapeOf } from './rules/rule.js';

/** A node that may change sides, or what is given. */
export type End = Node | Side;

/** One value in both of its orders: what makes it, who reads it. */
export interface Wire {
  /** The value that no Transpose of the region makes. */
  readonly root: Value;
  readonly producer: End;
  readonly readers: readonly Reader[];
  /** Transposes between its orders, as they are. */
  readonly transposes: readonly Node[];
}

export interface Reader {
  readonly use: Use;
  /** What it reads now. */
  readonly value: Value;
  readonly end: End;
}

export interface Cost {
  readonly transposes: number;
  /** Elements that they move, and those that onnxruntime moves inside of nodes. */
  readonly elements: number;
  /** What breaks ties: nodes on the side that suits them less. */
  readonly dislikes: number;
}

export type Sides = ReadonlyMap<Node, Side>;

/** Sides for all nodes that may change, or undefined where it is best as it is. */
export function chooseSides(region: Region): { readonly sides: Sides; readonly wires: readonly Wire[] } | undefined {
  const wires = wiresOf(region);
  if (wires.length > MAXIMUM_WIRES) return undefined;
  const preferred = preferredSide(region);
  const current: Sides = new Map([...region.movables].map(([node, { side }]) => [node, side]));
  const sides = cheapestSides(region, wires, preferred);
  const [before, after] = [current, sides].map((each) => costOf(region, wires, preferred, each));
  if (before === undefined || after === undefined || !isLess(after, before)) return undefined;
  return { sides, wires };
}

function isLess(a: Cost, b: Cost): boolean {
  const fewer = Math.round((a.transposes - b.transposes) * RESHAPES_A_TRANSPOSE);
  if (fewer !== 0) return fewer < 0;
  return a.elements === b.elements ? a.dislikes < b.dislikes : a.elements < b.elements;
}

/** A Transpose that moves nothing becomes a Reshape, which is nearly free. */
const RESHAPES_A_TRANSPOSE = 64;

function wiresOf(region: Region): Wire[] {
  const made = new Set([...region.transposes.values()].flat().map((node) => node.output()));
  return [...region.placements].flatMap(([root, { side }]) => {
    if (made.has(root)) return [];
    const transposes: Node[] = [];
    const readers: Reader[] = [];
    const follow = (value: Value, of: Side) => {
      const own = region.transposes.get(value) ?? [];
      for (const use of value.uses) {
        if (use.kind === 'input' && own.includes(use.node)) continue;
        const isMovable = use.kind === 'input' && region.isLinked(use.node, { kind: 'input', index: use.index });
        readers.push({ use, value, end: isMovable ? use.node : of });
      }
      for (const node of own) {
        transposes.push(node);
        follow(node.output(), otherSide(of));
      }
    };
    follow(root, side);
    return [{ root, producer: producerOf(region, root, side), readers, transposes }];
  });
}

function producerOf(region: Region, value: Value, side: Side): End {
  const { producer } = value;
  if (producer === undefined) return side;
  const port = { kind: 'output', index: producer.outputs.indexOf(value) } as const;
  return region.isLinked(producer, port) ? producer : side;
}

/** Operators that convolve or pool, and those that know where the channels are: beside them others can be folded into them. */
const CHANNELS_KNOWN = ['Conv', 'ConvTranspose', 'AveragePool', 'MaxPool', 'BatchNormalization', 'GlobalAveragePool'];

/** The side that most of the fixed convolutions of a region are on. */
function preferredSide(region: Region): Side | undefined {
  let balance = 0;
  for (const node of region.reasons.keys()) {
    if (!node.is(...CHANNELS_KNOWN)) continue;
    const value = [node.input(0), node.outputs[0]].find((each) => each !== undefined && region.placements.has(each));
    const side = value === undefined ? undefined : region.placements.get(value)?.side;
    if (side !== undefined) balance += side === 'before' ? 1 : -1;
  }
  return balance === 0 ? undefined : balance > 0 ? 'before' : 'after';
}

/** A size that nobody knows, for comparison: of pictures of one batch. */
const GUESSED_SIZE = 64;

function elementsOf(value: Value | undefined): number {
  const guessed = (size: Dimension, axis: number) => (typeof size === 'number' ? size : axis === 0 ? 1 : GUESSED_SIZE);
  return (shapeOf(value) ?? [undefined, undefined, undefined, undefined])
    .map(guessed)
    .reduce((product, size) => product * Math.max(1, size), 1);
}

function firstOutput(node: Node): Value | undefined {
  return node.outputs.find((value) => value !== undefined);
}

/** What a wire costs that lies in both orders. */
function priceOf(region: Region, { root }: Wire): { readonly transposes: number; readonly elements: number } {
  const order = region.switching(root) ?? [];
  return movesNothing(shapeOf(root), order)
    ? { transposes: 1 / RESHAPES_A_TRANSPOSE, elements: 0 }
    : { transposes: 1, elements: elementsOf(root) };
}

/** What a node costs on a side, in Transposes of its output that onnxruntime makes inside of it. */
function hiddenTransposes(region: Region, node: Node, side: Side): number {
  const movable = region.movables.get(node);
  const { before = 0, after = 0 } = movable?.reordering.hidden ?? {};
  return movable?.side === side ? before : after;
}

const RELUCTANCE = 1000;

function dislike(region: Region, node: Node, side: Side, preferred: Side | undefined): number {
  const movable = region.movables.get(node);
  if (movable === undefined) return 0;
  const moves = movable.side !== side;
  if (movable.reordering.reluctant === true) return moves ? RELUCTANCE : 0;
  return side !== (preferred ?? movable.side) ? 1 : 0;
}

function sideOf(end: End, sides: Sides): Side {
  return typeof end === 'string' ? end : (sides.get(end) as Side);
}

function costOf(region: Region, wires: readonly Wire[], preferred: Side | undefined, sides: Sides): Cost {
  let [transposes, elements, dislikes] = [0, 0, 0];
  for (const wire of wires) {
    const producer = sideOf(wire.producer, sides);
    if (wire.readers.every(({ end }) => sideOf(end, sides) === producer)) continue;
    const price = priceOf(region, wire);
    transposes += price.transposes;
    elements += price.elements;
  }
  for (const [node, side] of sides) {
    const hidden = hiddenTransposes(region, node, side);
    elements += hidden * elementsOf(firstOutput(node));
    dislikes += dislike(region, node, side, preferred);
  }
  return { transposes, elements, dislikes };
}

/** So that no sum of prices reaches UNCUTTABLE. */
const MAXIMUM_WIRES = 2 ** 16;

/** Powers of two that keep the three costs apart: no sum of the lesser reaches one of the greater. */
const TRANSPOSE = 2 ** 32;
const ELEMENTS = 2 ** 24;

function cheapestSides(region: Region, wires: readonly Wire[], preferred: Side | undefined): Sides {
  const all = [
    ...wires.map((wire) => priceOf(region, wire).elements),
    ...[...region.movables.keys()].map((node) => 2 * elementsOf(firstOutput(node))),
  ].reduce((sum, elements) => sum + elements, 1);
  const capacity = (transposes: number, elements: number) =>
    Math.round(transposes * TRANSPOSE) + Math.ceil((elements / all) * ELEMENTS);
  const network = new FlowNetwork();
  const numbers = new Map<Node, number>();
  for (const node of region.movables.keys()) numbers.set(node, network.addNode());
  const numberOf = (end: End): number => {
    if (typeof end === 'string') return end === 'before' ? network.source : network.sink;
    return numbers.get(end) as number;
  };
  for (const wire of wires) {
    const { transposes, elements } = priceOf(region, wire);
    const price = capacity(transposes, elements);
    const producer = numberOf(wire.producer);
    const readers = [...new Set(wire.readers.map(({ end }) => numberOf(end)))];
    const [reader] = readers;
    if (reader === undefined) continue;
    if (readers.length === 1) {
      network.addEdge(producer, reader, price);
      network.addEdge(reader, producer, price);
      continue;
    }
    // However many read the other order, it is made once.
    const [forward, backward] = [network.addNode(), network.addNode()];
    network.addEdge(producer, forward, price);
    network.addEdge(backward, producer, price);
    for (const each of readers) {
      network.addEdge(forward, each, UNCUTTABLE);
      network.addEdge(each, backward, UNCUTTABLE);
    }
  }
  for (const node of region.movables.keys()) {
    const [before, after] = (['before', 'after'] as const).map((side) => {
      const hidden = hiddenTransposes(region, node, side);
      return capacity(0, hidden * elementsOf(firstOutput(node))) + dislike(region, node, side, preferred);
    }) as [number, number];
    network.addEdge(numberOf(node), network.sink, before);
    network.addEdge(network.source, numberOf(node), after);
  }
  const isBefore = network.sourceSide();
  return new Map([...numbers].map(([node, number]) => [node, isBefore[number] === true ? 'before' : 'after']));
}
