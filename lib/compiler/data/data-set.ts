/** Data that a model is calibrated, searched and judged with: read sample by sample, never all at once. */
import type { RuntimeTensor } from '../runtime/session.js';

export type Feeds = Readonly<Record<string, RuntimeTensor>>;

/** A box in pixels of the original picture. */
export interface LabelledBox {
  readonly label: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The truth about a sample, where it is known. */
export type Label =
  | { readonly kind: 'class'; readonly index: number }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'boxes'; readonly boxes: readonly LabelledBox[] }
  /** Expected outputs by name, recorded from elsewhere. */
  | { readonly kind: 'outputs'; readonly outputs: Feeds };

export interface Sample {
  /** Unique in its set: the file's path from the set's folder, with `#index` where a file holds several. */
  readonly id: string;
  /** One run's inputs; a sequence is run in order, its state carried along (`DataSet.carried`). */
  readonly steps: readonly Feeds[];
  readonly label?: Label;
  /** Where it comes from, for results split by source: the first folder of its path, if there is one. */
  readonly group?: string;
  /** Width and height of the picture it was made from, pixels. */
  readonly size?: { readonly width: number; readonly height: number };
}

export interface DataSet {
  /** In a stable order; known without decoding. */
  readonly ids: readonly string[];
  /** sha256 over the ids and the bytes behind them. */
  readonly digest: string;
  /** Made up, not real: reports must say so. */
  readonly isSynthetic: boolean;
  /** Inputs that a sequence takes from the outputs of the step before; the first step brings their start. */
  readonly carried: Readonly<Record<string, string>>;
  /** Decodes as it goes. Without `ids` all of them. @throws ConfigurationError for a file that cannot be read, by name */
  read(ids?: readonly string[]): AsyncIterable<Sample>;
}
