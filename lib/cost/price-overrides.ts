/** Prices of somebody's own in place of ours: of another region, of another day, of a contract. */
import { ConfigurationError } from '../errors.js';
import { PRICES, type Prices } from './prices.js';

/** Context of CDK apps with prices in place of ours: an object in the form of `PRICES`, or a part of it. */
export const PRICES_CONTEXT = 'cdk-onnx:prices';

/**
 * Ours with what the context's value gives of them; ours where it has none.
 *
 * @throws ConfigurationError PRICES_INVALID with everything that is wrong
 */
export function contextPrices(value: unknown): Prices {
  return value === undefined ? PRICES : overridePrices(PRICES, value, `the context '${PRICES_CONTEXT}'`);
}

/**
 * `prices` with what `overrides`, parsed JSON of the same form, gives of them. Instances may be any. Without a date or a region
 * of its own it says that both are not those of all prices.
 *
 * @param where what the errors call it
 * @throws ConfigurationError PRICES_INVALID with everything that is wrong
 */
export function overridePrices(prices: Prices, overrides: unknown, where: string): Prices {
  const problems: string[] = [];
  const merged = merge(prices, overrides, '', problems);
  if (problems.length > 0) {
    throw new ConfigurationError({
      code: 'PRICES_INVALID',
      message: `${where} is not valid:\n${problems.map((problem) => `  ${problem}`).join('\n')}`,
      advice:
        'Give US dollars in the form of ours, or a part of it: {"date": "2027-01", "region": "eu-west-1", "sageMaker": {"perInstanceHour": {"ml.g5.xlarge": 1.57}}}.',
    });
  }
  const { date, region } = overrides as Partial<Prices>;
  const mixed = date === undefined || region === undefined;
  return { ...(merged as Prices), ...(mixed ? { date: `${date ?? prices.date}, with those of ${where}` } : {}) };
}

/** Names of instances: the one place where a key may be new. */
const OPEN = 'sageMaker.perInstanceHour';

function merge(known: unknown, given: unknown, path: string, problems: string[]): unknown {
  if (typeof known === 'number') {
    if (typeof given === 'number' && Number.isFinite(given) && given >= 0) return given;
    problems.push(`${path} is ${JSON.stringify(given)}, not a number of US dollars`);
    return known;
  }
  if (typeof known === 'string') {
    if (typeof given === 'string' && given.trim() !== '') return given;
    problems.push(`${path} is ${JSON.stringify(given)}, not a text`);
    return known;
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    problems.push(`${path === '' ? 'the whole' : path} is ${JSON.stringify(given)}, not an object`);
    return known;
  }
  const merged: Record<string, unknown> = { ...(known as object) };
  for (const [key, value] of Object.entries(given)) {
    const inner = path === '' ? key : `${path}.${key}`;
    if (path === OPEN) merged[key] = merge(0, value, inner, problems);
    else if (Object.hasOwn(merged, key)) merged[key] = merge(merged[key], value, inner, problems);
    else problems.push(`${inner} is no price; there are ${Object.keys(known as object).join(', ')}`);
  }
  return merged;
}
