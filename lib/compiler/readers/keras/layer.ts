/** What a layer's lowering is given and gives back: the contract between Keras's topology and the tables of layers. */
import type { Tensor } from '../../ir/tensor.js';
import { Value } from '../../ir/value.js';
import type { GraphBuilder } from '../../lowering/graph-builder.js';
import type { LayerConfig } from './layer-config.js';

/** What flows between layers: channels-last as in Keras unless a layer's `data_format` says otherwise. */
export interface LayerTensor {
  readonly value: Value;
  /** Keras's implicit mask, bool [N, T], where a Masking or an Embedding (`mask_zero`) made one and every layer since passed it on. */
  readonly mask?: Value;
}

/** A layer's weights, wherever the format keeps them. Floating point comes as float32, whatever the file has. */
export interface LayerWeights {
  /**
   * The variables of the layer itself, named in the order in which Keras creates them, trainable ones before the others; all of them in
   * one call, and only those that this layer has, by its config.
   * @throws ReaderError WEIGHT_MISSING, WEIGHT_COUNT
   */
  take<Name extends string>(names: readonly Name[]): Readonly<Record<Name, Tensor>>;
  /** Those of a layer that this one owns, by the attribute that holds it: 'cell', 'forward_layer', 'query_dense'. */
  child(attribute: string): LayerWeights;
}

export interface LayerCall {
  readonly builder: GraphBuilder;
  /** Keras's class: 'Conv2D'. */
  readonly className: string;
  /** The layer's name, and before it those of the models around it: 'encoder/conv_1'. */
  readonly path: string;
  readonly config: LayerConfig;
  /** The tensors of the first argument of the call, in order: one, or those of a list. */
  readonly inputs: readonly LayerTensor[];
  /**
   * Arguments of the call beyond the first, by name (`initial_state`, `mask`), or by position from '1' where the call gave them so
   * (MultiHeadAttention(query, value): inputs are [query], '1' is value). Keras's tensors are `LayerTensor`s, inside lists too
   * (`tensorsIn`); the rest is as the config has it. Arguments that are null are left out.
   */
  readonly callArguments: Readonly<Record<string, unknown>>;
  readonly weights: LayerWeights;
  /** Of the Keras that wrote the file: defaults and formulas differ. */
  readonly kerasMajorVersion: 1 | 2 | 3;
  /** Lowers a layer that this one wraps (TimeDistributed, Bidirectional), on other inputs and with weights of its own. */
  readonly lowerLayer: (
    layer: { readonly className: string; readonly config: LayerConfig; readonly weights: LayerWeights },
    inputs: readonly LayerTensor[],
  ) => readonly LayerTensor[];
}

/** One class of layers onto lowering/: its outputs, in Keras's order. A single output of a layer that `supports_masking` carries the mask on. */
export type LayerLowering = (call: LayerCall) => readonly LayerTensor[];

/** By Keras's class name. */
export type LayerTable = Readonly<Record<string, LayerLowering>>;

export function isLayerTensor(argument: unknown): argument is LayerTensor {
  return typeof argument === 'object' && argument !== null && 'value' in argument && argument.value instanceof Value;
}

/** The tensors in an argument: itself, those of a list, or those of an object by its sorted keys, as Keras flattens it. */
export function tensorsIn(argument: unknown): readonly LayerTensor[] {
  if (isLayerTensor(argument)) return [argument];
  if (Array.isArray(argument)) return argument.flatMap(tensorsIn);
  if (typeof argument !== 'object' || argument === null) return [];
  return Object.entries(argument)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, each]) => tensorsIn(each));
}

/** `value`, with the mask of `from` where it has one. */
export function withMask(value: Value, from: LayerTensor | undefined): LayerTensor {
  return from?.mask === undefined ? { value } : { value, mask: from.mask };
}
