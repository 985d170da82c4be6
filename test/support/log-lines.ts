/** What a running function wrote, as CloudWatch Logs would have it: line by line, each a JSON object. */
import type { RunningFunction } from './predict-function.js';

export type LogLine = Readonly<Record<string, unknown>>;

/** Every line so far. */
export async function logLines(running: RunningFunction): Promise<readonly LogLine[]> {
  const output = await running.flushedOutput();
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** Those of requests that are over. */
export function requestLines(lines: readonly LogLine[]): readonly LogLine[] {
  return lines.filter(({ message }) => message === 'request');
}
