/** Ops that no table has, said all at once. */
import type { NodeDef } from '../../formats/tensorflow/graph-def.js';
import { UnsupportedOperations } from '../unsupported-operations.js';

/** Ops on texts and on tables: their models belong before the model's tensors, in a tokenizer. */
const TEXT_OPS =
  /^(String|Regex|Unicode|Substr|AsString|EncodeBase64|DecodeBase64|LookupTable|HashTable|MutableHashTable|SparseFeatureCross|SparseCross|StaticRegex|ReduceJoin|Sentencepiece|Wordpiece|ParseExample|DecodeRaw|DecodeCSV|DecodeJpeg|DecodePng|DecodeImage|ReadFile)/;

/** TensorFlow 1's control flow, in a graph without functions. */
const OLD_CONTROL_FLOW = /^(RefSwitch|RefMerge|Enter|Exit|NextIteration|LoopCond)$/;

/** Numbers that are different in each run. */
const RANDOM = /^(Stateless)?(Random|Truncated|Multinomial|ParameterizedTruncated)/;

/** Variables that were not made constants. */
const VARIABLES = /^(VarHandleOp|ReadVariableOp|VariableV2|Variable|AssignVariableOp|ResourceGather)$/;

/** @throws ReaderError OPERATOR_UNSUPPORTED, with every op that `isSupported` does not hold for, its count and the first of its nodes */
export function refuseUnsupported(nodes: readonly NodeDef[], isSupported: (op: string) => boolean): void {
  const unknown = nodes.filter(({ op }) => !isSupported(op));
  const unsupported = new UnsupportedOperations('operator', adviceFor(unknown.map(({ op }) => op)));
  for (const { op, name } of unknown) unsupported.add(op, name);
  unsupported.check();
}

function adviceFor(ops: readonly string[]): string | undefined {
  if (ops.some((op) => TEXT_OPS.test(op))) {
    return 'The model works on texts or files, which ONNX tensors of numbers do not hold: export the part behind that, and prepare its input in front of the model.';
  }
  if (ops.some((op) => OLD_CONTROL_FLOW.test(op))) {
    return "The graph has TensorFlow 1's control flow: export it with control flow v2 (tf.compat.v1.enable_control_flow_v2).";
  }
  if (ops.some((op) => RANDOM.test(op))) {
    return 'The graph draws random numbers, as dropout does: export the model for inference (training=False).';
  }
  if (ops.some((op) => VARIABLES.test(op)))
    return 'The graph has variables: freeze them, or convert the SavedModel that it came from.';
  return undefined;
}
