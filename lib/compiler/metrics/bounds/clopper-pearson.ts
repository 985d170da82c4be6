/** The exact one-sided bound of a share (Clopper and Pearson, 1934). */

const BISECTIONS = 60;

/**
 * The largest share of losses that `losses` among `samples` do not contradict: the p at which so few would come with a probability of
 * 1 - confidence only. 1 without samples.
 */
export function clopperPearsonUpper(losses: number, samples: number, confidence: number): number {
  if (losses >= samples) return 1;
  const logAlpha = Math.log(1 - confidence);
  let [low, high] = [losses / samples, 1];
  for (let step = 0; step < BISECTIONS; step++) {
    const middle = (low + high) / 2;
    if (logAtMost(losses, samples, middle) > logAlpha) low = middle;
    else high = middle;
  }
  return high;
}

/** ln P(X ≤ losses) of the binomial distribution, summed in logarithms: with many samples its terms are too small for a double. */
function logAtMost(losses: number, samples: number, share: number): number {
  if (share <= 0) return 0;
  if (share >= 1) return Number.NEGATIVE_INFINITY;
  const logOdds = Math.log(share) - Math.log1p(-share);
  let term = samples * Math.log1p(-share);
  let sum = term;
  for (let count = 1; count <= losses; count++) {
    term += Math.log((samples - count + 1) / count) + logOdds;
    const [larger, smaller] = sum > term ? [sum, term] : [term, sum];
    sum = larger + Math.log1p(Math.exp(smaller - larger));
  }
  return sum;
}
