/** From a recipe to a model and the inputs to run it on. */
import { Model } from '../../../lib/compiler/ir/model.js';
import type { Tensor } from '../../../lib/compiler/ir/tensor.js';
import type { RandomGraph, RandomGraphRecipe } from '../random-graph.js';
import { CHANNELS_LAST_OPERATIONS } from './channels-last-operations.js';
import { Choices } from './choices.js';
import { GraphScope, irVersionFor, type Known, ModelScope } from './graph-scope.js';
import { NETWORK_OPERATIONS } from './network-operations.js';
import { OPERATIONS } from './operations.js';
import { SUBGRAPH_OPERATIONS } from './subgraph-operations.js';

export function buildModel(recipe: Omit<RandomGraphRecipe, 'build' | 'toString'>): RandomGraph {
  const choices = new Choices(recipe.seed);
  const model = new ModelScope(recipe.opset, choices, recipe.channelsLast);
  const scope = new GraphScope('random', model);
  const feeds = addInputs(scope, choices);
  const operations = recipe.subgraphs ? [...OPERATIONS, ...SUBGRAPH_OPERATIONS] : [...OPERATIONS];
  if (recipe.layers) while (operations.length < 5 * OPERATIONS.length) operations.push(...NETWORK_OPERATIONS);
  if (recipe.channelsLast)
    while (operations.length < 3 * OPERATIONS.length) operations.push(...CHANNELS_LAST_OPERATIONS);
  for (const { operator, seed } of recipe.operations) {
    model.choices = new Choices(seed);
    const operation = operations[operator % operations.length];
    if (operation !== undefined && (operation.since ?? 7) <= recipe.opset) operation.add(scope);
  }
  model.choices = new Choices(recipe.seed + 1);
  chooseOutputs(scope, model.choices);
  const irVersion = irVersionFor(recipe.opset);
  listInitializers(scope, irVersion, model.choices);
  return { model: new Model(scope.graph, new Map([['', recipe.opset]]), { irVersion }), feeds };
}

function addInputs(scope: GraphScope, choices: Choices): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  const add = (elementType: 'float32' | 'int64' | 'bool', dims: readonly number[]) => {
    const name = `input_${Object.keys(feeds).length}`;
    const declared = dims.map((size, axis) => (choices.chance(0.3) ? `${name}_${axis}` : size));
    scope.input(name, elementType, dims, declared);
    feeds[name] = scope.randomTensor(elementType, dims);
  };
  add(
    'float32',
    choices.shape(4, 4).map((size) => Math.max(2, size)),
  );
  if (choices.chance(0.7)) add('float32', choices.shape());
  if (choices.chance(0.3)) add('int64', choices.shape(0, 2));
  if (choices.chance(0.3)) add('bool', []);
  return feeds;
}

/** Values that are read elsewhere too, and constants, among them. */
function chooseOutputs(scope: GraphScope, choices: Choices): void {
  const computed = scope.own.filter(({ value }) => value.producer !== undefined);
  const constants = scope.own.filter(({ value }) => value.initializer !== undefined);
  const outputs = new Set<Known>();
  const last = computed.at(-1);
  if (last !== undefined) outputs.add(last);
  for (let count = choices.integer(0, 3); count > 0 && computed.length > 0; count--) outputs.add(choices.of(computed));
  if (constants.length > 0 && choices.chance(0.2)) outputs.add(choices.of(constants));
  if (outputs.size === 0) outputs.add(scope.returnable(choices.of(scope.own)));
  for (const { value, elementType, dims } of outputs) value.type = { kind: 'tensor', elementType, shape: dims };
  scope.graph.setOutputs([...outputs].map(({ value }) => value));
}

/** Before IR version 4 every initializer is an input; since then, being one lets a caller override it. */
function listInitializers(scope: GraphScope, irVersion: number, choices: Choices): void {
  const listed = [...scope.graph.initializers].filter(
    (value) => irVersion < 4 || (choices.chance(0.1) && !value.isGraphOutput),
  );
  scope.graph.setInputs([...scope.graph.inputs, ...listed]);
}
