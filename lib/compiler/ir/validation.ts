/** Whether a model is a graph that ONNX allows (`validateStructure`), and one that we can serve (`validate`). */
import { GraphError } from '../../errors.js';
import type { Model } from './model.js';
import type { Problem } from './validation/problem.js';
import { structureProblems } from './validation/structure.js';
import { supportProblems } from './validation/support.js';

export type { Problem } from './validation/problem.js';

const SHOWN = 10;

/**
 * Names unique, everything defined before it is used, no cycles, an opset for every domain, references to attributes that exist.
 * @throws GraphError with the code of the first problem; its message lists the first ten. Codes: VALUE_DUPLICATE, VALUE_UNNAMED,
 * VALUE_UNDEFINED, VALUE_BEFORE_DEFINITION, VALUE_SHADOWED, GRAPH_CYCLE, GRAPH_WITHOUT_OUTPUTS, NODE_WITHOUT_OPERATOR,
 * ATTRIBUTE_REFERENCE, OPSET_MISSING, FUNCTION_DUPLICATE, FUNCTION_RECURSION
 */
export function validateStructure(model: Model): void {
  refuseIfAny(structureProblems(model));
}

/**
 * The structure, and that onnxruntime-node knows every domain and can pass every input and output.
 * @throws GraphError as `validateStructure`, and UNKNOWN_DOMAIN, SIGNATURE_TYPE, SIGNATURE_CONTAINER, MODEL_IR_VERSION
 */
export function validate(model: Model): void {
  refuseIfAny(findProblems(model));
}

/** Everything that `validate` would complain of. */
export function findProblems(model: Model): Problem[] {
  return [...structureProblems(model), ...supportProblems(model)];
}

function refuseIfAny(problems: readonly Problem[]): void {
  const [first] = problems;
  if (first === undefined) return;
  if (problems.length === 1) throw new GraphError(first);
  const shown = problems.slice(0, SHOWN).map(({ message }) => `\n- ${message}`);
  const more = problems.length > SHOWN ? `\n- and ${problems.length - SHOWN} more` : '';
  throw new GraphError({
    code: first.code,
    message: `The model has ${problems.length} faults:${shown.join('')}${more}`,
    advice: [...new Set(problems.slice(0, SHOWN).map(({ advice }) => advice))].join(' '),
  });
}
