/**
 * Channels that cost and say nothing: constant ones, whose contribution goes into the biases behind them, those that nobody weighs, and
 * multiples of others, whose weights behind them are added to those of the one that stays. Results change by rounding at most.
 */
import { copyModel } from '../../ir/copy.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import { Tensor } from '../../ir/tensor.js';
import type { Value } from '../../ir/value.js';
import { replaceWeights } from '../../passes/replace-weights.js';
import { type DependencyGraph, dependencyGraph } from '../dependency-graph.js';
import { type PruningGroup, pruningGroups } from '../groups.js';
import { constantsWithout } from '../remove-units.js';
import type { WeightUse } from '../rules/rule.js';
import { channelFacts } from './channel-facts.js';
import type { AxisFacts, Fact } from './facts.js';
import { isPadded } from './linear-facts.js';

export interface LosslessUnits {
  readonly group: string;
  readonly units: number;
  readonly dead: number;
  readonly duplicate: number;
}

export interface LosslessPruning {
  /** A copy, without what says nothing. Types of its values are to be inferred again. */
  readonly model: Model;
  readonly weights: Map<string, Tensor>;
  readonly removed: readonly LosslessUnits[];
}

/** @param model prepared: see `prepareForPruning`; it is not changed */
export function removeSilentUnits(model: Model): LosslessPruning {
  const copy = copyModel(model);
  const graph = dependencyGraph(copy);
  const facts = channelFacts(copy, graph);
  const removed = new Set<number>();
  const changes = new WeightChanges();
  const report: LosslessUnits[] = [];
  for (const group of pruningGroups(graph).groups) {
    const sinks = sinksOf(group, graph, facts);
    if (sinks === undefined) continue;
    const dead = group.units
      .filter((unit) => sinks.every((sink) => sink.isSilent(unit)))
      .slice(0, group.units.length - 1);
    for (const unit of dead) for (const sink of sinks) sink.fold(unit, changes);
    const rest = group.units.filter((unit) => !dead.includes(unit));
    const duplicates = mergeDuplicates(rest, sinks, changes);
    for (const unit of [...dead, ...duplicates]) removed.add(unit);
    if (dead.length + duplicates.length > 0) {
      report.push({ group: group.name, units: group.units.length, dead: dead.length, duplicate: duplicates.length });
    }
  }
  const weights = changes.tensors();
  replaceWeights(weights).run(copy);
  for (const [name, tensor] of constantsWithout(graph, removed)) weights.set(name, tensor);
  replaceWeights(weights).run(copy);
  return { model: copy, weights, removed: report };
}

/** @returns the units that their likes now speak for */
function mergeDuplicates(units: readonly number[], sinks: readonly Sink[], changes: WeightChanges): number[] {
  const first = new Map<string, number>();
  const merged: number[] = [];
  for (const unit of units) {
    const facts = sinks.map((sink) => sink.factOf(unit));
    if (facts.some((fact) => fact === undefined)) continue;
    const key = facts.map((fact) => fact?.key).join(' ');
    const other = first.get(key);
    if (other === undefined) first.set(key, unit);
    else {
      for (const sink of sinks) sink.merge(unit, other, changes);
      merged.push(unit);
    }
  }
  return merged;
}

/** One weight that sums over the units of a group. */
interface Sink {
  factOf(unit: number): Fact | undefined;
  /** Whether it does without a unit, what it is taken for being folded into a bias. */
  isSilent(unit: number): boolean;
  fold(unit: number, changes: WeightChanges): void;
  merge(from: number, into: number, changes: WeightChanges): void;
}

function sinksOf(
  group: PruningGroup,
  graph: DependencyGraph,
  facts: ReadonlyMap<Value, AxisFacts>,
): readonly Sink[] | undefined {
  const sinks: Sink[] = [];
  for (const use of group.uses) {
    if (use.role !== 'sink') continue;
    const sink = sinkOf(use, graph, facts);
    if (sink === undefined) return undefined;
    sinks.push(sink);
  }
  return sinks;
}

