/** A GraphDef without calls of functions. */
import type { GraphDef } from '../../../formats/tensorflow/graph-def.js';
import { expandCalls } from './expand-calls.js';
import { skipIdentities } from './skip-identities.js';

/**
 * Puts what functions compute where they are called, takes out identities, controls, and what `roots` do not depend on. Functions that If,
 * While and Case run under a condition are kept, in the form of graphs: arguments are nodes of op _Arg with an `index`, inputs and returns are
 * `node` or `node:1`. Nodes keep their names, behind the path of the call around them; roots keep theirs.
 * @param roots names of the nodes that are wanted; default all that nothing reads
 * @throws ReaderError FUNCTION_MISSING, FUNCTION_RECURSION, FUNCTION_SIZE, FUNCTION_REFERENCE, FUNCTION_ARGUMENTS
 */
export function inlineFunctions(graph: GraphDef, roots?: readonly string[]): GraphDef {
  return skipIdentities(expandCalls(graph, roots), roots);
}
