/** What can be said of a budget from the samples at hand. */
import type { Budget } from './budget.js';

export interface Certificate {
  /**
   * `certified`: the one-sided bound is within the budget. `not-certified`: the samples are, but they are too few for the bound to be.
   * `broken`: the samples themselves are not.
   */
  readonly status: 'certified' | 'not-certified' | 'broken';
  readonly budget: Budget;
  readonly unit: string;
  /** The metric of the original and of the candidate on the same samples. */
  readonly original: number;
  readonly value: number;
  /** How much worse the candidate is; negative where it is better. */
  readonly loss: number;
  /**
   * With the confidence given, the loss is at most this. Infinity (null in JSON) where nothing can be said. Where labels are judged against
   * `min` or `max`: how far beyond that limit the metric may be.
   */
  readonly lossBound: number;
  /** What `lossBound` may be. */
  readonly allowedLoss: number;
  /** One-sided, for example 0.95. */
  readonly confidence: number;
  readonly samples: number;
  /** Where not certified: about how many samples like these it would take; absent where no number of them would do. */
  readonly samplesNeeded?: number;
  readonly method: 'clopper-pearson' | 'bootstrap' | 'none';
  /** A sentence for people. */
  readonly reason: string;
}
