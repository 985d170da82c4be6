/** How much worse a model may become, as `optimize.budget` of model.json says it. */

/** Exactly one of `min`, `max` and `maxLoss`. */
export interface Budget {
  /** A name that `metricFor` knows. */
  readonly metric: string;
  /** The metric may not fall below it. */
  readonly min?: number | undefined;
  /** The metric may not exceed it. */
  readonly max?: number | undefined;
  /** How much worse than the original, in units of the metric. */
  readonly maxLoss?: number | undefined;
}
