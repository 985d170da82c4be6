/** Made-up data, for those who ask for it by name: it says nothing of what a model is good for, and every report says so. */
import { sha256 } from '../../artifact/digest.js';
import type { Signature } from '../../artifact/manifest.js';
import { sampleInputs } from '../runtime/sample-inputs.js';
import { dataError } from './data-error.js';
import type { DataSet, Sample } from './data-set.js';

export interface SyntheticOptions {
  readonly count: number;
  readonly seed: number;
  /** Size for dimensions that are not fixed. Default 1. */
  readonly dynamicSize?: number;
  /** As `DataSet.carried`. Default: nothing. */
  readonly carried?: DataSet['carried'];
}

/**
 * Floats uniform in [-1, 1), whole numbers 0 and 1, texts empty; states of sequences start at 0.
 * @throws ConfigurationError DATA_SPLIT_INVALID for a count that is no positive whole number
 */
export function syntheticDataSet({ inputs }: Signature, options: SyntheticOptions): DataSet {
  const { count, seed, dynamicSize = 1, carried = {} } = options;
  if (!Number.isInteger(count) || count < 1) {
    throw dataError(
      'DATA_SPLIT_INVALID',
      `${count} samples cannot be made up.`,
      'Ask for a whole number of them, at least 1.',
    );
  }
  const ids = Array.from({ length: count }, (_, index) => `synthetic#${index}`);
  const indexOf = new Map(ids.map((id, index) => [id, index]));
  return {
    ids,
    digest: sha256(
      JSON.stringify([
        'synthetic',
        seed,
        count,
        dynamicSize,
        inputs.map(({ name, dataType, shape }) => [name, dataType, shape]),
      ]),
    ),
    isSynthetic: true,
    carried,
    async *read(some = ids): AsyncGenerator<Sample> {
      for (const id of some) {
        const index = indexOf.get(id);
        if (index === undefined) {
          throw dataError(
            'DATA_ID_UNKNOWN',
            `The data set has no sample ${JSON.stringify(id.slice(0, 200))}.`,
            'Take ids from `ids`.',
          );
        }
        // Seeds far apart: neighbours of one generator are alike.
        const feeds = sampleInputs(inputs, { seed: (seed + Math.imul(index + 1, 0x9e3779b1)) >>> 0, dynamicSize });
        const starts = Object.entries(feeds).filter(([name]) => carried[name] !== undefined);
        for (const [, { data }] of starts) if ('fill' in data && !Array.isArray(data)) data.fill(zeroOf(data) as never);
        yield { id, steps: [feeds] };
      }
    },
  };
}

function zeroOf(data: object): number | bigint {
  return data instanceof BigInt64Array || data instanceof BigUint64Array ? 0n : 0;
}
