/** Raises the IR version where a rewrite needs initializers that are no inputs. */
import type { Model } from '../ir/model.js';

/** The first version whose initializers need not be inputs, and whose inputs with an initializer can be overridden. */
const FIRST_WITH_CONSTANTS = 4;

/** What older files list as inputs, because they had to, was never for callers to override: it is taken off the list. */
export function allowConstants(model: Model): void {
  if (model.irVersion >= FIRST_WITH_CONSTANTS) return;
  model.irVersion = FIRST_WITH_CONSTANTS;
  model.graph.setInputs(model.graph.inputs.filter((value) => value.initializer === undefined));
}
