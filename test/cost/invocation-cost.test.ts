/** What an invocation costs, by the figures that Lambda's pricing page shows. */
import { expect, test } from 'vitest';
import { environmentCost, invocationCost, provisionedInvocationCost } from '../../lib/cost/invocation-cost.js';
import { PRICES } from '../../lib/cost/prices.js';

test('a request and its gigabyte-seconds are paid for', () => {
  const cost = invocationCost({ architecture: 'x86_64', memorySize: 1024, milliseconds: 1000 });
  expect(cost).toBeCloseTo(0.0000002 + 0.0000166667, 12);
});

test('Graviton costs a fifth less', () => {
  const duration = (architecture: 'arm64' | 'x86_64') =>
    invocationCost({ architecture, memorySize: 1769, milliseconds: 100 }) - PRICES.lambda.perRequest;
  expect(duration('arm64') / duration('x86_64')).toBeCloseTo(0.8, 3);
  // As README says.
  expect(duration('arm64')).toBeCloseTo(0.0000023, 8);
});

test('a millisecond that has begun is billed', () => {
  const cost = (milliseconds: number) => invocationCost({ architecture: 'arm64', memorySize: 512, milliseconds });
  expect(cost(10.2)).toBe(cost(11));
  expect(cost(10.2)).toBeGreaterThan(cost(10));
});

test('prices may be those of another region', () => {
  const prices = { ...PRICES, region: 'eu-central-1', lambda: { ...PRICES.lambda, perRequest: 1 } };
  expect(invocationCost({ architecture: 'arm64', memorySize: 512, milliseconds: 0 }, prices)).toBe(1);
});

test('an environment that is kept ready costs all the time, and runs for less', () => {
  const machine = { architecture: 'x86_64', memorySize: 2048 } as const;
  expect(environmentCost(machine, 3600)).toBeCloseTo(2 * 3600 * 0.0000041667, 12);
  const invocation = { ...machine, milliseconds: 500 };
  expect(provisionedInvocationCost(invocation)).toBeCloseTo(0.0000002 + 0.0000097222, 12);
  // Busy without a pause it is the cheaper one: by a sixth, on both architectures.
  for (const architecture of ['x86_64', 'arm64'] as const) {
    const busy = { architecture, memorySize: 2048, milliseconds: 1000 };
    const ready = provisionedInvocationCost(busy) + environmentCost(busy, 1) - PRICES.lambda.perRequest;
    expect(ready / (invocationCost(busy) - PRICES.lambda.perRequest)).toBeCloseTo(5 / 6, 4);
  }
});
