/** What a layer's lowering is given and gives back: the contract between Keras's topology and the tables of layers. */
import type { Tensor } from '../../ir/tensor.js';
import type { Value } from '../../ir/value.js';
import type { GraphBuilder } from '../../lowering/graph-builder.js';
import type { LayerConfig } from './layer-config.js';

/** What flows between layers: channels-last as in Keras unless a layer's `data_format` says otherwise. */
export interface LayerTensor {
  readonly value: Value;
  /** Keras's implicit mask, bool [N, T], where a Masking or an Embedding (`mask_zero`) made one and every layer since passed it on. */
  readonly mask?: Value;
}

/** A layer's weights, wherever the format keeps them. */
export interface LayerWeights {
  /**
   * The variables of the layer itself, named in the order in which Keras creates them; only those that this layer has, by its config.
   * @throws ReaderError WEIGHT_MISSING
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
  readonly inputs: readonly LayerTensor[];
  /** Arguments of the call beyond the inputs (`initial_state`, `mask`, constants), by name or position, as the config has them. */
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
