/** One object, one box. */
import { type Candidate, intersectionOverUnion } from './candidate.js';

/** Best first; the work is at most `maxDetections` times the candidates. `iouThreshold`: boxes of one class that overlap more are one object. */
export function resolveOverlaps(
  candidates: readonly Candidate[],
  {
    iouThreshold,
    overlap,
    maxDetections,
  }: { readonly iouThreshold: number; readonly overlap: 'suppress' | 'blend'; readonly maxDetections: number },
): readonly Candidate[] {
  let remaining = [...candidates].sort((one, other) => other.score - one.score);
  const kept: Candidate[] = [];
  while (kept.length < maxDetections) {
    const [best] = remaining;
    if (best === undefined) break;
    const group: Candidate[] = [];
    const others: Candidate[] = [];
    for (const other of remaining) {
      const isSame =
        other === best || (other.label === best.label && intersectionOverUnion(best, other) > iouThreshold);
      (isSame ? group : others).push(other);
    }
    kept.push(overlap === 'blend' ? blend(best, group) : best);
    remaining = others;
  }
  return kept;
}

/** Boxes and keypoints averaged by score, with the best score, as MediaPipe's weighted non-maximum suppression does. */
function blend(best: Candidate, group: readonly Candidate[]): Candidate {
  const total = group.reduce((sum, { score }) => sum + score, 0);
  if (!(total > 0)) return best;
  const average = (read: (candidate: Candidate) => number) =>
    group.reduce((sum, candidate) => sum + read(candidate) * candidate.score, 0) / total;
  return {
    ...best,
    xmin: average(({ xmin }) => xmin),
    ymin: average(({ ymin }) => ymin),
    xmax: average(({ xmax }) => xmax),
    ymax: average(({ ymax }) => ymax),
    keypoints: best.keypoints.map((point, index) => ({
      x: average(({ keypoints }) => keypoints[index]?.x ?? point.x),
      y: average(({ keypoints }) => keypoints[index]?.y ?? point.y),
    })),
  };
}
