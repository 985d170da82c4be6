/** Attributes of a node, one shape per kind of onnx.proto's AttributeProto. */
import type { AttributeProto } from 'onnx-buf';
import type { Graph } from './graph.js';
import type { Tensor } from './tensor.js';

export type AttributeValue =
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'int'; readonly value: bigint }
  /** Bytes, UTF-8 by convention only. */
  | { readonly kind: 'string'; readonly value: Uint8Array }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'graph'; readonly value: Graph }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'ints'; readonly value: readonly bigint[] }
  | { readonly kind: 'strings'; readonly value: readonly Uint8Array[] }
  | { readonly kind: 'tensors'; readonly value: readonly Tensor[] }
  | { readonly kind: 'graphs'; readonly value: readonly Graph[] }
  /** Inside a function's body: the attribute of the call by that name; `type` is AttributeProto.AttributeType. */
  | { readonly kind: 'reference'; readonly value: string; readonly type: number }
  /** Sparse tensors and type protos: carried along untouched. */
  | { readonly kind: 'opaque'; readonly value: AttributeProto };

export type Attribute = AttributeValue & {
  /** The message it was read from, so that an untouched attribute is written back to the byte. */
  readonly origin?: AttributeProto;
};

const encoder = new TextEncoder();

/** Short forms for the attributes that rewrites make. */
export const attribute = {
  int: (value: number | bigint): Attribute => ({ kind: 'int', value: BigInt(value) }),
  ints: (values: readonly (number | bigint)[]): Attribute => ({ kind: 'ints', value: values.map(BigInt) }),
  float: (value: number): Attribute => ({ kind: 'float', value }),
  floats: (value: readonly number[]): Attribute => ({ kind: 'floats', value }),
  string: (value: string): Attribute => ({ kind: 'string', value: encoder.encode(value) }),
  strings: (values: readonly string[]): Attribute => ({
    kind: 'strings',
    value: values.map((value) => encoder.encode(value)),
  }),
  tensor: (value: Tensor): Attribute => ({ kind: 'tensor', value }),
  graph: (value: Graph): Attribute => ({ kind: 'graph', value }),
} as const;
