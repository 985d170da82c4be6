/**
 * The formulas of Keras's recurrent layers, found in the body of a loop. A SavedModel has the layer written out step by step; ONNX's LSTM, GRU and
 * RNN compute the same many times faster.
 */
import type { Graph } from '../../ir/graph.js';
import type { Value } from '../../ir/value.js';
import { knownNumbers } from '../../lowering/known-elements.js';
import { shapeOf } from '../../lowering/shape.js';

/** A body as it was written: values that are neither made by its nodes nor given to it come from around the loop. */
export interface CellBody {
  readonly graph: Graph;
  /** What the step gets of the sequence, [N, features]. */
  readonly isStep: (value: Value) => boolean;
  /** Recurrent states before the step, and what becomes of them, in the same order. */
  readonly states: readonly Value[];
  readonly results: readonly Value[];
}

export interface CellWeights {
  readonly kernel: Value;
  /** Side by side, where the body has it in parts. */
  readonly recurrentKernel: readonly Value[];
  readonly bias?: Value | undefined;
  readonly recurrentBias?: Value | undefined;
}

export type RecurrentCell = {
  readonly weights: CellWeights;
  /** As Keras calls them. */
  readonly activation: string;
  /** Which of the body's states is which: h, and c of an LSTM. */
  readonly order: readonly number[];
} & (
  | { readonly kind: 'lstm'; readonly recurrentActivation: string }
  | { readonly kind: 'gru'; readonly recurrentActivation: string; readonly resetAfter: boolean }
  | { readonly kind: 'simple' }
);

/** @returns undefined where the body is none of them */
export function findCell(body: CellBody): RecurrentCell | undefined {
  if (body.states.length === 2) return lstmCell(body, [0, 1]) ?? lstmCell(body, [1, 0]);
  if (body.states.length === 1) return gruCell(body) ?? simpleCell(body);
  return undefined;
}

/** c' = f · c + i · act(g); h' = o · act(c'). */
function lstmCell(body: CellBody, order: readonly [number, number]): RecurrentCell | undefined {
  const [h, c] = order.map((at) => body.states[at]);
  const [nextH, nextC] = order.map((at) => body.results[at]);
  if (h === undefined || c === undefined || nextH === undefined || nextC === undefined) return undefined;
  const output = factors(nextH, (value) => activated(value)?.of === nextC);
  const sum = operands(nextC, 'Add');
  if (output === undefined || sum === undefined) return undefined;
  const kept = sum.map((each) => factors(each, (value) => value === c));
  const at = kept.findIndex((each) => each !== undefined);
  const forget = activated(kept[at]?.other);
  const added = operands(sum[1 - at], 'Mul')?.map((each) => activated(each));
  if (forget === undefined || added === undefined) return undefined;
  const outputGate = activated(output.other);
  const outputActivation = activated(output.found);
  const gates = [...added, forget, outputGate].map((each) => ({ each, part: partOf(each?.of) }));
  const of = (index: number) => gates.find(({ part }) => part !== undefined && part.start === index * part.size);
  const [i, f, g, o] = [of(0), of(1), of(2), of(3)];
  const whole = i?.part?.whole;
  if (whole === undefined || gates.some(({ part }) => part?.whole !== whole || part.count !== 4)) return undefined;
  if (f?.each !== forget || o?.each !== outputGate || g?.each?.name !== outputActivation?.name) return undefined;
  if (i?.each?.name !== f.each.name || o?.each?.name !== f.each.name || g?.each === undefined) return undefined;
  const weights = sumOfProducts(body, whole, h);
  if (weights === undefined) return undefined;
  return { kind: 'lstm', weights, activation: g.each.name, recurrentActivation: f.each.name, order };
}

/** h' = z · h + (1 - z) · act(…). */
function gruCell(body: CellBody): RecurrentCell | undefined {
  const [[h], [nextH]] = [body.states, body.results];
  const sum = operands(nextH, 'Add');
  if (h === undefined || sum === undefined) return undefined;
  const kept = sum.map((each) => factors(each, (value) => value === h));
  const at = kept.findIndex((each) => each !== undefined);
  const update = kept[at]?.other;
  const renewed = factors(sum[1 - at], (value) => isRest(value, update));
  const candidate = activated(renewed?.other);
  const z = activated(update);
  if (candidate === undefined || z === undefined) return undefined;
  return gruSums(body, h, { candidate, z });
}

