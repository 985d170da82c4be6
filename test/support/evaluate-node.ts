/** One node of a graph, run by itself on given inputs. */
import { cloneNodes } from '../../lib/compiler/ir/clone.js';
import { Graph } from '../../lib/compiler/ir/graph.js';
import { Model } from '../../lib/compiler/ir/model.js';
import type { Node } from '../../lib/compiler/ir/node.js';
import { modelToBytes } from '../../lib/compiler/ir/serialization/write.js';
import type { Tensor } from '../../lib/compiler/ir/tensor.js';
import { dependenciesOf } from '../../lib/compiler/ir/traversal.js';
import type { Value } from '../../lib/compiler/ir/value.js';
import { fromOrt } from './compare-outputs.js';
import { runModel } from './run-model.js';

/** @param tensorOf what the node reads, by the place of the input; undefined place: from within its subgraphs */
export async function evaluateNode(
  model: Model,
  node: Node,
  tensorOf: (value: Value, index: number | undefined) => Tensor,
): Promise<Tensor[]> {
  const graph = new Graph('node');
  const rename = (name: string) => name;
  const inner = new Map<Value, Value | undefined>();
  for (const value of dependenciesOf(node)) {
    inner.set(value, graph.addInitializer(value.name, tensorOf(value, undefined)));
  }
  const [copy] = cloneNodes([node], { values: inner, rename });
  if (copy === undefined) throw new TypeError('one node has one copy');
  for (const [index, value] of node.inputs.entries()) {
    if (value !== undefined) copy.setInput(index, graph.addInitializer(`input ${index}`, tensorOf(value, index)));
  }
  graph.append(copy);
  const outputs = copy.outputs.filter((value) => value !== undefined);
  for (const output of outputs) output.type = undefined;
  graph.setOutputs(outputs);
  const single = new Model(graph, model.opsetImports, { irVersion: Math.max(4, model.irVersion) });
  const results = await runModel(modelToBytes(single), {});
  return outputs.map(({ name }) => {
    const result = results[name];
    if (result === undefined) throw new TypeError(`${node.describe()} returned no '${name}'`);
    return fromOrt(result);
  });
}
