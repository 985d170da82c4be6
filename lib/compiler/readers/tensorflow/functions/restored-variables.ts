/** Which tensor of a checkpoint a variable is restored from, by the graph's own node that restores: the one way that TF1 and TF2 share. */

import type { GraphDef, NodeDef } from '../../../formats/tensorflow/graph-def.js';
import { type PartOfTensor, parseShapeAndSlice } from '../../../formats/tensorflow/tensor-slice.js';
import { expandCalls } from './expand-calls.js';
import { isControl, parseReference } from './references.js';
import { sourcesOf } from './skip-identities.js';

export interface CheckpointPlace {
  readonly key: string;
  readonly part: PartOfTensor | 'whole';
}

const decoder = new TextDecoder();

/**
 * By the name of the variable's node. What is assigned something else than what RestoreV2 reads is left out.
 * @param restoreNode the node that restores when it runs: SaverDef's
 */
export function restoredVariables(graph: GraphDef, restoreNode: string): ReadonlyMap<string, CheckpointPlace> {
  const { nodes } = expandCalls(graph, [restoreNode]);
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const source = sourcesOf(nodes);
  const places = new Map<string, CheckpointPlace>();
  for (const { op, inputs } of nodes) {
    if (op !== 'AssignVariableOp' && op !== 'Assign') continue;
    const [variable, value] = inputs.filter((input) => !isControl(input)).map(source);
    if (variable === undefined || value === undefined) continue;
    const { node, index } = parseReference(value);
    const place = restoredPlace(byName.get(node), index, (input) => byName.get(parseReference(source(input)).node));
    if (place !== undefined) places.set(parseReference(variable).node, place);
  }
  return places;
}

/** Output `index` of RestoreV2(prefix, tensor_names, shape_and_slices). */
function restoredPlace(
  node: NodeDef | undefined,
  index: number,
  nodeBehind: (input: string) => NodeDef | undefined,
): CheckpointPlace | undefined {
  if (node?.op !== 'RestoreV2') return undefined;
  const [, names = '', slices = ''] = node.inputs;
  const key = textOf(nodeBehind(names), index);
  const part = parseShapeAndSlice(textOf(nodeBehind(slices), index) ?? '');
  return key === undefined || part === undefined ? undefined : { key, part };
}

function textOf(node: NodeDef | undefined, index: number): string | undefined {
  const value = node?.op === 'Const' ? node.attributes.get('value') : undefined;
  const text = value?.kind === 'tensor' ? value.value.strings?.[index] : undefined;
  return text === undefined ? undefined : decoder.decode(text);
}
