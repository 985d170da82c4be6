/** What weights cost: numbers to store, or multiplications in one run. */
import type { Value } from '../ir/value.js';
import type { Strength } from './activations.js';
import type { DependencyGraph } from './dependency-graph.js';
import type { WeightUse } from './rules/rule.js';

/** `size` counts numbers in weights, `latency` multiplications. */
export type Objective = 'size' | 'latency';

/** Keeps count while units are taken out. */
export class Cost {
  readonly #graph: DependencyGraph;
  readonly #removed = new Set<number>();
  readonly #weights = new Map<Value, { readonly axes: WeightUse[]; readonly price: number }>();
  readonly #byUnit = new Map<number, Set<Value>>();
  /** Of all weights that units touch, before anything was taken out. */
  readonly total: number;

  /** @param strengths of the outputs of the nodes, for the number of their positions; without them every weight is used once */
  constructor(graph: DependencyGraph, objective: Objective, strengths: ReadonlyMap<string, Strength>) {
    this.#graph = graph;
    for (const use of graph.uses) {
      const { value } = use;
      const weight = this.#weights.get(value) ?? { axes: [], price: priceOf(use, objective, strengths) };
      this.#weights.set(value, weight);
      weight.axes[use.axis] ??= use;
      for (const id of use.ids) {
        const unit = graph.units.find(id);
        const values = this.#byUnit.get(unit) ?? new Set<Value>();
        this.#byUnit.set(unit, values);
        values.add(value);
      }
    }
    this.total = this.current;
  }

  get current(): number {
    let sum = 0;
    for (const value of this.#weights.keys()) sum += this.#costOf(value, this.#removed);
    return sum;
  }

  /** What taking these out as well would save. */
  saving(units: readonly number[]): number {
    const values = new Set(units.flatMap((unit) => [...(this.#byUnit.get(unit) ?? [])]));
    const after = new Set([...this.#removed, ...units]);
    let saved = 0;
    for (const value of values) saved += this.#costOf(value, this.#removed) - this.#costOf(value, after);
    return saved;
  }

  remove(units: readonly number[]): void {
    for (const unit of units) this.#removed.add(unit);
  }

  #costOf(value: Value, removed: ReadonlySet<number>): number {
    const weight = this.#weights.get(value);
    if (weight === undefined) return 0;
    let count = value.initializer?.count ?? 0;
    for (const use of weight.axes) {
      if (use === undefined) continue;
      let staying = 0;
      for (const id of use.ids) if (!removed.has(this.#graph.units.find(id))) staying++;
      count *= staying / use.ids.length;
    }
    return count * weight.price;
  }
}

/** How often one number of a weight is multiplied in a run. */
function priceOf(
  { node, value, role }: WeightUse,
  objective: Objective,
  strengths: ReadonlyMap<string, Strength>,
): number {
  if (objective === 'size') return 1;
  if (node.is('Gather')) return 0;
  const output = strengths.get(node.output().name);
  const isWeight = node.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul') && (value.initializer?.dims.length ?? 0) > 1;
  if (!isWeight || output === undefined) return role === 'pass' && !isWeight ? 0 : 1;
  const elements = output.positions * output.meanSquares.length;
  const outputs = outputChannels(
    node.opType,
    value.initializer?.dims ?? [],
    node.int('group', 1),
    node.int('transB', 0),
  );
  return elements / Math.max(1, outputs);
}

function outputChannels(opType: string, dims: readonly number[], groups: number, transB: number): number {
  if (opType === 'Conv') return dims[0] ?? 1;
  if (opType === 'ConvTranspose') return (dims[1] ?? 1) * groups;
  return dims[transB === 1 ? 0 : 1] ?? 1;
}
