/** Units that are alike: the channels of one convolution, of a whole residual trunk, the heads of one attention. */
import type { DependencyGraph } from './dependency-graph.js';
import type { WeightUse } from './rules/rule.js';

export type GroupKind = 'channels' | 'heads' | 'features';

export interface PruningGroup {
  /** The first weight that makes its units, and in parentheses the range where the weight has units of several groups. */
  readonly name: string;
  readonly kind: GroupKind;
  /** Stand-ins (`Units.find`) of its units, in the order of the weights' axis. */
  readonly units: readonly number[];
  /** What its units touch. */
  readonly uses: readonly WeightUse[];
}

export interface KeptGroup {
  readonly name: string;
  readonly units: number;
  readonly reason: string;
}

export interface Groups {
  readonly groups: readonly PruningGroup[];
  /** Groups of channels that nothing can be removed from, with the reason. */
  readonly kept: readonly KeptGroup[];
}

/** Units that touch the same axes of the same weights are of one group. */
export function pruningGroups(graph: DependencyGraph): Groups {
  const touched = new Map<number, Set<number>>();
  for (const [index, use] of graph.uses.entries()) {
    for (const id of use.ids) {
      const unit = graph.units.find(id);
      const set = touched.get(unit) ?? new Set<number>();
      touched.set(unit, set);
      set.add(index);
    }
  }
  const bySignature = new Map<string, number[]>();
  for (const [unit, uses] of touched) {
    const reason = graph.units.reason(unit);
    const signature = JSON.stringify([[...uses], reason ?? null]);
    const units = bySignature.get(signature) ?? [];
    bySignature.set(signature, units);
    units.push(unit);
  }
  const groups: PruningGroup[] = [];
  const kept: KeptGroup[] = [];
  for (const units of bySignature.values()) {
    const [first] = units;
    if (first === undefined) continue;
    const uses = [...(touched.get(first) ?? [])].flatMap((index) => graph.uses[index] ?? []);
    const source = uses.find(({ role }) => role === 'source');
    if (source === undefined) continue;
    const name = groupName(source, units, graph);
    const reason = graph.units.reason(first) ?? reasonOfShape(uses, units);
    if (reason !== undefined) kept.push({ name, units: units.length, reason });
    else groups.push({ name, kind: kindOf(first, uses, graph), units, uses });
  }
  return { groups, kept };
}

function reasonOfShape(uses: readonly WeightUse[], units: readonly number[]): string | undefined {
  if (units.length < 2) return 'there is only one';
  return uses.some(({ role }) => role === 'sink') ? undefined : 'nothing sums over it';
}

function kindOf(unit: number, uses: readonly WeightUse[], graph: DependencyGraph): GroupKind {
  if (graph.units.isHead(unit)) return 'heads';
  return uses.some(({ node }) => node.is('Conv', 'ConvTranspose')) ? 'channels' : 'features';
}

function groupName(source: WeightUse, units: readonly number[], graph: DependencyGraph): string {
  const own = new Set(units);
  const indices = Array.from(source.ids.keys()).filter((index) => own.has(graph.units.find(source.ids[index] ?? 0)));
  const name = source.value.name;
  if (indices.length === source.ids.length) return name;
  return `${name} (${indices[0]} to ${indices.at(-1)})`;
}
