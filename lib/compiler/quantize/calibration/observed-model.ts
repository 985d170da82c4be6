/**
 * A copy of a model whose outputs tell what its values take on: extremes and a part of the elements, reduced inside the graph, so that a
 * value's memory is free again as soon as the model itself needs it no more.
 */
import { attribute } from '../../ir/attribute.js';
import { copyModel } from '../../ir/copy.js';
import type { Graph } from '../../ir/graph.js';
import type { Model } from '../../ir/model.js';
import { Node } from '../../ir/node.js';
import { elementCount, Tensor } from '../../ir/tensor.js';
import { graphsOf } from '../../ir/traversal.js';
import { Value } from '../../ir/value.js';
import { randomNumbers } from '../../runtime/sample-inputs.js';

export interface RefusedValue {
  readonly value: string;
  readonly reason: string;
}

export interface ObservedModel {
  readonly model: Model;
  /** The value that an output tells of, by the output's name. */
  readonly outputs: ReadonlyMap<string, string>;
  readonly refused: readonly RefusedValue[];
}

export interface ObserveOptions {
  /** Names of values. */
  readonly values: readonly string[];
  /** Outputs of the model that are needed all the same. */
  readonly keptOutputs: readonly string[];
  /** Of a value, for its histogram; 0: only extremes. */
  readonly maxElements: number;
}

const INT64 = 7;
const FLOAT64 = 11;

export function observeValues(original: Model, { values, keptOutputs, maxElements }: ObserveOptions): ObservedModel {
  const model = copyModel(original);
  const { graph } = model;
  const known = observableValues(graph);
  const inner = innerNames(model);
  const builder = new ObserverBuilder(model, maxElements);
  const refused: RefusedValue[] = [];
  const outputs = new Map<string, string>();
  const groups: { readonly nodes: readonly Node[]; readonly output: Value }[] = [];
  for (const name of new Set(values)) {
    const value = known.get(name);
    const reason = refusalOf(value, inner.has(name));
    if (value === undefined || reason !== undefined) {
      refused.push({ value: name, reason: reason ?? 'the model has no such value' });
      continue;
    }
    const group = builder.observer(value);
    outputs.set(group.output.name, name);
    groups.push(group);
  }
  // onnxruntime orders nodes by a walk from the ends of the graph, of which the last in the file comes first. Observers of early values
  // therefore stand last: each runs before the model goes on, or else all values would be in memory at once.
  for (const { nodes } of [...groups].reverse()) graph.append(...nodes);
  const kept = graph.outputs.filter(({ name }) => keptOutputs.includes(name));
  graph.setOutputs([...kept, ...groups.map(({ output }) => output)]);
  return { model, outputs, refused };
}

/** Inputs and what nodes of the main graph compute, in the order of the graph, by name. */
function observableValues(graph: Graph): ReadonlyMap<string, Value> {
  const values = new Map(graph.inputs.map((value) => [value.name, value]));
  for (const value of graph.initializers) values.set(value.name, value);
  for (const node of graph.nodes)
    for (const value of node.outputs) if (value !== undefined) values.set(value.name, value);
  return values;
}

/** Names of values that are computed inside of subgraphs or functions. */
function innerNames(model: Model): ReadonlySet<string> {
  const names = new Set<string>();
  for (const graph of graphsOf(model)) {
    if (graph === model.graph) continue;
    for (const node of graph.nodes) for (const value of node.outputs) if (value !== undefined) names.add(value.name);
  }
  return names;
}

function refusalOf(value: Value | undefined, isInner: boolean): string | undefined {
  if (value === undefined)
    return isInner ? 'it is computed inside of a subgraph, whose runs are not seen from outside' : undefined;
  if (value.initializer !== undefined) return 'it is a constant';
  if (value.type === undefined) return 'its type is not known';
  if (value.elementType !== 'float32') return `it is ${value.elementType ?? 'no tensor'}, and ranges are of float32`;
  return undefined;
}

class ObserverBuilder {
  readonly #model: Model;
  readonly #maxElements: number;
  readonly #flat: Value;
  readonly #shared = new Map<string, Value>();
  readonly #jitter: Float64Array;

  constructor(model: Model, maxElements: number) {
    this.#model = model;
    this.#maxElements = maxElements;
    this.#flat = this.#constant('flat', () => Tensor.int64([-1]));
    const random = randomNumbers(1);
    // One place in each of as many equal parts of a tensor: no pattern of the tensor's layout can hide from it.
    this.#jitter = Float64Array.from({ length: maxElements }, (_, index) => index + random());
  }

  /** Nodes whose last output is [smallest, largest, elements…]. */
  observer(value: Value): { readonly nodes: readonly Node[]; readonly output: Value } {
    const nodes: Node[] = [];
    const add = (opType: string, inputs: readonly Value[], attributes: Node['attributes'] = new Map()): Value => {
      const output = new Value(this.#model.freshName(`observed_${opType}`));
      nodes.push(new Node(opType, inputs, [output], { attributes }));
      return output;
    };
    const all = add('Reshape', [value, this.#flat]);
    const keep = new Map([['keepdims', attribute.int(1)]]);
    const parts = [add('ReduceMin', [all], keep), add('ReduceMax', [all], keep)];
    if (this.#maxElements > 0) parts.push(this.#elements(value, all, add));
    const output = add('Concat', parts, new Map([['axis', attribute.int(0)]]));
    output.type = { kind: 'tensor', elementType: 'float32', shape: [undefined] };
    return { nodes, output };
  }

  #elements(
    value: Value,
    all: Value,
    add: (opType: string, inputs: readonly Value[], attributes?: Node['attributes']) => Value,
  ): Value {
    const shape = value.staticShape;
    const axis = new Map([['axis', attribute.int(0)]]);
    if (shape !== undefined) {
      const size = elementCount(shape);
      if (size <= this.#maxElements) return all;
      const places = this.#constant(`places_${size}`, () => {
        const scale = size / this.#maxElements;
        return Tensor.fromTyped(
          'int64',
          [this.#maxElements],
          BigInt64Array.from(this.#jitter, (place) => BigInt(Math.min(size - 1, Math.floor(place * scale)))),
        );
      });
      return add('Gather', [all, places], axis);
    }
    // The same, with the size that the value has in this run; up to `maxElements` these are all elements in their order.
    const jitter = this.#constant('places', () => Tensor.fromTyped('float64', [this.#maxElements], this.#jitter));
    const one = this.#constant('one', () => Tensor.fromNumbers('float64', [1], [1]));
    const share = this.#constant('share', () => Tensor.fromNumbers('float64', [1], [1 / this.#maxElements]));
    const start = this.#constant('start', () => Tensor.int64([0]));
    const size = add('Reshape', [add('Size', [all]), this.#flat]);
    const scale = add('Mul', [add('Cast', [size], new Map([['to', attribute.int(FLOAT64)]])), share]);
    const places = add('Mul', [add('Slice', [jitter, start, size]), add('Max', [scale, one])]);
    return add('Gather', [all, add('Cast', [places], new Map([['to', attribute.int(INT64)]]))], axis);
  }

  #constant(name: string, make: () => Tensor): Value {
    const known = this.#shared.get(name);
    if (known !== undefined) return known;
    const value = this.#model.graph.addInitializer(this.#model.freshName(`observed_${name}`), make());
    this.#shared.set(name, value);
    return value;
  }
}
