/** Average precision over 101 points of recall, as COCO's evaluation defines it. */

/** Found boxes of a whole set, in any order, for one class and one threshold. */
export interface Findings {
  readonly isMatch: (index: number) => boolean;
  /** How many true boxes there are. */
  readonly expected: number;
}

const RECALL_POINTS = 101;

/**
 * The mean of the best precision at or beyond each recall of 0, 0.01, … 1.
 * @param order indices of the found boxes, best score first
 */
export function averagePrecision({ isMatch, expected }: Findings, order: readonly number[]): number {
  if (expected === 0) return Number.NaN;
  const precisions = new Float64Array(order.length);
  const recalls = new Float64Array(order.length);
  let matches = 0;
  for (const [rank, index] of order.entries()) {
    if (isMatch(index)) matches++;
    precisions[rank] = matches / (rank + 1);
    recalls[rank] = matches / expected;
  }
  for (let rank = order.length - 2; rank >= 0; rank--) {
    precisions[rank] = Math.max(precisions[rank] ?? 0, precisions[rank + 1] ?? 0);
  }
  let sum = 0;
  let rank = 0;
  for (let point = 0; point < RECALL_POINTS; point++) {
    // In whole hundredths: 0.29 * n would fall beside it.
    while (rank < order.length && (recalls[rank] ?? 0) * (RECALL_POINTS - 1) < point - 1e-9) rank++;
    sum += precisions[rank] ?? 0;
  }
  return sum / RECALL_POINTS;
}
