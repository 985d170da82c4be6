/** What Retry-After says: HTTP has whole seconds. */
const MIN_SECONDS = 1;
const MAX_SECONDS = 60;

/** The soonest of what is known; where nothing is, the shortest wait there is. */
export function secondsToWait(known: readonly (number | undefined)[]): number {
  const seconds = known.flatMap((value) => (value !== undefined && Number.isFinite(value) ? [value] : []));
  if (seconds.length === 0) return MIN_SECONDS;
  return Math.min(MAX_SECONDS, Math.max(MIN_SECONDS, Math.ceil(Math.min(...seconds))));
}
