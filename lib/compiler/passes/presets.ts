/** The lists of passes that `build` runs, in order. */
import { constantsToInitializers } from './constants-to-initializers.js';
import { convertOpset, DEFAULT_OPSET } from './convert-opset.js';
import { deduplicateInitializers } from './deduplicate-initializers.js';
import { foldConstants } from './fold-constants.js';
import { foldScaleShiftAroundProducts } from './fold-scale-shift-around-products.js';
import { foldScaleShiftIntoConsumers } from './fold-scale-shift-into-consumers.js';
import { foldScaleShiftIntoProducer } from './fold-scale-shift-into-producer.js';
import { forgetComputedTypes } from './forget-computed-types.js';
import { type FreezeInputsOptions, freezeInputs } from './freeze-inputs.js';
import { fuseBatchNormalization } from './fuse-batch-normalization.js';
import { fuseGelu } from './fuse-gelu.js';
import { fuseGlobalAveragePool } from './fuse-global-average-pool.js';
import { fuseHardSwish } from './fuse-hard-swish.js';
import { fuseLayerNormalization } from './fuse-layer-normalization.js';
import { inlineFunctions } from './inline-functions.js';
import { inlineIf } from './inline-if.js';
import { keepPaddingApart } from './keep-padding-apart.js';
import { pushTransposes } from './layout/push-transposes.js';
import { mergePadding } from './merge-padding.js';
import { mergeReshapes } from './merge-reshapes.js';
import type { Pass, PassLoop } from './pass.js';
import { removeDeadNodes } from './remove-dead-nodes.js';
import { removeIdentities } from './remove-identities.js';
import { staticPadding } from './static-padding.js';
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

/** A Reshape that took the place of a Transpose joins its neighbours; what then is constant lets more be pushed. */
function settleLayout(): PassLoop {
  return {
    name: 'settle-layout',
    untilUnchanged: [pushTransposes(), mergeReshapes(), foldConstants(), removeIdentities(), removeDeadNodes()],
  };
}

/**
 * Makes a clean channels-first graph of one that a reader of a channels-last format wrote; for such models only, because files that are
 * ONNX already keep their bytes. After `normalize`, with types and shapes, which it believes.
 */
export function conversion(): readonly (Pass | PassLoop)[] {
  return [
    settleConstants(),
    // Where channels are last still, a dense layer's neighbours stand beside it.
    foldScaleShiftAroundProducts(),
    staticPadding(),
    settleLayout(),
    mergePadding(),
    // What goes into those behind is left to `lossless`, which looks for activations first that are spelled out.
    foldScaleShiftIntoProducer(),
    fuseBatchNormalization(),
    fuseGlobalAveragePool(),
    mergeReshapes(),
    settleConstants(),
    keepPaddingApart(),
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
    keepPaddingApart(),
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