function sinkOf(use: WeightUse, graph: DependencyGraph, facts: ReadonlyMap<Value, AxisFacts>): Sink | undefined {
  const { node, value, axis, ids } = use;
  const data = node.input(0) === value ? node.input(1) : node.input(0);
  const known = data === undefined ? undefined : facts.get(data);
  if (value.uses.size > 1) return undefined;
  const positions = new Map<number, number>();
  for (const [index, id] of ids.entries()) {
    const unit = graph.units.find(id);
    // Heads and flattened channels have several places: each has facts of its own.
    positions.set(unit, positions.has(unit) ? -1 : index);
  }
  const bias = biasOf(node);
  const positionOf = (unit: number) => positions.get(unit) ?? -1;
  const factOf = (unit: number) => (known?.facts.length === ids.length ? known.facts[positionOf(unit)] : undefined);
  return {
    factOf,
    isSilent(unit) {
      if (positionOf(unit) < 0) return false;
      if (new Strip(value, axis, positionOf(unit)).isZero()) return true;
      const constant = factOf(unit)?.constant;
      return constant === 0 || (constant !== undefined && bias !== undefined && !isPadded(node));
    },
    fold(unit, changes) {
      const constant = factOf(unit)?.constant ?? 0;
      if (constant === 0 || bias === undefined) return;
      const sums = new Strip(value, axis, positionOf(unit)).sumsByOutput(node);
      changes.add(bias, (output) => (sums[output] ?? 0) * constant);
    },
    merge(from, into, changes) {
      const factor = (factOf(from)?.scale ?? 0) / (factOf(into)?.scale ?? 1);
      changes.addStrip(value, axis, positionOf(from), positionOf(into), factor);
    },
  };
}

/** The constant vector that is added per output channel, with beta and alpha of 1. */
function biasOf(node: Node): Value | undefined {
  const isOwn = (reader: Node, index: number) => {
    const constant = reader.constantInput(index);
    const isVector = constant?.dims.length === 1 && constant.elementType === 'float32';
    return isVector && reader.input(index)?.uses.size === 1;
  };
  if (node.is('Conv') || (node.is('Gemm') && node.float('alpha', 1) === 1 && node.float('beta', 1) === 1)) {
    return isOwn(node, 2) ? node.input(2) : undefined;
  }
  if (!node.is('MatMul')) return undefined;
  const next = node.output().soleConsumer;
  const index = next?.input(0) === node.output() ? 1 : 0;
  return next?.is('Add') && node.constantInput(1) !== undefined && isOwn(next, index) ? next.input(index) : undefined;
}

/** What one index of an axis of a weight holds. */
class Strip {
  readonly #tensor: Tensor | undefined;
  readonly #axis: number;
  readonly #index: number;

  constructor(value: Value, axis: number, index: number) {
    this.#tensor = value.initializer;
    this.#axis = axis;
    this.#index = index;
  }

  isZero(): boolean {
    const numbers = this.#tensor?.typed();
    for (const at of this.elements()) if (numbers?.[at] !== 0) return false;
    return true;
  }

  /** Summed over the kernel, for each output channel. */
  sumsByOutput(node: Node): number[] {
    const numbers = this.#tensor?.typed();
    const kernel = node.is('Conv') ? (this.#tensor?.dims ?? []).slice(2).reduce((a, b) => a * b, 1) : 1;
    const sums: number[] = [];
    let position = 0;
    for (const at of this.elements()) {
      const output = Math.floor(position++ / kernel);
      sums[output] = (sums[output] ?? 0) + Number(numbers?.[at]);
    }
    return sums;
  }

  *elements(): Generator<number> {
    const dims = this.#tensor?.dims ?? [];
    const inner = dims.slice(this.#axis + 1).reduce((a, b) => a * b, 1);
    const outer = dims.slice(0, this.#axis).reduce((a, b) => a * b, 1);
    for (let block = 0; block < outer; block++) {
      const start = (block * (dims[this.#axis] ?? 0) + this.#index) * inner;
      for (let at = start; at < start + inner; at++) yield at;
    }
  }
}

/** Changes of weights, summed in double precision and rounded once. */
class WeightChanges {
  readonly #changed = new Map<Value, Float64Array>();

  add(value: Value, change: (index: number) => number): void {
    const numbers = this.#numbers(value);
    for (let index = 0; index < numbers.length; index++) numbers[index] = (numbers[index] ?? 0) + change(index);
  }

  addStrip(value: Value, axis: number, from: number, into: number, factor: number): void {
    const numbers = this.#numbers(value);
    const targets = [...new Strip(value, axis, into).elements()];
    for (const [position, source] of [...new Strip(value, axis, from).elements()].entries()) {
      const target = targets[position] ?? 0;
      numbers[target] = (numbers[target] ?? 0) + factor * (numbers[source] ?? 0);
    }
  }

  tensors(): Map<string, Tensor> {
    return new Map(
      [...this.#changed].map(([value, numbers]) => [
        value.name,
        Tensor.fromNumbers('float32', value.initializer?.dims ?? [], numbers),
      ]),
    );
  }

  #numbers(value: Value): Float64Array {
    const numbers = this.#changed.get(value) ?? Float64Array.from(value.initializer?.typed() as Float32Array);
    this.#changed.set(value, numbers);
    return numbers;
  }
}
