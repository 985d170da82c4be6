/** Detections against boxes that a person marked. */
import type { BoundingBox, DetectedObject } from '../../lib/tasks/prediction.js';

/** [xmin, ymin, xmax, ymax]. */
export type MarkedBox = readonly [number, number, number, number];

export interface DetectionMatch {
  readonly found: number;
  readonly missed: readonly MarkedBox[];
  readonly extra: readonly BoundingBox[];
}

export function overlapOf(box: BoundingBox, [xmin, ymin, xmax, ymax]: MarkedBox): number {
  const width = Math.min(box.xmax, xmax) - Math.max(box.xmin, xmin);
  const height = Math.min(box.ymax, ymax) - Math.max(box.ymin, ymin);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / ((box.xmax - box.xmin) * (box.ymax - box.ymin) + (xmax - xmin) * (ymax - ymin) - shared);
}

/** Greedy one-to-one matching, the best overlap first. */
export function matchDetections(
  detections: readonly DetectedObject[],
  marked: readonly MarkedBox[],
  minOverlap = 0.4,
): DetectionMatch {
  const pairs = detections
    .flatMap(({ box }) => marked.map((face) => ({ box, face, overlap: overlapOf(box, face) })))
    .filter(({ overlap }) => overlap >= minOverlap)
    .sort((one, other) => other.overlap - one.overlap);
  const boxes = new Set<BoundingBox>();
  const faces = new Set<MarkedBox>();
  for (const { box, face } of pairs) {
    if (boxes.has(box) || faces.has(face)) continue;
    boxes.add(box);
    faces.add(face);
  }
  return {
    found: faces.size,
    missed: marked.filter((face) => !faces.has(face)),
    extra: detections.map(({ box }) => box).filter((box) => !boxes.has(box)),
  };
}
