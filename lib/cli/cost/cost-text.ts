/** The tables that a person reads. */
import { PRICES_CONTEXT } from '../../cost/price-overrides.js';
import type { Prices } from '../../cost/prices.js';
import { textTable } from '../text-table.js';
import type { Comparison, ServingBreakEven, ServingCosts } from './comparison.js';
import { formatDollars, rounded } from './figures.js';

export function costText(comparisons: readonly Comparison[], prices: Prices): string {
  return [
    ...comparisons.map(comparisonText),
    `US dollars a month, on demand, prices of ${prices.region}, ${prices.date}; others by --prices or the context ${PRICES_CONTEXT}.`,
    '',
  ].join('\n');
}

function comparisonText(comparison: Comparison): string {
  const { name, architecture, memorySize, servings, breakEven, assumptions, api } = comparison;
  const rates = servings[0]?.at.map(({ requestsPerSecond }) => requestsPerSecond) ?? [];
  const last = rates.at(-1) ?? 0;
  const rows = servings.map((serving) => [
    `${serving.title}${serving.deployed ? ' (this app)' : ''}`,
    formatDollars(serving.idlePerMonth),
    ...serving.at.map(({ perMonth, sustained }) => `${formatDollars(perMonth)}${sustained ? '' : ' !'}`),
    perMillion(serving),
  ]);
  const door = api === undefined ? 'no API' : api === 'http' ? 'HTTP API' : 'REST API';
  const lines = breakEven.map((point) => `  ${breakEvenText(point, servings)}`);
  return [
    `${name}: ${memorySize} MB, ${architecture}, ${door}`,
    textTable([['', 'idle', ...rates.map((rate) => `${rounded(rate)}/s`), `a million at ${rounded(last)}/s`], ...rows]),
    '',
    ...lines,
    '',
    ...assumptions.map((text) => `  - ${text}`),
    '',
  ].join('\n');
}

function perMillion({ at }: ServingCosts): string {
  const value = at.at(-1)?.perMillion;
  return value === undefined ? '' : formatDollars(value);
}

/** One sentence: which is cheaper first, from where on the other one is, and from where on for good. */
export function breakEvenText(point: ServingBreakEven, servings: readonly ServingCosts[]): string {
  const { crossings, secondAtFirst, upTo } = point;
  const titles = new Map<string, string>(servings.map(({ id, title }) => [id, `'${title}'`]));
  const [first, second] = [titles.get(point.first) ?? point.first, titles.get(point.second) ?? point.second];
  const [low, high] = secondAtFirst ? [second, first] : [first, second];
  const [begin, ...others] = crossings.map(({ requestsPerSecond }) => rounded(requestsPerSecond));
  if (begin === undefined) return `${low} is cheaper than ${high} up to ${rounded(upTo)}/s`;
  const end = others.at(-1);
  if (end === undefined) return `${high} is cheaper than ${low} from ${begin}/s on`;
  const highAtLast = crossings.at(-1)?.secondAbove !== secondAtFirst;
  return highAtLast
    ? `${high} is cheaper than ${low} from ${begin}/s on with gaps, for good from ${end}/s on`
    : `${high} is cheaper than ${low} at times between ${begin}/s and ${end}/s, not above`;
}
