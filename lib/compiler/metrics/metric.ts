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
  /**
   * What one sample says; several numbers for metrics of a whole set (true and false positives and the like).
   * @throws ConfigurationError where the sample lacks the label that it needs
   */
  observe(sample: Sample, outputs: Outputs, reference: Outputs): Float64Array;
  /** The metric over observations; samples may be repeated or left out, so that its spread can be estimated. */
  aggregate(observations: readonly Float64Array[]): number;
}
