/** Which units go: those that contribute least for what they cost, group against group, until enough is saved. */
import type { Cost } from './cost.js';
import type { PruningGroup } from './groups.js';

export interface SelectOptions {
  /** Part of the whole cost to save, 0 to 1. */
  readonly ratio: number;
  /** Largest part of a group that may go. */
  readonly maximumGroupRatio: number;
  /** Channels are taken in such numbers that multiples of this stay, where a group has at least two multiples: kernels work on blocks. */
  readonly multipleOf: number;
}

/** Stand-ins of the units to remove; fewer than asked for where groups have no more to give. */
export function selectUnits(
  groups: readonly PruningGroup[],
  contributions: ReadonlyMap<number, number>,
  cost: Cost,
  options: SelectOptions,
): Set<number> {
  const removed = new Set<number>();
  const score = (unit: number) => contributions.get(unit) ?? 0;
  const queues = groups.map((group) => {
    const sorted = [...group.units].sort((a, b) => score(a) - score(b) || a - b);
    return blocksOf(sorted, group.kind === 'heads' ? 1 : granularity(sorted.length, options.multipleOf), options);
  });
  const goal = cost.total * (1 - options.ratio);
  // Each step is the cheapest one by what all know at the time: removals make others cost less.
  while (cost.current > goal) {
    let best: { readonly queue: number[][]; readonly price: number } | undefined;
    for (const queue of queues) {
      const [block] = queue;
      if (block === undefined) continue;
      const saving = cost.saving(block);
      if (!(saving > 0)) continue;
      const price = block.reduce((sum, unit) => sum + score(unit), 0) / saving;
      if (best === undefined || price < best.price) best = { queue, price };
    }
    const block = best?.queue.shift();
    if (block === undefined) break;
    cost.remove(block);
    for (const unit of block) removed.add(unit);
  }
  return removed;
}

function granularity(count: number, multipleOf: number): number {
  let step = multipleOf;
  while (step > 1 && count < 2 * step) step = Math.ceil(step / 2);
  return Math.max(1, step);
}

/** Least important first. The first block brings the rest to a multiple of `step`. */
function blocksOf(sorted: readonly number[], step: number, options: SelectOptions): number[][] {
  const staying = Math.max(
    1,
    Math.min(step, sorted.length - 1),
    Math.ceil(sorted.length * (1 - options.maximumGroupRatio)),
  );
  const blocks: number[][] = [];
  let at = 0;
  while (at < sorted.length) {
    const length = (sorted.length - at) % step || step;
    if (sorted.length - at - length < staying) break;
    blocks.push(sorted.slice(at, at + length));
    at += length;
  }
  return blocks;
}
