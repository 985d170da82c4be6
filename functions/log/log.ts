/**
 * Lines of JSON with the members of Powertools' logger, so that queries written for it find them. Powertools itself would take as long
 * to import as the rest of this function together.
 */
import { LOG_LEVEL_VARIABLE, LOG_LEVELS, type LogLevel } from '../../lib/artifact/function-metrics.js';

export type LineLevel = Extract<LogLevel, 'DEBUG' | 'INFO' | 'WARN' | 'ERROR'>;
export type LogDetails = Readonly<Record<string, unknown>>;
/** @param always whatever the level that is asked for; default false */
export type Log = (level: LineLevel, message: string, details?: LogDetails, always?: boolean) => void;

const DEFAULT_LEVEL = LOG_LEVELS.indexOf('INFO');
const configured = LOG_LEVELS.indexOf((process.env[LOG_LEVEL_VARIABLE] ?? '').trim().toUpperCase() as LogLevel);
const threshold = configured < 0 ? DEFAULT_LEVEL : configured;

/** Outside of requests; within one, its observation's log says which. */
export const log: Log = (level, message, details, always = false) => {
  if (!always && LOG_LEVELS.indexOf(level) < threshold) return;
  process.stdout.write(`${JSON.stringify({ level, message, timestamp: new Date().toISOString(), ...details })}\n`);
};

const MAX_CAUSES = 5;
const MAX_STACK_LINES = 12;

/**
 * An error with all that its readers in the log need. Only for errors that no request had a part in: their texts may quote what they
 * were thrown for.
 */
export function errorDetails(error: unknown): LogDetails {
  return { error: describe(error, MAX_CAUSES) };
}

/** An error of a request, without any text that could come from the request. */
export function errorDetailsWithoutTexts(error: unknown): LogDetails {
  if (!(error instanceof Error)) return { error: { name: typeof error } };
  return { error: { name: error.name, code: codeOf(error), stack: framesOf(error) } };
}

function describe(error: unknown, causes: number): unknown {
  if (!(error instanceof Error)) return String(error);
  const { advice } = error as { readonly advice?: unknown };
  return {
    name: error.name,
    message: error.message,
    code: codeOf(error),
    advice,
    stack: framesOf(error),
    cause: error.cause === undefined || causes === 0 ? undefined : describe(error.cause, causes - 1),
  };
}

function codeOf(error: Error): unknown {
  return (error as { readonly code?: unknown }).code;
}

/** The lines of a stack below the message; none where the message cannot be told from them. */
function framesOf({ message, stack = '' }: Error): string | undefined {
  const start = stack.indexOf(message);
  if (start < 0) return undefined;
  const frames = stack.slice(start + message.length).split('\n');
  return frames.slice(1, MAX_STACK_LINES).join('\n') || undefined;
}
