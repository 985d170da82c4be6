/**
 * Valid models made up by fast-check, with inputs to run them on: shared and repeated initializers, several consumers, subgraphs that use
 * values from outside, odd and empty shapes, scalars, outputs that are also read, constants as outputs, nodes that nobody needs.
 */
import fc from 'fast-check';
import type { Model } from '../../lib/compiler/ir/model.js';
import { printModel } from '../../lib/compiler/ir/print.js';
import type { Tensor } from '../../lib/compiler/ir/tensor.js';
import { buildModel } from './random-graph/build-model.js';

export interface RandomGraphOptions {
  /** Default 7, 9, 11, 13, 17, 18 and 21. */
  readonly opsets?: readonly number[];
  /** Default 14; an operation may be a few nodes. */
  readonly maximumOperations?: number;
  /** If, Loop and Scan. Default true. */
  readonly subgraphs?: boolean;
  /** Four in five operations are layers of neural networks. Default false. */
  readonly layers?: boolean;
  /** Two in three operations are what converters from channels-last frameworks write, and every value is typed. Default false. */
  readonly channelsLast?: boolean;
}

export interface RandomGraph {
  readonly model: Model;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

/** One operation: which, and the seed of everything that it chooses. */
export interface OperationRecipe {
  readonly operator: number;
  readonly seed: number;
}

/** Builds the same model each time: rewrites change models in place. */
export interface RandomGraphRecipe {
  readonly opset: number;
  readonly operations: readonly OperationRecipe[];
  readonly seed: number;
  readonly subgraphs: boolean;
  readonly layers: boolean;
  readonly channelsLast: boolean;
  build(): RandomGraph;
  toString(): string;
}

const OPSETS = [7, 9, 11, 13, 17, 18, 21];

/** Shrinks by leaving operations out. */
export function randomGraphs(options: RandomGraphOptions = {}): fc.Arbitrary<RandomGraphRecipe> {
  const operation = fc.record({ operator: fc.nat({ max: 10_000 }), seed: fc.nat({ max: 1_000_000 }) });
  return fc
    .record({
      opset: fc.constantFrom(...(options.opsets ?? OPSETS)),
      operations: fc.array(operation, { minLength: 1, maxLength: options.maximumOperations ?? 14, size: 'max' }),
      seed: fc.nat({ max: 1_000_000 }),
    })
    .map((recipe) => {
      const { subgraphs = true, layers = false, channelsLast = false } = options;
      const whole = { ...recipe, subgraphs, layers, channelsLast };
      const build = () => buildModel(whole);
      return {
        ...whole,
        build,
        toString: () => printModel(build().model),
        [fc.toStringMethod]: () => printModel(build().model),
      };
    });
}
