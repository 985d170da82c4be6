/** What the decoders make of a model's outputs, in pixels of the model's input. */
import type { Point } from '../prediction.js';

export interface Candidate {
  readonly xmin: number;
  readonly ymin: number;
  readonly xmax: number;
  readonly ymax: number;
  /** 0 to 1. */
  readonly score: number;
  /** Class index. */
  readonly label: number;
  readonly keypoints: readonly Point[];
}

/**
 * From a box given by its centre. Written out field by field: V8 reads objects made by spreading ten times more slowly, and there may be
 * tens of thousands.
 */
export function centredCandidate(
  [x, y, width, height]: readonly [number, number, number, number],
  score: number,
  label: number,
  keypoints: readonly Point[] = [],
): Candidate {
  return {
    xmin: x - width / 2,
    ymin: y - height / 2,
    xmax: x + width / 2,
    ymax: y + height / 2,
    score,
    label,
    keypoints,
  };
}

type Box = Pick<Candidate, 'xmin' | 'ymin' | 'xmax' | 'ymax'>;

/** Boxes of no area overlap nothing. */
export function intersectionOverUnion(one: Box, other: Box): number {
  const width = Math.min(one.xmax, other.xmax) - Math.max(one.xmin, other.xmin);
  const height = Math.min(one.ymax, other.ymax) - Math.max(one.ymin, other.ymin);
  if (!(width > 0) || !(height > 0)) return 0;
  const shared = width * height;
  return (
    shared /
    ((one.xmax - one.xmin) * (one.ymax - one.ymin) + (other.xmax - other.xmin) * (other.ymax - other.ymin) - shared)
  );
}

export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** The largest of `count` scores from `start` on, `step` apart. */
export function bestClass(
  scoreAt: (index: number) => number,
  start: number,
  step: number,
  count: number,
): { readonly label: number; readonly score: number } {
  let label = 0;
  let score = scoreAt(start);
  for (let index = 1; index < count; index++) {
    const value = scoreAt(start + index * step);
    if (value > score) {
      score = value;
      label = index;
    }
  }
  return { label, score };
}
