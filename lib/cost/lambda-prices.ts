/** What Lambda asks for, in US dollars; regions differ. https://aws.amazon.com/lambda/pricing/ */
import type { Architecture } from '../artifact/manifest.js';

export interface LambdaPrices {
  /** When they were looked up, and where they hold. */
  readonly date: string;
  readonly region: string;
  readonly perRequest: number;
  /** Of memory that a function has while it runs, its init phase included. 1 GB is 1,024 MB. */
  readonly perGigabyteSecond: Readonly<Record<Architecture, number>>;
}

export const LAMBDA_PRICES: LambdaPrices = {
  date: '2026-11',
  region: 'us-east-1',
  perRequest: 0.2e-6,
  perGigabyteSecond: { x86_64: 0.0000166667, arm64: 0.0000133334 },
};

export interface Invocation {
  readonly architecture: Architecture;
  /** MB, as the function is configured. */
  readonly memorySize: number;
  /** Of the handler, and of the init phase where there was one. Each millisecond that has begun is billed. */
  readonly milliseconds: number;
}

/** Of one invocation, without API, transfer and logs. */
export function invocationCost(
  { architecture, memorySize, milliseconds }: Invocation,
  prices: LambdaPrices = LAMBDA_PRICES,
): number {
  const gigabyteSeconds = (memorySize / 1024) * (Math.ceil(milliseconds) / 1000);
  return prices.perRequest + gigabyteSeconds * prices.perGigabyteSecond[architecture];
}
