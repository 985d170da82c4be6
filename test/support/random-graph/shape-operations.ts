/** What moves elements, and what computes with shapes. */
import { attribute } from '../../../lib/compiler/ir/attribute.js';
import { elementCount, Tensor } from '../../../lib/compiler/ir/tensor.js';
import type { GraphScope, Known } from './graph-scope.js';
import type { Operation } from './operations.js';

const like = (known: Known, dims: readonly number[]) => ({ elementType: known.elementType, dims });

function reshape(scope: GraphScope): void {
  const { choices } = scope;
  const x = scope.any();
  const count = elementCount(x.dims);
  const factors = x.dims.filter((size) => size !== 1);
  const options = [x.dims, [count], [1, count], [...factors, 1], choices.shuffled(x.dims)];
  const dims = choices.of(options);
  const wanted = [...dims];
  if (count > 0 && wanted.length > 0 && choices.chance(0.4)) wanted[choices.integer(0, wanted.length - 1)] = -1;
  if (count === 0 && dims.some((size, axis) => size === 0 && x.dims[axis] !== 0)) return;
  scope.emitLike('Reshape', [x, scope.constant(Tensor.int64(wanted))], like(x, dims));
}

function transpose(scope: GraphScope): void {
  const x = scope.any();
  if (scope.choices.chance(0.2)) {
    scope.emitLike('Transpose', [x], like(x, x.dims.toReversed()));
    return;
  }
  const axes = x.dims.map((_, axis) => axis);
  const order = scope.choices.chance(0.3) ? axes : scope.choices.shuffled(axes);
  scope.emitLike(
    'Transpose',
    [x],
    like(
      x,
      order.map((axis) => x.dims[axis] ?? 1),
    ),
    { perm: attribute.ints(order) },
  );
}

function concat(scope: GraphScope): void {
  const { choices } = scope;
  const x = scope.any(1);
  const axis = choices.integer(0, x.dims.length - 1);
  const fits = ({ elementType, dims }: Known) =>
    elementType === x.elementType &&
    dims.length === x.dims.length &&
    dims.every((size, index) => index === axis || size === x.dims[index]);
  const parts = [x, ...Array.from({ length: choices.integer(0, 2) }, () => scope.pick(fits, x.elementType, x.dims))];
  const total = parts.reduce((sum, part) => sum + (part.dims[axis] ?? 0), 0);
  const dims = x.dims.map((size, index) => (index === axis ? total : size));
  scope.emitLike('Concat', choices.shuffled(parts), like(x, dims), {
    axis: attribute.int(scope.opset >= 11 && choices.chance(0.3) ? axis - x.dims.length : axis),
  });
}

function split(scope: GraphScope): void {
  const { choices } = scope;
  const x = scope.pick(
    ({ elementType, dims }) => elementType === 'float32' && dims.length > 0,
    'float32',
    choices.shape(1),
  );
  const axis = choices.integer(0, x.dims.length - 1);
  const size = x.dims[axis] ?? 0;
  const first = choices.integer(0, size);
  const sizes = choices.chance(0.2) ? [size] : [first, size - first];
  const outputs = sizes.map((part) =>
    like(
      x,
      x.dims.map((whole, index) => (index === axis ? part : whole)),
    ),
  );
  if (scope.opset < 13) scope.emit('Split', [x], outputs, { axis: attribute.int(axis), split: attribute.ints(sizes) });
  else scope.emit('Split', [x, scope.int64(...sizes)], outputs, { axis: attribute.int(axis) });
}

function slice(scope: GraphScope): void {
  const { choices } = scope;
  const x = scope.any(1);
  const axis = choices.integer(0, x.dims.length - 1);
  const size = x.dims[axis] ?? 0;
  const all = choices.chance(0.3);
  const start = all ? 0 : choices.integer(0, size);
  const end = all ? 2 ** 31 - 1 : choices.integer(start, size);
  const step = scope.opset >= 10 && !all ? choices.integer(1, 2) : 1;
  const length = Math.ceil((Math.min(end, size) - start) / step);
  const output = like(
    x,
    x.dims.map((whole, index) => (index === axis ? length : whole)),
  );
  if (scope.opset < 10) {
    scope.emitLike('Slice', [x], output, {
      starts: attribute.ints([start]),
      ends: attribute.ints([end]),
      axes: attribute.ints([axis]),
    });
  } else
    scope.emitLike('Slice', [x, scope.int64(start), scope.int64(end), scope.int64(axis), scope.int64(step)], output);
}

function squeeze(scope: GraphScope): void {
  const x = scope.any();
  const axes = x.dims.flatMap((size, axis) => (size === 1 ? [axis] : []));
  if (axes.length === 0) {
    unsqueeze(scope);
    return;
  }
  const axis = scope.choices.of(axes);
  const output = like(
    x,
    x.dims.filter((_, index) => index !== axis),
  );
  if (scope.opset < 13) scope.emitLike('Squeeze', [x], output, { axes: attribute.ints([axis]) });
  else scope.emitLike('Squeeze', [x, scope.int64(axis)], output);
}

function unsqueeze(scope: GraphScope): void {
  const x = scope.any(0, 3);
  const axis = scope.choices.integer(0, x.dims.length);
  const output = like(x, x.dims.toSpliced(axis, 0, 1));
  if (scope.opset < 13) scope.emitLike('Unsqueeze', [x], output, { axes: attribute.ints([axis]) });
  else scope.emitLike('Unsqueeze', [x, scope.int64(axis)], output);
}

