/** What a month costs at a steady rate. Requests come as they please (a Poisson process); nothing starts cold. */
import { ConfigurationError } from '../errors.js';
import { environmentCost, invocationCost, provisionedInvocationCost } from './invocation-cost.js';
import { HOURS_PER_MONTH, PRICES, type Prices, SECONDS_PER_MONTH } from './prices.js';
import { type AsynchronousServing, type FunctionUse, type GpuUse, routerOf, type Serving } from './serving.js';

/** S3 for a job: the router writes the request and its record twice, SageMaker reads the request and writes the result. */
const WRITES_PER_JOB = 4;
const READS_PER_JOB = 1;
/** The record, and whether there is a result; then the result, or whether there is a failure. */
const READS_PER_POLL = 3;

export interface CostPart {
  /** What is paid for. */
  readonly item: string;
  /** US dollars. */
  readonly perMonth: number;
  /** Of that, what would be paid without a request. */
  readonly idlePerMonth: number;
  /** How it came about. */
  readonly basis: string;
}

export interface MonthlyCost {
  readonly requestsPerSecond: number;
  readonly requestsPerMonth: number;
  readonly perMonth: number;
  readonly idlePerMonth: number;
  /** Undefined where there are no requests. */
  readonly perMillion: number | undefined;
  readonly parts: readonly CostPart[];
  /** False where instances or environments are at their limit, and the rate is above what they do. */
  readonly sustained: boolean;
}

/** @throws ConfigurationError PRICE_UNKNOWN */
export function monthlyCost(serving: Serving, requestsPerSecond: number, prices: Prices = PRICES): MonthlyCost {
  const parts = partsOf(serving, requestsPerSecond, prices);
  const requestsPerMonth = requestsPerSecond * SECONDS_PER_MONTH;
  const perMonth = sum(parts, (part) => part.perMonth);
  return {
    requestsPerSecond,
    requestsPerMonth,
    perMonth,
    idlePerMonth: sum(parts, (part) => part.idlePerMonth),
    perMillion: requestsPerMonth === 0 ? undefined : (perMonth / requestsPerMonth) * 1e6,
    parts,
    sustained: isSustained(serving, requestsPerSecond),
  };
}

/** Instances for a rate. */
export function instancesFor(
  { minInstances, maxInstances, requestsPerSecond }: GpuUse,
  rate: number,
): { readonly wanted: number; readonly had: number } {
  // A rate that is so many times what an instance does, but for rounding, wants no further one.
  const wanted = Math.ceil(rate / requestsPerSecond - 1e-9);
  return { wanted, had: Math.min(maxInstances, Math.max(minInstances, wanted)) };
}

/** Environments for a rate; 0 where none are kept ready. */
export function environmentsFor({ provisioned, milliseconds }: FunctionUse, rate: number): number {
  if (provisioned === undefined) return 0;
  const wanted = Math.ceil((rate * milliseconds) / 1000 / provisioned.utilization - 1e-9);
  return Math.min(provisioned.max, Math.max(provisioned.min, wanted));
}

/**
 * Of requests that need `load` environments on average, the share that finds all of `environments` at work: Erlang's formula B,
 * whatever the distribution of their durations. Those run on demand.
 */
export function spilledShare(environments: number, load: number): number {
  let share = 1;
  for (let count = 1; count <= environments; count++) share = (load * share) / (count + load * share);
  return load === 0 ? 0 : share;
}

/** @throws ConfigurationError PRICE_UNKNOWN */
export function instanceHour(instanceType: string, { sageMaker, region, date }: Prices): number {
  const price = sageMaker.perInstanceHour[instanceType];
  if (price !== undefined) return price;
  throw new ConfigurationError({
    code: 'PRICE_UNKNOWN',
    message: `What ${instanceType} costs in ${region} is not among the prices of ${date}.`,
    advice: `Give it in a file of prices, --prices prices.json: {"sageMaker": {"perInstanceHour": {"${instanceType}": 1.23}}}. Known are ${Object.keys(sageMaker.perInstanceHour).join(', ')}.`,
  });
}

function partsOf(serving: Serving, rate: number, prices: Prices): CostPart[] {
  // A job is asked for until it is done.
  const requests = serving.kind === 'gpu-asynchronous' ? rate * (1 + serving.polls) : rate;
  const router = routerOf(serving);
  return [
    ...apiParts(serving.api, requests, prices),
    ...(router === undefined ? [] : functionParts('router', router, requests, prices)),
    ...behind(serving, rate, prices),
  ];
}

