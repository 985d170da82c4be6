/**
 * What is known, before a model runs, of vectors and scalars of integers: sizes that a graph computes from shapes, for other shapes.
 * Exporters write Shape, Slice, Concat, Reshape for "keep the batch, flatten the rest"; knowing which element is which size lets a reader
 * write a plain Reshape instead.
 */
import type { Node } from '../ir/node.js';
import type { Tensor } from '../ir/tensor.js';
import type { Dimension, Value } from '../ir/value.js';
import { type Shape, shapeOf, staticCount } from './shape.js';

/** The size of one dimension of a value, which only a run knows. */
export interface OpenSize {
  readonly value: Value;
  readonly axis: number;
}

/** undefined: not known. */
export type KnownElement = number | OpenSize | undefined;

/** Vectors of sizes are short. */
const MAX_ELEMENTS = 256;

const cache = new WeakMap<Value, readonly KnownElement[] | null>();

/**
 * The elements of a value of integers in row-major order, as far as they are known; undefined where not even their number is.
 * Looks at the nodes in front of the value, each once.
 */
export function knownElements(value: Value): readonly KnownElement[] | undefined {
  const cached = cache.get(value);
  if (cached !== undefined) return cached ?? undefined;
  const elements = findElements(value);
  cache.set(value, elements ?? null);
  return elements;
}

/** The elements as plain numbers, where all are known. */
export function knownNumbers(value: Value): readonly number[] | undefined {
  const elements = knownElements(value);
  return elements?.every((element) => typeof element === 'number') ? (elements as readonly number[]) : undefined;
}

/** What a dimension of such a size is called. */
export function dimensionOf(element: KnownElement): Dimension {
  if (typeof element !== 'object') return element;
  return shapeOf(element.value)[element.axis];
}

/** Whether two sizes are surely the same. */
export function isSameSize(a: KnownElement, b: KnownElement): boolean {
  if (a === undefined || b === undefined) return false;
  if (typeof a === 'number' || typeof b === 'number') return a === b;
  if (a.value === b.value && a.axis === b.axis) return true;
  const [name, other] = [dimensionOf(a), dimensionOf(b)];
  return typeof name === 'string' && name === other;
}

/** The sizes of a value. */
export function sizesOf(value: Value): KnownElement[] {
  return shapeOf(value).map((size, axis) => (typeof size === 'number' ? size : { value, axis }));
}

function findElements(value: Value): readonly KnownElement[] | undefined {
  if (value.initializer !== undefined) return numbersOf(value.initializer);
  if (value.elementType !== 'int32' && value.elementType !== 'int64') return undefined;
  const { producer } = value;
  const found = producer?.domain === '' ? RULES[producer.opType]?.(producer, value) : undefined;
  if (found !== undefined) return found.length <= MAX_ELEMENTS ? found : undefined;
  const count = value.type?.kind === 'tensor' ? staticCount(value.type.shape ?? [undefined]) : undefined;
  // Sizes of damaged files may be negative.
  const isCount = count !== undefined && Number.isInteger(count) && count >= 0 && count <= MAX_ELEMENTS;
  return isCount ? new Array<KnownElement>(count).fill(undefined) : undefined;
}

function numbersOf(tensor: Tensor): readonly KnownElement[] | undefined {
  if (tensor.count > MAX_ELEMENTS || !/^(u?int\d+|bool|float32|float64)$/.test(tensor.elementType)) return undefined;
  if (/^u?int64$/.test(tensor.elementType)) {
    return Array.from(tensor.typed() as BigInt64Array, (element) => {
      const number = Number(element);
      return Number.isSafeInteger(number) ? number : undefined;
    });
  }
  return /^u?int[24]$/.test(tensor.elementType) ? undefined : tensor.numbers();
}

type Rule = (node: Node, output: Value) => readonly KnownElement[] | undefined;

const elementsAt = (node: Node, index: number): readonly KnownElement[] | undefined => {
  const input = node.input(index);
  return input === undefined ? undefined : knownElements(input);
};

const constantAt = (node: Node, index: number): readonly number[] | undefined => {
  const input = node.input(index);
  return input === undefined ? undefined : knownNumbers(input);
};

const same: Rule = (node) => elementsAt(node, 0);

function outputRank(output: Value): number | undefined {
  return output.type?.kind === 'tensor' ? output.type.shape?.length : undefined;
}

function inputShape(node: Node, index: number): Shape | undefined {
  const input = node.input(index);
  return input === undefined || input.rank === undefined ? undefined : shapeOf(input);
}

