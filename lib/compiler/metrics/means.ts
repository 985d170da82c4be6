/** Metrics that are the mean of one number per sample. */

/** The mean of the first numbers; `whenEmpty` for no observations. */
export function meanOf(observations: readonly Float64Array[], whenEmpty: number): number {
  if (observations.length === 0) return whenEmpty;
  return observations.reduce((sum, observation) => sum + (observation[0] ?? 0), 0) / observations.length;
}
