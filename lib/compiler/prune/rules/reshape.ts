/** Reshape, Flatten, Squeeze, Unsqueeze, Transpose: where an axis stays whole, is split into heads, or several become one. */
import type { Node } from '../../ir/node.js';
import type { Dimension, Value } from '../../ir/value.js';
import { matchAxes } from './match-axes.js';
import { blockAxes, countStaying, fromFront, type Labels, type Rule, type RuleScope } from './rule.js';

const transpose: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0)) ?? [];
  const permutation = node.ints('perm') ?? labels.map((_, axis) => labels.length - 1 - axis);
  scope.setLabels(
    node.output(),
    permutation.map((axis) => labels[axis]),
  );
};

const reshape: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0));
  if (labels === undefined) return scope.block(node, 'channels come in where it takes a shape');
  const shape = shapeInput(node);
  const inDims = dimsOf(node.input(0), labels);
  const outDims = resultDims(node, shape, inDims);
  if (shape === undefined || outDims === undefined) return scope.block(node, 'its shape is computed');
  const edit = (axis: number, ids: Int32Array) => shape.edit(axis, ids, scope);
  relabel(node, labels, inDims, outDims, edit, scope);
};

const flatten: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0)) ?? [];
  const dims = dimsOf(node.input(0), labels);
  const axis = fromFront(node.int('axis', 1), labels.length);
  const product = (part: readonly Dimension[]) =>
    part.every((dim) => typeof dim === 'number') ? part.reduce<number>((a, b) => a * Number(b), 1) : undefined;
  // A symbolic axis that stays alone is still itself.
  const one = (part: readonly Dimension[]) => (part.length === 1 ? part[0] : product(part));
  relabel(node, labels, dims, [one(dims.slice(0, axis)), one(dims.slice(axis))], () => undefined, scope);
};

const squeeze: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0)) ?? [];
  const axes = axesOf(node)?.map((axis) => fromFront(axis, labels.length));
  if (axes === undefined) return scope.block(node, 'its axes are computed');
  scope.setLabels(
    node.output(),
    labels.filter((_, axis) => !axes.includes(axis)),
  );
};

const unsqueeze: Rule = (node, scope) => {
  const labels = scope.labelsOf(node.input(0)) ?? [];
  const given = axesOf(node);
  if (given === undefined) return scope.block(node, 'its axes are computed');
  const rank = labels.length + given.length;
  const axes = new Set(given.map((axis) => fromFront(axis, rank)));
  let next = 0;
  const out = Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? undefined : labels[next++]));
  scope.setLabels(node.output(), out);
};

/** Squeeze without axes takes out whatever has the size 1: not known here. */
function axesOf(node: Node): number[] | undefined {
  return node.ints('axes') ?? node.constantInput(1)?.numbers();
}

function dimsOf(value: Value | undefined, labels: Labels): Dimension[] {
  const shape = value?.type?.kind === 'tensor' ? value.type.shape : undefined;
  return labels.map((ids, axis) => ids?.length ?? (shape?.length === labels.length ? shape[axis] : undefined));
}

/** Where a Reshape takes its shape from, element by element; undefined for an element that is computed. */
interface ShapeInput {
  readonly elements: readonly (number | undefined)[];
  /** Has element `axis` count the units that stay. @returns why it cannot */
  edit(axis: number, ids: Int32Array, scope: RuleScope): string | undefined;
}

function shapeInput(node: Node): ShapeInput | undefined {
  const value = node.input(1);
  if (value === undefined) return undefined;
  const constant = node.constantInput(1);
  const places: (Place | undefined)[] = [];
  if (constant !== undefined) {
    for (const [index, element] of constant.numbers().entries()) places.push({ value, index, element });
  } else {
    const producer = behindCasts(value, node);
    if (producer === undefined) return undefined;
    for (const [input, part] of producer.inputs.entries()) {
      const numbers = producer.constantInput(input)?.numbers();
      const count = numbers?.length ?? part?.staticShape?.[0];
      if (part === undefined || count === undefined) return undefined;
      for (let index = 0; index < count; index++) {
        const element = numbers?.[index];
        places.push(element === undefined ? undefined : { value: part, index, element });
      }
    }
  }
  return {
    elements: places.map((place) => place?.element),
    edit(axis, ids, scope) {
      const place = places[axis];
      if (place === undefined) return `the shape of ${node.describe()} is computed`;
      // 0 takes the size from the input, -1 what is left: both follow by themselves.
      if (place.element <= 0) return undefined;
      const { value: from, index } = place;
      return scope.edit({ value: from, index, compute: (stays) => countStaying(ids, stays) });
    },
  };
}

/** The Concat that makes a shape for one reader, maybe as int32. */
function behindCasts(value: Value, reader: Node): Node | undefined {
  let [current, consumer] = [value, reader];
  while (current.soleConsumer === consumer && current.producer?.is('Cast')) {
    consumer = current.producer;
    current = consumer.input(0) ?? current;
  }
  return current.soleConsumer === consumer && current.producer?.is('Concat') ? current.producer : undefined;
}

interface Place {
  readonly value: Value;
  readonly index: number;
  readonly element: number;
}

