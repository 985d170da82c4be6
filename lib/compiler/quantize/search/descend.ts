/** Finds how far along a schedule the whole model keeps its budget, and which of the further steps it bears, in few checks. */
import type { Schedule, Step } from './schedule.js';

/** Checks a model with these options as a whole. */
export type Check = (options: readonly number[]) => Promise<boolean>;

export interface BisectOptions {
  /** The first `from` steps are known to hold (or nothing is known to). */
  readonly from: number;
  /** `to` steps are known not to hold; default: the whole schedule, which is checked first. */
  readonly to?: number;
  readonly checks: number;
}

export interface Bisected {
  /** Steps that were seen to hold; undefined if none did, the start included. */
  readonly holding: number | undefined;
  /** The fewest steps that were seen to break the budget. */
  readonly breaking: number | undefined;
  readonly checks: number;
}

/**
 * The whole schedule first; then halves of what is left, by the noise that is predicted rather than by the number of steps: budgets break
 * where noise is, and most steps add little.
 */
export async function bisect(
  schedule: Schedule,
  holds: (steps: number) => Promise<boolean>,
  { from, to, checks }: BisectOptions,
): Promise<Bisected> {
  const noise = cumulativeNoise(schedule.steps);
  let [low, high, done] = [from, to, 0];
  let isKnown = from > 0;
  if (high === undefined) {
    done++;
    if (await holds(schedule.steps.length))
      return { holding: schedule.steps.length, breaking: undefined, checks: done };
    high = schedule.steps.length;
  }
  while (high - low > 1 && done < checks) {
    const middle = middleOf(noise, low, high);
    done++;
    if (await holds(middle)) [low, isKnown] = [middle, true];
    else high = middle;
  }
  if (!isKnown && high > low) {
    // Nothing that was tried held: is there anything to start from?
    done++;
    isKnown = await holds(low);
  }
  return { holding: isKnown ? low : undefined, breaking: high, checks: done };
}

function cumulativeNoise(steps: readonly Step[]): Float64Array {
  const noise = new Float64Array(steps.length + 1);
  for (const [index, step] of steps.entries()) noise[index + 1] = (noise[index] ?? 0) + Math.max(0, step.noise);
  return noise;
}

/** Between low and high, both excluded: the geometric middle of their noise. */
function middleOf(noise: Float64Array, low: number, high: number): number {
  const [least, most] = [noise[low] ?? 0, noise[high] ?? 0];
  const target = Math.sqrt(Math.max(least, most * 1e-3) * most);
  let middle = low + 1;
  while (middle < high - 1 && (noise[middle] ?? 0) < target) middle++;
  return middle;
}

export interface RepairOptions {
  readonly checks: number;
  /** True when there is no time left. */
  readonly isLate: () => boolean;
}

export interface RepairResult {
  readonly options: readonly number[];
  readonly checks: number;
}

/**
 * From options that hold, tries to go on with each unit, those that save most first: a batch that holds is kept and the next is twice as
 * large; one that does not is tried by halves; a single unit that does not is tried one step less far, if it has one, and then left alone.
 */
export async function repair(
  options: readonly number[],
  remaining: readonly Step[],
  holds: Check,
  { checks: limit, isLate }: RepairOptions,
): Promise<RepairResult> {
  let current = [...options];
  let checks = 0;
  const queue = movesOf(remaining);
  let size = Math.max(1, Math.ceil(queue.length / 2));
  while (queue.length > 0 && checks < limit && !isLate()) {
    const batch = queue.slice(0, size);
    const attempt = [...current];
    for (const { unit, options: targets } of batch) attempt[unit] = targets.at(-1) ?? 0;
    checks++;
    if (await holds(attempt)) {
      current = attempt;
      queue.splice(0, size);
      size *= 2;
    } else if (size > 1) size = Math.max(1, Math.floor(Math.min(size, batch.length) / 2));
    else {
      const [move] = queue.splice(0, 1);
      if (move !== undefined && move.options.length > 1) queue.push({ ...move, options: move.options.slice(0, -1) });
    }
  }
  return { options: current, checks };
}

interface Move {
  readonly unit: number;
  /** What it can still become, in the order of its steps. */
  readonly options: readonly number[];
  readonly saving: number;
}

function movesOf(steps: readonly Step[]): Move[] {
  const moves = new Map<number, Move>();
  for (const { unit, option, saving } of steps) {
    const before = moves.get(unit);
    moves.set(unit, {
      unit,
      options: [...(before?.options ?? []), option],
      saving: (before?.saving ?? 0) + saving,
    });
  }
  return [...moves.values()].sort((one, other) => other.saving - one.saving || one.unit - other.unit);
}
