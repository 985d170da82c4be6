/**
 * A graph that is computed in half precision, for a GPU: half the memory, and the fast kernels. On a CPU it is slower.
 * Weights become float16; Casts stand where a node stays in single precision.
 */
import { allowConstants } from './allow-constants.js';
import { constantsToInitializers } from './constants-to-initializers.js';
import { HalfPrecisionConversion } from './half-precision/conversion.js';
import { ElementTypes } from './half-precision/element-types.js';
import { SINGLE_PRECISION_OPERATORS } from './half-precision/operators.js';
import { Placement } from './half-precision/placement.js';
import type { ImmediatePass } from './pass.js';

export interface ComputeFloat16Options {
  /** Standard operators that stay in single precision. Default `SINGLE_PRECISION_OPERATORS`. */
  readonly single?: ReadonlySet<string>;
  /** Whether float32 inputs and outputs of the model stay float32, behind Casts; else they become float16. Default true. */
  readonly keepSignature?: boolean;
}

/**
 * Run it on a normalized model whose types were inferred: a value of unknown type stays in single precision with the nodes around it.
 * So do constants that float16 cannot hold, what is computed from sizes, and other domains. Subgraphs are converted too; model-local
 * functions are left alone.
 */
export function computeFloat16(options: ComputeFloat16Options = {}): ImmediatePass {
  const { single = SINGLE_PRECISION_OPERATORS, keepSignature = true } = options;
  return {
    name: 'compute-float16',
    run(model) {
      const constants = constantsToInitializers().run(model);
      const types = new ElementTypes(model.graph);
      const placement = new Placement(model.graph, { types, single });
      if (!placement.hasHalf) return { modified: constants.modified, declined: placement.declined };
      allowConstants(model);
      new HalfPrecisionConversion(model, { types, placement, keepSignature }).run();
      return { modified: true, declined: placement.declined };
    },
  };
}
