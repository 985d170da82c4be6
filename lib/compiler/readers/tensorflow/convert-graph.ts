/** A GraphDef onto an ONNX graph: node by node in the order of dependency, by the tables of ops. */

import type { GraphDef, NodeDef, TensorFlowShape, TensorFlowType } from '../../formats/tensorflow/graph-def.js';
import type { Model } from '../../ir/model.js';
import { forEachGraph } from '../../ir/traversal.js';
import type { Dimension, Value } from '../../ir/value.js';
import { cast } from '../../lowering/elementwise.js';
import { GraphBuilder } from '../../lowering/graph-builder.js';
import { knownElements } from '../../lowering/known-elements.js';
import { removeDeadNodes } from '../../passes/remove-dead-nodes.js';
import { atPlace } from '../at-place.js';
import { ReaderError } from '../reader-error.js';
import { elementTypeFrom } from './element-types.js';
import { nodeOf, parseReference } from './functions/references.js';
import { dataInputs, nodesByName, orderOf } from './graph-order.js';
import { NodeAttributes } from './node-attributes.js';
import { DEAD, isComplex, OpCall, type Operand } from './op-call.js';
import { lowerOp, supportsOp } from './op-tables.js';
import { refuseUnsupported } from './unsupported-ops.js';
import { refuseUnwritten } from './unwritten.js';

export interface SignatureInput {
  /** What users call it. */
  readonly name: string;
  /** 'node' or 'node:0'. */
  readonly tensor: string;
  /** Default those of the node, a Placeholder. */
  readonly dataType?: TensorFlowType;
  readonly shape?: TensorFlowShape;
}

export interface SignatureOutput {
  readonly name: string;
  readonly tensor: string;
}

export interface GraphSignature {
  readonly inputs: readonly SignatureInput[];
  readonly outputs: readonly SignatureOutput[];
}

export interface ConvertGraphOptions {
  /** What an open size of an input is called; default `<input>_dim<axis>`. */
  readonly openSize?: (input: string, axis: number) => string;
  /** Whether inputs and outputs of int64 are passed as int32: the source's runtime has no wider integers. Default false. */
  readonly narrowIntegers?: boolean;
}

/**
 * @param graph whose calls of functions are expanded (`inlineFunctions`)
 * @throws ReaderError OPERATOR_UNSUPPORTED with all unknown ops, GRAPH_DUPLICATE, GRAPH_NODE_MISSING, GRAPH_CYCLE, GRAPH_OUTPUTS, OP_…;
 * messages name op and node
 */
export function convertGraph(graph: GraphDef, signature: GraphSignature, options: ConvertGraphOptions = {}): Model {
  const builder = new GraphBuilder();
  const values = new Map<string, readonly (Operand | undefined)[]>();
  const byName = nodesByName(graph.nodes);
  const roots = signature.outputs.map(({ tensor }) => nodeOf(tensor));
  const fed = new Set(signature.inputs.map(({ tensor }) => nodeOf(tensor)));
  const order = orderOf(byName, roots, (name) => fed.has(name));
  refuseUnsupported([...order, ...calledNodes(graph, order)], (op) => op === ARGUMENT || supportsOp(op));
  for (const input of signature.inputs) addInput(builder, input, byName, values, options);
  const functions = new FunctionCalls(graph);
  for (const node of order) lowerNode(builder, node, values, functions);
  const outputs = signature.outputs.map(({ name, tensor }) => {
    const operand = resolve(tensor, values, `output '${name}'`);
    if (operand === DEAD) throw neverComputed(name);
    const narrow = options.narrowIntegers === true && !isComplex(operand) && operand.elementType === 'int64';
    if (!isComplex(operand)) return { name, value: narrow ? cast(builder, operand, 'int32') : operand };
    throw new ReaderError({
      code: 'GRAPH_OUTPUTS',
      message: `Output '${name}' holds complex numbers, which ONNX runtimes do not pass.`,
      advice: 'Let the model return real and imaginary parts, or the magnitude.',
    });
  });
  if (outputs.length === 0) {
    throw new ReaderError({
      code: 'GRAPH_OUTPUTS',
      message: 'The model has no outputs.',
      advice: 'Export it with a signature that names them.',
    });
  }
  const model = builder.finish(outputs);
  removeDeadNodes().run(model);
  refuseUnwritten(model);
  forgetOwnNames(model);
  return model;
}

