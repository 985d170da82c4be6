/**
 * The noise that a recipe adds at each node, in one pass: every node has a twin beside it that reads the same float32 inputs and follows
 * the recipe; the energy of their difference is summed inside the graph, so that memory stays that of one inference.
 */
import type { NodeKey, Recipe } from '../../../artifact/recipe.js';
import type { Feeds } from '../../data/data-set.js';
import { attribute } from '../../ir/attribute.js';
import { cloneNodes } from '../../ir/clone.js';
import { copyModel } from '../../ir/copy.js';
import type { Model } from '../../ir/model.js';
import { Node } from '../../ir/node.js';
import { Value } from '../../ir/value.js';
import { numbersOf } from '../../metrics/tensor-numbers.js';
import { applyPlan } from '../apply-plan.js';
import { nodeKeyOf } from '../node-key.js';
import type { QuantizationPlan } from '../plan.js';
import type { Unit } from './units.js';

export interface Instrumented {
  readonly model: Model;
  /** Names of the outputs with [Σ y², Σ (x - y)²], by unit. */
  readonly energies: ReadonlyMap<number, readonly (readonly [string, string])[]>;
  /** Units that cannot follow the recipe after all, and why. */
  readonly declined: ReadonlyMap<number, string>;
}

/**
 * @param base weights changed by preparations, and ranges of activations
 * @param kept outputs that must stay, because the next step of a sequence takes them
 */
export function instrument(
  original: Model,
  units: readonly Unit[],
  recipe: Recipe,
  { base, kept }: { readonly base: QuantizationPlan; readonly kept: readonly string[] },
): Instrumented {
  const model = copyModel(original);
  applyPlan(model, { ...base, recipes: [] });
  const { graph } = model;
  const byOutput = new Map<string, Node>();
  for (const node of graph.nodes)
    for (const value of node.outputs) if (value !== undefined) byOutput.set(value.name, node);

  const outputs: Value[] = graph.outputs.filter(({ name }) => kept.includes(name));
  const energies = new Map<number, [string, string][]>();
  const twins: { readonly key: NodeKey; readonly unit: number }[] = [];
  const activations = [...base.activations];
  for (const unit of units) {
    for (const [index, { output }] of unit.keys.entries()) {
      const node = byOutput.get(output);
      if (node === undefined) continue;
      const clamped = unit.clamps[index]?.output().name;
      const clamp = clamped === undefined ? undefined : byOutput.get(clamped);
      const originals = clamp === undefined ? [node] : [node, clamp];
      const copies = cloneNodes(originals, { values: new Map(), rename: (name) => model.freshName(`${name}_twin`) });
      graph.append(...copies);
      for (const [at, copy] of copies.entries()) {
        // onnxruntime wants names of nodes to differ.
        copy.name = '';
        if (at === 0 || recipe.scheme === 'int8-static') twins.push({ key: nodeKeyOf(copy), unit: unit.index });
        const original = originals[at];
        for (const [position, value] of (original?.outputs ?? []).entries()) {
          const other = copy.outputs[position];
          if (value === undefined || other === undefined || value.elementType !== 'float32') continue;
          const range = base.activations.find(({ tensor }) => tensor === value.name);
          if (range !== undefined) activations.push({ ...range, tensor: other.name });
          // What a clamp cuts off may be anything before it.
          if (original !== originals.at(-1)) continue;
          const [signal, noise] = measure(model, value, other);
          outputs.push(signal, noise);
          energies.set(unit.index, [...(energies.get(unit.index) ?? []), [signal.name, noise.name]]);
        }
      }
    }
  }
  graph.setOutputs(outputs);
  const recipes = twins.map(({ key }) => ({ node: key, recipe }));
  const result = applyPlan(model, { ...base, weights: new Map(), activations, recipes });
  const unitOf = new Map(twins.map(({ key, unit }) => [key.output, unit]));
  const declined = new Map<number, string>();
  for (const { node, reason } of result.declined) {
    const unit = unitOf.get(node);
    if (unit !== undefined) declined.set(unit, reason);
  }
  return { model, energies, declined };
}

function measure(model: Model, value: Value, other: Value): readonly [Value, Value] {
  const { graph } = model;
  const scalar = (name: string) =>
    new Value(model.freshName(name), { kind: 'tensor', elementType: 'float32', shape: [] });
  const difference = new Value(model.freshName(`${value.name}_difference`));
  const [signal, noise] = [scalar(`${value.name}_signal`), scalar(`${value.name}_noise`)];
  const attributes = { keepdims: attribute.int(0) };
  graph.append(
    new Node('Sub', [other, value], [difference]),
    new Node('ReduceSumSquare', [value], [signal], { attributes }),
    new Node('ReduceSumSquare', [difference], [noise], { attributes }),
  );
  return [signal, noise];
}

/** Σ noise / Σ signal of each unit, over all its nodes and the outputs of all runs. */
export class NoiseSums {
  readonly #sums = new Map<number, [number, number]>();

  add({ energies }: Instrumented, outputs: Feeds): void {
    for (const [unit, names] of energies) {
      const sums = this.#sums.get(unit) ?? [0, 0];
      for (const [signal, noise] of names) {
        sums[0] += scalarOf(outputs, signal);
        sums[1] += scalarOf(outputs, noise);
      }
      this.#sums.set(unit, sums);
    }
  }

  /** What is no number counts as nothing but noise. */
  ratios(): Map<number, number> {
    return new Map(
      [...this.#sums].map(([unit, [signal, noise]]) => {
        const ratio = noise === 0 ? 0 : noise / signal;
        return [unit, Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio];
      }),
    );
  }
}

function scalarOf(outputs: Feeds, name: string): number {
  const tensor = outputs[name];
  return tensor === undefined ? 0 : (numbersOf(tensor)[0] ?? 0);
}
