/** What the lines that a subject writes say of its cold start. */

export interface ColdStart {
  /** Milliseconds from the process's start until the runtime loads our code. */
  readonly runtimeStart: number;
  /** Of the module, without what follows. */
  readonly import: number;
  readonly session: number;
  /** Warming up, where the subject does so, and the first request. */
  readonly firstRun: number;
  /** From the moment the runtime starts to load our code to the first answer: the three together. */
  readonly toFirstPrediction: number;
  /** All of what is billed of the init phase: from the process's start until the module is loaded. */
  readonly init: number;
  /** The first request. */
  readonly handled: number;
  /** VmHWM after the first answer, bytes. */
  readonly peakBytes: number;
}

interface Clock {
  readonly process: number;
  readonly start: number;
  readonly loaded: number;
  readonly invoked: number;
  readonly answered: number;
  readonly peakKiB: number;
}

/** Lines that are no JSON, or say nothing of time, do not count. */
function figuresOf(lines: readonly string[]): Record<string, unknown>[] {
  return lines.flatMap((line) => {
    try {
      const parsed: unknown = JSON.parse(line);
      return typeof parsed === 'object' && parsed !== null ? [parsed as Record<string, unknown>] : [];
    } catch {
      return [];
    }
  });
}

function clocksOf(lines: readonly string[]): Clock[] {
  return figuresOf(lines).flatMap(({ clock }) => (clock === undefined ? [] : [clock as Clock]));
}

/** Answers that have been timed so far. */
export function answersIn(lines: readonly string[]): number {
  return clocksOf(lines).length;
}

/** Milliseconds of each request, the first one included. */
export function requestTimes(lines: readonly string[]): number[] {
  return clocksOf(lines).map(({ invoked, answered }) => answered - invoked);
}

/** @throws Error when the lines do not say all of it */
export function coldStartOf(lines: readonly string[]): ColdStart {
  const [clock] = clocksOf(lines);
  if (clock === undefined) throw new Error(`the subject did not say its times:\n${lines.join('\n')}`);
  const figure = (name: string) => {
    const value = figuresOf(lines).find((figures) => typeof figures[name] === 'number')?.[name];
    return typeof value === 'number' ? value : undefined;
  };
  const session = figure('SessionCreationTime');
  if (session === undefined) throw new Error(`the subject did not say its session's time:\n${lines.join('\n')}`);
  const warmUp = figure('WarmUpTime') ?? 0;
  const load = clock.loaded - clock.start;
  const handled = clock.answered - clock.invoked;
  return {
    runtimeStart: clock.start - clock.process,
    import: load - session - warmUp,
    session,
    firstRun: warmUp + handled,
    toFirstPrediction: load + handled,
    init: clock.loaded - clock.process,
    handled,
    peakBytes: clock.peakKiB * 1024,
  };
}
