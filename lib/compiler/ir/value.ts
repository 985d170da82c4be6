/** A value of a graph: an input, an initializer, or an output of a node, with everyone who uses it. */
import type { TypeProto, ValueInfoProto } from 'onnx-buf';
import type { ElementType } from './element-type.js';
import type { Graph } from './graph.js';
import type { Node } from './node.js';
import type { Tensor } from './tensor.js';

/** A fixed size, the name of a symbolic dimension, or undefined for one that has neither. */
export type Dimension = number | string | undefined;

export type ValueType =
  | {
      readonly kind: 'tensor';
      readonly elementType: ElementType;
      /** undefined: unknown rank. */
      readonly shape: readonly Dimension[] | undefined;
    }
  /** Sequences, maps, optionals, sparse tensors: carried along untouched. */
  | { readonly kind: 'opaque'; readonly proto: TypeProto };

/** Input `index` of `node`, or one of a graph's outputs. */
export type Use =
  | { readonly kind: 'input'; readonly node: Node; readonly index: number }
  | { readonly kind: 'output'; readonly graph: Graph; readonly index: number };

export class Value {
  name: string;
  type: ValueType | undefined;
  /** The node that computes it; undefined for inputs and initializers. Set by Node. */
  producer: Node | undefined;
  /** The constant that it holds. A graph input with one may be overridden by the caller. */
  initializer: Tensor | undefined;
  /** The message it was read from. */
  origin: ValueInfoProto | undefined;
  /** Kept by Node and Graph; includes uses in nested graphs. */
  readonly uses = new Set<Use>();

  constructor(name: string, type?: ValueType) {
    this.name = name;
    this.type = type;
  }

  /** The nodes that read it, each once, in no particular order. */
  get consumers(): Node[] {
    const nodes = new Set<Node>();
    for (const use of this.uses) if (use.kind === 'input') nodes.add(use.node);
    return [...nodes];
  }

  get isGraphOutput(): boolean {
    for (const use of this.uses) if (use.kind === 'output') return true;
    return false;
  }

  /** The only node that reads it, if it is read exactly once and is no graph output. */
  get soleConsumer(): Node | undefined {
    if (this.uses.size !== 1) return undefined;
    for (const use of this.uses) return use.kind === 'input' ? use.node : undefined;
    return undefined;
  }

  /** Static shape, or undefined if a dimension is not a number. */
  get staticShape(): readonly number[] | undefined {
    if (this.initializer !== undefined) return this.initializer.dims;
    const shape = this.type?.kind === 'tensor' ? this.type.shape : undefined;
    return shape?.every((dim) => typeof dim === 'number') ? (shape as readonly number[]) : undefined;
  }

  get elementType(): ElementType | undefined {
    return this.initializer?.elementType ?? (this.type?.kind === 'tensor' ? this.type.elementType : undefined);
  }

  get rank(): number | undefined {
    return this.initializer?.dims.length ?? (this.type?.kind === 'tensor' ? this.type.shape?.length : undefined);
  }

  /** Lets every node that reads this value read `other` instead. Graph outputs keep their name and stay. */
  replaceUsesInNodes(other: Value): void {
    for (const use of [...this.uses]) if (use.kind === 'input') use.node.setInput(use.index, other);
  }
}
