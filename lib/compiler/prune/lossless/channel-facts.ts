/** Facts of every value's channels, carried through the graph in topological order. What no case knows says nothing. */
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import type { DependencyGraph } from '../dependency-graph.js';
import { type AxisFacts, type Fact, Keys } from './facts.js';
import { linearFacts } from './linear-facts.js';

/** f(s · x) = s · f(x) for s above 0, and a constant stays constant. */
const HOMOGENEOUS: Readonly<Record<string, ((x: number, node: Node) => number) | undefined>> = {
  Abs: Math.abs,
  Dropout: (x) => x,
  GlobalAveragePool: (x) => x,
  GlobalMaxPool: (x) => x,
  Identity: (x) => x,
  LeakyRelu: (x, node) => (x < 0 ? x * node.float('alpha', 0.01) : x),
  MaxPool: (x) => x,
  Relu: (x) => Math.max(0, x),
};

const clamp = (x: number) => Math.min(1, Math.max(0, x));

/** Other operators that work on each element alone. */
const ELEMENTWISE: Readonly<Record<string, (x: number, node: Node) => number>> = {
  Clip: (x, node) => Math.min(Math.max(x, boundOf(node, 1) ?? x), boundOf(node, 2) ?? x),
  Exp: Math.exp,
  HardSigmoid: (x, node) => clamp(node.float('alpha', 0.2) * x + node.float('beta', 0.5)),
  HardSwish: (x) => x * clamp(x / 6 + 0.5),
  Neg: (x) => -x,
  Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  Softplus: (x) => Math.log1p(Math.exp(x)),
  Sqrt: Math.sqrt,
  Tanh: Math.tanh,
};

/** A bound of Clip: undefined where there is none, NaN where it is computed. */
function boundOf(node: Node, index: number): number | undefined {
  if (node.input(index) === undefined) return undefined;
  return node.constantInput(index)?.numbers()[0] ?? Number.NaN;
}

export function channelFacts(model: Model, graph: DependencyGraph): ReadonlyMap<Value, AxisFacts> {
  const facts = new Map<Value, AxisFacts>();
  const keys = new Keys();
  for (const node of model.graph.nodes) {
    const output = node.outputs[0];
    const labels = output === undefined ? undefined : graph.labels.get(output);
    if (output === undefined || labels === undefined || node.domain !== '') continue;
    const found = factsOf(node, labels.length, facts, keys);
    const length = found === undefined ? undefined : labels[found.axis]?.length;
    if (found !== undefined && length === found.facts.length) facts.set(output, found);
  }
  return facts;
}

function factsOf(node: Node, rank: number, facts: ReadonlyMap<Value, AxisFacts>, keys: Keys): AxisFacts | undefined {
  const data = node.input(0);
  const input = data === undefined ? undefined : facts.get(data);
  if (node.is('Conv', 'ConvTranspose', 'Gemm', 'MatMul')) return linearFacts(node, input, rank, keys);
  if (node.is('Add', 'Div', 'Mul', 'Sub')) return binaryFacts(node, rank, facts, keys);
  if (node.is('Concat')) return concatFacts(node, rank, facts, keys);
  if (input === undefined) return undefined;
  const homogeneous = Object.hasOwn(HOMOGENEOUS, node.opType) ? HOMOGENEOUS[node.opType] : undefined;
  if (homogeneous !== undefined) {
    return each(input, ({ key, scale, constant }) => ({
      key: keys.of(node.opType, homogeneous === HOMOGENEOUS.LeakyRelu ? node.float('alpha', 0.01) : placeOf(node), key),
      scale,
      constant: constant === undefined ? undefined : Math.fround(homogeneous(constant, node)),
    }));
  }
  const elementwise = Object.hasOwn(ELEMENTWISE, node.opType) ? ELEMENTWISE[node.opType] : undefined;
  if (elementwise !== undefined) {
    return each(input, ({ key, scale, constant }) => ({
      key: keys.of(placeOf(node), key, scale),
      scale: 1,
      constant: constant === undefined ? undefined : finite(elementwise(constant, node)),
    }));
  }
  if (node.is('Transpose')) {
    const permutation = node.ints('perm') ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
    return { axis: permutation.indexOf(input.axis), facts: input.facts };
  }
  return undefined;
}

/** Two channels are the same only if the same nodes made them so: pools and their like differ in their attributes. */
function placeOf(node: Node): string {
  return node.is('Relu', 'Abs', 'Identity') ? '' : node.output().name;
}

function each(input: AxisFacts, change: (fact: Fact, index: number) => Fact): AxisFacts {
  return { axis: input.axis, facts: input.facts.map(change) };
}

