/** One element in, one element out. */
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import type { GraphScope, Known } from './graph-scope.js';
import type { Operation } from './operations.js';

const UNARY = 'Relu Sigmoid Tanh Neg Abs Floor Ceil HardSigmoid LeakyRelu Elu Softplus Identity Identity Dropout'.split(
  ' ',
);

/** The shape that two shapes broadcast to. */
export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const [x, y] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1];
    return x === 1 ? y : x;
  });
}

function broadcasts(a: readonly number[], b: readonly number[]): boolean {
  return a.toReversed().every((size, index) => {
    const other = b.toReversed()[index] ?? 1;
    return size === other || size === 1 || other === 1;
  });
}

/** Something that broadcasts with `known`: often a constant, often with one element, or one per entry of an axis. */
export function operand(scope: GraphScope, known: Known): Known {
  const { choices } = scope;
  const { dims, elementType } = known;
  const axis = choices.integer(0, Math.max(0, dims.length - 1));
  const shapes = [[], [1], dims, dims.map((size, index) => (index === axis ? size : 1)), dims.slice(axis)];
  return choices.chance(0.5)
    ? scope.constant(scope.randomTensor(elementType, choices.of(shapes)))
    : scope.pick(
        (other) => other.elementType === elementType && broadcasts(other.dims, dims),
        elementType,
        choices.of(shapes),
      );
}

/** A constant whose elements are at least 0.5 from zero. */
function divisor(scope: GraphScope, known: Known): Known {
  const dims = scope.choices.of([[], known.dims.slice(-1), [1]]);
  const numbers = Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => scope.choices.of([0.5, -2, 6, 3, 1]));
  return scope.constant(Tensor.fromNumbers('float32', dims, numbers));
}

function clip(scope: GraphScope, known: Known, low: number, high: number): Known {
  if (scope.opset < 11)
    return scope.emitLike('Clip', [known], known, { min: attribute.float(low), max: attribute.float(high) });
  const bounds = [low, high].map((bound) => scope.constant(Tensor.scalar('float32', bound)));
  return scope.emitLike('Clip', [known, ...bounds], known);
}

function compare(scope: GraphScope, opType: string, elementType: 'float32' | 'int64' | 'bool'): void {
  const a = scope.pick((known) => known.elementType === elementType, elementType, scope.choices.shape());
  const b = operand(scope, a);
  scope.emit(opType, [a, b], [{ elementType: 'bool', dims: broadcast(a.dims, b.dims) }]);
}

export const ELEMENTWISE_OPERATIONS: readonly Operation[] = [
  {
    add: (scope) => {
      const known = scope.float();
      scope.emitLike(scope.choices.of(UNARY), [known], known);
    },
  },
  {
    add: (scope) => {
      const known = scope.float();
      const other = operand(scope, known);
      const inputs = scope.choices.chance(0.8) ? [known, other] : [other, known];
      // Max and Min broadcast from version 8 on.
      const operators = scope.opset < 8 ? ['Add', 'Sub', 'Mul'] : ['Add', 'Sub', 'Mul', 'Max', 'Min'];
      scope.emitLike(scope.choices.of(operators), inputs, {
        elementType: 'float32',
        dims: broadcast(known.dims, other.dims),
      });
    },
  },
  {
    add: (scope) => {
      const a = scope.pick(({ elementType }) => elementType === 'int64', 'int64', scope.choices.shape(0, 2));
      const b = operand(scope, a);
      scope.emitLike(scope.choices.of(['Add', 'Sub', 'Mul']), [a, b], {
        elementType: 'int64',
        dims: broadcast(a.dims, b.dims),
      });
    },
  },
  {
    add: (scope) => {
      const known = scope.float();
      const other = divisor(scope, known);
      scope.emitLike('Div', [known, other], { elementType: 'float32', dims: broadcast(known.dims, other.dims) });
    },
  },
  { add: (scope) => clip(scope, scope.float(), scope.choices.of([-1, 0]), scope.choices.of([1, 6])) },
  // x · clip(x + 3, 0, 6) / 6, in the order of one exporter or another.
  {
    add: (scope) => {
      const x = scope.float();
      const gate = clip(scope, scope.emitLike('Add', [x, scope.constant(Tensor.scalar('float32', 3))], x), 0, 6);
      const six = scope.constant(Tensor.scalar('float32', 6));
      if (scope.choices.chance(0.5)) scope.emitLike('Div', [scope.emitLike('Mul', [x, gate], x), six], x);
      else scope.emitLike('Mul', [scope.emitLike('Div', [gate, six], x), x], x);
    },
  },
  // x · (erf(x / √2) + 1) / 2
  {
    since: 9,
    add: (scope) => {
      const x = scope.float();
      const [root, one, half] = [Math.SQRT2, 1, 0.5].map((number) => scope.constant(Tensor.scalar('float32', number)));
      const erf = scope.emitLike('Erf', [scope.emitLike('Div', [x, root], x)], x);
      scope.emitLike('Mul', [scope.emitLike('Mul', [x, scope.emitLike('Add', [erf, one], x)], x), half], x);
    },
  },
  { since: 11, add: (scope) => compare(scope, scope.choices.of(['Equal', 'Less', 'Greater']), 'float32') },
  { since: 9, add: (scope) => compare(scope, scope.choices.of(['Equal', 'Less', 'Greater']), 'int64') },
  { add: (scope) => compare(scope, scope.choices.of(['And', 'Or', 'Xor']), 'bool') },
  {
    add: (scope) => {
      const known = scope.pick(({ elementType }) => elementType === 'bool', 'bool', scope.choices.shape());
      scope.emitLike('Not', [known], known);
    },
  },
  {
    since: 9,
    add: (scope) => {
      const a = scope.float();
      const b = operand(scope, a);
      const dims = broadcast(a.dims, b.dims);
      const condition = scope.pick(
        (known) => known.elementType === 'bool' && broadcasts(known.dims, dims),
        'bool',
        dims,
      );
      scope.emitLike('Where', [condition, a, b], { elementType: 'float32', dims: broadcast(condition.dims, dims) });
    },
  },
  {
    add: (scope) => {
      const known = scope.any();
      // Floats are cut off to few whole numbers first: what does not fit an integer is another number on another CPU.
      const to = scope.choices.of(['float32', 'int64', 'int32', 'float64', 'bool'] as const);
      const bounded = known.elementType === 'float32' && to.startsWith('int') ? clip(scope, known, -1, 6) : known;
      const numbers = { float32: 1, int64: 7, int32: 6, float64: 11, bool: 9 } as const;
      scope.emit('Cast', [bounded], [{ elementType: to, dims: known.dims }], { to: attribute.int(numbers[to]) });
    },
  },
];
