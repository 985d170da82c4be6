/** Every op that is lowered: the one list of the tables. */
import { ReaderError } from '../reader-error.js';
import type { OpCall, Operand, OpTable } from './op-call.js';
import { ACTIVATION_OPS } from './ops/activation.js';
import { ARITHMETIC_OPS } from './ops/arithmetic.js';
import { CONTROL_OPS } from './ops/control.js';
import { CONVOLUTION_OPS } from './ops/convolution.js';
import { DETECTION_OPS } from './ops/detection.js';
import { FUNCTION_OPS } from './ops/functions.js';
import { GATHER_OPS } from './ops/gather.js';
import { LIST_OPS } from './ops/lists.js';
import { LOGIC_OPS } from './ops/logic.js';
import { MATRIX_OPS } from './ops/matrix.js';
import { NORMALIZATION_OPS } from './ops/normalization.js';
import { PICTURE_OPS } from './ops/pictures.js';
import { POOLING_OPS } from './ops/pooling.js';
import { REARRANGE_OPS } from './ops/rearrange.js';
import { REDUCTION_OPS } from './ops/reduction.js';
import { SHAPE_OPS } from './ops/shapes.js';
import { SPECTRAL_OPS } from './ops/spectral.js';
import { VALUE_OPS } from './ops/values.js';

export const OPS: OpTable = {
  ...ACTIVATION_OPS,
  ...ARITHMETIC_OPS,
  ...CONTROL_OPS,
  ...CONVOLUTION_OPS,
  ...DETECTION_OPS,
  ...FUNCTION_OPS,
  ...GATHER_OPS,
  ...LIST_OPS,
  ...LOGIC_OPS,
  ...MATRIX_OPS,
  ...NORMALIZATION_OPS,
  ...PICTURE_OPS,
  ...POOLING_OPS,
  ...REARRANGE_OPS,
  ...REDUCTION_OPS,
  ...SHAPE_OPS,
  ...SPECTRAL_OPS,
  ...VALUE_OPS,
};

export function supportsOp(op: string): boolean {
  return Object.hasOwn(OPS, op);
}

/** The outputs of a node, in TensorFlow's order. @throws ReaderError OPERATOR_UNSUPPORTED, and what the lowering throws */
export function lowerOp(call: OpCall): readonly (Operand | undefined)[] {
  const lowering = supportsOp(call.node.op) ? OPS[call.node.op] : undefined;
  if (lowering === undefined) {
    throw new ReaderError({
      code: 'OPERATOR_UNSUPPORTED',
      message: `${call.describe()} cannot be converted.`,
      advice: 'Write the model without this op and export it again.',
    });
  }
  const outputs = lowering(call);
  return Array.isArray(outputs) ? (outputs as readonly (Operand | undefined)[]) : [outputs as Operand];
}
