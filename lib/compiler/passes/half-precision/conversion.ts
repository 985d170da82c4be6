/** Gives every node its float32 values in the precision that it computes in, with as few Casts as possible. */
import { attribute } from '../../ir/attribute.js';
import { type ElementType, elementTypeNumber, elementTypeOf } from '../../ir/element-type.js';
import type { Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import { Node } from '../../ir/node.js';
import { Tensor } from '../../ir/tensor.js';
import { forEachGraph, sortTopologically } from '../../ir/traversal.js';
import { type Use, Value } from '../../ir/value.js';
import { roundToFloat16 } from '../store-float16.js';
import type { ElementTypes } from './element-types.js';
import { TYPE_ATTRIBUTES } from './operators.js';
import type { Placement } from './placement.js';

export interface ConversionOptions {
  readonly types: ElementTypes;
  readonly placement: Placement;
  readonly keepSignature: boolean;
}

type Side = 'half' | 'single';

const ELEMENT_TYPES = { half: 'float16', single: 'float32' } as const satisfies Record<Side, ElementType>;

/** A float32 value of the graph before, the graph that defines it, and the precision in which it comes out. */
interface Defined {
  readonly value: Value;
  readonly graph: Graph;
  readonly side: Side;
}

export class HalfPrecisionConversion {
  readonly #model: Model;
  readonly #options: ConversionOptions;
  readonly #casts = new Map<Graph, Node[]>();
  /** Outputs of subgraphs that became other values. */
  readonly #outputs = new Map<Graph, Value[]>();

  constructor(model: Model, options: ConversionOptions) {
    this.#model = model;
    this.#options = options;
  }

  run(): void {
    const all: Defined[] = [];
    const nodes: Node[] = [];
    forEachGraph(this.#model.graph, (graph) => {
      all.push(...this.#definedIn(graph));
      nodes.push(...graph.nodes.filter((node) => this.#options.placement.of(node) === 'half'));
    });
    for (const defined of all) this.#convert(defined);
    for (const node of nodes) patchTypes(node);
    for (const [graph, outputs] of this.#outputs) graph.setOutputs(outputs);
    for (const [graph, casts] of this.#casts) {
      graph.append(...casts);
      sortTopologically(graph);
    }
  }

  *#definedIn(graph: Graph): Generator<Defined> {
    const { types, placement } = this.#options;
    const found = function* (values: Iterable<Value | undefined>, side: Side): Generator<Defined> {
      for (const value of values) {
        if (value !== undefined && types.of(value) === 'float32') yield { value, graph, side };
      }
    };
    const constants = [...graph.initializers].filter((value) => !graph.hasInput(value));
    yield* found([...constants, ...graph.sparseInitializers.keys()], 'single');
    for (const value of graph.inputs) yield* found([value], this.#boundary(graph, value));
    for (const node of graph.nodes) yield* found(node.outputs, placement.of(node) === 'half' ? 'half' : 'single');
  }

  /** The precision in which a graph takes its inputs and gives its outputs. */
  #boundary(graph: Graph, input?: Value): Side {
    if (graph.parent !== undefined) return this.#options.placement.of(graph.parent) === 'half' ? 'half' : 'single';
    // An input with a default keeps it, and its type.
    return this.#options.keepSignature || input?.initializer !== undefined ? 'single' : 'half';
  }

  #wants(use: Use): Side | undefined {
    if (use.kind === 'output') return this.#boundary(use.graph);
    return this.#options.placement.wants(use.node, use.index);
  }

  #convert({ value, graph, side }: Defined): void {
    const other = side === 'half' ? 'single' : 'half';
    const uses = [...value.uses];
    const others = uses.filter((use) => this.#wants(use) === other);
    const isConstant = value.initializer !== undefined && !graph.hasInput(value);
    if (others.some((use) => use.kind === 'output' && use.graph === this.#model.graph) && !graph.hasInput(value)) {
      // The model's output keeps its name, and what it is made from gets another.
      const inner = new Value(this.#model.freshName(`${value.name}_${ELEMENT_TYPES[side]}`), value.type);
      this.#move(
        uses.filter((use) => !others.includes(use)),
        inner,
      );
      if (isConstant && value.initializer !== undefined) {
        inner.initializer = value.initializer;
        value.initializer = undefined;
        graph.initializers.delete(value);
        graph.initializers.add(inner);
      } else replaceOutput(value, inner);
      retype(inner, side);
      this.#addCast(graph, inner, value, other);
      return;
    }
    retype(value, side);
    if (others.length === 0) return;
    const half = isConstant && value.initializer !== undefined ? roundToFloat16(value.initializer, 1) : undefined;
    const name = this.#model.freshName(`${value.name}_${ELEMENT_TYPES[other]}`);
    if (half !== undefined && typeof half !== 'string') {
      this.#move(others, graph.addInitializer(name, half));
      if (others.length === uses.length) graph.initializers.delete(value);
      return;
    }
    const cast = new Value(name, value.type);
    this.#move(others, cast);
    this.#addCast(graph, value, cast, other);
  }

  #addCast(graph: Graph, from: Value, to: Value, side: Side): void {
    retype(to, side);
    const attributes = { to: attribute.int(elementTypeNumber(ELEMENT_TYPES[side])) };
    this.#casts.set(graph, [...(this.#casts.get(graph) ?? []), new Node('Cast', [from], [to], { attributes })]);
  }

  #move(uses: readonly Use[], to: Value): void {
    for (const use of uses) {
      if (use.kind === 'input') use.node.setInput(use.index, to);
      else {
        const outputs = this.#outputs.get(use.graph) ?? [...use.graph.outputs];
        outputs[use.index] = to;
        this.#outputs.set(use.graph, outputs);
      }
    }
  }
}

function retype(value: Value, side: Side): void {
  const { type } = value;
  if (type?.kind === 'tensor') value.type = { ...type, elementType: ELEMENT_TYPES[side] };
}

function replaceOutput(value: Value, by: Value): void {
  const { producer } = value;
  producer?.setOutputs(producer.outputs.map((each) => (each === value ? by : each)));
}

/** Attributes that say float32 of what is float16 now. */
function patchTypes(node: Node): void {
  if (node.is('ConstantOfShape')) {
    const half = roundToFloat16(node.tensor('value') ?? Tensor.fromNumbers('float32', [1], [0]), 1);
    if (typeof half !== 'string') node.attributes.set('value', attribute.tensor(half));
  }
  const told = node.domain === '' ? TYPE_ATTRIBUTES[node.opType] : undefined;
  if (told === undefined) return;
  const says = node.attributes.has(told.name) ? elementTypeOf(node.int(told.name, 0)) : told.byDefault;
  if (says === 'float32') node.attributes.set(told.name, attribute.int(elementTypeNumber('float16')));
}
