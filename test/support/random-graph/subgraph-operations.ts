/** If, Loop and Scan, with bodies that use values from outside. */
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { GraphScope, type Known } from './graph-scope.js';
import { OPERATIONS, type Operation } from './operations.js';

/** A few operations, which see what is around the graph. */
function fill(scope: GraphScope): void {
  for (let count = scope.choices.integer(0, 3); count > 0; count--) {
    const operation = scope.choices.of(OPERATIONS);
    if ((operation.since ?? 7) <= scope.opset) operation.add(scope);
  }
}

/** `x` changed by a value from outside, or a constant, of one element. */
function changed(scope: GraphScope, x: Known): Known {
  const scalar = scope.pick(({ elementType, dims }) => elementType === 'float32' && dims.length === 0, 'float32', []);
  return scope.returnable(scope.emitLike(scope.choices.of(['Add', 'Sub', 'Mul']), [x, scalar], x));
}

function addIf(scope: GraphScope): void {
  const { choices, model } = scope;
  const condition = choices.chance(0.5)
    ? scope.constant(scope.randomTensor('bool', choices.of([[], [1]])))
    : scope.pick(
        ({ elementType, dims }) => elementType === 'bool' && dims.every((size) => size === 1) && dims.length < 2,
        'bool',
        [],
      );
  const branches = [0, 1].map(() => new GraphScope(model.name('branch'), model, scope));
  const [yes, no] = branches as [GraphScope, GraphScope];
  for (const branch of branches) fill(branch);
  if (choices.chance(0.2)) addIf(yes);
  const result = changed(yes, yes.float());
  const fits = ({ elementType, dims }: Known) => elementType === 'float32' && String(dims) === String(result.dims);
  const others = branches.map((branch) => branch.returnable(branch.pick(fits, 'float32', result.dims)));
  yes.graph.setOutputs([result.value, ...others.slice(0, 1).map(({ value }) => value)]);
  const same = changed(no, no.pick(fits, 'float32', result.dims));
  no.graph.setOutputs([same.value, ...others.slice(1).map(({ value }) => value)]);
  scope.emit('If', [condition], [result, result], {
    then_branch: attribute.graph(yes.graph),
    else_branch: attribute.graph(no.graph),
  });
}

function addLoop(scope: GraphScope): void {
  const { choices, model } = scope;
  const state = scope.float(0, 3);
  const rounds = choices.integer(0, 3);
  const body = new GraphScope(model.name('body'), model, scope);
  body.input(model.name('round'), 'int64', []);
  const goOn = body.input(model.name('go_on'), 'bool', []);
  const carried = body.input(model.name('state'), 'float32', state.dims);
  fill(body);
  const next = changed(body, carried);
  const kept = body.returnable(
    body.pick(({ elementType, dims }) => elementType === 'float32' && dims.length < 4, 'float32', []),
  );
  const still = body.returnable(goOn);
  body.graph.setOutputs([still, next, kept].map(({ value }) => value));
  const condition = choices.chance(0.5) ? scope.constant(Tensor.fromNumbers('bool', [], [1])) : undefined;
  scope.emit(
    'Loop',
    [scope.constant(Tensor.int64([rounds], [])), condition, state],
    [state, { elementType: 'float32', dims: [rounds, ...kept.dims] }],
    {
      body: attribute.graph(body.graph),
    },
  );
}

function addScan(scope: GraphScope): void {
  const { model } = scope;
  const sequence = scope.float(1, 3, false);
  const [length = 1, ...row] = sequence.dims;
  const start = scope.pick(
    ({ elementType, dims }) => elementType === 'float32' && String(dims) === String(row),
    'float32',
    row,
  );
  const body = new GraphScope(model.name('body'), model, scope);
  const [state, element] = [
    body.input(model.name('state'), 'float32', row),
    body.input(model.name('element'), 'float32', row),
  ];
  fill(body);
  const next = body.returnable(body.emitLike('Add', [state, element], state));
  const collected = changed(body, body.choices.of([state, element]));
  body.graph.setOutputs([next.value, collected.value]);
  scope.emit('Scan', [start, sequence], [start, { elementType: 'float32', dims: [length, ...row] }], {
    body: attribute.graph(body.graph),
    num_scan_inputs: attribute.int(1),
  });
}

export const SUBGRAPH_OPERATIONS: readonly Operation[] = [
  { add: addIf },
  { add: addIf },
  { since: 11, add: addLoop },
  { since: 9, add: addScan },
];