/** Element by element; one of the two may be a single one. */
function pairwise(combine: (a: KnownElement, b: KnownElement) => KnownElement): Rule {
  return (node) => {
    const [a, b] = [elementsAt(node, 0), elementsAt(node, 1)];
    if (a === undefined || b === undefined || node.inputs.length !== 2) return undefined;
    const length = a.length === 1 ? b.length : a.length;
    if (b.length !== 1 && b.length !== length) return undefined;
    if ((inputShape(node, 0)?.length ?? 2) > 1 || (inputShape(node, 1)?.length ?? 2) > 1) return undefined;
    return Array.from({ length }, (_, index) => combine(a[a.length === 1 ? 0 : index], b[b.length === 1 ? 0 : index]));
  };
}

/** With a neutral element, which leaves the other as it is. */
function arithmetic(compute: (a: number, b: number) => number, right: number | undefined, left: number | undefined) {
  return pairwise((a, b) => {
    if (typeof a === 'number' && typeof b === 'number') {
      const result = compute(a, b);
      return Number.isSafeInteger(result) ? result : undefined;
    }
    if (right !== undefined && b === right) return a;
    return left !== undefined && a === left ? b : undefined;
  });
}

const RULES: Readonly<Record<string, Rule>> = {
  Add: arithmetic((a, b) => a + b, 0, 0),
  Cast: (node) => {
    const from = node.input(0)?.elementType;
    return from === 'int32' || from === 'int64' ? elementsAt(node, 0) : undefined;
  },
  Concat: (node) => {
    // Along the first dimension, row-major elements follow one another whatever the rank.
    if (node.int('axis') !== 0) return undefined;
    const elements: KnownElement[] = [];
    for (const index of node.inputs.keys()) {
      const part = elementsAt(node, index);
      if (part === undefined) return undefined;
      elements.push(...part);
    }
    return elements;
  },
  Div: arithmetic((a, b) => Math.trunc(a / b), 1, undefined),
  Gather: (node) => {
    const [from, indices] = [elementsAt(node, 0), constantAt(node, 1)];
    if (from === undefined || indices === undefined || inputShape(node, 0)?.length !== 1) return undefined;
    return indices.map((index) => from[index < 0 ? index + from.length : index]);
  },
  Identity: same,
  Max: arithmetic(Math.max, undefined, undefined),
  Min: arithmetic(Math.min, undefined, undefined),
  Mul: arithmetic((a, b) => a * b, 1, 1),
  ReduceProd: (node, output) => {
    const elements = elementsAt(node, 0);
    if (elements === undefined || inputShape(node, 0)?.length !== 1 || (outputRank(output) ?? 2) > 1) return undefined;
    const open = elements.filter((element) => typeof element !== 'number');
    const product = elements.reduce<number>((all, element) => (typeof element === 'number' ? all * element : all), 1);
    if (open.length === 0) return [Number.isSafeInteger(product) ? product : undefined];
    return [open.length === 1 && product === 1 ? open[0] : undefined];
  },
  Reshape: same,
  Shape: (node) => {
    const input = node.input(0);
    if (input?.rank === undefined) return undefined;
    const sizes = sizesOf(input);
    const bound = (position: number) =>
      Math.min(sizes.length, Math.max(0, position < 0 ? position + sizes.length : position));
    return sizes.slice(bound(node.int('start', 0)), bound(node.int('end', sizes.length)));
  },
  Slice: (node) => {
    const from = elementsAt(node, 0);
    const [start] = constantAt(node, 1) ?? [];
    const [end] = constantAt(node, 2) ?? [];
    const [step] = node.input(4) === undefined ? [1] : (constantAt(node, 4) ?? []);
    if (from === undefined || inputShape(node, 0)?.length !== 1) return undefined;
    if (start === undefined || end === undefined || step === undefined || step === 0) return undefined;
    return sliced(from, start, end, step);
  },
  Split: (node, output) => {
    const [from, sizes] = [elementsAt(node, 0), constantAt(node, 1)];
    if (from === undefined || sizes === undefined || inputShape(node, 0)?.length !== 1) return undefined;
    const at = node.outputs.indexOf(output);
    const start = sizes.slice(0, at).reduce((sum, size) => sum + size, 0);
    return from.slice(start, start + (sizes[at] ?? 0));
  },
  Squeeze: same,
  Sub: arithmetic((a, b) => a - b, 0, undefined),
  Unsqueeze: same,
};

function sliced(from: readonly KnownElement[], start: number, end: number, step: number): KnownElement[] {
  const { length } = from;
  const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
  const cut = (position: number) => Math.min(high, Math.max(low, position < 0 ? position + length : position));
  const elements: KnownElement[] = [];
  const to = cut(end);
  for (let index = cut(start); step > 0 ? index < to : index > to; index += step) elements.push(from[index]);
  return elements;
}