function addInput(
  builder: GraphBuilder,
  input: SignatureInput,
  byName: ReadonlyMap<string, NodeDef>,
  values: Map<string, readonly (Operand | undefined)[]>,
  options: ConvertGraphOptions,
): void {
  const openSize = options.openSize ?? ((input, axis) => `${input}_dim${axis}`);
  const { node: name, index } = parseReference(input.tensor);
  const node = byName.get(name);
  if (node === undefined) {
    throw new ReaderError({
      code: 'GRAPH_NODE_MISSING',
      message: `There is no node '${name}', which is input '${input.name}' of the model.`,
      advice: 'The file is damaged, or its signature belongs to another graph; export the model again.',
    });
  }
  const attributes = new NodeAttributes(node);
  const sizes = input.shape ?? attributes.shape('shape');
  if (sizes === undefined) {
    throw new ReaderError({
      code: 'INPUT_RANK',
      message: `Input '${input.name}' may have any number of dimensions; ONNX needs to know how many.`,
      advice: 'Export the model with an input_signature or a shape for each input; sizes may stay open (None).',
    });
  }
  const elementType = elementTypeFrom(
    input.dataType ?? attributes.type(attributes.has('dtype') ? 'dtype' : 'T'),
    `Input '${input.name}'`,
  );
  if (elementType === 'string') {
    throw new ReaderError({
      code: 'INPUT_TEXT',
      message: `Input '${input.name}' takes texts.`,
      advice: 'Export the part of the model behind its text processing, which takes numbers.',
    });
  }
  const shape = sizes.map((size, axis): Dimension => (size < 0 ? openSize(input.name, axis) : size));
  const narrow = options.narrowIntegers === true && elementType === 'int64';
  const passed = builder.input(input.name, { elementType: narrow ? 'int32' : elementType, shape });
  const value = builder.scope(input.name, () => cast(builder, passed, elementType));
  const outputs = [...(values.get(name) ?? [])];
  outputs[index] = value;
  values.set(name, outputs);
}

/** Nodes of the bodies that control flow calls, as far down as they call. */
function calledNodes(graph: GraphDef, order: readonly NodeDef[]): NodeDef[] {
  const seen = new Set<string>();
  const nodes: NodeDef[] = [];
  const pending = [...order];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    for (const attribute of node.attributes.values()) {
      for (const each of attribute.kind === 'list' ? attribute.values : [attribute]) {
        if (each.kind !== 'function' || seen.has(each.name)) continue;
        seen.add(each.name);
        const body = graph.functions.get(each.name)?.nodes ?? [];
        nodes.push(...body);
        pending.push(...body);
      }
    }
  }
  return nodes;
}

/** Calls inside calls: real graphs have a handful. */
const MAX_CALL_DEPTH = 32;

/** The op of a body's arguments, in functions that `inlineFunctions` made graphs of. */
const ARGUMENT = '_Arg';

/** Writes the bodies of functions that control flow calls. */
class FunctionCalls {
  readonly #graph: GraphDef;
  #depth = 0;

  constructor(graph: GraphDef) {
    this.#graph = graph;
  }

  readonly call = (builder: GraphBuilder, name: string, args: readonly Operand[]): readonly Operand[] => {
    const definition = this.#graph.functions.get(name);
    if (definition === undefined || definition.inputs.length !== args.length || this.#depth >= MAX_CALL_DEPTH) {
      throw new ReaderError({
        code: 'FUNCTION_CALL',
        message:
          definition === undefined
            ? `There is no function '${name}', which the graph calls.`
            : `Function '${name}' is called with ${args.length} arguments for ${definition.inputs.length}, or calls itself.`,
        advice: 'The file is damaged or was written by a faulty exporter; export the model again.',
      });
    }
    this.#depth++;
    try {
      const values = new Map<string, readonly (Operand | undefined)[]>();
      for (const node of definition.nodes) {
        if (node.op === ARGUMENT) values.set(node.name, [args[new NodeAttributes(node).int('index')]]);
      }
      const byName = nodesByName(definition.nodes);
      const returned = definition.outputs.map((output) => definition.returns.get(output.name) ?? output.name);
      const roots = returned.map(nodeOf);
      for (const node of orderOf(byName, roots, (each) => values.has(each))) lowerNode(builder, node, values, this);
      return returned.map((tensor) => resolve(tensor, values, `function '${name}'`));
    } finally {
      this.#depth--;
    }
  };
}

