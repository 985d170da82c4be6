/** Ops that hand values on: constants, placeholders, and what matters for training or order only. */
import { tensorFrom } from '../element-types.js';
import { DEAD, type OpLowering, type OpTable } from '../op-call.js';

/** The first input as it is. */
const same: OpLowering = (call) => call.operand(0);

export const VALUE_OPS: OpTable = {
  /** Of TensorFlow 1's branches one is dead, where the condition is known: the other's value. */
  Merge: (call) => {
    const taken = call.operands.flatMap((operand, index) => (operand === DEAD ? [] : [index]));
    const [index] = taken;
    if (index !== undefined && taken.length === 1) return [call.operand(index), call.builder.scalar(index, 'int32')];
    // A branch that computes nothing from its inputs is told by controls, which are gone.
    throw call.refuse(
      'OP_BRANCHES',
      "does not show which of TensorFlow 1's branches is taken",
      'Export the model for inference, with control flow v2 (tf.compat.v1.enable_control_flow_v2).',
    );
  },
  CheckNumerics: same,
  CheckNumericsV2: same,
  Const: (call) => call.builder.constant(tensorFrom(call.attributes.tensor('value'), call.describe()), call.node.name),
  DebugIdentity: same,
  EnsureShape: same,
  Identity: same,
  IdentityN: (call) => call.operands,
  /** One that the signature does not list: what it is when nobody passes a value. */
  PlaceholderWithDefault: same,
  PlaceholderV2: open,
  Placeholder: open,
  PreventGradient: same,
  Print: same,
  PrintV2: same,
  Snapshot: same,
  StopGradient: same,
  /** Where the condition does not hold, and where it does. */
  Switch: (call) => {
    const holds = call.number(1, 'condition') !== 0;
    return holds ? [DEAD, call.operand(0)] : [call.operand(0), DEAD];
  },
};

function open(call: Parameters<OpLowering>[0]): never {
  throw call.refuse(
    'INPUT_MISSING',
    'is an input of the graph that the signature does not list',
    'Export the model with a signature that has it, or with a constant in its place.',
  );
}
