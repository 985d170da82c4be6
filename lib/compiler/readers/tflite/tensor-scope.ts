/** The tensors of one subgraph: what each is in the graph that is written. */
import type { TfliteSubgraph, TfliteTensor } from '../../formats/tflite/model.js';
import type { Value } from '../../ir/value.js';
import type { GraphBuilder } from '../../lowering/graph-builder.js';
import { ReaderError } from '../reader-error.js';
import { constantOf, float32Constant } from './constants.js';
import { dequantize, dequantizedConstant, isQuantized } from './quantization.js';

/** What is the same for all subgraphs of a file. */
export interface FileScope {
  /** By the number by which operators call them. */
  readonly subgraphs: readonly TfliteSubgraph[];
  /** Writes the operators of a scope's subgraph. */
  readonly lowerOperators: (scope: TensorScope) => void;
}

export class TensorScope {
  readonly builder: GraphBuilder;
  readonly subgraph: TfliteSubgraph;
  readonly file: FileScope;
  /** Subgraphs around this one. */
  readonly depth: number;
  readonly #stored = new Map<number, Value>();
  readonly #real = new Map<number, Value>();
  readonly #realConstants = new Map<number, Value>();

  constructor(builder: GraphBuilder, subgraph: TfliteSubgraph, file: FileScope, depth = 0) {
    this.builder = builder;
    this.subgraph = subgraph;
    this.file = file;
    this.depth = depth;
  }

  /** The scope of a subgraph that an operator of this one calls. */
  inner(builder: GraphBuilder, subgraph: TfliteSubgraph): TensorScope {
    return new TensorScope(builder, subgraph, this.file, this.depth + 1);
  }

  tensor(index: number): TfliteTensor {
    const tensor = this.subgraph.tensors[index];
    if (tensor === undefined) throw new RangeError(`tensor ${index} of ${this.subgraph.tensors.length}`);
    return tensor;
  }

  define(index: number, stored: Value): void {
    this.#stored.set(index, stored);
    this.#real.delete(index);
    this.#realConstants.delete(index);
  }

  /** What the file stores. @throws ReaderError TENSOR_UNDEFINED where nothing before computes it */
  stored(tensor: TfliteTensor): Value {
    const known = this.#stored.get(tensor.index) ?? this.#constant(tensor);
    if (known !== undefined) return known;
    throw new ReaderError({
      code: 'TENSOR_UNDEFINED',
      message: `Tensor ${tensor.index}, '${tensor.name}', is read, and nothing before that computes it.`,
      advice: 'The file is damaged or was written by a faulty exporter; export it again.',
    });
  }

  /** The real numbers that a tensor stands for: itself, unless it is quantized. */
  real(tensor: TfliteTensor): Value {
    if (!isQuantized(tensor)) return this.stored(tensor);
    const known = this.#real.get(tensor.index);
    if (known !== undefined) return known;
    const real = dequantize(this.builder, this.stored(tensor), tensor);
    this.#real.set(tensor.index, real);
    return real;
  }

  /** As `real`, a constant that is quantized or of float16 as one in float32: for operators that compute with that. */
  realConstant(tensor: TfliteTensor): Value {
    const known = this.#realConstants.get(tensor.index);
    if (known !== undefined) return known;
    const { initializer } = this.stored(tensor);
    if (initializer === undefined) return this.real(tensor);
    const isHalf = initializer.elementType === 'float16';
    if (!isHalf && !isQuantized(tensor)) return this.real(tensor);
    const constant = isQuantized(tensor) ? dequantizedConstant(initializer, tensor) : float32Constant(initializer);
    const real = this.builder.constant(constant, tensor.name);
    this.#realConstants.set(tensor.index, real);
    return real;
  }

  #constant(tensor: TfliteTensor): Value | undefined {
    const constant = constantOf(tensor);
    if (constant === undefined) return undefined;
    const value = this.builder.constant(constant, tensor.name);
    this.define(tensor.index, value);
    return value;
  }
}
