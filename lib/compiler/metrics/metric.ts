/** What outputs are judged by: with labels, or against the outputs of the original model. */
import type { Feeds, Sample } from '../data/data-set.js';

/** Outputs of every step of a sample. */
export type Outputs = readonly Feeds[];

export interface Metric {
  /** As in `optimize.budget.metric`: accuracy, f1, map, iou, wer, cer; agreement, snr, cosine, kl, max-abs. */
  readonly name: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  readonly needsLabels: boolean;
  /** How it comes of its samples; it decides how its spread is estimated. */
  readonly form: MetricForm;
  /**
   * What one sample says; several numbers for metrics of a whole set (true and false positives and the like).
   * @throws ConfigurationError where the sample lacks the label that it needs
   */
  observe(sample: Sample, outputs: Outputs, reference: Outputs): Float64Array;
  /** The metric over observations; samples may be repeated or left out, so that its spread can be estimated. */
  aggregate(observations: readonly Float64Array[]): number;
}

export type MetricForm =
  /** The mean of the observations, one number each, between `worst` and `best`. */
  | { readonly kind: 'bounded-mean'; readonly worst: number; readonly best: number }
  /** Of the whole set; one sample in n moves it by about `span` / n at most. */
  | { readonly kind: 'bounded-set'; readonly span: number }
  /** Nothing is known of how far a sample not yet seen may move it. */
  | { readonly kind: 'unbounded' }
  /** The largest over all samples: no number of samples bounds it for those not seen. */
  | { readonly kind: 'extreme' };
