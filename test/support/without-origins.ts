/** Copies of models that have forgotten the messages they were read from, so that writing them has to make every message anew. */
import type { Attribute, AttributeValue } from '../../lib/compiler/ir/attribute.js';
import { Graph } from '../../lib/compiler/ir/graph.js';
import { Model } from '../../lib/compiler/ir/model.js';
import { Node } from '../../lib/compiler/ir/node.js';
import { Tensor } from '../../lib/compiler/ir/tensor.js';
import { Value } from '../../lib/compiler/ir/value.js';

export function withoutOrigins(model: Model): Model {
  const graph = copyGraph(model.graph, new Map());
  const functions = model.functions.map((fn) => ({ ...fn, body: copyGraph(fn.body, new Map()) }));
  return new Model(graph, model.opsetImports, { irVersion: model.irVersion, functions });
}

function copyGraph(graph: Graph, values: Map<Value, Value>): Graph {
  const copy = new Graph(graph.name);
  const copyOf = (value: Value): Value => {
    const known = values.get(value);
    if (known !== undefined) return known;
    const fresh = new Value(value.name, value.type);
    if (value.initializer !== undefined) fresh.initializer = copyTensor(value.initializer);
    values.set(value, fresh);
    return fresh;
  };
  const optional = (value: Value | undefined) => (value === undefined ? undefined : copyOf(value));
  copy.setInputs(graph.inputs.map(copyOf));
  for (const value of graph.initializers) copy.initializers.add(copyOf(value));
  for (const [value, sparse] of graph.sparseInitializers) copy.sparseInitializers.set(copyOf(value), sparse);
  for (const node of graph.nodes) {
    const attributes = new Map([...node.attributes].map(([name, value]) => [name, copyAttribute(value, values)]));
    const { domain, name, overload } = node;
    const options = { domain, name, overload, attributes };
    copy.append(new Node(node.opType, node.inputs.map(optional), node.outputs.map(optional), options));
  }
  copy.setOutputs(graph.outputs.map(copyOf));
  return copy;
}

function copyAttribute({ origin, ...attribute }: Attribute, values: Map<Value, Value>): Attribute {
  void origin;
  const value = attribute as AttributeValue;
  switch (value.kind) {
    case 'tensor':
      return { kind: 'tensor', value: copyTensor(value.value) };
    case 'tensors':
      return { kind: 'tensors', value: value.value.map(copyTensor) };
    case 'graph':
      return { kind: 'graph', value: copyGraph(value.value, values) };
    case 'graphs':
      return { kind: 'graphs', value: value.value.map((graph) => copyGraph(graph, values)) };
    default:
      return value;
  }
}

function copyTensor(tensor: Tensor): Tensor {
  const { storage } = tensor;
  const own = storage.kind === 'external' ? { kind: 'bytes' as const, bytes: tensor.bytes() } : storage;
  return new Tensor(tensor.elementType, tensor.dims, own);
}
