/**
 * The handler of every Node.js subject: loads index.mjs, lets it answer, and says when. One line of JSON on stdout per answer, with
 * milliseconds since 1970 and the most memory that the process held.
 */
import { readFileSync } from 'node:fs';

const now = () => performance.timeOrigin + performance.now();

const start = now();
const { handler: timed } = await import('./index.mjs');
const loaded = now();

export async function handler(event, context) {
  const invoked = now();
  const result = await timed(event, context);
  const answered = now();
  const [, peakKiB] = /^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'));
  const clock = { process: performance.timeOrigin, start, loaded, invoked, answered, peakKiB: Number(peakKiB) };
  process.stdout.write(`${JSON.stringify({ clock })}\n`);
  return result;
}
