/** What an app costs while nobody uses it, in a sentence for whoever synthesizes it. */
import type { Architecture } from '../artifact/manifest.js';
import { environmentCost, provisionedInvocationCost } from './invocation-cost.js';
import { HOURS_PER_MONTH, type Prices, SECONDS_PER_MONTH } from './prices.js';

/** What is paid for by the hour. */
export type IdleResource =
  /** Environments of a function that are kept ready. */
  | {
      readonly kind: 'environments';
      /** Whose, for a person. */
      readonly name: string;
      readonly count: number;
      readonly architecture: Architecture;
      readonly memorySize: number;
    }
  /** Instances of SageMaker. */
  | { readonly kind: 'instances'; readonly instanceType: string; readonly count: number };

/** Of requests, for want of a measured duration. */
const ASSUMED_MS = 100;

/** Undefined where nothing costs anything without a request. */
export function idleNote(resources: readonly IdleResource[], prices: Prices): string | undefined {
  const costs = resources
    .filter(({ count }) => count > 0)
    .map((resource) => ({ resource, perMonth: monthlyCostOf(resource, prices) }));
  if (costs.length === 0) return undefined;
  const known = costs.reduce((sum, { perMonth }) => sum + (perMonth ?? 0), 0);
  const unknown = costs.filter(({ perMonth }) => perMonth === undefined);
  const parts = costs.map(
    ({ resource, perMonth }) =>
      `${describe(resource)} ${perMonth === undefined ? '(price not known)' : dollars(perMonth)}`,
  );
  const total =
    unknown.length === costs.length ? 'an unknown sum' : `${dollars(known)}${unknown.length > 0 ? ' or more' : ''}`;
  return [
    `Costs ${total} a month without a request: ${parts.join(', ')}.`,
    ...requestsOf(
      costs.map(({ resource }) => resource),
      prices,
    ),
    `Prices of ${prices.region}, ${prices.date}; \`cdk-onnx cost\` compares.`,
  ].join(' ');
}

function monthlyCostOf(resource: IdleResource, prices: Prices): number | undefined {
  if (resource.kind === 'environments') return resource.count * environmentCost(resource, SECONDS_PER_MONTH, prices);
  const price = prices.sageMaker.perInstanceHour[resource.instanceType];
  return price === undefined ? undefined : resource.count * HOURS_PER_MONTH * price;
}

function describe(resource: IdleResource): string {
  const { count } = resource;
  if (resource.kind === 'instances') return `${count} × ${resource.instanceType}`;
  const { name, memorySize } = resource;
  return `${count} ${count === 1 ? 'environment' : 'environments'} of ${name} kept ready, ${memorySize} MB,`;
}

/** A million requests to each function. */
function requestsOf(resources: readonly IdleResource[], prices: Prices): string[] {
  const functions = resources.flatMap((resource) => {
    if (resource.kind !== 'environments') return [];
    const cost = 1e6 * provisionedInvocationCost({ ...resource, milliseconds: ASSUMED_MS }, prices);
    return [`${dollars(cost)} in ${resource.name}`];
  });
  return functions.length === 0 ? [] : [`A million requests of ${ASSUMED_MS} ms add ${functions.join(', ')}.`];
}

function dollars(value: number): string {
  return `$${value.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}
