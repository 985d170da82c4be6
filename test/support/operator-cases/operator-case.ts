/** One node to evaluate, and the parts that cases of many operators are made of. */
import { type Attribute, attribute } from '../../../lib/compiler/ir/attribute.js';
import type { ElementType } from '../../../lib/compiler/ir/element-type.js';
import { Tensor } from '../../../lib/compiler/ir/tensor.js';
import { edgeTensor } from '../edge-values.js';
import type { Choices } from '../random-graph/choices.js';

export interface OperatorCase {
  readonly inputs: readonly (Tensor | undefined)[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly outputs: number;
}

export type Generator = (choices: Choices, opset: number) => OperatorCase;

export const FLOATS = ['float32', 'float64'] as const;
export const SIGNED = ['int8', 'int16', 'int32', 'int64'] as const;
export const INTEGERS = [...SIGNED, 'uint8', 'uint16', 'uint32', 'uint64'] as const;
export const NUMBERS = [...FLOATS, ...INTEGERS] as const;
/** Those that onnxruntime-node takes as inputs. */
export const ALL_TYPES: readonly ElementType[] = [...NUMBERS, 'float16', 'bool', 'string'];

export const one = (
  inputs: readonly (Tensor | undefined)[],
  attributes: Record<string, Attribute> = {},
): OperatorCase => ({
  inputs,
  attributes,
  outputs: 1,
});

/** Shapes that broadcast to one another. */
export function broadcastable(choices: Choices, count: number): number[][] {
  const dims = choices.shape(0, 3);
  return Array.from({ length: count }, () => {
    const own = dims.slice(choices.integer(0, dims.length));
    return own.map((size) => (choices.chance(0.3) ? 1 : size));
  });
}

export const unary = (types: readonly ElementType[]): Generator => {
  return (choices) => one([edgeTensor(choices, choices.of(types), choices.shape(0, 3))]);
};

export const binary = (types: readonly ElementType[]): Generator => {
  return (choices) => {
    const elementType = choices.of(types);
    return one(broadcastable(choices, 2).map((dims) => edgeTensor(choices, elementType, dims)));
  };
};

export const variadic = (types: readonly ElementType[]): Generator => {
  return (choices) => {
    const elementType = choices.of(types);
    return one(broadcastable(choices, choices.integer(1, 4)).map((dims) => edgeTensor(choices, elementType, dims)));
  };
};

/** Any type, any shape of a rank. */
export const any = (choices: Choices, minimumRank = 0, maximumRank = 3) => {
  return edgeTensor(choices, choices.of(ALL_TYPES), choices.shape(minimumRank, maximumRank));
};

export const axisOf = (choices: Choices, rank: number) => choices.integer(-rank, rank - 1);

/** As the input that it is since `since`, or the attribute that it was before. */
export function listed(
  opset: number,
  since: number,
  name: string,
  values: readonly number[],
): { input: Tensor | undefined; attributes: Record<string, Attribute> } {
  return opset >= since
    ? { input: Tensor.int64(values), attributes: {} }
    : { input: undefined, attributes: { [name]: attribute.ints(values) } };
}
