/** GraphProto and the nodes of a FunctionProto to Graph: names become values, in the scopes that ONNX gives them. */
import type { AttributeProto, GraphProto, NodeProto, ValueInfoProto } from 'onnx-buf';
import { ModelFormatError } from '../../../errors.js';
import type { Attribute } from '../attribute.js';
import { Graph } from '../graph.js';
import { Node } from '../node.js';
import { Value } from '../value.js';
import { attributeFromProto } from './attribute-proto.js';
import { type ExternalDataSource, tensorFromProto } from './tensor-proto.js';
import { typeFromProto } from './type-proto.js';

/** The names that a graph defines, and behind them those of the graphs around it. */
export class Scope {
  readonly #own = new Map<string, Value>();
  readonly #outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.#outer = outer;
  }

  /** The first definition of a name counts; a second one is for validation to report. */
  define(value: Value): void {
    if (!this.#own.has(value.name)) this.#own.set(value.name, value);
  }

  own(name: string): Value | undefined {
    return this.#own.get(name);
  }

  /** The value behind a name; one that nobody defines gets a value without a producer, the same for all who use it. */
  resolve(name: string): Value {
    let scope: Scope = this;
    for (;;) {
      const value = scope.#own.get(name);
      if (value !== undefined) return value;
      if (scope.#outer === undefined) break;
      scope = scope.#outer;
    }
    const undefinedValue = new Value(name);
    scope.#own.set(name, undefinedValue);
    return undefinedValue;
  }
}

/** The standard operators have two spellings. */
export function normalizedDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}

/** @throws ModelFormatError */
export function graphFromProto(proto: GraphProto, external: ExternalDataSource | undefined, outer?: Scope): Graph {
  const graph = new Graph(proto.name, proto);
  const scope = new Scope(outer);
  graph.setInputs(proto.input.map((info) => typedValue(info, scope)));
  for (const tensorProto of proto.initializer) {
    const { name } = tensorProto;
    const tensor = tensorFromProto(tensorProto, `initializer '${name}'`, external);
    const input = scope.own(name);
    const fresh = input === undefined || input.initializer !== undefined;
    const value = fresh
      ? new Value(name, { kind: 'tensor', elementType: tensor.elementType, shape: tensor.dims })
      : input;
    value.initializer = tensor;
    graph.initializers.add(value);
    scope.define(value);
  }
  for (const sparse of proto.sparseInitializer) {
    const name = sparse.values?.name ?? '';
    const value = new Value(name);
    graph.sparseInitializers.set(value, sparse);
    scope.define(value);
  }
  const outputs = defineOutputs(proto.node, scope);
  for (const info of [...proto.output, ...proto.valueInfo]) describeValue(info, scope);
  appendNodes(graph, proto.node, outputs, scope, external);
  graph.setOutputs(proto.output.map((info) => scope.resolve(info.name)));
  return graph;
}

/** A value for every output of every node, before any node is linked: a file may hold nodes out of order. */
export function defineOutputs(nodes: readonly NodeProto[], scope: Scope): (Value | undefined)[][] {
  return nodes.map((node) =>
    node.output.map((name) => {
      if (name === '') return undefined;
      const value = new Value(name);
      scope.define(value);
      return value;
    }),
  );
}

/** Gives a value the type that value_info or an output declares, unless it has one. */
export function describeValue(info: ValueInfoProto, scope: Scope): void {
  const value = scope.own(info.name);
  const type = typeFromProto(info.type, `value '${info.name}'`);
  if (value === undefined || value.origin !== undefined) return;
  value.origin = info;
  if (value.initializer === undefined) value.type = type;
}

function typedValue(info: ValueInfoProto, scope: Scope): Value {
  const value = new Value(info.name, typeFromProto(info.type, `input '${info.name}'`));
  value.origin = info;
  scope.define(value);
  return value;
}

export function appendNodes(
  graph: Graph,
  protos: readonly NodeProto[],
  outputs: readonly (readonly (Value | undefined)[])[],
  scope: Scope,
  external: ExternalDataSource | undefined,
): void {
  for (const [index, proto] of protos.entries()) {
    const node = new Node(
      proto.opType,
      proto.input.map((name) => (name === '' ? undefined : scope.resolve(name))),
      outputs[index] ?? [],
      {
        domain: normalizedDomain(proto.domain),
        name: proto.name,
        overload: proto.overload,
        attributes: attributesOf(proto, scope, external),
        origin: proto,
      },
    );
    graph.append(node);
  }
}

function attributesOf(
  proto: NodeProto,
  scope: Scope,
  external: ExternalDataSource | undefined,
): Map<string, Attribute> {
  const owner = `${proto.opType} '${proto.name || proto.output.find((name) => name !== '') || ''}'`;
  return attributesFromProto(proto.attribute, owner, scope, external);
}

/** Attributes by name. @throws ModelFormatError DUPLICATE_ATTRIBUTE */
export function attributesFromProto(
  protos: readonly AttributeProto[],
  owner: string,
  scope: Scope,
  external: ExternalDataSource | undefined,
): Map<string, Attribute> {
  const attributes = new Map<string, Attribute>();
  for (const attributeProto of protos) {
    const { name } = attributeProto;
    if (attributes.has(name)) {
      throw new ModelFormatError({
        code: 'DUPLICATE_ATTRIBUTE',
        message: `${owner} has the attribute '${name}' twice.`,
        advice: 'The file is damaged or was written by a faulty exporter. Export the model again.',
      });
    }
    const attribute = attributeFromProto(attributeProto, {
      place: `attribute '${name}' of ${owner}`,
      tensor: (tensor, place) => tensorFromProto(tensor, place, external),
      graph: (graph) => graphFromProto(graph, external, scope),
    });
    attributes.set(name, attribute);
  }
  return attributes;
}