function behind(serving: Serving, rate: number, prices: Prices): CostPart[] {
  switch (serving.kind) {
    case 'lambda': {
      const { predict, gpu } = serving;
      if (gpu === undefined) return functionParts('function', predict, rate, prices);
      return [
        ...functionParts('function', predict, rate * (1 - gpu.share), prices),
        ...instanceParts(gpu.use, rate * gpu.share, 1, prices),
      ];
    }
    case 'gpu-real-time':
      return instanceParts(serving.gpu, rate, 1, prices);
    case 'gpu-asynchronous':
      return [
        jobPart(serving, rate, prices),
        ...instanceParts(serving.gpu, rate / serving.dutyCycle, serving.dutyCycle, prices),
      ];
  }
}

function jobPart({ polls }: AsynchronousServing, rate: number, { s3 }: Prices): CostPart {
  const reads = READS_PER_JOB + READS_PER_POLL * polls;
  return {
    item: 'S3',
    perMonth: rate * SECONDS_PER_MONTH * (WRITES_PER_JOB * s3.perWrite + reads * s3.perRead),
    idlePerMonth: 0,
    basis: `${WRITES_PER_JOB} writes and ${reads} reads a job`,
  };
}

function apiParts(api: Serving['api'], rate: number, prices: Prices): CostPart[] {
  if (api === undefined) return [];
  const price = prices.api.perRequest[api];
  return [
    {
      item: api === 'http' ? 'HTTP API' : 'REST API',
      perMonth: rate * SECONDS_PER_MONTH * price,
      idlePerMonth: 0,
      basis: `${dollars(price * 1e6)} a million requests`,
    },
  ];
}

function functionParts(item: string, use: FunctionUse, rate: number, prices: Prices): CostPart[] {
  const { memorySize, architecture, milliseconds } = use;
  const machine = `${memorySize} MB, ${architecture}, ${rounded(milliseconds)} ms`;
  const requests = rate * SECONDS_PER_MONTH;
  const onDemand = invocationCost(use, prices);
  const environments = environmentsFor(use, rate);
  if (environments === 0) {
    return [{ item, perMonth: requests * onDemand, idlePerMonth: 0, basis: machine }];
  }
  const spilled = spilledShare(environments, (rate * milliseconds) / 1000);
  const ready = environmentCost(use, SECONDS_PER_MONTH, prices);
  return [
    {
      item: `${item}, kept ready`,
      perMonth: environments * ready,
      idlePerMonth: (use.provisioned?.min ?? 0) * ready,
      basis: `${environments} ${environments === 1 ? 'environment' : 'environments'} of ${memorySize} MB`,
    },
    {
      item,
      perMonth: requests * (spilled * onDemand + (1 - spilled) * provisionedInvocationCost(use, prices)),
      idlePerMonth: 0,
      basis: `${machine}; ${percent(spilled)} on demand`,
    },
  ];
}

function instanceParts(use: GpuUse, rate: number, dutyCycle: number, prices: Prices): CostPart[] {
  const { instanceType, minInstances, beside = [] } = use;
  const { had } = instancesFor(use, rate);
  const price = instanceHour(instanceType, prices);
  const hours = HOURS_PER_MONTH * dutyCycle;
  // Those that are always there stay outside of the busy hours too.
  const instanceHours = had * hours + minInstances * (HOURS_PER_MONTH - hours);
  const always = beside.map(({ instanceType: type, instances }): CostPart => {
    const perMonth = instances * HOURS_PER_MONTH * instanceHour(type, prices);
    return { item: `${type}, beside`, perMonth, idlePerMonth: perMonth, basis: `${instances} × ${HOURS_PER_MONTH} h` };
  });
  return [
    {
      item: instanceType,
      perMonth: instanceHours * price,
      idlePerMonth: minInstances * HOURS_PER_MONTH * price,
      basis: `${had} × ${rounded(hours)} h at ${dollars(price, 4)}`,
    },
    ...always,
  ];
}

function isSustained(serving: Serving, rate: number): boolean {
  const sustains = (use: GpuUse, there: number) => {
    const { wanted, had } = instancesFor(use, there);
    return had >= wanted;
  };
  switch (serving.kind) {
    case 'lambda':
      return serving.gpu === undefined || sustains(serving.gpu.use, rate * serving.gpu.share);
    case 'gpu-real-time':
      return sustains(serving.gpu, rate);
    case 'gpu-asynchronous':
      return sustains(serving.gpu, rate / serving.dutyCycle);
  }
}

function sum<T>(list: readonly T[], of: (item: T) => number): number {
  return list.reduce((total, item) => total + of(item), 0);
}

function percent(share: number): string {
  return `${rounded(100 * share)} %`;
}

function rounded(value: number): string {
  return String(Number(value.toFixed(value < 10 ? 1 : 0)));
}

function dollars(value: number, digits = 2): string {
  return `$${value.toFixed(digits)}`;
}
