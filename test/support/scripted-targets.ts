/** Targets whose every call is written down beforehand, in a time that the test turns. */
import type { Clock } from '../../functions/router/policy/clock.js';
import { executionOf, type Outcome, type TargetName } from '../../functions/router/policy/outcome.js';

/** What becomes of a call: after so many milliseconds an outcome, or never anything. */
export type Script = { readonly after: number; readonly outcome: Outcome<string> } | 'hangs';

export interface RecordedCall {
  readonly target: TargetName;
  readonly began: number;
  /** Of the request's time, as the target was told. */
  readonly milliseconds: number;
  ended: 'pending' | 'aborted' | Outcome<string>;
}

export const answers = (after: number, answer = 'answer'): Script => ({ after, outcome: { kind: 'answer', answer } });

export const OUTCOMES = {
  throttled: { kind: 'throttled', retryAfterSeconds: 7 },
  timeout: { kind: 'timeout' },
  crash: { kind: 'function-error', cause: 'crash', code: 'Runtime.ExitError' },
  refusedConnection: { kind: 'connection', phase: 'connecting', code: 'ECONNREFUSED' },
  lost: { kind: 'connection', phase: 'unacknowledged', code: 'ECONNRESET' },
  halfWritten: { kind: 'connection', phase: 'answering', code: 'ECONNRESET' },
  notReady: { kind: 'not-ready', code: 'ModelNotReadyException', retryAfterSeconds: 3 },
  modelRefuses: { kind: 'model-error', status: 400, message: 'unexpected shape' },
  modelFails: { kind: 'model-error', status: 500, message: 'out of memory' },
  unavailable: { kind: 'unavailable', code: 'ServiceException' },
  tooLarge: { kind: 'refused', status: 413, code: 'RequestTooLargeException', isOfRequest: true },
  denied: { kind: 'refused', status: 403, code: 'AccessDeniedException', isOfRequest: false },
} as const satisfies Record<string, Outcome<string>>;

export const fails = (outcome: keyof typeof OUTCOMES, after = 1): Script => ({ after, outcome: OUTCOMES[outcome] });

/** A call for `Dispatcher.dispatch`, and what was called. */
export function scriptedTargets(clock: Clock, scripts: Partial<Record<TargetName, Script>>) {
  const calls: RecordedCall[] = [];
  const call = (target: TargetName, signal: AbortSignal, milliseconds: number) =>
    new Promise<Outcome<string>>((resolve) => {
      const recorded: RecordedCall = { target, began: clock.now(), milliseconds, ended: 'pending' };
      calls.push(recorded);
      const script = scripts[target] ?? 'hangs';
      const cancel =
        script === 'hangs'
          ? () => undefined
          : clock.schedule(script.after, () => {
              recorded.ended = script.outcome;
              resolve(script.outcome);
            });
      signal.addEventListener('abort', () => {
        if (recorded.ended === 'pending') recorded.ended = 'aborted';
        cancel();
      });
    });
  return { call, calls };
}

/** How many of one request's calls ran the model, or may have. */
export function executions(calls: readonly RecordedCall[]): number {
  return calls.filter(({ ended }) => typeof ended === 'string' || executionOf(ended) === 'possible').length;
}
