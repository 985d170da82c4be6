/** The ways to serve a model beside each other: months at each rate, and where one becomes cheaper than another. */
import { type BreakEven, breakEven, stepsOf } from '../../cost/break-even.js';
import { type MonthlyCost, monthlyCost } from '../../cost/monthly-cost.js';
import type { Prices } from '../../cost/prices.js';
import type { FunctionUse, GpuUse, ProvisionedUse, Serving } from '../../cost/serving.js';
import { assumptionsOf } from './assumptions.js';
import type { Instances, Subject } from './subject.js';

/** What nobody but the caller can know of a GPU and of the traffic. */
export interface GpuAssumptions {
  /** What an instance answers. */
  readonly requestsPerSecond: number;
  readonly milliseconds: number;
  /** Of requests that the GPU answers where it stands by for Lambda. */
  readonly share: number;
  /** Of the month in which jobs come. */
  readonly dutyCycle: number;
  readonly polls: number;
}

export interface ComparisonOptions {
  readonly rates: readonly number[];
  readonly gpu: GpuAssumptions;
  readonly prices: Prices;
}

export interface ServingCosts {
  readonly id: 'lambda' | 'provisioned' | 'fallback' | 'gpu' | 'queue';
  readonly title: string;
  /** Whether the app does it this way. */
  readonly deployed: boolean;
  /** US dollars a month without a request. */
  readonly idlePerMonth: number;
  readonly at: readonly MonthlyCost[];
}

export interface ServingBreakEven extends BreakEven {
  /** Ids of servings. */
  readonly first: string;
  readonly second: string;
}

export interface Comparison extends Omit<Subject, 'isDeployed'> {
  readonly servings: readonly ServingCosts[];
  readonly breakEven: readonly ServingBreakEven[];
  readonly assumptions: readonly string[];
}

/** Where break-even points are looked for at most, in requests per second. */
const UP_TO = 10_000;
/** Where nobody says how many environments there should be. */
export const ASSUMED_PROVISIONED: ProvisionedUse = { min: 1, max: 1000, utilization: 0.7 };
/** As an InferenceRouter has it; what it does itself with a request of 10 kB takes less. */
export const ASSUMED_ROUTER = { memorySize: 1024, milliseconds: 4 } as const;

interface Way {
  readonly id: ServingCosts['id'];
  readonly title: string;
  readonly deployed: boolean;
  readonly serving: Serving;
}

/** @throws ConfigurationError PRICE_UNKNOWN */
export function compareServings(subject: Subject, options: ComparisonOptions): Comparison {
  const { rates, prices } = options;
  const ways = waysOf(subject, options.gpu);
  const costAt = (serving: Serving) => (rate: number) => monthlyCost(serving, rate, prices).perMonth;
  const upTo = Math.max(UP_TO, ...rates);
  const { isDeployed: _, ...described } = subject;
  return {
    ...described,
    servings: ways.map(({ id, title, deployed, serving }) => ({
      id,
      title,
      deployed,
      idlePerMonth: monthlyCost(serving, 0, prices).perMonth,
      at: rates.map((rate) => monthlyCost(serving, rate, prices)),
    })),
    breakEven: pairsOf(ways).map(([first, second]) => ({
      first: first.id,
      second: second.id,
      ...breakEven(costAt(first.serving), costAt(second.serving), {
        upTo,
        steps: [...stepsOf(first.serving, upTo), ...stepsOf(second.serving, upTo)],
      }),
    })),
    assumptions: assumptionsOf(
      subject,
      options,
      ways.map(({ serving }) => serving),
    ),
  };
}

function waysOf(subject: Subject, gpuAssumptions: GpuAssumptions): Way[] {
  const { api, isDeployed, provisioned, memorySize, architecture, duration } = subject;
  const onDemand: FunctionUse = { memorySize, architecture, milliseconds: duration.milliseconds };
  const ready: FunctionUse = { ...onDemand, provisioned: provisioned ?? ASSUMED_PROVISIONED };
  const isAlone = isDeployed && subject.router === undefined;
  const ways: Way[] = [
    {
      id: 'lambda',
      title: 'Lambda',
      deployed: isAlone && provisioned === undefined,
      serving: { kind: 'lambda', api, predict: onDemand },
    },
    {
      id: 'provisioned',
      title: 'Lambda, kept ready',
      deployed: isAlone && provisioned !== undefined,
      serving: { kind: 'lambda', api, predict: ready },
    },
  ];
  const { share, dutyCycle, polls, ...what } = gpuAssumptions;
  const use = (instances: Instances): GpuUse => ({ ...instances, ...what });
  const router = subject.router ?? { architecture, ...ASSUMED_ROUTER };
  const hasGpu = subject.gpu !== undefined || subject.queue !== undefined;
  if (hasGpu) {
    ways.push({
      id: 'fallback',
      title: `Lambda, router, ${subject.gpu === undefined ? 'queue' : 'GPU'} stands by`,
      deployed: isDeployed && subject.router !== undefined,
      serving: {
        kind: 'lambda',
        api,
        router,
        predict: provisioned === undefined ? onDemand : ready,
        gpu: subject.gpu === undefined ? undefined : { use: use(subject.gpu), share },
      },
    });
  }
  if (subject.gpu !== undefined) {
    const serving: Serving = { kind: 'gpu-real-time', api, router, gpu: use(subject.gpu) };
    ways.push({ id: 'gpu', title: 'GPU for everything', deployed: false, serving });
  }
  const queue =
    subject.queue ?? (subject.gpu === undefined ? undefined : { ...subject.gpu, minInstances: 0, beside: [] });
  if (queue !== undefined) {
    const serving: Serving = { kind: 'gpu-asynchronous', api, router, gpu: use(queue), dutyCycle, polls };
    ways.push({ id: 'queue', title: 'GPU with a queue', deployed: false, serving });
  }
  return ways;
}

/** Each once, but for what differs by standing by. */
function pairsOf(ways: readonly Way[]): (readonly [Way, Way])[] {
  const compared = ways.filter(({ id }) => id !== 'fallback');
  return compared.flatMap((first, index) => compared.slice(index + 1).map((second) => [first, second] as const));
}
