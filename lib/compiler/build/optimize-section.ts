/** What a build does with the `optimize` section of model.json. */

import { LOCK_FILE } from '../../artifact/lock.js';
import type { ModelConfiguration } from '../../artifact/schema.js';
import { ConfigurationError } from '../../errors.js';

/**
 * A build never searches: a recipe can only come from a lock file, and none can be made or applied yet.
 * @throws ConfigurationError LOCK_REQUIRED
 */
export function refuseOptimizeSection({ name, optimize }: ModelConfiguration): void {
  if (optimize === undefined) return;
  throw new ConfigurationError({
    code: 'LOCK_REQUIRED',
    message: `model.json of '${name}' has an optimize section, which needs a recipe from ${LOCK_FILE}; this version neither makes nor applies one.`,
    advice:
      'Drop the section to ship the model in fp32 (or with "weights": "fp16"), or wait for a version that has `cdk-onnx optimize`.',
  });
}
