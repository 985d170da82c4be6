/** Values that cannot be written, and need not be where what reads them is written as something else. */
import type { Model } from '../../ir/model.js';
import { nodesOf } from '../../ir/traversal.js';
import type { Value } from '../../ir/value.js';
import type { TensorTypeOptions } from '../../lowering/graph-builder.js';
import { ReaderError } from '../reader-error.js';
import type { OpCall } from './op-call.js';

/** No operator of ONNX: `refuseUnwritten` sees to it that none is left. */
const DOMAIN = 'unwritten';

/** @param clause what the op does that cannot be written: goes on after its name */
export function unwritten(call: OpCall, clause: string, type: TensorTypeOptions): Value {
  return call.builder.node(`${call.describe()} ${clause}`, call.inputs, type, { domain: DOMAIN });
}

/** @throws ReaderError OP_SIZES_OPEN where a value is needed after all */
export function refuseUnwritten(model: Model): void {
  for (const node of nodesOf(model)) {
    if (node.domain !== DOMAIN) continue;
    throw new ReaderError({
      code: 'OP_SIZES_OPEN',
      message: `${node.opType}, which is not supported.`,
      advice: 'Export the model with fixed sizes there.',
    });
  }
}