function lowerNode(
  builder: GraphBuilder,
  node: NodeDef,
  values: Map<string, readonly (Operand | undefined)[]>,
  functions: FunctionCalls,
): void {
  const place = `${node.op} '${node.name}'`;
  const operands = dataInputs(node).map((input) => resolve(input, values, place));
  if (operands.includes(DEAD) && node.op !== 'Merge') {
    values.set(node.name, DEAD_OUTPUTS);
    return;
  }
  const outputs = located(place, () => {
    const lower = () => lowerOp(new OpCall(builder, node, operands, functions.call));
    // A constant has the node's name itself.
    return node.op === 'Const' ? lower() : builder.scope(node.name, lower);
  });
  for (const output of outputs) {
    for (const value of output === undefined ? [] : isComplex(output) ? [output.real, output.imaginary] : [output]) {
      nameOpenSizes(value);
      // Asked now, node after node, so that no question later goes deep.
      knownElements(value);
    }
  }
  values.set(node.name, outputs);
}

/** As many outputs as any op has that TensorFlow 1's branches hold. */
const DEAD_OUTPUTS: readonly Operand[] = new Array<Operand>(64).fill(DEAD);

function neverComputed(output: string): ReaderError {
  return new ReaderError({
    code: 'GRAPH_OUTPUTS',
    message: `Output '${output}' comes out of a branch that is never taken.`,
    advice: 'Export the model for inference, with a signature of what it computes then.',
  });
}

/** Errors of lowering/ know no op; these say which. */
function located<Result>(place: string, act: () => Result): Result {
  try {
    return atPlace(place, act);
  } catch (error) {
    // Numbers that no tensor and no list can have; a hostile file's, since what exporters write is tested.
    if (!(error instanceof RangeError)) throw error;
    throw new ReaderError({
      code: 'OP_VALUES',
      message: `${place} has attributes or inputs that it cannot have: ${error.message}.`,
      advice: 'The file is damaged or was written by a faulty exporter; export the model again.',
      cause: error,
    });
  }
}

function resolve(text: string, values: ReadonlyMap<string, readonly (Operand | undefined)[]>, reader: string): Operand {
  const { node, index } = parseReference(text);
  const operand = values.get(node)?.[index];
  if (operand !== undefined) return operand;
  throw new ReaderError({
    code: 'GRAPH_OUTPUT_MISSING',
    message: `${reader} reads '${text}', an output that is not there or cannot be converted.`,
    advice: 'Export the model without what reads it; if the output is what you need, report it with the model.',
  });
}

/** Names of open sizes that are ours start with this: two values with one name there have one size. */
const OWN = '?';
let named = 0;

/** An open size without a name gets one, which elementwise ops carry on: sizes that are the same can be told. */
function nameOpenSizes(value: Value): void {
  const { type } = value;
  if (type?.kind !== 'tensor' || value.initializer !== undefined || !type.shape?.includes(undefined)) return;
  value.type = { ...type, shape: type.shape.map((size) => size ?? `${OWN}${named++}`) };
}

function forgetOwnNames(model: Model): void {
  const forget = (value: Value | undefined) => {
    if (value?.type?.kind !== 'tensor') return;
    const { type } = value;
    if (!type.shape?.some((size) => typeof size === 'string' && size.startsWith(OWN))) return;
    const isOwn = (size: Dimension) => typeof size === 'string' && size.startsWith(OWN);
    value.type = { ...type, shape: type.shape.map((size) => (isOwn(size) ? undefined : size)) };
  };
  forEachGraph(model.graph, ({ nodes, inputs }) => {
    inputs.forEach(forget);
    for (const node of nodes) node.outputs.forEach(forget);
  });
}
