/** `--scheme` and what goes with it, as a recipe. */
import type { Recipe, Scheme } from '../artifact/recipe.js';
import type { RangeMethod } from '../compiler/quantize/calibration/range.js';
import { ConfigurationError } from '../errors.js';
import type { CommandArguments, CommandOption } from './command.js';
import { oneOf, wholeNumber } from './option-values.js';

export const SCHEMES: readonly Exclude<Scheme, 'fp32'>[] = [
  'fp16-storage',
  'int8-weight-only',
  'int8-embedding',
  'int8-dynamic',
  'int8-static',
  'matmul-nbits',
];

export const RECIPE_OPTIONS: Readonly<Record<string, CommandOption>> = {
  scheme: {
    type: 'string',
    placeholder: 'NAME',
    required: true,
    description: SCHEMES.join(', '),
  },
  'per-tensor': { type: 'boolean', description: 'int8: one scale a tensor (default: one a channel)' },
  weights: { type: 'string', placeholder: 'int8|uint8', description: 'int8-dynamic, int8-static (default int8)' },
  activations: {
    type: 'string',
    placeholder: 'uint8|int8|uint16|int16',
    description: 'int8-static (default uint8, which is the fast one)',
  },
  'reduce-range': { type: 'boolean', description: 'int8-dynamic, int8-static: 7-bit weights' },
  range: {
    type: 'string',
    placeholder: 'METHOD',
    description: 'int8-static: min-max, entropy, mse or percentile-99.99 (default min-max)',
  },
  bits: { type: 'string', placeholder: '4|8', description: 'matmul-nbits (default 4)' },
  'block-size': { type: 'string', placeholder: 'N', description: 'matmul-nbits: a power of two from 16 (default 32)' },
  asymmetric: { type: 'boolean', description: 'matmul-nbits: with zero points' },
  'accuracy-level': { type: 'string', placeholder: '0|4', description: 'matmul-nbits: 4 computes in int8 (default 4)' },
};

/** Which options speak of a scheme; another one beside it is a mistake. */
const MEANT: Readonly<Record<Scheme, readonly string[]>> = {
  fp32: [],
  'fp16-storage': [],
  'int8-weight-only': ['per-tensor'],
  'int8-embedding': [],
  'int8-dynamic': ['per-tensor', 'weights', 'reduce-range'],
  'int8-static': ['per-tensor', 'weights', 'reduce-range', 'activations', 'range'],
  'matmul-nbits': ['bits', 'block-size', 'asymmetric', 'accuracy-level'],
};

/** @throws ConfigurationError USAGE */
export function recipeOf(options: CommandArguments['options']): Recipe {
  const scheme = oneOf('--scheme', options.scheme, SCHEMES);
  const stray = Object.keys(RECIPE_OPTIONS).find(
    (name) => name !== 'scheme' && options[name] !== undefined && !MEANT[scheme].includes(name),
  );
  if (stray !== undefined) {
    throw new ConfigurationError({
      code: 'USAGE',
      message: `--${stray} means nothing to the scheme ${scheme}.`,
      advice: MEANT[scheme].length === 0 ? 'That scheme has no options.' : `It has --${MEANT[scheme].join(', --')}.`,
    });
  }
  const perChannel = options['per-tensor'] !== true;
  const reduceRange = options['reduce-range'] === true;
  const weights = () => oneOf('--weights', options.weights ?? 'int8', ['int8', 'uint8']);
  switch (scheme) {
    case 'fp16-storage':
    case 'int8-embedding':
      return { scheme };
    case 'int8-weight-only':
      return { scheme, perChannel };
    case 'int8-dynamic':
      return { scheme, weights: weights(), perChannel, reduceRange };
    case 'int8-static': {
      const kinds = ['uint8', 'int8', 'uint16', 'int16'] as const;
      const activations = oneOf('--activations', options.activations ?? 'uint8', kinds);
      return { scheme, activations, weights: weights(), perChannel, reduceRange };
    }
    case 'matmul-nbits':
      return {
        scheme,
        bits: oneOf('--bits', options.bits ?? '4', ['4', '8']) === '4' ? 4 : 8,
        blockSize: powerOfTwo(options['block-size'] ?? 32),
        symmetric: options.asymmetric !== true,
        accuracyLevel: oneOf('--accuracy-level', options['accuracy-level'] ?? '4', ['0', '4']) === '4' ? 4 : 0,
      };
  }
}

function powerOfTwo(value: unknown): number {
  const size = wholeNumber('--block-size', value, { min: 16, max: 2 ** 16 });
  if (Number.isInteger(Math.log2(size))) return size;
  throw new ConfigurationError({
    code: 'USAGE',
    message: `--block-size is ${size}.`,
    advice: 'Give a power of two, at least 16.',
  });
}

/** @throws ConfigurationError USAGE */
export function rangeMethodOf(value: string | boolean | undefined): RangeMethod {
  if (value === undefined) return { kind: 'min-max' };
  const [, percentile] = /^percentile-(\d+(?:\.\d+)?)$/.exec(String(value)) ?? [];
  if (percentile !== undefined && Number(percentile) > 50 && Number(percentile) <= 100) {
    return { kind: 'percentile', percentile: Number(percentile) };
  }
  return { kind: oneOf('--range', value, ['min-max', 'entropy', 'mse']) };
}