function expand(scope: GraphScope): void {
  const x = scope.any(0, 3);
  const dims = x.dims.map((size) => (size === 1 && scope.choices.chance(0.5) ? scope.choices.integer(1, 3) : size));
  const wanted = dims.map((size, axis) =>
    size === x.dims[axis] && size !== 0 && scope.choices.chance(0.5) ? 1 : size,
  );
  scope.emitLike('Expand', [x, scope.constant(Tensor.int64(wanted))], like(x, dims));
}

function tile(scope: GraphScope): void {
  const x = scope.float(1, 3);
  const repeats = x.dims.map(() => scope.choices.of([1, 1, 2]));
  scope.emitLike(
    'Tile',
    [x, scope.int64(...repeats)],
    like(
      x,
      x.dims.map((size, axis) => size * (repeats[axis] ?? 1)),
    ),
  );
}

function pad(scope: GraphScope): void {
  const x = scope.float(1, 4, false);
  const widths = Array.from({ length: 2 * x.dims.length }, () => scope.choices.of([0, 0, 0, 1]));
  const output = like(
    x,
    x.dims.map((size, axis) => size + (widths[axis] ?? 0) + (widths[axis + x.dims.length] ?? 0)),
  );
  if (scope.opset < 11)
    scope.emitLike('Pad', [x], output, { pads: attribute.ints(widths), value: attribute.float(0.5) });
  else scope.emitLike('Pad', [x, scope.int64(...widths), scope.constant(Tensor.scalar('float32', 0.5))], output);
}

function gather(scope: GraphScope): void {
  const { choices } = scope;
  const x = scope.any(1);
  const axis = choices.integer(0, x.dims.length - 1);
  const size = x.dims[axis] ?? 0;
  if (size === 0) return;
  const shape = choices.of([[], [1], [2], [1, 2]]);
  const indices = Array.from({ length: elementCount(shape) }, () =>
    choices.integer(scope.opset >= 11 ? -size : 0, size - 1),
  );
  const dims = [...x.dims.slice(0, axis), ...shape, ...x.dims.slice(axis + 1)];
  scope.emitLike('Gather', [x, scope.constant(Tensor.int64(indices, shape))], like(x, dims), {
    axis: attribute.int(axis),
  });
}

/** Shape → Gather, Slice, Concat and arithmetic → Reshape: what exporters write for `x.view(n, -1)`. */
function viewOfShape(scope: GraphScope): void {
  const x = scope.float(2, 4, false);
  const rank = x.dims.length;
  const [shape] = scope.emit('Shape', [x], [{ elementType: 'int64', dims: [rank] }]);
  const first = scope.emitLike('Gather', [shape, scope.constant(Tensor.int64([0], []))], {
    elementType: 'int64',
    dims: [],
  });
  const doubled = scope.emitLike('Mul', [first, scope.constant(Tensor.int64([1], []))], first);
  const output = { elementType: 'int64', dims: [1] } as const;
  const kept =
    scope.opset < 13
      ? scope.emitLike('Unsqueeze', [doubled], output, { axes: attribute.ints([0]) })
      : scope.emitLike('Unsqueeze', [doubled, scope.int64(0)], output);
  const target = scope.emitLike(
    'Concat',
    [kept, scope.constant(Tensor.int64([-1]))],
    { elementType: 'int64', dims: [2] },
    { axis: attribute.int(0) },
  );
  const [rows = 1] = x.dims;
  scope.emitLike('Reshape', [x, target], like(x, [rows, elementCount(x.dims) / rows]));
}

function constantOfShape(scope: GraphScope): void {
  const dims = scope.choices.shape(0, 3);
  const value = scope.randomTensor(scope.choices.of(['float32', 'int64'] as const), [1]);
  const shape = scope.constant(Tensor.int64(dims));
  scope.emitLike(
    'ConstantOfShape',
    [shape],
    { elementType: value.elementType, dims },
    { value: attribute.tensor(value) },
  );
}

function range(scope: GraphScope): void {
  const [start, count, delta] = [
    scope.choices.integer(-3, 3),
    scope.choices.integer(0, 5),
    scope.choices.of([1, 2, -1]),
  ];
  const bounds = [start, start + count * delta, delta].map((bound) => scope.constant(Tensor.int64([bound], [])));
  scope.emitLike('Range', bounds, { elementType: 'int64', dims: [count] });
}

function flatten(scope: GraphScope): void {
  const x = scope.float(1);
  const axis = scope.choices.integer(0, x.dims.length);
  const dims = [elementCount(x.dims.slice(0, axis)), elementCount(x.dims.slice(axis))];
  scope.emitLike('Flatten', [x], like(x, dims), { axis: attribute.int(axis) });
}

export const SHAPE_OPERATIONS: readonly Operation[] = [
  { add: reshape },
  { add: transpose },
  { add: transpose },
  { add: concat },
  { add: split },
  { add: slice },
  { add: squeeze },
  { add: unsqueeze },
  { since: 9, add: expand },
  { add: tile },
  { add: pad },
  { add: gather },
  { add: viewOfShape },
  { add: flatten },
  { since: 9, add: constantOfShape },
  { since: 11, add: range },
  {
    add: (scope) => {
      const x = scope.any();
      scope.emitLike('Shape', [x], { elementType: 'int64', dims: [x.dims.length] });
    },
  },
];
