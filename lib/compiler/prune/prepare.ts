/** What pruning looks at: a copy of the normalized graph whose small constants have one reader each, with the types of its values. */
import { copyModel } from '../ir/copy.js';
import type { Model } from '../ir/model.js';
import { forgetComputedTypes } from '../passes/forget-computed-types.js';
import { unshareConstants } from '../passes/unshare-constants.js';
import { inferTypes } from '../runtime/infer-types.js';
import type { ProbeOptions } from './probe.js';

/** @throws RuntimeError RUNTIME_OPEN if onnxruntime refuses the model */
export async function prepareForPruning(model: Model, options: ProbeOptions = {}): Promise<Model> {
  const copy = copyModel(model);
  unshareConstants().run(copy);
  forgetComputedTypes().run(copy);
  await inferTypes(copy, options.signal === undefined ? {} : { signal: options.signal });
  return copy;
}
