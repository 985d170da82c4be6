/** Ops that hand values on: constants, placeholders, and what matters for training or order only. */
import { tensorFrom } from '../element-types.js';
import type { OpLowering, OpTable } from '../op-call.js';

/** The first input as it is. */
const same: OpLowering = (call) => call.operand(0);

export const VALUE_OPS: OpTable = {
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
};

function open(call: Parameters<OpLowering>[0]): never {
  throw call.refuse(
    'INPUT_MISSING',
    'is an input of the graph that the signature does not list',
    'Export the model with a signature that has it, or with a constant in its place.',
  );
}
