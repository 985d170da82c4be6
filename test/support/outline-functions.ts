/** Moves nodes of a model into model-local functions, some into functions that call functions: what inlining has to undo. */
import type { Attribute } from '../../lib/compiler/ir/attribute.js';
import { Graph } from '../../lib/compiler/ir/graph.js';
import type { Model } from '../../lib/compiler/ir/model.js';
import { Node } from '../../lib/compiler/ir/node.js';
import { Value } from '../../lib/compiler/ir/value.js';
import type { Choices } from './random-graph/choices.js';

const DOMAIN = 'outlined';

/** onnxruntime must find these where they are: it looks at constants when it opens a model. */
const LEFT = new Set(['Constant', 'If', 'Loop', 'Scan']);

export function outlineFunctions(model: Model, choices: Choices): void {
  const { graph } = model;
  for (const node of [...graph.nodes]) {
    if (LEFT.has(node.opType) || !choices.chance(0.3)) continue;
    outline(model, node, choices.chance(0.5));
    if (choices.chance(0.3)) {
      const call = graph.nodes.find((candidate) => candidate.outputs[0] === node.outputs[0]) ?? node;
      outline(model, call, false);
    }
  }
  if (model.functions.length > 0) model.opsetImports.set(DOMAIN, 1);
}

/** A call of a new function takes the place of a node. With `refers`, attributes are the call's, and the body refers to them. */
function outline(model: Model, node: Node, refers: boolean): void {
  const { graph } = node;
  if (graph === undefined) return;
  const outputs = [...node.outputs];
  const name = model.freshName('Function');
  const body = new Graph(name);
  const formal = new Map<Value, Value>();
  for (const value of node.inputs)
    if (value !== undefined && !formal.has(value)) formal.set(value, body.addInput(`a${formal.size}`, undefined));
  const attributes = [...node.attributes].map(([key, attribute]): [string, Attribute] => {
    const type = attribute.origin?.type ?? TYPES[attribute.kind];
    return refers && type !== undefined ? [key, { kind: 'reference', value: key, type }] : [key, attribute];
  });
  const results = outputs.map((value, index) => (value === undefined ? undefined : new Value(`r${index}`)));
  const inner = new Node(
    node.opType,
    node.inputs.map((value) => value && formal.get(value)),
    results,
    {
      domain: node.domain,
      name: node.name,
      attributes: new Map(attributes),
    },
  );
  body.append(inner);
  body.setOutputs(results.filter((value) => value !== undefined));
  model.functions.push({
    domain: DOMAIN,
    name,
    overload: '',
    body,
    opsetImports: new Map([
      ['', model.opset],
      [DOMAIN, 1],
    ]),
  });
  const call = new Node(
    name,
    [...formal.keys()],
    outputs.filter((value) => value !== undefined),
    {
      domain: DOMAIN,
      name: node.name,
      attributes: refers ? node.attributes : {},
    },
  );
  graph.insertBefore(node, call);
  graph.remove(node);
}

/** AttributeProto.AttributeType of the kinds that are referred to. */
const TYPES: Readonly<Partial<Record<Attribute['kind'], number>>> = {
  float: 1,
  int: 2,
  string: 3,
  floats: 6,
  ints: 7,
  strings: 8,
};