function concatFacts(
  node: Node,
  rank: number,
  facts: ReadonlyMap<Value, AxisFacts>,
  keys: Keys,
): AxisFacts | undefined {
  const axis = node.int('axis', 0) < 0 ? node.int('axis', 0) + rank : node.int('axis', 0);
  const all: Fact[] = [];
  for (const value of node.inputs) {
    const known = value === undefined ? undefined : facts.get(value);
    if (known?.axis === axis) {
      all.push(...known.facts);
      continue;
    }
    const shape = value?.type?.kind === 'tensor' ? value.type.shape : undefined;
    const size = shape?.[axis];
    if (typeof size !== 'number') return undefined;
    const constant = fillOf(value);
    for (let index = 0; index < size; index++) all.push({ key: keys.unique(), scale: 1, constant });
  }
  return { axis, facts: all };
}

/** What a ConstantOfShape is filled with. */
function fillOf(value: Value | undefined): number | undefined {
  if (!value?.producer?.is('ConstantOfShape')) return undefined;
  const tensor = value.producer.tensor('value');
  return tensor === undefined ? 0 : tensor.elementType === 'float32' ? tensor.numbers()[0] : undefined;
}

function binaryFacts(
  node: Node,
  rank: number,
  facts: ReadonlyMap<Value, AxisFacts>,
  keys: Keys,
): AxisFacts | undefined {
  const sides = node.inputs.map((value) => (value === undefined ? undefined : facts.get(value)));
  const fromEnd = sides.map((side, index) => (side === undefined ? 0 : (node.input(index)?.rank ?? rank) - side.axis));
  const reference = sides.findIndex((side) => side !== undefined);
  const length = sides[reference]?.facts.length;
  const axisFromEnd = fromEnd[reference];
  if (length === undefined || axisFromEnd === undefined || node.inputs.length !== 2) return undefined;
  const operands = node.inputs.map((value, index) =>
    sides[index] !== undefined && fromEnd[index] === axisFromEnd
      ? sides[index]?.facts
      : alike(node, value, index, axisFromEnd, length, keys),
  );
  const [left, right] = operands;
  if (left === undefined || right === undefined) return undefined;
  return {
    axis: rank - axisFromEnd,
    facts: Array.from({ length }, (_, index) => combine(node.opType, left[index], right[index], keys)),
  };
}

/** An operand without facts: a constant, or a value that is the same for all channels. */
function alike(
  node: Node,
  value: Value | undefined,
  index: number,
  axisFromEnd: number,
  length: number,
  keys: Keys,
): readonly Fact[] | undefined {
  const constant = node.constantInput(index);
  const shape = constant?.dims ?? (value?.type?.kind === 'tensor' ? value.type.shape : undefined);
  if (shape === undefined) return undefined;
  const size = shape.length < axisFromEnd ? 1 : shape.at(-axisFromEnd);
  if (constant?.elementType === 'float32' && (constant.count === 1 || (size === length && constant.count === length))) {
    const numbers = constant.numbers();
    return Array.from({ length }, (_, channel) => {
      const number = numbers[constant.count === 1 ? 0 : channel] ?? 0;
      return number > 0
        ? { key: keys.of('constant'), scale: number, constant: number }
        : { key: keys.of('constant', number), scale: 1, constant: number };
    });
  }
  if (size === 1)
    return Array.from({ length }, () => ({ key: keys.of('value', value?.name ?? ''), scale: 1, constant: undefined }));
  return Array.from({ length }, () => ({ key: keys.unique(), scale: 1, constant: undefined }));
}

function combine(opType: string, a: Fact | undefined, b: Fact | undefined, keys: Keys): Fact {
  if (a === undefined || b === undefined) return { key: keys.unique(), scale: 1, constant: undefined };
  const constant = combinedConstant(opType, a.constant, b.constant);
  if (opType === 'Mul') return { key: keys.of('Mul', a.key, b.key), scale: a.scale * b.scale, constant };
  if (opType === 'Div') return { key: keys.of('Div', a.key, b.key), scale: a.scale / b.scale, constant };
  // s · x + t · y is s times x + (t / s) · y.
  return { key: keys.of(opType, a.key, b.key, b.scale / a.scale), scale: a.scale, constant };
}

function combinedConstant(opType: string, a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return undefined;
  const result = opType === 'Add' ? a + b : opType === 'Sub' ? a - b : opType === 'Mul' ? a * b : a / b;
  return finite(result);
}

function finite(number: number): number | undefined {
  return Number.isFinite(number) ? Math.fround(number) : undefined;
}
