/** Copies of a model: rewrites work in place, and a search rewrites the same model again and again. */
import { cloneNodes } from '../../ir/clone.js';
import { Graph } from '../../ir/graph.js';
import { Model } from '../../ir/model.js';
import { Value } from '../../ir/value.js';

/** A model of its own with the same names. Tensors, which never change, are shared. */
export function copyModel(model: Model): Model {
  const { graph } = model;
  const copy = new Graph(graph.name, graph.origin);
  const values = new Map<Value, Value | undefined>();
  const define = (value: Value): Value => {
    const known = values.get(value);
    if (known !== undefined) return known;
    const made = new Value(value.name, value.type);
    made.origin = value.origin;
    made.initializer = value.initializer;
    values.set(value, made);
    return made;
  };
  copy.setInputs(graph.inputs.map(define));
  for (const value of graph.initializers) copy.initializers.add(define(value));
  for (const [value, sparse] of graph.sparseInitializers) copy.sparseInitializers.set(define(value), sparse);
  // Subgraphs read values of the nodes in front of theirs: one by one, so that those are known.
  copy.append(...cloneNodes(graph.nodes, { values, rename: (name) => name }));
  copy.setOutputs(graph.outputs.map((value) => values.get(value) ?? value));
  const { irVersion, functions, origin, opsetImports } = model;
  return new Model(copy, opsetImports, { irVersion, functions, ...(origin === undefined ? {} : { origin }) });
}
