/** A graph in the making: what can be used in it, with element type and shape, and ways to add to it. */

import type { Attribute } from '../../../lib/compiler/ir/attribute.js';
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import type { ElementType } from '../../../lib/compiler/ir/element-type.js';
import { Graph } from '../../../lib/compiler/ir/graph.js';
import { Node } from '../../../lib/compiler/ir/node.js';
import { elementCount, Tensor } from '../../../lib/compiler/ir/tensor.js';
import { Value } from '../../../lib/compiler/ir/value.js';
import type { Choices } from './choices.js';

/** A value, and what the generator knows of it whether or not the model says so. */
export interface Known {
  readonly value: Value;
  readonly elementType: ElementType;
  readonly dims: readonly number[];
}

/** The IR version of a file with an opset. */
export function irVersionFor(opset: number): number {
  if (opset <= 8) return 3;
  return opset <= 11 ? 6 : opset <= 17 ? 8 : 10;
}

/** What all graphs of a model share. */
export class ModelScope {
  readonly opset: number;
  choices: Choices;
  /** Whether every value is told its type and its sizes. */
  readonly typed: boolean;
  #names = 0;

  constructor(opset: number, choices: Choices, typed = false) {
    this.opset = opset;
    this.choices = choices;
    this.typed = typed;
  }

  name(base: string): string {
    return `${base}_${this.#names++}`;
  }
}

export class GraphScope {
  readonly graph: Graph;
  readonly model: ModelScope;
  readonly outer: GraphScope | undefined;
  readonly #own: Known[] = [];
  readonly #returned = new Set<Value>();

  constructor(name: string, model: ModelScope, outer?: GraphScope) {
    this.graph = new Graph(name);
    this.model = model;
    this.outer = outer;
  }

  get choices(): Choices {
    return this.model.choices;
  }

  get opset(): number {
    return this.model.opset;
  }

  /** Everything in sight, that of graphs around this one included. */
  get visible(): readonly Known[] {
    return this.outer === undefined ? this.#own : [...this.outer.visible, ...this.#own];
  }

  /** Defined in this graph. */
  get own(): readonly Known[] {
    return this.#own;
  }

  input(
    name: string,
    elementType: ElementType,
    dims: readonly number[],
    declared: readonly (number | string)[] = dims,
  ): Known {
    const value = this.graph.addInput(name, { kind: 'tensor', elementType, shape: declared });
    return this.#remember({ value, elementType, dims });
  }

  /** An initializer, or now and then a Constant node. */
  constant(tensor: Tensor): Known {
    const { elementType, dims } = tensor;
    if (this.choices.chance(0.25) || this.#hasNoInitializers) {
      return this.emitLike('Constant', [], { elementType, dims }, { value: attribute.tensor(tensor) });
    }
    return this.#remember({ value: this.graph.addInitializer(this.model.name('weight'), tensor), elementType, dims });
  }

  /** Before IR version 4 initializers have to be inputs, which a subgraph's are not. */
  get #hasNoInitializers(): boolean {
    return this.outer !== undefined && irVersionFor(this.opset) < 4;
  }

  /** A parameter of an operation, for which onnxruntime may ask for an initializer. */
  parameter(tensor: Tensor): Value {
    if (this.#hasNoInitializers) return this.constant(tensor).value;
    return this.graph.addInitializer(this.model.name('parameter'), tensor);
  }

  int64(...numbers: readonly number[]): Value {
    return this.parameter(Tensor.int64(numbers));
  }

  /** Now and then what another constant holds. */
  randomTensor(elementType: ElementType, dims: readonly number[]): Tensor {
    const { choices } = this;
    if (choices.chance(0.1)) {
      const alike = this.visible.flatMap(({ value }) => value.initializer ?? []);
      const same = alike.filter((tensor) => tensor.elementType === elementType && String(tensor.dims) === String(dims));
      if (same.length > 0) return Tensor.fromTyped(elementType, dims, choices.of(same).typed().slice());
    }
    const number = () => {
      if (elementType === 'bool') return choices.integer(0, 1);
      return elementType.startsWith('float')
        ? choices.float()
        : choices.integer(elementType.startsWith('u') ? 0 : -4, 4);
    };
    return Tensor.fromNumbers(elementType, dims, Array.from({ length: elementCount(dims) }, number));
  }

  /** Something visible that fits, else a new constant. */
  pick(fits: (known: Known) => boolean, elementType: ElementType, dims: readonly number[]): Known {
    const candidates = this.visible.filter(fits);
    if (candidates.length > 0 && !this.choices.chance(0.1)) return this.choices.of(candidates);
    return this.constant(this.randomTensor(elementType, dims));
  }

  /** A float32 of a rank. */
  float(minimumRank = 0, maximumRank = 4, allowsEmpty = true): Known {
    const fits = ({ elementType, dims }: Known) => {
      const sized = dims.length >= minimumRank && dims.length <= maximumRank && (allowsEmpty || !dims.includes(0));
      return elementType === 'float32' && sized;
    };
    const dims = this.choices.shape(minimumRank, maximumRank).map((size) => (allowsEmpty ? size : Math.max(1, size)));
    return this.pick(fits, 'float32', dims);
  }

  /** Of any type that elements can be moved of. */
  any(minimumRank = 0, maximumRank = 4): Known {
    const fits = ({ dims }: Known) => dims.length >= minimumRank && dims.length <= maximumRank;
    return this.pick(
      fits,
      this.choices.of(['float32', 'int64', 'bool'] as const),
      this.choices.shape(minimumRank, maximumRank),
    );
  }

  /** Appends a node. The model is told the outputs' types only now and then, and sizes by name only. */
  emit(
    opType: string,
    inputs: readonly (Known | Value | undefined)[],
    outputs: readonly Omit<Known, 'value'>[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Known[] {
    const results = outputs.map(({ elementType, dims }) => {
      const { typed } = this.model;
      const shape = typed || this.choices.chance(0.5) ? dims : dims.map(() => this.model.name('d'));
      const type = { kind: 'tensor', elementType, shape } as const;
      return {
        value: new Value(this.model.name(opType.toLowerCase()), typed || this.choices.chance(0.3) ? type : undefined),
        elementType,
        dims,
      };
    });
    const values = inputs.map((input) => (input === undefined || input instanceof Value ? input : input.value));
    this.graph.append(
      new Node(
        opType,
        values,
        results.map(({ value }) => value),
        { name: this.model.name('node'), attributes },
      ),
    );
    for (const known of results) if (elementCount(known.dims) <= 4096) this.#remember(known);
    return results;
  }

  /** `emit` for one output of the type and shape of `like`. */
  emitLike(
    opType: string,
    inputs: readonly (Known | Value | undefined)[],
    like: Omit<Known, 'value'>,
    attributes = {},
  ): Known {
    return this.emit(opType, inputs, [{ elementType: like.elementType, dims: like.dims }], attributes)[0] as Known;
  }

  /** Lets `known` be an output of this graph: a subgraph's must be computed there. Outputs are typed. */
  returnable(known: Known): Known {
    const isComputed = known.value.producer?.graph === this.graph && !this.#returned.has(known.value);
    const result = isComputed ? known : this.emitLike('Identity', [known], known);
    this.#returned.add(result.value);
    result.value.type = { kind: 'tensor', elementType: result.elementType, shape: result.dims };
    return result;
  }

  #remember(known: Known): Known {
    this.#own.push(known);
    return known;
  }
}
