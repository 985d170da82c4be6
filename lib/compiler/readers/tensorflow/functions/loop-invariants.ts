/** What a loop passes from step to step as it is: its body reads that from around the loop, where it may be a constant. */
import type { AttrValue, FunctionDef, NodeDef } from '../../../formats/tensorflow/graph-def.js';
import { functionsOf } from './attributes.js';

const LOOPS = new Set(['While', 'StatelessWhile']);

/** The attribute of ours that lists the numbers of such inputs. */
export const INVARIANTS = '_invariants';

/** Loops with the attribute INVARIANTS; for graphs whose identities are skipped. */
export function withInvariants(
  nodes: readonly NodeDef[],
  functions: ReadonlyMap<string, FunctionDef>,
): readonly NodeDef[] {
  return nodes.map((node) => {
    if (!LOOPS.has(node.op)) return node;
    const [reference] = functionsOf(node.attributes.get('body'));
    const body = reference === undefined ? undefined : functions.get(reference.name);
    if (body === undefined) return node;
    const parameters = new Map(
      body.nodes.filter(({ op }) => op === '_Arg').map(({ name, attributes }) => [name, attributes.get('index')]),
    );
    const values = body.outputs.flatMap(({ name }, index): AttrValue[] => {
      const parameter = parameters.get(body.returns.get(name) ?? '');
      const isSame = parameter?.kind === 'int' && Number(parameter.value) === index;
      return isSame ? [parameter] : [];
    });
    return { ...node, attributes: new Map([...node.attributes, [INVARIANTS, { kind: 'list', values }]]) };
  });
}
