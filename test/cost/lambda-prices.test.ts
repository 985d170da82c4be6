/** What an invocation costs, by the figures that Lambda's pricing page shows. */
import { expect, test } from 'vitest';
import { invocationCost, LAMBDA_PRICES } from '../../lib/cost/lambda-prices.js';

test('a request and its gigabyte-seconds are paid for', () => {
  const cost = invocationCost({ architecture: 'x86_64', memorySize: 1024, milliseconds: 1000 });
  expect(cost).toBeCloseTo(0.0000002 + 0.0000166667, 12);
});

test('Graviton costs a fifth less', () => {
  const duration = (architecture: 'arm64' | 'x86_64') =>
    invocationCost({ architecture, memorySize: 1769, milliseconds: 100 }) - LAMBDA_PRICES.perRequest;
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
  const prices = { ...LAMBDA_PRICES, region: 'eu-central-1', perRequest: 1 };
  expect(invocationCost({ architecture: 'arm64', memorySize: 512, milliseconds: 0 }, prices)).toBe(1);
});
