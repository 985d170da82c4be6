/** Ops that no table has, said all at once. */
import type { NodeDef } from '../../formats/tensorflow/graph-def.js';
import { ReaderError } from '../reader-error.js';

const NAMES_SHOWN = 3;

/** Ops on texts and on tables: their models belong before the model's tensors, in a tokenizer. */
const TEXT_OPS =
  /^(String|Regex|Unicode|Substr|AsString|EncodeBase64|DecodeBase64|LookupTable|HashTable|MutableHashTable|SparseFeatureCross|SparseCross|StaticRegex|ReduceJoin|Sentencepiece|Wordpiece|ParseExample|DecodeRaw|DecodeCSV|DecodeJpeg|DecodePng|DecodeImage|ReadFile)/;

/** TensorFlow 1's control flow, in a graph without functions. */
const OLD_CONTROL_FLOW = /^(Switch|RefSwitch|Merge|Enter|Exit|NextIteration|LoopCond)$/;

/** Variables that were not made constants. */
const VARIABLES = /^(VarHandleOp|ReadVariableOp|VariableV2|Variable|AssignVariableOp|ResourceGather)$/;

/** @throws ReaderError OPS_UNSUPPORTED, with every op that `isSupported` does not hold for, its count and the first of its nodes */
export function refuseUnsupported(nodes: readonly NodeDef[], isSupported: (op: string) => boolean): void {
  const unsupported = new Map<string, string[]>();
  for (const { op, name } of nodes) {
    if (isSupported(op)) continue;
    const names = unsupported.get(op) ?? [];
    unsupported.set(op, names);
    names.push(name);
  }
  if (unsupported.size === 0) return;
  const rows = [...unsupported]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([op, names]) => {
      const shown = names
        .slice(0, NAMES_SHOWN)
        .map((name) => `'${name}'`)
        .join(', ');
      return `${op} ×${names.length} (${shown}${names.length > NAMES_SHOWN ? ', …' : ''})`;
    });
  const count = [...unsupported.values()].reduce((sum, names) => sum + names.length, 0);
  throw new ReaderError({
    code: 'OPS_UNSUPPORTED',
    message: `${count} of the graph's ${nodes.length} nodes are of ops that cannot be converted: ${rows.join('; ')}.`,
    advice: adviceFor([...unsupported.keys()]),
  });
}

function adviceFor(ops: readonly string[]): string {
  if (ops.some((op) => TEXT_OPS.test(op))) {
    return 'The model works on texts or files, which ONNX tensors of numbers do not hold: export the part behind that, and prepare its input in front of the model.';
  }
  if (ops.some((op) => OLD_CONTROL_FLOW.test(op))) {
    return "The graph has TensorFlow 1's control flow: export it with control flow v2 (tf.compat.v1.enable_control_flow_v2).";
  }
  if (ops.some((op) => VARIABLES.test(op)))
    return 'The graph has variables: freeze them, or convert the SavedModel that it came from.';
  return 'Write the model without these ops and export it again, or report them with the model.';
}
