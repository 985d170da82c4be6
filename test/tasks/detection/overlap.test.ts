import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Candidate, centredCandidate, intersectionOverUnion } from '../../../lib/tasks/detection/candidate.js';
import { resolveOverlaps } from '../../../lib/tasks/detection/overlap.js';

const candidate: fc.Arbitrary<Candidate> = fc
  .record({
    x: fc.double({ min: 0, max: 100, noNaN: true }),
    y: fc.double({ min: 0, max: 100, noNaN: true }),
    width: fc.double({ min: 1, max: 60, noNaN: true }),
    height: fc.double({ min: 1, max: 60, noNaN: true }),
    score: fc.double({ min: 0.01, max: 1, noNaN: true }),
    label: fc.nat({ max: 2 }),
  })
  .map(({ x, y, width, height, score, label }) => centredCandidate([x, y, width, height], score, label, [{ x, y }]));
const candidates = fc.array(candidate, { maxLength: 40 });
const iouThreshold = fc.double({ min: 0, max: 1, noNaN: true });

describe('overlapping boxes', () => {
  test('suppressed leave no two of one class above the threshold, and lose nothing else', () => {
    fc.assert(
      fc.property(candidates, iouThreshold, (all, threshold) => {
        const kept = resolveOverlaps(all, { iouThreshold: threshold, overlap: 'suppress', maxDetections: 100 });
        for (const [index, one] of kept.entries()) {
          expect(all).toContain(one);
          for (const other of kept.slice(index + 1)) {
            if (one.label === other.label) expect(intersectionOverUnion(one, other)).toBeLessThanOrEqual(threshold);
          }
        }
        for (const lost of all.filter((one) => !kept.includes(one))) {
          const better = kept.some(
            (one) =>
              one.label === lost.label && one.score >= lost.score && intersectionOverUnion(one, lost) > threshold,
          );
          expect(better).toBe(true);
        }
      }),
    );
  });

  test('come best first, as many as asked for, in any order of the input', () => {
    fc.assert(
      fc.property(
        candidates,
        fc.nat({ max: 10 }),
        fc.constantFrom('suppress' as const, 'blend' as const),
        (all, maxDetections, overlap) => {
          const kept = resolveOverlaps(all, { iouThreshold: 0.4, overlap, maxDetections });
          expect(kept.length).toBeLessThanOrEqual(maxDetections);
          const scores = kept.map(({ score }) => score);
          expect(scores).toEqual([...scores].sort((one, other) => other - one));
          const unequal = new Set(all.map(({ score }) => score)).size === all.length;
          if (unequal)
            expect(resolveOverlaps([...all].reverse(), { iouThreshold: 0.4, overlap, maxDetections })).toHaveLength(
              kept.length,
            );
        },
      ),
    );
  });

  test('blended are the average of the group by score, with the best score', () => {
    const box = (xmin: number, score: number): Candidate => ({
      xmin,
      ymin: 0,
      xmax: xmin + 10,
      ymax: 10,
      score,
      label: 0,
      keypoints: [{ x: xmin, y: 5 }],
    });
    const blended = resolveOverlaps([box(2, 0.3), box(0, 0.9), box(50, 0.4)], {
      iouThreshold: 0.3,
      overlap: 'blend',
      maxDetections: 9,
    });
    expect(blended).toHaveLength(2);
    expect(blended[0]?.score).toBe(0.9);
    expect(blended[0]?.xmin).toBeCloseTo(0.5, 10);
    expect(blended[0]?.xmax).toBeCloseTo(10.5, 10);
    expect(blended[0]?.keypoints[0]?.x).toBeCloseTo(0.5, 10);
    expect(blended[1]).toMatchObject({ xmin: 50, score: 0.4 });
  });

  test('blended lie within what their group covered', () => {
    fc.assert(
      fc.property(candidates, (all) => {
        for (const kept of resolveOverlaps(all, { iouThreshold: 0.3, overlap: 'blend', maxDetections: 100 })) {
          expect(kept.xmin).toBeGreaterThanOrEqual(Math.min(...all.map(({ xmin }) => xmin)) - 1e-9);
          expect(kept.ymax).toBeLessThanOrEqual(Math.max(...all.map(({ ymax }) => ymax)) + 1e-9);
        }
      }),
    );
  });

  test('in their thousands are resolved in a moment', () => {
    const all = Array.from({ length: 30_000 }, (_, index) =>
      centredCandidate([(index % 1000) * 20, Math.floor(index / 1000) * 20, 10, 10], 0.5 + index / 100_000, 0),
    );
    const start = process.cpuUsage();
    expect(resolveOverlaps(all, { iouThreshold: 0.5, overlap: 'blend', maxDetections: 100 })).toHaveLength(100);
    // Of the processor, so that a busy machine does not fail it.
    expect(process.cpuUsage(start).user).toBeLessThan(1_500_000);
  });
});

describe('intersection over union', () => {
  test('is 1 with itself, the same both ways, 0 for boxes apart', () => {
    fc.assert(
      fc.property(candidate, candidate, (one, other) => {
        expect(intersectionOverUnion(one, one)).toBeCloseTo(1, 9);
        const overlap = intersectionOverUnion(one, other);
        expect(overlap).toBeCloseTo(intersectionOverUnion(other, one), 12);
        expect(overlap >= 0 && overlap <= 1 + 1e-9).toBe(true);
        expect(intersectionOverUnion(one, { ...other, xmin: one.xmax, xmax: one.xmax + 5 })).toBe(0);
      }),
    );
    expect(
      intersectionOverUnion({ xmin: 0, ymin: 0, xmax: 2, ymax: 2 }, { xmin: 1, ymin: 0, xmax: 3, ymax: 2 }),
    ).toBeCloseTo(1 / 3, 12);
  });
});
