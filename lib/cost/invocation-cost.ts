/** What one invocation of a Lambda function costs. */
import type { Architecture } from '../artifact/manifest.js';
import { PRICES, type Prices } from './prices.js';

export interface Invocation {
  readonly architecture: Architecture;
  /** MB, as the function is configured. */
  readonly memorySize: number;
  /** Of the handler, and of the init phase where there was one. Each millisecond that has begun is billed. */
  readonly milliseconds: number;
}

/** On demand, without API, transfer and logs. */
export function invocationCost(invocation: Invocation, { lambda }: Prices = PRICES): number {
  return lambda.perRequest + gigabyteSeconds(invocation) * lambda.perGigabyteSecond[invocation.architecture];
}

/** In an environment that is kept ready, which costs `environmentCost` besides. */
export function provisionedInvocationCost(invocation: Invocation, { lambda }: Prices = PRICES): number {
  const { runningPerGigabyteSecond } = lambda.provisioned;
  return lambda.perRequest + gigabyteSeconds(invocation) * runningPerGigabyteSecond[invocation.architecture];
}

/** Of keeping one environment ready for so many seconds, whether or not it runs. */
export function environmentCost(
  { architecture, memorySize }: Omit<Invocation, 'milliseconds'>,
  seconds: number,
  { lambda }: Prices = PRICES,
): number {
  return (memorySize / 1024) * seconds * lambda.provisioned.perGigabyteSecond[architecture];
}

function gigabyteSeconds({ memorySize, milliseconds }: Invocation): number {
  return (memorySize / 1024) * (Math.ceil(milliseconds) / 1000);
}
