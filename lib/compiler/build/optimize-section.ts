/** What a build does with the `optimize` section of model.json. */

import { LOCK_FILE } from '../../artifact/lock.js';
import type { ModelConfiguration } from '../../artifact/schema.js';
import { ConfigurationError } from '../../errors.js';

/**
 * A build never searches: the recipe comes from a lock file that `cdk-onnx optimize` writes.
 * @throws ConfigurationError LOCK_REQUIRED
 */
export function refuseOptimizeSection({ name, optimize }: ModelConfiguration): void {
  if (optimize === undefined) return;
  throw new ConfigurationError({
    code: 'LOCK_REQUIRED',
    message: `model.json of '${name}' has an optimize section, and there is no valid ${LOCK_FILE} beside it.`,
    advice:
      'Make the lock with `cdk-onnx optimize`, or drop the section to ship the model in fp32 (or with "weights": "fp16").',
  });
}