/** Sizes of the result: from the shape input, where that does not say from the value's type. */
function resultDims(node: Node, shape: ShapeInput | undefined, inDims: readonly Dimension[]): Dimension[] | undefined {
  if (shape === undefined || node.int('allowzero', 0) === 1) return undefined;
  const { type } = node.output();
  const known = type?.kind === 'tensor' && type.shape?.length === shape.elements.length ? type.shape : undefined;
  return shape.elements.map((element, axis) => {
    if (element === 0) return inDims[axis];
    return element !== undefined && element > 0 ? element : known?.[axis];
  });
}

/** Labels of the result of a Reshape, block of axes by block of axes. */
function relabel(
  node: Node,
  labels: Labels,
  inDims: readonly Dimension[],
  outDims: readonly Dimension[],
  edit: (axis: number, ids: Int32Array) => string | undefined,
  scope: RuleScope,
): void {
  const out: (Int32Array | undefined)[] = new Array(outDims.length).fill(undefined);
  const reason = `${node.describe()} does not keep the axis whole`;
  const handled = new Set<number>();
  for (const { from, to } of matchAxes(inDims, outDims)) {
    for (const axis of from) handled.add(axis);
    const labelled = from.filter((axis) => labels[axis] !== undefined);
    if (labelled.length === 0) continue;
    const target = to.length === 1 ? merge(labels, from, to, inDims, scope) : split(labels, from, to, outDims, scope);
    if (target === undefined) {
      blockAxes(scope, labels, labelled, reason);
      continue;
    }
    const obstacle = edit(target.axis, target.ids);
    if (obstacle !== undefined) scope.units.block(target.ids, obstacle);
    out[target.axis] = target.ids;
    // The axes beside the heads' stay, and are labelled all the same: their sizes must be known where they are merged again.
    for (const axis of to) {
      const size = outDims[axis];
      if (axis === target.axis || typeof size !== 'number' || size < 2) continue;
      const ids = scope.units.create(size);
      scope.units.block(ids, `${node.describe()} splits it from the heads`);
      out[axis] = ids;
    }
  }
  const rest = labels.map((_, axis) => axis).filter((axis) => !handled.has(axis));
  blockAxes(scope, labels, rest, reason);
  scope.setLabels(node.output(), out);
}

interface Target {
  readonly axis: number;
  readonly ids: Int32Array;
}

/** Several axes to one: each of its indices belongs to a unit of the outermost labelled axis that can still be pruned. */
function merge(
  labels: Labels,
  from: readonly number[],
  to: readonly number[],
  inDims: readonly Dimension[],
  scope: RuleScope,
): Target | undefined {
  const candidates = from.filter((axis) => labels[axis] !== undefined);
  const chosen = candidates.find((axis) => labels[axis]?.some((id) => scope.units.reason(id) === undefined));
  const [axis, ids] = [to[0], chosen === undefined ? undefined : labels[chosen]];
  if (chosen === undefined || axis === undefined || ids === undefined) return undefined;
  const others = candidates.filter((candidate) => candidate !== chosen);
  blockAxes(scope, labels, others, 'it is merged with an axis that is pruned');
  const sizes = from.map((source) => Number(inDims[source]));
  const inner = sizes.slice(from.indexOf(chosen) + 1).reduce((a, b) => a * b, 1);
  const count = sizes.reduce((a, b) => a * b, 1);
  const merged = Int32Array.from({ length: count }, (_, index) => ids[Math.floor(index / inner) % ids.length] ?? 0);
  return { axis, ids: merged };
}

/** One axis to several: units are made of what belongs to one index of the heads' axis. */
function split(
  labels: Labels,
  from: readonly number[],
  to: readonly number[],
  outDims: readonly Dimension[],
  scope: RuleScope,
): Target | undefined {
  const [only] = from;
  const ids = only === undefined ? undefined : labels[only];
  if (from.length !== 1 || ids === undefined) return undefined;
  const sizes = to.map((axis) => Number(outDims[axis]));
  const wide = to.filter((_, position) => (sizes[position] ?? 1) > 1);
  // [2 or 3, heads, width]: keys and values, or queries too, in one product.
  const packed = wide.length === 3 && [2, 3].includes(Number(outDims[wide[0] ?? 0]));
  const axis = wide[packed ? 1 : 0];
  if (axis === undefined) return undefined;
  const inner = sizes.slice(to.indexOf(axis) + 1).reduce((a, b) => a * b, 1);
  const size = Number(outDims[axis]);
  const heads = new Int32Array(size).fill(-1);
  for (const [index, id] of ids.entries()) {
    const head = Math.floor(index / inner) % size;
    const first = heads[head] ?? -1;
    if (first < 0) heads[head] = id;
    else scope.units.join(first, id);
  }
  if (wide.length > 1) scope.units.markHeads(heads);
  return { axis, ids: heads };
}

export const RESHAPE_RULES: Readonly<Record<string, Rule>> = {
  Flatten: flatten,
  Reshape: reshape,
  Squeeze: squeeze,
  Transpose: transpose,
  Unsqueeze: unsqueeze,
};
