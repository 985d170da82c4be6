/** A copy of a model that can be rewritten while the original stays as it is. */
import { cloneNodes } from './clone.js';
import { Graph } from './graph.js';
import { Model } from './model.js';
import { Value } from './value.js';

/** Values and nodes are new, with the same names; constants are shared, being immutable, and so are model-local functions. */
export function copyModel(model: Model): Model {
  const { graph } = model;
  const copy = new Graph(graph.name, graph.origin);
  const values = new Map<Value, Value>();
  const define = (value: Value): Value => {
    const defined = values.get(value) ?? new Value(value.name, value.type);
    defined.origin = value.origin;
    defined.initializer = value.initializer;
    values.set(value, defined);
    return defined;
  };
  copy.setInputs(graph.inputs.map(define));
  for (const value of graph.initializers) copy.initializers.add(define(value));
  for (const [value, sparse] of graph.sparseInitializers) copy.sparseInitializers.set(define(value), sparse);
  copy.append(...cloneNodes(graph.nodes, { values, rename: (name) => name }));
  copy.setOutputs(graph.outputs.map((value) => values.get(value) ?? value));
  return new Model(copy, model.opsetImports, {
    irVersion: model.irVersion,
    functions: model.functions,
    ...(model.origin === undefined ? {} : { origin: model.origin }),
  });
}