/** Whether a value is 1 - `of`. */
function isRest(value: Value, of: Value | undefined): boolean {
  const { producer } = value;
  const [one, other] = producer?.is('Sub') ? producer.inputs : [];
  return other !== undefined && other === of && one?.initializer?.count === 1 && one.initializer.numbers()[0] === 1;
}

function gruSums(
  body: CellBody,
  h: Value,
  { candidate, z }: { candidate: Activated; z: Activated },
): RecurrentCell | undefined {
  // Of each sum, the part that the input makes, and the part that the state makes.
  const ofInput = (value: Value | undefined): readonly [Part, Value] | undefined => {
    const terms = operands(value, 'Add');
    for (const [index, term] of (terms ?? []).entries()) {
      const part = partOf(term);
      const other = terms?.[1 - index];
      if (part !== undefined && other !== undefined && productOf(body, part.whole, body.isStep) !== undefined) {
        return [part, other];
      }
    }
    return undefined;
  };
  const [proposed, update] = [ofInput(candidate.of), ofInput(z.of)];
  if (proposed === undefined || update === undefined) return undefined;
  const after = operands(proposed[1], 'Mul');
  const before = matmulOf(proposed[1]);
  const resets = (after ?? operands(before?.left, 'Mul') ?? []).map((value) => ({ value, gate: activated(value) }));
  const reset = resets.find(({ gate }) => ofInput(gate?.of) !== undefined);
  const r = ofInput(reset?.gate?.of);
  const other = resets.find((each) => each !== reset)?.value;
  if (reset === undefined || r === undefined || other === undefined || reset.gate?.name !== z.name) return undefined;
  const inputParts = [update[0], r[0], proposed[0]];
  const { whole } = proposed[0];
  if (inputParts.some((part, index) => part.whole !== whole || part.count !== 3 || part.start !== index * part.size))
    return undefined;
  const input = productOf(body, whole, body.isStep);
  const stateParts = [partOf(update[1]), partOf(r[1]), ...(after === undefined ? [] : [partOf(other)])];
  const inner = stateParts[0]?.whole;
  const count = stateParts.length;
  const fits = stateParts.every(
    (part, index) => part?.whole === inner && part?.count === count && part?.start === index * part.size,
  );
  const state = inner === undefined ? undefined : productOf(body, inner, (value) => value === h);
  if (input === undefined || !fits || state === undefined) return undefined;
  const common = { kind: 'gru', activation: candidate.name, recurrentActivation: z.name, order: [0] } as const;
  const kernel = { kernel: input.weight, bias: input.bias };
  if (after !== undefined) {
    const weights = { ...kernel, recurrentKernel: [state.weight], recurrentBias: state.bias };
    return { ...common, resetAfter: true, weights };
  }
  if (other !== h || before === undefined || !isGiven(body, before.right) || state.bias !== undefined) return undefined;
  return { ...common, resetAfter: false, weights: { ...kernel, recurrentKernel: [state.weight, before.right] } };
}

/** h' = act(x · W + h · R + b). */
function simpleCell(body: CellBody): RecurrentCell | undefined {
  const next = activated(body.results[0]);
  const [h] = body.states;
  const weights = next === undefined || h === undefined ? undefined : sumOfProducts(body, next.of, h);
  if (next === undefined || weights === undefined) return undefined;
  return { kind: 'simple', weights, activation: next.name, order: [0] };
}

/** x · W + h · R, and vectors added to it. */
function sumOfProducts(body: CellBody, value: Value, h: Value): CellWeights | undefined {
  const terms = addends(value);
  const products = terms.map(matmulOf);
  const kernel = products.find((each) => each !== undefined && body.isStep(each.left))?.right;
  const recurrentKernel = products.find((each) => each?.left === h)?.right;
  const biases = terms.filter((_, index) => products[index] === undefined);
  if (kernel === undefined || recurrentKernel === undefined || terms.length - biases.length !== 2) return undefined;
  if (biases.length > 1 || ![kernel, recurrentKernel, ...biases].every((each) => isGiven(body, each))) return undefined;
  const [bias] = biases;
  if (bias !== undefined && !isVectorFor(bias, kernel)) return undefined;
  return { kernel, recurrentKernel: [recurrentKernel], bias };
}

