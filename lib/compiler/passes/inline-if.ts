/** An If whose condition is a constant gives way to the branch that it takes. */
import type { Graph } from '../ir/graph.js';
import type { Model } from '../ir/model.js';
import { Node } from '../ir/node.js';
import { forEachGraph } from '../ir/traversal.js';
import type { Value } from '../ir/value.js';
import { allowConstants } from './allow-constants.js';
import type { ImmediatePass } from './pass.js';

/**
 * Values of the branch keep their names where no other value of the model has the same one. Conditions must be initializers: run
 * constants-to-initializers first. Bodies of model-local functions are left alone.
 */
export function inlineIf(): ImmediatePass {
  return {
    name: 'inline-if',
    run(model) {
      const names = new NameCounts(model);
      let modified = false;
      forEachGraph(model.graph, (graph) => {
        // What is inlined may hold further decided Ifs.
        while (graph.nodes.some((node) => conditionOf(node) !== undefined)) {
          inlineDecided(graph, model, names);
          modified = true;
        }
      });
      // The branch's initializers are now the main graph's.
      if (modified) allowConstants(model);
      return { modified };
    },
  };
}

/** The constant condition of an If, if it has one. */
function conditionOf(node: Node): boolean | undefined {
  const condition = node.is('If') ? node.constantInput(0) : undefined;
  if (condition?.elementType !== 'bool' || condition.count !== 1) return undefined;
  return condition.bytes()[0] !== 0;
}

function inlineDecided(graph: Graph, model: Model, names: NameCounts): void {
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const condition = conditionOf(node);
    const branch = condition === undefined ? undefined : branchOf(node, condition);
    if (condition === undefined || branch === undefined) {
      nodes.push(node);
      continue;
    }
    const other = branchOf(node, !condition);
    if (other !== undefined) names.forget(other);
    nodes.push(...inlineBranch(node, branch, graph, model, names));
  }
  graph.nodes = [];
  for (const node of nodes) graph.append(node);
}

function branchOf(node: Node, condition: boolean): Graph | undefined {
  const branch = node.attributes.get(condition ? 'then_branch' : 'else_branch');
  return branch?.kind === 'graph' ? branch.value : undefined;
}

/** Moves a branch into the graph around it and returns its nodes; the If's outputs become what the branch returned. */
function inlineBranch(node: Node, branch: Graph, graph: Graph, model: Model, names: NameCounts): Node[] {
  const nodes = [...branch.nodes];
  const returned = [...branch.outputs];
  const own = new Set<Value>([...branch.initializers, ...branch.sparseInitializers.keys()]);
  for (const inner of nodes) for (const value of inner.outputs) if (value !== undefined) own.add(value);
  branch.setOutputs([]);
  branch.nodes = [];
  for (const [index, output] of node.outputs.entries()) {
    const value = returned[index];
    if (output === undefined || value === undefined) continue;
    const { producer } = value;
    if (producer?.graph === branch && !returned.includes(value, index + 1) && !value.isGraphOutput) {
      producer.setOutputs(producer.outputs.map((candidate) => (candidate === value ? output : candidate)));
      value.replaceUsesInNodes(output);
      own.delete(value);
    } else {
      nodes.push(new Node('Identity', [value], [output]));
    }
  }
  for (const value of branch.initializers) graph.initializers.add(value);
  for (const [value, sparse] of branch.sparseInitializers) graph.sparseInitializers.set(value, sparse);
  for (const value of own) {
    if (names.isUnique(value.name)) continue;
    value.name = model.freshName(value.name);
  }
  graph.remove(node);
  return nodes;
}

/** How many values of a model have a name: sibling branches may use the same names, a graph and one inside it may not. */
class NameCounts {
  readonly #counts = new Map<string, number>();

  constructor(model: Model) {
    this.#count(model.graph, 1);
  }

  isUnique(name: string): boolean {
    return (this.#counts.get(name) ?? 0) <= 1;
  }

  /** Takes out the names of a graph that is thrown away. */
  forget(graph: Graph): void {
    this.#count(graph, -1);
  }

  #count(root: Graph, by: number): void {
    forEachGraph(root, (graph) => {
      const add = (value: Value | undefined) => {
        if (value !== undefined) this.#counts.set(value.name, (this.#counts.get(value.name) ?? 0) + by);
      };
      for (const value of new Set([...graph.inputs, ...graph.initializers, ...graph.sparseInitializers.keys()]))
        add(value);
      for (const node of graph.nodes) node.outputs.forEach(add);
    });
  }
}
