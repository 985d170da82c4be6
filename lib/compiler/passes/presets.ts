/** The lists of passes that `build` runs, in order. */
import { constantsToInitializers } from './constants-to-initializers.js';
import { convertOpset, DEFAULT_OPSET } from './convert-opset.js';
import { deduplicateInitializers } from './deduplicate-initializers.js';
import { foldConstants } from './fold-constants.js';
import { foldScaleShiftIntoConsumers } from './fold-scale-shift-into-consumers.js';
import { foldScaleShiftIntoProducer } from './fold-scale-shift-into-producer.js';
import { forgetComputedTypes } from './forget-computed-types.js';
import { type FreezeInputsOptions, freezeInputs } from './freeze-inputs.js';
import { fuseGelu } from './fuse-gelu.js';
import { fuseHardSwish } from './fuse-hard-swish.js';
import { fuseLayerNormalization } from './fuse-layer-normalization.js';
import { inlineFunctions } from './inline-functions.js';
import { inlineIf } from './inline-if.js';
import type { Pass, PassLoop } from './pass.js';
import { removeDeadNodes } from './remove-dead-nodes.js';
import { removeIdentities } from './remove-identities.js';
import { storeFloat16 } from './store-float16.js';
import { stripNames } from './strip-names.js';

/** A folded condition decides an If, whose branch holds more to fold. */
function settleConstants(): PassLoop {
  return {
    name: 'settle-constants',
    untilUnchanged: [constantsToInitializers(), foldConstants(), inlineIf(), removeIdentities(), removeDeadNodes()],
  };
}

/** One plain graph of what the model really computes: bit for bit the same. Needs no types. */
export function normalize(options: FreezeInputsOptions = {}): readonly (Pass | PassLoop)[] {
  return [
    forgetComputedTypes(),
    freezeInputs(options),
    inlineFunctions(),
    settleConstants(),
    deduplicateInitializers(),
  ];
}

/**
 * What makes a normalized model faster or smaller and changes results by rounding at most. Shapes and types that are known by then let
 * more be folded, converted and fused.
 */
export function lossless(): readonly (Pass | PassLoop)[] {
  return [
    convertOpset(DEFAULT_OPSET),
    settleConstants(),
    fuseLayerNormalization(),
    fuseGelu(),
    fuseHardSwish(),
    foldScaleShiftIntoProducer(),
    foldScaleShiftIntoConsumers(),
    settleConstants(),
    deduplicateInitializers(),
  ];
}

/** What model.json asks for beyond that. */
export interface RecipeOptions {
  /** How float32 weights are stored. */
  readonly weights: 'fp32' | 'fp16';
  readonly stripNames: boolean;
}

export function recipes(options: RecipeOptions): readonly Pass[] {
  return [...(options.weights === 'fp16' ? [storeFloat16()] : []), ...(options.stripNames ? [stripNames()] : [])];
}
