/** From which rate on one way to serve a model is cheaper than another. */
import { type FunctionUse, type GpuUse, routerOf, type Serving } from './serving.js';

/** A rate at which the cheaper one changes. */
export interface Crossing {
  readonly requestsPerSecond: number;
  /** The second is cheaper above it, the first below; otherwise the other way round. */
  readonly secondAbove: boolean;
}

/** Of a comparison up to `upTo` requests per second. */
export interface BreakEven {
  readonly crossings: readonly Crossing[];
  /** At the lowest rate: that of no request at all, where both cost something, else a very small one. */
  readonly secondAtFirst: boolean;
  readonly upTo: number;
}

const SMALLEST = 1e-6;
/** As near to a step as one can be and still be behind its jump. */
const BEHIND = 1 + 1e-7;
const HALVINGS = 80;
/** What is smooth between two steps, and not a line, is looked at so often. */
const PARTS = 4;

/**
 * Costs of a serving jump where it takes a further instance or environment (`stepsOf`) and are continuous in between, where a sign that
 * changes is halved down to its place. Cost at a step is that of the fewer instances.
 */
export function breakEven(
  first: (requestsPerSecond: number) => number,
  second: (requestsPerSecond: number) => number,
  options: { readonly upTo: number; readonly steps?: readonly number[] },
): BreakEven {
  const { upTo, steps = [] } = options;
  const difference = (rate: number) => second(rate) - first(rate);
  const ends = [...new Set(steps.filter((rate) => rate > SMALLEST && rate < upTo)), upTo].sort((a, b) => a - b);
  const crossings: Crossing[] = [];
  const secondAtFirst = difference(SMALLEST) < 0;
  let isSecond = secondAtFirst;
  const turn = (requestsPerSecond: number) => {
    isSecond = !isSecond;
    crossings.push({ requestsPerSecond, secondAbove: isSecond });
  };
  let from = SMALLEST;
  for (const to of ends) {
    // Just behind the step before, where it jumped.
    if (difference(from * BEHIND) < 0 !== isSecond) turn(from);
    for (let part = 1; part <= PARTS; part++) {
      const end = part === PARTS ? to : from + ((to - from) * part) / PARTS;
      const begin = part === 1 ? from * BEHIND : from + ((to - from) * (part - 1)) / PARTS;
      if (difference(end) < 0 !== isSecond) turn(halve(difference, begin, end));
    }
    from = to;
  }
  return { crossings, secondAtFirst, upTo };
}

function halve(difference: (rate: number) => number, begin: number, end: number): number {
  const signAtEnd = difference(end) < 0;
  let [low, high] = [begin, end];
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (low + high) / 2;
    if (difference(middle) < 0 === signAtEnd) high = middle;
    else low = middle;
  }
  return high;
}

/** The rates up to `upTo` above which a serving takes another instance or environment. */
export function stepsOf(serving: Serving, upTo: number): number[] {
  const ofGpu = ({ minInstances, maxInstances, requestsPerSecond }: GpuUse, share: number) =>
    multiples(requestsPerSecond / share, minInstances, maxInstances, upTo);
  const ofFunction = (use: FunctionUse | undefined, share: number) =>
    use?.provisioned === undefined
      ? []
      : multiples(
          (use.provisioned.utilization * 1000) / use.milliseconds / share,
          use.provisioned.min,
          use.provisioned.max,
          upTo,
        );
  const router = routerOf(serving);
  switch (serving.kind) {
    case 'lambda': {
      const { gpu, predict } = serving;
      const share = gpu?.share ?? 0;
      return [
        ...ofFunction(router, 1),
        ...ofFunction(predict, 1 - share),
        ...(gpu === undefined ? [] : ofGpu(gpu.use, share)),
      ];
    }
    case 'gpu-real-time':
      return [...ofFunction(router, 1), ...ofGpu(serving.gpu, 1)];
    case 'gpu-asynchronous':
      return [...ofFunction(router, 1 + serving.polls), ...ofGpu(serving.gpu, 1 / serving.dutyCycle)];
  }
}

/** No more of them are told apart: beyond, they are small against the whole. */
const MAX_STEPS = 2000;

function multiples(step: number, min: number, max: number, upTo: number): number[] {
  // Of what gets no requests.
  if (!Number.isFinite(step)) return [];
  const first = Math.max(1, min);
  const last = Math.min(max - 1, Math.floor(upTo / step), first + MAX_STEPS);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => (first + index) * step);
}
