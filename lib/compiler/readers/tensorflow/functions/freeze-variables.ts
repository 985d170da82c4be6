/** Variables become constants: a model that answers requests does not train. */
import type {
  AttrValue,
  FunctionDef,
  GraphDef,
  NodeDef,
  TensorFlowTensor,
} from '../../../formats/tensorflow/graph-def.js';
import { ReaderError } from '../../reader-error.js';
import { isControl, parseReference } from './references.js';
import { sourcesOf } from './skip-identities.js';

/** Nodes that stand for a variable: those of TF2 and of TF1's resource variables, and those of TF1's references. */
const VARIABLES = new Set(['VarHandleOp', 'VariableV2', 'Variable']);
const CHANGES =
  /^(Assign|AssignAdd|AssignSub|Assign(Add|Sub)?VariableOp|(Resource)?Scatter(Nd)?(Add|Sub|Mul|Div|Min|Max|Update)|(Resource)?(Sparse)?Apply\w+|CountUpTo)$/;

export function isVariable({ op }: NodeDef): boolean {
  return VARIABLES.has(op);
}

/**
 * The graph with a Const in place of each variable, under its name, and in place of what reads a variable what reads a constant. For an
 * expanded graph (`expandCalls`), before controls are dropped: they say which variables a run changes.
 * @param tensorOf a variable's value; throws where there is none
 * @throws ReaderError MODEL_STATEFUL where a variable is read that a run changes, VARIABLE_SHAPE, and what `tensorOf` throws
 */
export function freezeVariables(graph: GraphDef, tensorOf: (variable: NodeDef) => TensorFlowTensor): GraphDef {
  refuseChanges(graph.nodes);
  const functions = new Map<string, FunctionDef>();
  for (const [name, body] of graph.functions) {
    functions.set(name, { ...body, nodes: body.nodes.flatMap((node) => frozen(node, tensorOf)) });
  }
  return { nodes: graph.nodes.flatMap((node) => frozen(node, tensorOf)), functions };
}

function refuseChanges(nodes: readonly NodeDef[]): void {
  const source = sourcesOf(nodes);
  const variableOf = ({ inputs: [variable] }: NodeDef) =>
    variable === undefined || isControl(variable) ? undefined : parseReference(source(variable)).node;
  const read = new Set(nodes.filter(({ op }) => READS.has(op)).map(variableOf));
  const changed = nodes.filter((node) => CHANGES.test(node.op) && read.has(variableOf(node)));
  const [first] = changed;
  if (first === undefined) return;
  throw new ReaderError({
    code: 'MODEL_STATEFUL',
    message: `The model changes variables that it reads: ${first.op} '${first.name}' changes '${variableOf(first)}'${changed.length > 1 ? `, and ${changed.length - 1} more` : ''}.`,
    advice:
      'An endpoint keeps nothing from one request to the next: take the state as an input and return it as an output, and export the model again (with training=False).',
  });
}

const READS = new Set(['ReadVariableOp', 'ResourceGather', 'ResourceGatherNd', 'Identity']);

function frozen(node: NodeDef, tensorOf: (variable: NodeDef) => TensorFlowTensor): NodeDef[] {
  const { name, inputs, attributes } = node;
  if (isVariable(node)) return [constantOf(node, tensorOf(node))];
  switch (node.op) {
    case 'ReadVariableOp':
      // As an identity, for readers of the graph that know no variables.
      return [{ ...node, op: 'Identity' }];
    case 'VariableShape':
      return [{ ...node, op: 'Shape' }];
    case 'VarIsInitializedOp':
    case 'IsVariableInitialized':
      return [constant(name, { dataType: 'bool', dims: [], bytes: Uint8Array.of(1) })];
    case 'ResourceGather': {
      const batch = attributes.get('batch_dims');
      const axis = batch?.kind === 'int' ? Number(batch.value) : 0;
      const axisName = `${name}/axis`;
      const [table = '', indices = '', ...controls] = inputs;
      return [
        constant(axisName, { dataType: 'int32', dims: [], bytes: new Uint8Array(Int32Array.of(axis).buffer) }),
        { ...node, op: 'GatherV2', inputs: [table, indices, axisName, ...controls] },
      ];
    }
    case 'ResourceGatherNd':
      return [{ ...node, op: 'GatherNd' }];
    default:
      return [node];
  }
}

function constantOf(variable: NodeDef, tensor: TensorFlowTensor): NodeDef {
  const shape = variable.attributes.get('shape');
  const declared = shape?.kind === 'shape' ? shape.value : undefined;
  const fits =
    declared === undefined ||
    (declared.length === tensor.dims.length && declared.every((size, axis) => size < 0 || size === tensor.dims[axis]));
  const type = variable.attributes.get('dtype');
  const typeFits = type?.kind !== 'type' || type.value === tensor.dataType;
  if (!fits || !typeFits) {
    throw new ReaderError({
      code: 'VARIABLE_SHAPE',
      message: `Variable '${variable.name}' is ${type?.kind === 'type' ? type.value : ''} [${declared?.join(', ')}] in the graph and ${tensor.dataType} [${tensor.dims.join(', ')}] in the checkpoint.`,
      advice:
        'Graph and variables belong to different versions of the model: copy the whole folder again, or export the model again.',
    });
  }
  return constant(variable.name, tensor);
}

function constant(name: string, tensor: TensorFlowTensor): NodeDef {
  const attributes = new Map<string, AttrValue>([
    ['dtype', { kind: 'type', value: tensor.dataType }],
    ['value', { kind: 'tensor', value: tensor }],
  ]);
  return { name, op: 'Const', inputs: [], attributes };
}
