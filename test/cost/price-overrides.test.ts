import { describe, expect, test } from 'vitest';
import { overridePrices } from '../../lib/cost/price-overrides.js';
import { PRICES } from '../../lib/cost/prices.js';
import { refusalOf } from '../support/refusal.js';

describe('prices of one’s own', () => {
  test('take the place of ours, and leave the others', () => {
    const mine = {
      date: '2027-02-03',
      region: 'eu-west-1',
      lambda: { perGigabyteSecond: { arm64: 0.00002 } },
      sageMaker: { perInstanceHour: { 'ml.p5.48xlarge': 100, 'ml.g5.xlarge': 1.57 } },
    };
    const prices = overridePrices(PRICES, mine, 'prices.json');
    expect(prices).toEqual({
      ...PRICES,
      date: '2027-02-03',
      region: 'eu-west-1',
      lambda: { ...PRICES.lambda, perGigabyteSecond: { ...PRICES.lambda.perGigabyteSecond, arm64: 0.00002 } },
      sageMaker: {
        perInstanceHour: { ...PRICES.sageMaker.perInstanceHour, 'ml.p5.48xlarge': 100, 'ml.g5.xlarge': 1.57 },
      },
    });
    expect(overridePrices(PRICES, JSON.parse(JSON.stringify(PRICES)), 'the same')).toEqual(PRICES);
  });

  test('without a date say whose they are', () => {
    expect(overridePrices(PRICES, {}, 'prices.json').date).toBe(`${PRICES.date}, with those of prices.json`);
  });

  test('are refused with everything that is wrong', async () => {
    const wrong = {
      date: 5,
      api: [1],
      lambda: { perRequest: '0.2', perGigabyteSecond: { mips: 1 } },
      s3: { perRead: -1 },
      sageMaker: { perInstanceHour: { 'ml.g5.xlarge': null } },
      ['__proto__']: 1,
    };
    const { code, message } = await refusalOf(() => overridePrices(PRICES, wrong, 'prices.json'));
    expect([code, message.split('\n')]).toEqual([
      'PRICES_INVALID',
      [
        'prices.json is not valid:',
        '  date is 5, not a text',
        '  api is [1], not an object',
        '  lambda.perRequest is "0.2", not a number of US dollars',
        '  lambda.perGigabyteSecond.mips is no price; there are x86_64, arm64',
        '  s3.perRead is -1, not a number of US dollars',
        '  sageMaker.perInstanceHour.ml.g5.xlarge is null, not a number of US dollars',
        '  __proto__ is no price; there are date, region, lambda, api, s3, sageMaker',
      ],
    ]);
    for (const none of [null, 3, 'x', []]) {
      expect((await refusalOf(() => overridePrices(PRICES, none, 'it'))).code).toBe('PRICES_INVALID');
    }
  });
});
