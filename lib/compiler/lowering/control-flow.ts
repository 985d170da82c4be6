/** Branches and loops: graphs inside nodes, which read what was written around them. */
import { attribute } from '../ir/attribute.js';
import { Node } from '../ir/node.js';
import { Value } from '../ir/value.js';
import { type GraphBuilder, type TensorTypeOptions, typeOf } from './graph-builder.js';
import { LoweringError } from './lowering-error.js';
import { shapeText } from './shape.js';

/**
 * What `then` writes where `condition` (bool, one element) holds, else what `otherwise` does: the same number of values, of the same
 * types and ranks. A constant condition writes one of them, and no If.
 * @throws LoweringError BRANCHES_DIFFER
 */
export function conditional(
  builder: GraphBuilder,
  condition: Value,
  then: (builder: GraphBuilder) => readonly Value[],
  otherwise: (builder: GraphBuilder) => readonly Value[],
): readonly Value[] {
  const known = condition.initializer?.numbers()[0];
  if (known !== undefined) return known !== 0 ? then(builder) : otherwise(builder);
  const branches = [then, otherwise].map((write, index) => {
    const inner = builder.subgraph(index === 0 ? 'then' : 'else');
    endGraph(inner, write(inner));
    return inner;
  });
  const [a = [], b = []] = branches.map(({ graph }) => graph.outputs.map(typeOf));
  if (a.length !== b.length) throw differ(`return ${a.length} and ${b.length} values`);
  const types = a.map((type, index) => commonType(type, b[index] as TensorTypeOptions));
  const [thenBranch, elseBranch] = branches.map(({ graph }) => attribute.graph(graph));
  const attributes = { then_branch: thenBranch as never, else_branch: elseBranch as never };
  return builder.nodes('If', [condition], types, { attributes }) as Value[];
}

export interface LoopStep {
  /** bool, one element: whether another step follows. */
  readonly condition: Value;
  /** As many as the loop has, of the same types and ranks. */
  readonly states: readonly Value[];
  /** What this step adds to each of the loop's stacks. */
  readonly stacked?: readonly Value[];
}

export interface LoopResult {
  readonly states: readonly Value[];
  /** The values of all steps, [steps, …]. */
  readonly stacks: readonly Value[];
}

/** How often the body is written anew because a size turned out to change from step to step. */
const MAXIMUM_ROUNDS = 4;

/**
 * Steps while `condition` (bool, one element; before the first step) holds. `write` may be called several times: with sizes of states that
 * turn out to change from step to step open, only its last writing stays. Where it returns undefined, nothing stays and there is no loop.
 * @throws LoweringError LOOP_STATES where a state changes its type or rank
 */
export function loop(
  builder: GraphBuilder,
  condition: Value,
  states: readonly Value[],
  write: (builder: GraphBuilder, states: readonly Value[]) => LoopStep | undefined,
): LoopResult | undefined {
  let types = states.map(typeOf);
  for (let round = 0; round < MAXIMUM_ROUNDS; round++) {
    const inner = builder.subgraph('body');
    const name = (of: string) => inner.model.freshName(inner.path === '' ? of : `${inner.path}/${of}`);
    inner.graph.addInput(name('iteration'), { kind: 'tensor', elementType: 'int64', shape: [] });
    inner.graph.addInput(name('condition'), { kind: 'tensor', elementType: 'bool', shape: [] });
    const inputs = types.map((type) => inner.graph.addInput(name('state'), { kind: 'tensor', ...type }));
    const step = write(inner, inputs);
    if (step === undefined) {
      inner.graph.remove(...inner.graph.nodes);
      return undefined;
    }
    const after = step.states.map(typeOf);
    if (after.length !== types.length) throw statesChange(`${types.length} states become ${after.length}`);
    const common = types.map((type, index) => loopType(type, after[index] as TensorTypeOptions));
    if (common.some((type, index) => type.shape.some((size, axis) => size !== types[index]?.shape[axis]))) {
      types = common;
      inner.graph.remove(...inner.graph.nodes);
      continue;
    }
    const stacked = step.stacked ?? [];
    endGraph(inner, [step.condition, ...step.states, ...stacked]);
    const stacks = stacked.map(typeOf).map(({ elementType, shape }) => ({ elementType, shape: [undefined, ...shape] }));
    const outputs = builder.nodes('Loop', [undefined, condition, ...states], [...types, ...stacks], {
      attributes: { body: attribute.graph(inner.graph) },
    }) as Value[];
    return { states: outputs.slice(0, types.length), stacks: outputs.slice(types.length) };
  }
  throw statesChange('sizes do not settle');
}

/** Outputs of a graph are its own nodes', each once. */
function endGraph(builder: GraphBuilder, values: readonly Value[]): void {
  const taken = new Set<Value>(builder.graph.inputs);
  const outputs = values.map((value) => {
    const isOwn = value.producer?.graph === builder.graph && !taken.has(value);
    const output = isOwn ? value : identity(builder, value);
    taken.add(output);
    return output;
  });
  builder.graph.setOutputs(outputs);
}

/** Not by `builder.node`, which would make a constant of a constant. */
function identity(builder: GraphBuilder, value: Value): Value {
  const name = builder.model.freshName(builder.path === '' ? 'Identity' : `${builder.path}/Identity`);
  const output = new Value(name, { kind: 'tensor', ...typeOf(value) });
  builder.graph.append(new Node('Identity', [value], [output], { name }));
  return output;
}

function commonType(a: TensorTypeOptions, b: TensorTypeOptions): TensorTypeOptions {
  if (a.elementType !== b.elementType) throw differ(`return ${a.elementType} and ${b.elementType}`);
  if (a.shape.length !== b.shape.length) throw differ(`return [${shapeText(a.shape)}] and [${shapeText(b.shape)}]`);
  return { ...a, shape: a.shape.map((size, axis) => (size === b.shape[axis] ? size : undefined)) };
}

function loopType(before: TensorTypeOptions, after: TensorTypeOptions): TensorTypeOptions {
  if (before.elementType === after.elementType && before.shape.length === after.shape.length) {
    return commonType(before, after);
  }
  const [a, b] = [before, after].map(({ elementType, shape }) => `${elementType} [${shapeText(shape)}]`);
  throw statesChange(`${a} becomes ${b}`);
}

function differ(what: string): LoweringError {
  return new LoweringError({
    code: 'BRANCHES_DIFFER',
    message: `The two branches of a condition ${what}.`,
    advice:
      'ONNX needs one type and one number of dimensions: let both branches return the same, and export the model again.',
  });
}

function statesChange(what: string): LoweringError {
  return new LoweringError({
    code: 'LOOP_STATES',
    message: `A loop's state changes its type from step to step: ${what}.`,
    advice: 'ONNX needs one type and one number of dimensions: keep both in the loop, and export the model again.',
  });
}