/** left · weight + bias, the left side one of a kind. */
function productOf(
  body: CellBody,
  value: Value,
  isLeft: (value: Value) => boolean,
): { readonly weight: Value; readonly bias: Value | undefined } | undefined {
  const terms = addends(value);
  const products = terms.map(matmulOf);
  const weight = products.find((each) => each !== undefined && isLeft(each.left))?.right;
  const [bias, ...more] = terms.filter((_, index) => products[index] === undefined);
  if (weight === undefined || more.length > 0 || terms.length > (bias === undefined ? 1 : 2)) return undefined;
  if (!isGiven(body, weight)) return undefined;
  if (bias !== undefined && !(isGiven(body, bias) && isVectorFor(bias, weight))) return undefined;
  return { weight, bias };
}

function isGiven({ graph }: CellBody, value: Value): boolean {
  return value.producer?.graph !== graph && !graph.hasInput(value);
}

function isVectorFor(bias: Value, kernel: Value): boolean {
  const [shape, of] = [shapeOf(bias), shapeOf(kernel)];
  return shape.length === 1 && of.length === 2 && shape[0] === of[1];
}

interface Activated {
  /** As Keras calls it. */
  readonly name: string;
  readonly of: Value;
}

const ACTIVATIONS: Readonly<Record<string, string>> = {
  Relu: 'relu',
  Sigmoid: 'sigmoid',
  Softsign: 'softsign',
  Tanh: 'tanh',
};

function activated(value: Value | undefined): Activated | undefined {
  const { producer } = value ?? {};
  const name = producer?.domain === '' ? ACTIVATIONS[producer.opType] : undefined;
  const of = producer?.input(0);
  return name === undefined || of === undefined ? undefined : { name, of };
}

function operands(value: Value | undefined, operator: 'Add' | 'Mul'): readonly [Value, Value] | undefined {
  const { producer } = value ?? {};
  const [a, b] = producer?.is(operator) ? producer.inputs : [];
  return a === undefined || b === undefined ? undefined : [a, b];
}

/** The factor of a product that is looked for, and the other. */
function factors(value: Value | undefined, isFound: (value: Value) => boolean) {
  const pair = operands(value, 'Mul');
  const found = pair?.find(isFound);
  const other = pair?.find((each) => each !== found);
  return found === undefined || other === undefined ? undefined : { found, other };
}

/** The terms of a sum, however it is bracketed. */
function addends(value: Value): readonly Value[] {
  const pair = operands(value, 'Add');
  return pair === undefined ? [value] : pair.flatMap(addends);
}

function matmulOf(value: Value | undefined): { readonly left: Value; readonly right: Value } | undefined {
  const { producer } = value ?? {};
  const [left, right] = producer?.is('MatMul') ? producer.inputs : [];
  return left === undefined || right === undefined ? undefined : { left, right };
}

/** One of equal parts along the last of two dimensions. */
interface Part {
  readonly whole: Value;
  readonly start: number;
  readonly size: number;
  readonly count: number;
}

function partOf(value: Value | undefined): Part | undefined {
  const { producer } = value ?? {};
  const whole = producer?.is('Split', 'Slice') ? producer.input(0) : undefined;
  if (value === undefined || producer === undefined || whole === undefined) return undefined;
  const [total, size] = [shapeOf(whole)[1], shapeOf(value)[1]];
  if (typeof total !== 'number' || typeof size !== 'number' || size === 0 || total % size !== 0) return undefined;
  const start = producer.is('Split') ? splitStart(value) : sliceStart(value, total);
  return start === undefined ? undefined : { whole, start, size, count: total / size };
}

function splitStart(value: Value): number | undefined {
  const { producer } = value;
  if (producer?.int('axis', 0) !== 1) return undefined;
  let start = 0;
  for (const output of producer.outputs) {
    if (output === value) return start;
    const size = output === undefined ? undefined : shapeOf(output)[1];
    if (typeof size !== 'number') return undefined;
    start += size;
  }
  return undefined;
}

function sliceStart({ producer }: Value, total: number): number | undefined {
  const [starts, axes, steps] = [1, 3, 4].map((index) => {
    const input = producer?.input(index);
    return input === undefined ? undefined : knownNumbers(input);
  });
  const [start] = starts ?? [];
  if (start === undefined || axes?.length !== 1 || axes[0] !== 1 || (steps !== undefined && steps[0] !== 1))
    return undefined;
  return start < 0 ? start + total : start;
}
