/** Takes out what only people read: names of nodes, documentation, metadata, types of inner values; inner values get short names. */
import type { Attribute } from '../ir/attribute.js';
import type { Graph } from '../ir/graph.js';
import type { Model } from '../ir/model.js';
import type { Node } from '../ir/node.js';
import { withFields } from '../ir/serialization/message.js';
import { Tensor } from '../ir/tensor.js';
import { forEachGraph } from '../ir/traversal.js';
import type { Value } from '../ir/value.js';
import type { ImmediatePass } from './pass.js';

/** Inputs and outputs of the model keep names and types. Model-local functions are left alone: inline them first. */
export function stripNames(): ImmediatePass {
  return {
    name: 'strip-names',
    run(model) {
      let modified = shortenNames(model);
      const { origin } = model;
      if (origin !== undefined && (origin.docString !== '' || origin.metadataProps.length > 0)) {
        model.origin = withFields(origin, { docString: undefined, metadataProps: [] });
        modified = true;
      }
      forEachGraph(model.graph, (graph) => {
        modified = stripGraph(graph, model) || modified;
        for (const node of graph.nodes) modified = stripNode(node) || modified;
      });
      return { modified };
    },
  };
}

function shortenNames(model: Model): boolean {
  const kept = new Set([...model.graph.inputs, ...model.graph.outputs]);
  const taken = new Set([...kept].map((value) => value.name));
  let count = 0;
  let modified = false;
  const shorten = (value: Value | undefined) => {
    if (value === undefined || kept.has(value)) return;
    let name = shortName(count++);
    while (taken.has(name)) name = shortName(count++);
    modified ||= value.name !== name;
    value.name = name;
  };
  forEachGraph(model.graph, (graph) => {
    for (const value of new Set([...graph.inputs, ...graph.initializers, ...graph.sparseInitializers.keys()]))
      shorten(value);
    for (const node of graph.nodes) node.outputs.forEach(shorten);
  });
  model.namesChanged();
  return modified;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/** a, b, …, z, aa, ab, … */
function shortName(index: number): string {
  let name = '';
  for (let rest = index + 1; rest > 0; rest = Math.floor((rest - 1) / LETTERS.length)) {
    name = LETTERS.charAt((rest - 1) % LETTERS.length) + name;
  }
  return name;
}

function stripGraph(graph: Graph, model: Model): boolean {
  const { origin } = graph;
  let modified = false;
  const changed = { docString: undefined, metadataProps: [], valueInfo: [], quantizationAnnotation: [] };
  if (origin !== undefined && hasDocumentation(origin)) {
    graph.origin = withFields(origin, changed);
    modified = true;
  }
  if (graph !== model.graph && graph.name !== 'g') {
    // Not empty: onnx asks every graph for a name.
    graph.name = 'g';
    modified = true;
  }
  for (const node of graph.nodes) {
    for (const value of node.outputs) {
      if (value === undefined || value.isGraphOutput || (value.type === undefined && value.origin === undefined))
        continue;
      value.type = undefined;
      value.origin = undefined;
      modified = true;
    }
  }
  return modified;
}

function hasDocumentation(origin: NonNullable<Graph['origin']>): boolean {
  const { docString, metadataProps, valueInfo, quantizationAnnotation } = origin;
  return docString !== '' || [metadataProps, valueInfo, quantizationAnnotation].some((list) => list.length > 0);
}

function stripNode(node: Node): boolean {
  let modified = node.name !== '';
  node.name = '';
  const { origin } = node;
  if (origin !== undefined && (origin.docString !== '' || origin.metadataProps.length > 0)) {
    node.origin = withFields(origin, { docString: undefined, metadataProps: [] });
    modified = true;
  }
  for (const [name, attribute] of node.attributes) {
    const stripped = stripAttribute(attribute);
    if (stripped === attribute) continue;
    node.attributes.set(name, stripped);
    modified = true;
  }
  return modified;
}

/** Documentation of the attribute, and the name that its tensor has in some files. */
function stripAttribute(attribute: Attribute): Attribute {
  const { origin } = attribute;
  if (attribute.kind === 'tensor') {
    const { elementType, dims, storage } = attribute.value;
    const named = attribute.value.origin !== undefined && attribute.value.origin.name !== '';
    if (named && storage.kind !== 'external') return { kind: 'tensor', value: new Tensor(elementType, dims, storage) };
  }
  if (origin === undefined || origin.docString === '') return attribute;
  return { ...attribute, origin: withFields(origin, { docString: undefined }) };
}
