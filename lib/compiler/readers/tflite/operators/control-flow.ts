/** Branches and loops, whose bodies are other subgraphs of the file. */
import type { TfliteSubgraph } from '../../../formats/tflite/model.js';
import { attribute } from '../../../ir/attribute.js';
import type { Graph } from '../../../ir/graph.js';
import { Node } from '../../../ir/node.js';
import { Value } from '../../../ir/value.js';
import { type GraphBuilder, typeOf } from '../../../lowering/graph-builder.js';
import { reshape } from '../../../lowering/rearrange.js';
import type { OperatorCall } from '../operator-call.js';
import { type OperatorTable, passing } from '../operator-table.js';

/** Subgraphs inside one another: a hostile file's may call themselves. */
const MAXIMUM_DEPTH = 16;

export const controlFlow: OperatorTable = {
  IF: passing((call) => {
    const { builder } = call;
    const { thenSubgraph, elseSubgraph } = call.options('IfOptions');
    const inputs = argumentsOf(call, 1);
    const branch = (index: number, name: string) => {
      const inner = builder.subgraph(`${builder.path}/${name}`);
      return endedGraph(inner, lowered(call, inner, index, inputs));
    };
    const attributes = {
      then_branch: attribute.graph(branch(thenSubgraph, 'then')),
      else_branch: attribute.graph(branch(elseSubgraph, 'else')),
    };
    const condition = reshape(builder, call.input(0), []);
    return builder.nodes('If', [condition], outputTypes(call), { attributes }) as Value[];
  }),
  WHILE: passing((call) => {
    const { builder } = call;
    const { conditionSubgraph, bodySubgraph } = call.options('WhileOptions');
    const inputs = argumentsOf(call, 0);
    const decides = (inner: GraphBuilder, values: readonly Value[]) => {
      const [condition] = lowered(call, inner, conditionSubgraph, values);
      if (condition === undefined) throw call.error('SUBGRAPH_SIGNATURE', 'has a condition without an output');
      return reshape(inner, condition, []);
    };
    const body = builder.subgraph(`${builder.path}/body`);
    body.input(`${builder.path}/iteration`, { elementType: 'int64', shape: [] });
    body.input(`${builder.path}/condition`, { elementType: 'bool', shape: [] });
    const types = outputTypes(call);
    const carried = inputs.map((_, index) => {
      return body.input(`${builder.path}/state_${index}`, types[index] ?? typeOf(inputs[index] as Value));
    });
    const after = lowered(call, body, bodySubgraph, carried);
    const graph = endedGraph(body, [decides(body, after), ...after]);
    const attributes = { body: attribute.graph(graph) };
    return builder.nodes('Loop', [undefined, decides(builder, inputs), ...inputs], types, { attributes }) as Value[];
  }),
};

/** The operator's inputs from one on, as they are stored. */
function argumentsOf(call: OperatorCall, first: number): Value[] {
  return call.operator.inputs.slice(first).map((_, index) => call.integers(first + index));
}

function outputTypes(call: OperatorCall): ReturnType<typeof typeOf>[] {
  return call.operator.outputs.map((_, index) => {
    return { elementType: call.outputElementType(index), shape: call.declaredShape(index) };
  });
}

/** What a subgraph makes of values. @throws ReaderError SUBGRAPH_SIGNATURE, SUBGRAPH_DEPTH */
function lowered(call: OperatorCall, builder: GraphBuilder, index: number, inputs: readonly Value[]): Value[] {
  const subgraph: TfliteSubgraph | undefined = call.scope.file.subgraphs[index];
  if (subgraph === undefined || subgraph.inputs.length !== inputs.length) {
    throw call.error('SUBGRAPH_SIGNATURE', `passes ${inputs.length} values to subgraph ${index}, which takes others`);
  }
  if (call.scope.depth >= MAXIMUM_DEPTH) {
    throw call.error('SUBGRAPH_DEPTH', `stands in more than ${MAXIMUM_DEPTH} subgraphs inside one another`);
  }
  const scope = call.scope.inner(builder, subgraph);
  for (const [position, tensor] of subgraph.inputs.entries()) scope.define(tensor, inputs[position] as Value);
  call.scope.file.lowerOperators(scope);
  return subgraph.outputs.map((tensor) => scope.stored(scope.tensor(tensor)));
}

/** A graph whose outputs are its own, each once, as ONNX wants them: a branch may return what it was given, or a constant. */
function endedGraph(builder: GraphBuilder, outputs: readonly Value[]): Graph {
  const values = outputs.map((output) => {
    const name = builder.model.freshName(`${builder.path}/output`);
    const value = new Value(name, { kind: 'tensor', ...typeOf(output) });
    builder.graph.append(new Node('Identity', [output], [value], { name }));
    return value;
  });
  builder.graph.setOutputs(values);
  return builder.graph;
}
