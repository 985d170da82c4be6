/** What a TensorFlow Lite file says, as plain data; the tables of TensorFlow's schema.fbs that a conversion needs. */
import type { OperatorOptions } from './options.js';

export const TENSOR_TYPES = [
  'FLOAT32',
  'FLOAT16',
  'INT32',
  'UINT8',
  'INT64',
  'STRING',
  'BOOL',
  'INT16',
  'COMPLEX64',
  'INT8',
  'FLOAT64',
  'COMPLEX128',
  'UINT64',
  'RESOURCE',
  'VARIANT',
  'UINT32',
  'UINT16',
  'INT4',
  'BFLOAT16',
  'INT2',
  'UINT4',
] as const;

export type TfliteType = (typeof TENSOR_TYPES)[number];

/** real = scale · (stored - zeroPoint). */
export interface TfliteQuantization {
  /** One for the whole tensor, or one for each index along `dimension`. Finite, at least 0. */
  readonly scales: readonly number[];
  /** As many as scales. */
  readonly zeroPoints: readonly number[];
  readonly dimension: number;
}

/** One level of how a sparse tensor is stored; https://arxiv.org/abs/1804.10112 describes the format. */
export type SparseLevel =
  | { readonly format: 'dense'; readonly size: number }
  | { readonly format: 'csr'; readonly segments: readonly number[]; readonly indices: readonly number[] };

export interface TfliteSparsity {
  /** The order of the tensor's dimensions, and behind them of the blocks' dimensions, from the outermost level. */
  readonly traversalOrder: readonly number[];
  /** For each dimension of the blocks, the tensor's dimension that it divides. */
  readonly blockMap: readonly number[];
  /** In traversal order. */
  readonly levels: readonly SparseLevel[];
}

export interface TfliteTensor {
  readonly index: number;
  readonly name: string;
  readonly type: TfliteType;
  /** What the converter ran with: an open size is 1 here. */
  readonly shape: readonly number[];
  /** -1 for open sizes; undefined where all are fixed. */
  readonly shapeSignature: readonly number[] | undefined;
  /** State that lives from one run to the next, zero at first. */
  readonly isVariable: boolean;
  /** A constant's elements, little-endian: a view on the file. */
  readonly data: Uint8Array | undefined;
  readonly quantization: TfliteQuantization | undefined;
  readonly sparsity: TfliteSparsity | undefined;
}

export interface TfliteOperator {
  readonly index: number;
  /** As in schema.fbs: 'CONV_2D'; 'CUSTOM' for one that the runtime was given by name. */
  readonly code: string;
  readonly customCode: string;
  /** Indices of tensors; undefined where an optional input is left out. */
  readonly inputs: readonly (number | undefined)[];
  readonly outputs: readonly number[];
  readonly options: OperatorOptions | undefined;
  readonly customOptions: Uint8Array | undefined;
}

export interface TfliteSubgraph {
  readonly name: string;
  readonly tensors: readonly TfliteTensor[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** In the order in which they run. */
  readonly operators: readonly TfliteOperator[];
}

/** Names for a subgraph's inputs and outputs, by which callers of the model know them. */
export interface TfliteSignature {
  readonly key: string;
  readonly subgraph: number;
  /** Name to index of the tensor. */
  readonly inputs: ReadonlyMap<string, number>;
  readonly outputs: ReadonlyMap<string, number>;
}

export interface TfliteModel {
  readonly description: string;
  /** At least one; the first is the model, others are branches, bodies of loops and further signatures. */
  readonly subgraphs: readonly TfliteSubgraph[];
  readonly signatures: readonly TfliteSignature[];
}
