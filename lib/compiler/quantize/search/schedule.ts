/**
 * Which node gets which recipe, for every trade between cost and noise: minimizing Σ cost + λ · Σ noise node by node. Only recipes on the
 * lower hull of a node's points (noise, cost) are ever best for some λ, so that all answers are one sequence of steps, from the least
 * noise to the least cost, each a node that moves one point along its hull: the steepest first.
 */

export interface Option {
  /** Lower is better: bytes or milliseconds. */
  readonly cost: number;
  /** What it is predicted to add to the outputs, relative to their energy; at least 0. */
  readonly noise: number;
}

export interface Step {
  readonly unit: number;
  /** Index of the option that it takes from then on. */
  readonly option: number;
  /** What it saves, at least 0, and the noise that it adds. */
  readonly saving: number;
  readonly noise: number;
}

export interface Schedule {
  /** The option of each unit with the least noise (of equal ones the cheapest). */
  readonly start: readonly number[];
  readonly steps: readonly Step[];
}

/** @param units options of every unit, at least one each */
export function scheduleOf(units: readonly (readonly Option[])[]): Schedule {
  const start: number[] = [];
  const steps: Step[] = [];
  for (const [unit, options] of units.entries()) {
    const hull = lowerHull(options);
    start.push(hull[0] ?? 0);
    for (let at = 1; at < hull.length; at++) {
      const [before, after] = [options[hull[at - 1] ?? 0], options[hull[at] ?? 0]];
      if (before === undefined || after === undefined) continue;
      steps.push({ unit, option: hull[at] ?? 0, saving: before.cost - after.cost, noise: after.noise - before.noise });
    }
  }
  // Steps of one unit get flatter along its hull, so that this order keeps theirs.
  steps.sort((one, other) => slope(other) - slope(one) || one.unit - other.unit || one.noise - other.noise);
  return { start, steps };
}

function slope({ saving, noise }: Step): number {
  return noise <= 0 ? Number.POSITIVE_INFINITY : saving / noise;
}

/** Indices of the options on the lower left hull, from the least noise to the least cost. */
function lowerHull(options: readonly Option[]): number[] {
  const order = [...options.keys()]
    .filter((index) => Number.isFinite(options[index]?.cost) && Number.isFinite(options[index]?.noise))
    .sort((a, b) => noiseOf(options, a) - noiseOf(options, b) || costOf(options, a) - costOf(options, b));
  const hull: number[] = [];
  for (const index of order) {
    const last = hull.at(-1);
    if (last !== undefined && costOf(options, index) >= costOf(options, last)) continue;
    while (hull.length >= 2 && isAbove(options, hull.at(-2) ?? 0, hull.at(-1) ?? 0, index)) hull.pop();
    hull.push(index);
  }
  return hull;
}

/** Whether the middle one lies on or above the line between the others. */
function isAbove(options: readonly Option[], left: number, middle: number, right: number): boolean {
  const [x0, x1, x2] = [left, middle, right].map((index) => noiseOf(options, index)) as [number, number, number];
  const [y0, y1, y2] = [left, middle, right].map((index) => costOf(options, index)) as [number, number, number];
  return (y1 - y0) * (x2 - x0) >= (y2 - y0) * (x1 - x0);
}

const noiseOf = (options: readonly Option[], index: number) => options[index]?.noise ?? 0;
const costOf = (options: readonly Option[], index: number) => options[index]?.cost ?? 0;

/** The options after the first `count` steps. */
export function optionsAfter({ start, steps }: Schedule, count: number): number[] {
  const options = [...start];
  for (const { unit, option } of steps.slice(0, count)) options[unit] = option;
  return options;
}
