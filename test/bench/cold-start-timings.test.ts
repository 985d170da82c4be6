/** What the bench reads from the lines of a function that was started for it. */
import { describe, expect, test } from 'vitest';
import { answersIn, coldStartOf, requestTimes } from '../../bench/cold-start/timings.js';

const clock = (invoked: number, answered: number) =>
  JSON.stringify({ clock: { process: 1000, start: 1040, loaded: 1130, invoked, answered, peakKiB: 2048 } });
const session = JSON.stringify({ SessionCreationTime: 50 });
const ready = JSON.stringify({ message: 'model ready', SessionCreationTime: 50, WarmUpTime: 15 });

describe('a cold start', () => {
  test('is split into import, session and first run, which add up to the way to the first answer', () => {
    const start = coldStartOf([session, clock(1200, 1212)]);
    expect(start).toEqual({
      runtimeStart: 40,
      import: 40,
      session: 50,
      firstRun: 12,
      // What lies between the load and the first request is the sandbox's: 70 ms here.
      toFirstPrediction: 102,
      init: 130,
      handled: 12,
      peakBytes: 2_097_152,
    });
    expect(start.import + start.session + start.firstRun).toBe(start.toFirstPrediction);
  });

  test('counts a run that warms up as part of the first run', () => {
    const { import: importing, firstRun, toFirstPrediction } = coldStartOf([ready, clock(1200, 1212)]);
    expect([importing, firstRun, toFirstPrediction]).toEqual([25, 27, 102]);
  });

  test('is that of the first request, whatever else is written', () => {
    const lines = ['a line', '7', 'null', ready, '{"clock":', clock(1200, 1212), clock(2000, 2003)];
    expect(coldStartOf(lines).handled).toBe(12);
    expect(requestTimes(lines)).toEqual([12, 3]);
    expect(answersIn(lines)).toBe(2);
  });

  test('is none where a subject says too little', () => {
    expect(() => coldStartOf([ready])).toThrow('did not say its times');
    expect(() => coldStartOf([clock(1200, 1212), 'SessionCreationTime'])).toThrow("did not say its session's time");
  });
});
