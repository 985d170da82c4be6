/** What was seen of a model's values, and the ranges that follow from it. */
import type { IntegerType } from '../../../artifact/recipe.js';
import type { ValueStatistics } from '../../runtime/value-statistics.js';
import { type Distribution, distributionOf } from './distribution.js';
import { entropyRange } from './entropy-range.js';
import { mseRange } from './mse-range.js';
import type { RefusedValue } from './observed-model.js';
import { percentileRange } from './percentile-range.js';
import { methodName, type RangeMethod, type ValueRange } from './range.js';

const LEVELS: Readonly<Record<IntegerType, number>> = {
  int4: 16,
  uint4: 16,
  int8: 256,
  uint8: 256,
  int16: 65_536,
  uint16: 65_536,
};

export class Calibration {
  /** By the value's name. Plain data, to be kept or sent. */
  readonly statistics: ReadonlyMap<string, ValueStatistics>;
  readonly refused: readonly RefusedValue[];
  readonly samples: number;
  /** The most memory that the session's process had, bytes. */
  readonly peakBytes: number;
  readonly #distributions = new Map<string, Distribution>();
  readonly #ranges = new Map<string, ValueRange>();

  constructor(
    statistics: Iterable<readonly [string, ValueStatistics]>,
    refused: readonly RefusedValue[],
    samples: number,
    peakBytes: number,
  ) {
    this.statistics = new Map(statistics);
    this.refused = refused;
    this.samples = samples;
    this.peakBytes = peakBytes;
  }

  /**
   * The range of a value; undefined for one that was not calibrated. As it was seen: widening it to hold 0 is the quantizer's business.
   * @param dataType what it will be quantized to, on which `entropy` and `mse` depend. Default uint8.
   */
  range(name: string, method: RangeMethod, dataType: IntegerType = 'uint8'): ValueRange | undefined {
    const statistics = this.statistics.get(name);
    if (statistics === undefined) return undefined;
    const { min, max } = statistics;
    // Without elements in the histogram there is nothing to choose by.
    if (method.kind === 'min-max' || statistics.observed === 0) return { min, max };
    const key = [name, methodName(method), LEVELS[dataType]].join('\0');
    const known = this.#ranges.get(key);
    if (known !== undefined) return known;
    const range = chooseRange(this.#distribution(name, statistics), method, LEVELS[dataType]);
    this.#ranges.set(key, range);
    return range;
  }

  #distribution(name: string, statistics: ValueStatistics): Distribution {
    const known = this.#distributions.get(name) ?? distributionOf(statistics);
    this.#distributions.set(name, known);
    return known;
  }
}

export function chooseRange(distribution: Distribution, method: RangeMethod, levels: number): ValueRange {
  switch (method.kind) {
    case 'min-max':
      return { min: distribution.min, max: distribution.max };
    case 'percentile':
      return percentileRange(distribution, method.percentile);
    case 'entropy':
      return entropyRange(distribution, levels);
    case 'mse':
      return mseRange(distribution, levels);
  }
}
