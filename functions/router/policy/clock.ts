/** What the policy knows of time; tests have one that they turn themselves. */
export interface Clock {
  /** In milliseconds, from any beginning; never goes back, whatever the wall clock does. */
  now(): number;
  /** Calls back once, after so many milliseconds. @returns stops it */
  schedule(milliseconds: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  schedule: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** From 0 inclusive to 1 exclusive. */
export type RandomSource = () => number;
