/** How much of a node's own noise reaches the outputs: measured for blocks of neighbouring nodes, one block at a time. */
import type { QuantizationPlan } from '../plan.js';
import type { Unit } from './units.js';

/** More blocks than this measure the same thing twice. */
const MOST_BLOCKS = 24;

export interface ProbedUnit {
  readonly unit: Unit;
  /** Σ noise / Σ signal that the probe's recipe adds at its output. */
  readonly noise: number;
}

export interface BlockGainsOptions {
  /** A plan in which these units alone have the probe's recipe. */
  readonly planFor: (units: readonly Unit[]) => QuantizationPlan;
  readonly outputNoise: (plan: QuantizationPlan) => Promise<number>;
  readonly onBlock?: (done: number, of: number) => void;
}

/** @returns for each unit: noise at the outputs over noise at the unit, both relative to their signal */
export async function blockGains(
  probes: readonly ProbedUnit[],
  { planFor, outputNoise, onBlock }: BlockGainsOptions,
): Promise<ReadonlyMap<number, number>> {
  const gains = new Map<number, number>();
  const blocks = blocksOf(probes);
  for (const [index, block] of blocks.entries()) {
    const local = block.reduce((sum, { noise }) => sum + noise, 0);
    const reached = await outputNoise(planFor(block.map(({ unit }) => unit)));
    const gain = local > 0 ? reached / local : 1;
    for (const { unit } of block) gains.set(unit.index, Number.isFinite(gain) ? gain : Number.MAX_VALUE);
    onBlock?.(index + 1, blocks.length);
  }
  return gains;
}

/** Neighbours in the graph's order, about as many in each. */
function blocksOf(probes: readonly ProbedUnit[]): ProbedUnit[][] {
  const count = Math.min(MOST_BLOCKS, probes.length);
  return Array.from({ length: count }, (_, index) => {
    const start = Math.floor((index * probes.length) / count);
    return probes.slice(start, Math.floor(((index + 1) * probes.length) / count));
  });
}
