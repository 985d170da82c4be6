/** What a range is, and how one may be chosen. */

/** The numbers that a tensor takes on, or those of them that are worth their integers. */
export interface ValueRange {
  readonly min: number;
  readonly max: number;
}

export type RangeMethod =
  /** Everything that was seen. */
  | { readonly kind: 'min-max' }
  /** What is left of `percentile` per cent of all elements when equal shares are cut off below and above. */
  | { readonly kind: 'percentile'; readonly percentile: number }
  /** Least Kullback-Leibler divergence between the distribution and its quantized form. */
  | { readonly kind: 'entropy' }
  /** Least mean squared error of the quantized elements. */
  | { readonly kind: 'mse' };

/** As reports and progress write it: `percentile-99.99`. */
export function methodName(method: RangeMethod): string {
  return method.kind === 'percentile' ? `percentile-${method.percentile}` : method.kind;
}
